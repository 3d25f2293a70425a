"""Recent entries of the ledger."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """A table for them."""
    op.create_table("recent",
    sa.Column("id", _id, nullable=False),
    sa.Column("destination_id", sa.SmallInteger(), nullable=False),
    sa.Column("part", sa.SmallInteger(), nullable=False),
    sa.Column("rows", sa.Integer(), nullable=False),
    sa.Column("at", sa.Integer(), nullable=False),
    sa.Column("entries", sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint("id"),
    sqlite_autoincrement=True
    )
    op.create_index("recent_of_part", "recent", ["destination_id", "part", "rows"], unique=False)
