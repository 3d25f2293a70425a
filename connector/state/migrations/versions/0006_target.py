"""Where the rows of a destination were delivered to."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """A column for it; the next run fills it."""
    op.add_column(
        "destination", sa.Column("target", sa.Text(), nullable=False, server_default="{}")
    )
