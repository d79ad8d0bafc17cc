"""Who was shown whole numbers of members, and why.

Revision: 0007
"""

import sqlalchemy as sa
from alembic import op

from services.kit.data.database import EncryptedText, make_append_only

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Makes the table, whose rows stay as they are."""
    op.create_table(
        "disclosure",
        sa.Column("disclosure_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("union_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=True),
        sa.Column("members", sa.Integer(), nullable=False),
        sa.Column("reason", EncryptedText(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.account_id"], name="fk_disclosure_account_id"),
        sa.ForeignKeyConstraint(["union_id"], ["union.union_id"], name="fk_disclosure_union_id"),
        sa.ForeignKeyConstraint(["member_id"], ["member.member_id"], name="fk_disclosure_member_id"),
        sa.PrimaryKeyConstraint("disclosure_id", name="pk_disclosure"),
    )
    op.create_index("ix_disclosure_account_id_at", "disclosure", ["account_id", "at"])
    op.create_index("ix_disclosure_member_id_at", "disclosure", ["member_id", "at"])
    make_append_only(op, "disclosure", ["reason"], "A disclosure never changes.")


def downgrade() -> None:
    """Forgets them."""
    op.drop_table("disclosure")
    op.execute("drop function keep_disclosure()")
