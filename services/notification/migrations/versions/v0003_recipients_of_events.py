"""The outbox knows which recipients of an event still lack their copy.

Revision: 0003
"""

from alembic import op

from services.kit.data.database import add_outbox_recipients, drop_outbox_recipients

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Adds the column; what a process of the release before writes leaves it empty."""
    add_outbox_recipients(op)


def downgrade() -> None:
    """Sends one copy for all again."""
    drop_outbox_recipients(op)
