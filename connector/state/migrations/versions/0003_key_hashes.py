"""Row keys are hashed with BLAKE2b: what an earlier version recorded would not be recognised."""

import sqlalchemy as sa
from alembic import op

from connector.errors import StateMismatch

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Refuse a state that holds hashes made in another way; an empty one needs no change."""
    for table in ("ledger", "recent", "quarantine", "intent"):
        if op.get_bind().execute(sa.text(f"SELECT 1 FROM {table} LIMIT 1")).first() is not None:
            raise StateMismatch(
                "the state database was written by an earlier version, which hashed row keys in"
                " another way, so rows that it delivered would not be recognised and would be sent"
                " again. Let that version finish its runs, name another database in CAPI_STATE_URL"
                " (or move the file of this one away), and run `capi resolve NAME --restart"
                " now|TIMESTAMP` for each destination"
            )
