"""Messages for one account alone, of what was changed of it.

Revision: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Adds the column; messages for a role have none."""
    op.add_column("inbox_message", sa.Column("account_id", sa.Uuid(), nullable=True))


def downgrade() -> None:
    """Drops it, and the messages that nobody else may see."""
    op.execute("delete from inbox_message where account_id is not null")
    op.drop_column("inbox_message", "account_id")
