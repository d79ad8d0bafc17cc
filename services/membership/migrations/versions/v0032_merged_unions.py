"""Unions that were merged into others.

Revision: 0032
"""

import sqlalchemy as sa
from alembic import op

from services.kit.data.schema.online_steps import add_index

revision = "0032"
down_revision = "0031"


def prepare(connection: sa.Connection) -> None:
    """Locks the table of unions alone, as the revision before does; builds the index while others write."""
    connection.execute(sa.text('alter table "union" add column if not exists successor_union_id uuid'))
    add_index(connection, "ix_member_union_id_left", "member (union_id, member_id) where left_at is not null")


def upgrade() -> None:
    """No union has been merged yet."""
    op.create_foreign_key("fk_union_successor_union_id", "union", "union", ["successor_union_id"], ["union_id"])
    op.create_index("ix_union_successor_union_id", "union", ["successor_union_id"])


def downgrade() -> None:
    """Forgets into which unions they were merged; what was theirs stays with the successors."""
    op.drop_index("ix_member_union_id_left", "member")
    op.drop_column("union", "successor_union_id")
