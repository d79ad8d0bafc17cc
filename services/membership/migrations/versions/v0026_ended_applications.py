"""An index of refused and released applications, by which their members are found.

Revision: 0026
"""

from alembic import op
from sqlalchemy import Connection

from services.kit.data.schema.online_steps import add_index

revision = "0026"
down_revision = "0025"


def prepare(connection: Connection) -> None:
    """Builds it while others write; few applications end so."""
    of_ended = "application (union_id, application_id) where state in ('refused', 'released')"
    add_index(connection, "ix_application_ended", of_ended)


def upgrade() -> None:
    """Nothing more: the index is there."""


def downgrade() -> None:
    """Drops it."""
    op.drop_index("ix_application_ended", "application")
