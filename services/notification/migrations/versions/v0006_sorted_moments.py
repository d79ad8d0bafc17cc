"""Rows whose term has passed are found by sorted indexes.

Revision: 0006
"""

from alembic import op
from sqlalchemy import Connection

from services.kit.data.schema.online_steps import sort_indexes_of_moments, swap_indexes_of_moments

revision = "0006"
down_revision = "0005"


def prepare(connection: Connection) -> None:
    """Builds the indexes while others write."""
    sort_indexes_of_moments(connection)


def upgrade() -> None:
    """Puts them in place of the former ones."""
    swap_indexes_of_moments(op.get_bind())


def downgrade() -> None:
    """Nothing: the former release uses these as well."""
