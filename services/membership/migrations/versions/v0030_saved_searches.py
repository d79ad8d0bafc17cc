"""Saved searches in the audit log.

Revision: 0030
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0030"
down_revision = "0029"
serves_from = "0030"


def upgrade() -> None:
    """Nobody has saved one yet."""
    op.create_table(
        "saved_search",
        sa.Column("search_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("filter", JSONB(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.account_id"], name="fk_saved_search_account_id"),
        sa.PrimaryKeyConstraint("search_id", name="pk_saved_search"),
        sa.UniqueConstraint("account_id", "name", name="uq_saved_search_account_id_name"),
    )


def downgrade() -> None:
    """Forgets them."""
    op.drop_table("saved_search")
