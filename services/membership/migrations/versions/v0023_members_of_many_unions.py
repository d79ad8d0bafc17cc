"""Superiors search the members of many unions at once: indexes without the union.

Revision: 0023
"""

from alembic import op
from sqlalchemy import Connection

from services.kit.data.schema.online_steps import add_index

revision = "0023"
down_revision = "0022"

_INDEXES = {
    "ix_member_name_key": "(name_key, member_id) where affiliation = 'employer'",
    "ix_member_in_progress": (
        "(card_state, member_id) where affiliation = 'employer' and card_state in ('pending', 'submitted')"
    ),
    "ix_member_applied_at": "(applied_at, member_id) where affiliation = 'employer' and applied_at is not null",
    "ix_member_special": "(member_id) where affiliation = 'employer' and channel = 'special'",
}


def prepare(connection: Connection) -> None:
    """Builds the indexes while others write."""
    for name, definition in _INDEXES.items():
        add_index(connection, name, f"member {definition}")


def upgrade() -> None:
    """Nothing besides: the indexes are built."""


def downgrade() -> None:
    """Removes them."""
    for name in _INDEXES:
        op.drop_index(name, "member")
