"""Cards are found by the beginning of their holder's name in unions of any number.

Revision: 0023
"""

import sqlalchemy as sa
from alembic import op

from services.kit.data.schema.online_steps import add_index

revision = "0023"
down_revision = "0022"


def prepare(connection: sa.Connection) -> None:
    """Builds the index while others write."""
    name = 'lower(name collate "und-x-icu") text_pattern_ops'
    add_index(connection, "ix_application_issued_name", f"application ({name}, application_id) where state = 'issued'")


def upgrade() -> None:
    """Nothing is left to do."""


def downgrade() -> None:
    """Drops the index."""
    op.drop_index("ix_application_issued_name", "application")
