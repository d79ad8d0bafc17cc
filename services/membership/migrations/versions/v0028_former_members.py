"""Members who left or retired, and how often a membership has changed.

Revision: 0028
"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    """Nobody has left yet, as far as is known."""
    op.add_column("member", sa.Column("left_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("member", sa.Column("left_because", sa.String(), nullable=True))
    op.add_column("member", sa.Column("membership_version", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    """Forgets it."""
    op.drop_column("member", "membership_version")
    op.drop_column("member", "left_because")
    op.drop_column("member", "left_at")
