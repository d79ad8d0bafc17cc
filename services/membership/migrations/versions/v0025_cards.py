"""What happens to members' cards after they are made.

Revision: 0025
"""

import sqlalchemy as sa
from alembic import op

from services.kit.data.database import EncryptedText
from services.kit.data.schema.online_steps import add_index

revision = "0025"
down_revision = "0024"


def prepare(connection: sa.Connection) -> None:
    """Builds the index of the new column while others write."""
    connection.execute(sa.text("alter table member add column if not exists card_status varchar"))
    of_employed = "member (union_id, card_status, member_id) where affiliation = 'employer'"
    add_index(connection, "ix_member_union_id_card_status", of_employed)


def upgrade() -> None:
    """Cards that were issued before have no status yet, which means that they are made."""
    op.add_column("member", sa.Column("card_version", sa.Integer(), nullable=False, server_default="0"))
    op.create_table(
        "card_step",
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by_union", sa.Boolean(), nullable=False),
        sa.Column("card_no", EncryptedText(), nullable=False),
        sa.ForeignKeyConstraint(["application_id"], ["application.application_id"], name="fk_card_step_application_id"),
        sa.ForeignKeyConstraint(["member_id"], ["member.member_id"], name="fk_card_step_member_id"),
        sa.PrimaryKeyConstraint("application_id", "version", name="pk_card_step"),
    )
    op.create_index("ix_card_step_member_id", "card_step", ["member_id"])


def downgrade() -> None:
    """Forgets them."""
    op.drop_table("card_step")
    op.drop_index("ix_member_union_id_card_status", "member")
    op.drop_column("member", "card_version")
    op.drop_column("member", "card_status")
