"""Unions that were merged into others.

Revision: 0020
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """No union has been merged yet."""
    op.add_column("known_union", sa.Column("successor_union_id", sa.Uuid(), nullable=True))
    op.create_index("ix_moved_member_union_id", "moved_member", ["union_id"])


def downgrade() -> None:
    """Forgets the successors, to whom everything has moved."""
    op.drop_index("ix_moved_member_union_id", "moved_member")
    op.drop_column("known_union", "successor_union_id")
