"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create them."""
    op.create_table("destination",
    sa.Column("id", sa.Integer(), nullable=False),
    sa.Column("name", sa.String(length=255), nullable=False),
    sa.Column("source", sa.Text(), nullable=False),
    sa.Column("start", sa.Text(), nullable=True),
    sa.Column("created_at", sa.BigInteger(), nullable=False),
    sa.Column("not_before", sa.BigInteger(), nullable=True),
    sa.Column("pruned_at", sa.BigInteger(), nullable=True),
    sa.PrimaryKeyConstraint("id"),
    sa.UniqueConstraint("name")
    )
    op.create_table("installation",
    sa.Column("id", sa.Integer(), nullable=False),
    sa.Column("key_hex", sa.String(length=64), nullable=True),
    sa.Column("fingerprint", sa.String(length=16), nullable=False),
    sa.PrimaryKeyConstraint("id")
    )
    op.create_table("ledger",
    sa.Column("destination_id", sa.SmallInteger(), nullable=False),
    sa.Column("key_hash", sa.LargeBinary(length=16), nullable=False),
    sa.Column("state", sa.SmallInteger(), nullable=False),
    sa.Column("at", sa.Integer(), nullable=False),
    sa.Column("place", sa.Integer(), nullable=False),
    sa.Column("version", sa.LargeBinary(length=8), nullable=True),
    sa.PrimaryKeyConstraint("destination_id", "key_hash"),
    sqlite_with_rowid=False
    )
    op.create_table("tally",
    sa.Column("run_id", sa.String(length=64), nullable=False),
    sa.Column("kind", sa.String(length=16), nullable=False),
    sa.Column("name", sa.String(length=128), nullable=False),
    sa.Column("count", sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint("run_id", "kind", "name")
    )
    op.create_table("intent",
    sa.Column("destination_id", sa.Integer(), nullable=False),
    sa.Column("slice", sa.Integer(), nullable=False),
    sa.Column("page", sa.Integer(), nullable=False),
    sa.Column("token", sa.BigInteger(), nullable=False),
    sa.Column("kind", sa.String(length=16), nullable=False),
    sa.Column("after_cursor", sa.Text(), nullable=True),
    sa.Column("after_key", sa.Text(), nullable=True),
    sa.Column("to_cursor", sa.Text(), nullable=False),
    sa.Column("to_key", sa.Text(), nullable=True),
    sa.Column("members", sa.LargeBinary(), nullable=False),
    sa.Column("batch_size", sa.Integer(), nullable=False),
    sa.Column("digest", sa.LargeBinary(), nullable=False),
    sa.Column("as_of", sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(["destination_id"], ["destination.id"], ondelete="CASCADE"),
    sa.PrimaryKeyConstraint("destination_id", "slice", "page")
    )
    op.create_table("lease",
    sa.Column("destination_id", sa.Integer(), nullable=False),
    sa.Column("token", sa.BigInteger(), nullable=False),
    sa.Column("owner", sa.String(length=255), nullable=True),
    sa.Column("process", sa.Text(), nullable=True),
    sa.Column("expires_at", sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(["destination_id"], ["destination.id"], ondelete="CASCADE"),
    sa.PrimaryKeyConstraint("destination_id")
    )
    op.create_table("mark",
    sa.Column("destination_id", sa.Integer(), nullable=False),
    sa.Column("cursor", sa.Text(), nullable=True),
    sa.Column("key", sa.Text(), nullable=True),
    sa.Column("token", sa.BigInteger(), nullable=False),
    sa.Column("clock", sa.Text(), nullable=True),
    sa.Column("looked", sa.Text(), nullable=True),
    sa.ForeignKeyConstraint(["destination_id"], ["destination.id"], ondelete="CASCADE"),
    sa.PrimaryKeyConstraint("destination_id")
    )
    op.create_table("quarantine",
    sa.Column("id", _id, nullable=False),
    sa.Column("destination_id", sa.Integer(), nullable=False),
    sa.Column("key_hash", sa.LargeBinary(length=16), nullable=False),
    sa.Column("key", sa.Text(), nullable=True),
    sa.Column("cursor", sa.Text(), nullable=True),
    sa.Column("state", sa.String(length=16), nullable=False),
    sa.Column("reason", sa.String(length=64), nullable=False),
    sa.Column("field", sa.String(length=128), nullable=True),
    sa.Column("code", sa.String(length=64), nullable=True),
    sa.Column("message", sa.String(length=200), nullable=True),
    sa.Column("attempts", sa.Integer(), nullable=False),
    sa.Column("first_seen", sa.BigInteger(), nullable=False),
    sa.Column("last_seen", sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(["destination_id"], ["destination.id"], ondelete="CASCADE"),
    sa.PrimaryKeyConstraint("id")
    )
    op.create_index("quarantine_of_key", "quarantine", ["destination_id", "key_hash"], unique=True)
    op.create_table("receipt",
    sa.Column("destination_id", sa.Integer(), nullable=False),
    sa.Column("receipt", sa.String(length=255), nullable=False),
    sa.Column("run_id", sa.String(length=64), nullable=False),
    sa.Column("at", sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(["destination_id"], ["destination.id"], ondelete="CASCADE"),
    sa.PrimaryKeyConstraint("destination_id", "receipt")
    )
    op.create_table("run",
    sa.Column("id", _id, nullable=False),
    sa.Column("run_id", sa.String(length=64), nullable=False),
    sa.Column("destination_id", sa.Integer(), nullable=False),
    sa.Column("kind", sa.String(length=16), nullable=False),
    sa.Column("status", sa.String(length=16), nullable=False),
    sa.Column("started_at", sa.BigInteger(), nullable=False),
    sa.Column("ended_at", sa.BigInteger(), nullable=True),
    sa.Column("rows_read", sa.BigInteger(), server_default="0", nullable=False),
    sa.Column("delivered", sa.BigInteger(), server_default="0", nullable=False),
    sa.Column("rejected", sa.BigInteger(), server_default="0", nullable=False),
    sa.Column("expired", sa.BigInteger(), server_default="0", nullable=False),
    sa.Column("suppressed", sa.BigInteger(), server_default="0", nullable=False),
    sa.Column("late", sa.BigInteger(), server_default="0", nullable=False),
    sa.Column("changed", sa.BigInteger(), server_default="0", nullable=False),
    sa.Column("ambiguous", sa.BigInteger(), server_default="0", nullable=False),
    sa.Column("http_requests", sa.BigInteger(), server_default="0", nullable=False),
    sa.Column("retries", sa.BigInteger(), server_default="0", nullable=False),
    sa.Column("mark_from", sa.Text(), nullable=True),
    sa.Column("mark_to", sa.Text(), nullable=True),
    sa.Column("seconds", sa.Float(), nullable=True),
    sa.ForeignKeyConstraint(["destination_id"], ["destination.id"], ondelete="CASCADE"),
    sa.PrimaryKeyConstraint("id"),
    sa.UniqueConstraint("run_id")
    )
    op.create_index("run_of_destination", "run", ["destination_id", "id"], unique=False)
    op.create_table("slice",
    sa.Column("destination_id", sa.Integer(), nullable=False),
    sa.Column("number", sa.Integer(), nullable=False),
    sa.Column("token", sa.BigInteger(), nullable=False),
    sa.Column("done_cursor", sa.Text(), nullable=True),
    sa.Column("done_key", sa.Text(), nullable=True),
    sa.Column("complete", sa.Boolean(), nullable=False),
    sa.ForeignKeyConstraint(["destination_id"], ["destination.id"], ondelete="CASCADE"),
    sa.PrimaryKeyConstraint("destination_id", "number")
    )
