"""From when on the ledger is complete."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """A column for it. What was pruned before is not known, so the ledger counts as new then."""
    op.add_column("destination", sa.Column("horizon", sa.BigInteger(), nullable=True))
    op.execute("UPDATE destination SET horizon = pruned_at")
