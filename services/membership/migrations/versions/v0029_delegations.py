"""Deputies of reviewers.

Revision: 0029
"""

import sqlalchemy as sa
from alembic import op

from services.kit.data.database import EncryptedText

revision = "0029"
down_revision = "0028"

_ACCOUNTS = ("principal_id", "deputy_id", "made_by")


def upgrade() -> None:
    """Nobody has a deputy yet."""
    op.create_table(
        "delegation",
        sa.Column("delegation_id", sa.Uuid(), nullable=False),
        sa.Column("principal_id", sa.Uuid(), nullable=False),
        sa.Column("deputy_id", sa.Uuid(), nullable=False),
        sa.Column("union_id", sa.Uuid(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("reason", EncryptedText(), nullable=False),
        sa.Column("made_by", sa.Uuid(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.Uuid(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False, server_default="1"),
        sa.CheckConstraint("principal_id <> deputy_id", name="ck_delegation_two_accounts"),
        sa.CheckConstraint("first_day <= last_day", name="ck_delegation_days_in_order"),
        *(
            sa.ForeignKeyConstraint([column], ["account.account_id"], name=f"fk_delegation_{column}")
            for column in _ACCOUNTS
        ),
        sa.ForeignKeyConstraint(["union_id"], ["union.union_id"], name="fk_delegation_union_id"),
        sa.PrimaryKeyConstraint("delegation_id", name="pk_delegation"),
    )
    op.create_index("ix_delegation_principal_id_last_day", "delegation", ["principal_id", "last_day"])
    op.create_index("ix_delegation_deputy_id_last_day", "delegation", ["deputy_id", "last_day"])
    op.create_index("ix_delegation_union_id_first_day", "delegation", ["union_id", "first_day"])


def downgrade() -> None:
    """Forgets them."""
    op.drop_table("delegation")
