"""The service remembers on which days it has reminded people of overdue requests.

Revision: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Adds the days."""
    op.create_table(
        "reminder_day",
        sa.Column("day", sa.Date(), primary_key=True),
        sa.Column("done_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
    )


def downgrade() -> None:
    """Forgets them."""
    op.drop_table("reminder_day")
