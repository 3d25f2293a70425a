"""E-mail addresses: `email_basic` decides what one is; each platform's rule starts there."""

from __future__ import annotations

import re
import unicodedata

import idna
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connector.arrow.bytes import EDGES, INVISIBLE, first_bytes, is_ascii, longest_bytes, lower
from connector.arrow.dictionary import at_exceptions, map_exceptions

_ATOM = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+"
_ADDRESS = (
    rf"^{_ATOM}(\.{_ATOM})*@([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+([a-z]{{2,}}|xn--[a-z0-9-]*[a-z0-9])$"
)
_MATCH = re.compile(_ADDRESS)

_INVISIBLE = dict.fromkeys(map(ord, INVISIBLE))

_PLACEHOLDER_LOCAL = (
    "noreply|no-reply|donotreply|do-not-reply|unknown|null|none|nan|undefined|n/a|noemail|no-email"
)
_PLACEHOLDER = (
    rf"^(({_PLACEHOLDER_LOCAL})@.*|test@test\.[a-z]+|a@example\.com|a@a\.[a-z]+"
    r"|asdf@asdf\.[a-z]+|no@no\.[a-z]+|email@email\.com)$"
)
_PLACEHOLDER_BEGINS = np.isin(np.arange(256), list(b"andute"))
"""First bytes of what `_PLACEHOLDER` matches."""

_IS_PLACEHOLDER = re.compile(_PLACEHOLDER)


def email_basic(emails: pa.Array) -> pa.Array:
    """Lower-case address, domain as IDNA A-label; null where it is none or a placeholder.

    Dots and `+alias` stay. Syntax: RFC 5321 dot-atoms of at most 64 and 254 characters, a domain
    with a top level. Source: Meta customer-information-parameters; TikTok, Snapchat, Pinterest,
    LinkedIn, X and OpenAI ask for the same.
    """
    small = lower(emails)
    plain = pc.match_substring_regex(small, _ADDRESS)
    if not is_ascii(emails) or longest_bytes(emails) > 64:
        plain = pc.and_(
            plain, pc.and_(pc.string_is_ascii(emails), pc.less_equal(pc.utf8_length(small), 64))
        )
    read = map_exceptions(emails, small, pc.invert(plain), _read_address)
    return _without_placeholders(read)


def is_placeholder(email: str) -> bool:
    """Whether systems or people enter this address where they have none."""
    return bool(_IS_PLACEHOLDER.match(email))


def _read_address(text: str) -> str | None:
    """One address with invisible or full-width characters, `mailto:`, or an IDNA domain."""
    text = unicodedata.normalize("NFKC", text.translate(_INVISIBLE)).strip(EDGES)
    if text[:7].lower() == "mailto:":
        text = text[7:].strip(EDGES)
    local, at, domain = text.rpartition("@")
    if not at or not local.isascii():
        return None
    try:
        domain = domain if domain.isascii() else idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError:
        return None
    address = f"{local}@{domain}".lower()
    too_long = (
        len(address) > 254 or len(local) > 64 or any(len(label) > 63 for label in domain.split("."))
    )
    return address if not too_long and _MATCH.match(address) else None


def email_u_label(emails: pa.Array) -> pa.Array:
    """As `email_basic`, with an international domain in its own letters: `info@müller.example`.

    Source: facebook-business, snap-business-sdk and google-ads-datamanager hash such a domain as it
    came, UID2 too.
    """
    basic = email_basic(emails)
    international = pc.match_substring_regex(basic, r"[@.]xn--")
    return map_exceptions(basic, basic, pc.fill_null(international, False), _with_u_label)


def _with_u_label(address: str) -> str:
    local, _, domain = address.rpartition("@")
    try:
        return f"{local}@{idna.decode(domain)}"
    except idna.IDNAError:
        return address


def email_gmail(emails: pa.Array) -> pa.Array:
    """As `email_basic`; without dots and `+suffix` for gmail.com and googlemail.com.

    Source: Google Data Manager formatter.
    """
    return _without_alias_and_dots(email_basic(emails), r"@(gmail|googlemail)\.com$")


def email_uid2(emails: pa.Array) -> pa.Array:
    """As `email_basic`; without dots and `+suffix` for gmail.com alone. Source: UID2 rules."""
    return _without_alias_and_dots(email_basic(emails), r"@gmail\.com$")


def email_strip_all(emails: pa.Array) -> pa.Array:
    """As `email_basic`, without dots and `+alias`. Source: Microsoft UET Conversions API guide."""
    return _without_alias_and_dots(email_basic(emails), r"@")


def email_alnum_local(emails: pa.Array) -> pa.Array:
    """As `email_basic`; before the @ letters and digits alone, without `+alias`.

    Source: Reddit hashing help.
    """
    return _with_local(email_basic(emails), r"(\+.*|[^a-z0-9])")


def email_amazon(emails: pa.Array) -> pa.Array:
    """As `email_basic`, keeping only `[a-z0-9.@+-]`. Source: Amazon Ads events guide."""
    kept = pc.replace_substring_regex(email_basic(emails), r"[^a-z0-9.@+-]", "")
    return _without_placeholders(pc.if_else(pc.match_substring_regex(kept, _ADDRESS), kept, None))


def _without_alias_and_dots(addresses: pa.Array, where: str) -> pa.Array:
    return pc.if_else(
        pc.match_substring_regex(addresses, where), _with_local(addresses, r"(\+.*|\.)"), addresses
    )


def _with_local(addresses: pa.Array, removed: str) -> pa.Array:
    """Addresses without what matches `removed` before the @; null where nothing is left there."""
    local = pc.replace_substring_regex(
        pc.replace_substring_regex(addresses, r"@.*$", ""), removed, ""
    )
    domain = pc.replace_substring_regex(addresses, r"^[^@]*", "")
    joined = pc.binary_join_element_wise(local, domain, "")
    return _without_placeholders(pc.if_else(pc.equal(pc.utf8_length(local), 0), None, joined))


def _without_placeholders(addresses: pa.Array) -> pa.Array:
    suspects = pa.array(_PLACEHOLDER_BEGINS[first_bytes(addresses)])
    return at_exceptions(
        addresses,
        suspects,
        lambda some: pc.if_else(pc.match_substring_regex(some, _PLACEHOLDER), None, some),
    )
