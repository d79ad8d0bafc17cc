"""Unions as membership published them last: their places in the tree change.

Revision: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """A union that is not stored has not changed since."""
    op.create_table(
        "known_union",
        sa.Column("union_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("superior_union_id", sa.Uuid(), nullable=True),
        sa.Column("superior_ids", sa.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("known_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("union_id", name="pk_known_union"),
    )


def downgrade() -> None:
    """Forgets them."""
    op.drop_table("known_union")
