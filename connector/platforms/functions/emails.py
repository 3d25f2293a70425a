"""E-mail addresses."""

from connector.identifiers import email
from connector.platforms.functions.registry import register_columnwise

register_columnwise(
    email.email_basic,
    email.email_u_label,
    email.email_gmail,
    email.email_uid2,
    email.email_strip_all,
    email.email_alnum_local,
    email.email_amazon,
)
