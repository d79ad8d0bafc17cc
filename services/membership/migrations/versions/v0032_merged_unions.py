"""Unions that were merged into others.

Revision: 0032
"""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"


def upgrade() -> None:
    """No union has been merged yet."""
    op.add_column("union", sa.Column("successor_union_id", sa.Uuid(), nullable=True))
    op.create_foreign_key("fk_union_successor_union_id", "union", "union", ["successor_union_id"], ["union_id"])
    op.create_index("ix_union_successor_union_id", "union", ["successor_union_id"])


def downgrade() -> None:
    """Forgets into which unions they were merged; what was theirs stays with the successors."""
    op.drop_column("union", "successor_union_id")
