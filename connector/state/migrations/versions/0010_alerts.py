"""Which alerts were told, and why a run ended early."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """A table and two columns; of earlier runs it is not known."""
    op.create_table(
        "alert",
        sa.Column(
            "destination_id",
            sa.Integer(),
            sa.ForeignKey("destination.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("channel", sa.String(16), primary_key=True),
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("told", sa.Boolean(), nullable=False),
        sa.Column("claimed_at", sa.BigInteger(), nullable=False),
    )
    op.add_column("run", sa.Column("failure_kind", sa.String(32), nullable=True))
    op.add_column("run", sa.Column("failure", sa.Text(), nullable=True))
