"""How many requests in flight a platform took, for the next run to begin with."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """A table for it; a destination without a row has learned nothing yet."""
    op.create_table(
        "concurrency",
        sa.Column(
            "destination_id",
            sa.Integer(),
            sa.ForeignKey("destination.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("in_flight", sa.Integer(), nullable=False),
        sa.Column("ceiling", sa.Integer(), nullable=True),
        sa.Column("throttled_at", sa.BigInteger(), nullable=True),
    )
