"""Branches and outlets can be closed.

Revision: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """All that there are stay open."""
    for table in ("branch", "outlet"):
        op.add_column(table, sa.Column("closed", sa.Boolean(), server_default="false", nullable=False))


def downgrade() -> None:
    """Opens them all."""
    for table in ("branch", "outlet"):
        op.drop_column(table, "closed")
