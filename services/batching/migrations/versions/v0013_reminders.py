"""The service remembers on which days it has reminded people of overdue work, and finds such work by indexes.

Revision: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Adds the days, and the index of batches that the bank has not decided."""
    op.create_table(
        "reminder_day",
        sa.Column("day", sa.Date(), primary_key=True),
        sa.Column("done_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
    )
    op.create_index(
        "ix_batch_undecided",
        "batch",
        ["submitted_at", "union_id"],
        postgresql_where=sa.text("total > issued + refused + released"),
    )


def downgrade() -> None:
    """Removes both."""
    op.drop_index("ix_batch_undecided", "batch")
    op.drop_table("reminder_day")
