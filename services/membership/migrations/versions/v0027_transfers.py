"""Transfers of members to other unions.

Revision: 0027
"""

import sqlalchemy as sa
from alembic import op

from services.kit.data.database import EncryptedText

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    """Nobody has moved yet."""
    op.add_column("member", sa.Column("transfers", sa.Integer(), nullable=False, server_default="0"))
    op.create_table(
        "transfer",
        sa.Column("transfer_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("from_union_id", sa.Uuid(), nullable=False),
        sa.Column("to_union_id", sa.Uuid(), nullable=False),
        sa.Column("affiliation", sa.String(), nullable=False),
        sa.Column("reason", EncryptedText(), nullable=True),
        sa.Column("state", sa.String(), nullable=False, server_default="requested"),
        sa.Column("requested_by", sa.Uuid(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("remark", EncryptedText(), nullable=True),
        sa.CheckConstraint("from_union_id <> to_union_id", name="ck_transfer_two_unions"),
        *(
            sa.ForeignKeyConstraint([column], [target], name=f"fk_transfer_{column}")
            for column, target in {
                "member_id": "member.member_id",
                "from_union_id": "union.union_id",
                "to_union_id": "union.union_id",
                "requested_by": "account.account_id",
                "decided_by": "account.account_id",
            }.items()
        ),
        sa.PrimaryKeyConstraint("transfer_id", name="pk_transfer"),
    )
    op.create_index("ix_transfer_member_id", "transfer", ["member_id"])
    op.create_index("ix_transfer_from_union_id_requested_at", "transfer", ["from_union_id", "requested_at"])
    op.create_index("ix_transfer_to_union_id_requested_at", "transfer", ["to_union_id", "requested_at"])
    op.create_index("uq_transfer_open", "transfer", ["member_id"], unique=True, postgresql_where="state = 'requested'")
    op.create_index("ix_transfer_due", "transfer", ["due_on"], postgresql_where="state = 'requested'")


def downgrade() -> None:
    """Forgets them."""
    op.drop_table("transfer")
    op.drop_column("member", "transfers")
