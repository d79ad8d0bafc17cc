"""The list of members in the order of a column, and what the pages keep for an account.

Revision: 0024
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Connection

from services.kit.data.schema.online_steps import add_index

revision = "0024"
down_revision = "0023"

_ORDERS = ("member_no", "applied_at")


def prepare(connection: Connection) -> None:
    """Builds the indexes while others write."""
    for name in _ORDERS:
        columns = f"union_id, {name} nulls first, member_id"
        add_index(connection, f"ix_member_union_id_by_{name}", f"member ({columns}) where affiliation = 'employer'")


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "account_preference",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.account_id"], name=op.f("fk_account_preference_account_id_account")
        ),
        sa.PrimaryKeyConstraint("account_id", "name", name=op.f("pk_account_preference")),
    )


def downgrade() -> None:
    """Forgets the preferences, and drops the indexes."""
    op.drop_table("account_preference")
    for name in _ORDERS:
        op.drop_index(f"ix_member_union_id_by_{name}", "member")
