"""An act that came long after it was done is kept with both times.

Revision: 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Adds the column; it is empty for what came in time."""
    op.add_column("audit_entry", sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    """Drops it; the seals of acts that came late hold no more then."""
    op.drop_column("audit_entry", "recorded_at")
