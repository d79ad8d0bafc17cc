"""Rows whose term has passed are found by sorted indexes, and disclosures may be deleted after three years.

Revision: 0021
"""

from alembic import op
from sqlalchemy import Connection

from services.kit.data.database import allow_expiry, refuse_expiry
from services.kit.data.schema.online_steps import add_index, sort_indexes_of_moments, swap_indexes_of_moments

revision = "0021"
down_revision = "0020"

_ENDED = "state in ('issued', 'refused', 'released', 'removed')"


def prepare(connection: Connection) -> None:
    """Builds the indexes while others write."""
    sort_indexes_of_moments(connection)
    add_index(connection, "ix_application_history_ended_at", f"application_history (at) where {_ENDED}")
    add_index(connection, "ix_reset_link_expires_at", "reset_link (expires_at)")


def upgrade() -> None:
    """Puts them in place of the former ones, and lets old disclosures go."""
    swap_indexes_of_moments(op.get_bind())
    allow_expiry(op, "disclosure", "at", 1095, "A disclosure never changes.")


def downgrade() -> None:
    """Drops the new ones; the former release uses the others as well."""
    op.execute("drop index ix_application_history_ended_at")
    op.execute("drop index ix_reset_link_expires_at")
    refuse_expiry(op, "disclosure")
