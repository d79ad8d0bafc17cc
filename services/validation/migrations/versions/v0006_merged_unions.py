"""Unions that were merged into others, which see their checks.

Revision: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """No union has been merged yet."""
    op.create_table(
        "merged_union",
        sa.Column("union_id", sa.Uuid(), nullable=False),
        sa.Column("successor_union_id", sa.Uuid(), nullable=False),
        sa.Column("known_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("union_id", name="pk_merged_union"),
        sa.Index("ix_merged_union_successor_union_id", "successor_union_id"),
    )


def downgrade() -> None:
    """Forgets them."""
    op.drop_table("merged_union")
