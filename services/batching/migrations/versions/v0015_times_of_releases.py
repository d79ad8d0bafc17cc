"""Applications know when and why they were released.

Revision: 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Adds the columns; of applications released before, the time and reason follow from their batch."""
    op.add_column("application", sa.Column("released_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("application", sa.Column("released_because", sa.String(), nullable=True))


def downgrade() -> None:
    """Drops them."""
    op.drop_column("application", "released_because")
    op.drop_column("application", "released_at")
