"""Unions that were merged into others.

Revision: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
serves_from = "0010"


def upgrade() -> None:
    """No union has been merged yet."""
    op.add_column("known_union", sa.Column("successor_union_id", sa.Uuid(), nullable=True))
    op.create_index("ix_batch_union_id", "batch", ["union_id"])
    op.add_column(
        "revocation",
        sa.Column("former_reviewer_union_ids", sa.ARRAY(sa.Uuid()), nullable=False, server_default="{}"),
    )


def downgrade() -> None:
    """Forgets the successors, to whom everything has moved."""
    op.drop_index("ix_batch_union_id", "batch")
    op.drop_column("revocation", "former_reviewer_union_ids")
    op.drop_column("known_union", "successor_union_id")
