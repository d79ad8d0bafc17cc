"""A message about what somebody has settled counts as read; one that several events tell keeps what is known.

Revision: 0008
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Adds both columns; messages of before are settled by nothing."""
    op.add_column("inbox_message", sa.Column("settled_at", sa.DateTime(timezone=True)))
    op.add_column("inbox_message", sa.Column("known", postgresql.JSONB()))


def downgrade() -> None:
    """Removes them; settled messages are unread again where nobody has read them."""
    op.drop_column("inbox_message", "known")
    op.drop_column("inbox_message", "settled_at")
