"""What was recorded of the rows of an open page before it was sent."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """A column for it. Of pages that are open now nothing was recorded before."""
    op.add_column(
        "intent", sa.Column("states", sa.LargeBinary(), nullable=False, server_default="")
    )
    length = "length" if op.get_bind().dialect.name == "sqlite" else "octet_length"
    for members, destination_id, number, page in op.get_bind().execute(
        sa.text(f"SELECT {length}(members), destination_id, slice, page FROM intent")
    ).all():
        op.get_bind().execute(
            sa.text(
                "UPDATE intent SET states = :states"
                " WHERE destination_id = :id AND slice = :slice AND page = :page"
            ),
            {"states": bytes(members // 16), "id": destination_id, "slice": number, "page": page},
        )
