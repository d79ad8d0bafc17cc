"""The list of members in the order of a column, and what the pages keep for an account.

Revision: 0024
"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"

EMPLOYED = sa.text("affiliation = 'employer'")
ORDERS = ("member_no", "applied_at")


def upgrade() -> None:
    """Makes the indexes and the table; until the indexes are made, who writes members waits."""
    for name in ORDERS:
        columns = [sa.text(one) for one in ("union_id", f"{name} nulls first", "member_id")]
        op.create_index(f"ix_member_union_id_by_{name}", "member", columns, postgresql_where=EMPLOYED)
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
    for name in ORDERS:
        op.drop_index(f"ix_member_union_id_by_{name}", "member")
