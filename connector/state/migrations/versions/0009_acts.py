"""What people decided: who, when, what."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """A table for it; what was decided before is not known."""
    op.create_table(
        "act",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True
        ),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("destination", sa.String(255), nullable=True),
        sa.Column("verb", sa.String(16), nullable=False),
        sa.Column("person", sa.String(255), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
    )
