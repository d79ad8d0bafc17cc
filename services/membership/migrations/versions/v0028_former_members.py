"""Members who left or retired.

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


def downgrade() -> None:
    """Forgets it."""
    op.drop_column("member", "left_because")
    op.drop_column("member", "left_at")
