"""Links to choose another password; accounts are found by their telephone number, and say when they were used.

Revision: 0003
"""

import sqlalchemy as sa
from alembic import op

from services.kit.data.database import EncryptedText
from services.membership.members.member_documents import phone_digest

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Makes the table of links, and fills in by what the accounts' telephone numbers are found."""
    op.create_table(
        "reset_link",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("made_by", sa.Uuid(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("void_since", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.account_id"], name="fk_reset_link_account_id"),
        sa.PrimaryKeyConstraint("token_hash", name="pk_reset_link"),
    )
    op.create_index("ix_reset_link_account_id", "reset_link", ["account_id"])
    op.add_column("account", sa.Column("last_signed_in_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("account", sa.Column("phone_digest", sa.LargeBinary(), nullable=True))
    op.create_index("ix_account_phone_digest", "account", ["phone_digest"])
    _fill_phone_digests()


def downgrade() -> None:
    """Drops them."""
    op.drop_column("account", "phone_digest")
    op.drop_column("account", "last_signed_in_at")
    op.drop_table("reset_link")


def _fill_phone_digests() -> None:
    """Only where there are telephone numbers are the keys of personal data asked for."""
    account = sa.table(
        "account", sa.column("account_id"), sa.column("phone", EncryptedText()), sa.column("phone_digest")
    )
    connection = op.get_bind()
    for account_id, phone in connection.execute(
        sa.select(account.c.account_id, account.c.phone).where(account.c.phone.is_not(None))
    ).all():
        filled = sa.update(account).where(account.c.account_id == account_id)
        connection.execute(filled.values(phone_digest=phone_digest(phone)))
