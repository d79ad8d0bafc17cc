"""Unions above see the pending lists below them: batching remembers where a queueing union is in the tree.

Revision: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

FROM_BATCHES = """
insert into listed_union (union_id, code, name, superior_union_id, superior_ids, queued_at)
select distinct on (union_id) union_id, union_code, union_name, superior_union_id, superior_ids, submitted_at
from batch order by union_id, submitted_at desc
"""


def upgrade() -> None:
    """Adds the table; unions that have submitted a batch are known from it, others from their next queueing."""
    op.create_table(
        "listed_union",
        sa.Column("union_id", sa.Uuid(), primary_key=True),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("superior_union_id", sa.Uuid()),
        sa.Column("superior_ids", sa.ARRAY(sa.Uuid()), server_default="{}", nullable=False),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_listed_union_superior_ids", "listed_union", ["superior_ids"], postgresql_using="gin")
    op.execute(FROM_BATCHES)


def downgrade() -> None:
    """Removes it."""
    op.drop_table("listed_union")
