"""Superiors search the members of many unions at once: indexes without the union.

Revision: 0023
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"

INDEXES = {
    "ix_member_name_key": (["name_key", "member_id"], "affiliation = 'employer'"),
    "ix_member_in_progress": (
        ["card_state", "member_id"],
        "affiliation = 'employer' and card_state in ('pending', 'submitted')",
    ),
    "ix_member_applied_at": (["applied_at", "member_id"], "affiliation = 'employer' and applied_at is not null"),
    "ix_member_special": (["member_id"], "affiliation = 'employer' and channel = 'special'"),
}


def upgrade() -> None:
    """Makes them; until they are made, who writes members waits."""
    for name, (columns, which) in INDEXES.items():
        op.create_index(name, "member", columns, postgresql_where=sa.text(which))


def downgrade() -> None:
    """Removes them."""
    for name in INDEXES:
        op.drop_index(name, "member")
