"""A second factor of accounts, with recovery codes.

Revision: 0006
"""

import sqlalchemy as sa
from alembic import op

from services.kit.data.database import EncryptedText

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Adds the columns and the table."""
    op.add_column("account", sa.Column("totp_secret", EncryptedText(), nullable=True))
    op.add_column("account", sa.Column("totp_confirmed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("account", sa.Column("totp_last_step", sa.BigInteger(), nullable=True))
    op.add_column(
        "signed_in_session",
        sa.Column("passed_second_factor", sa.Boolean(), server_default="false", nullable=False),
    )
    op.create_table(
        "recovery_code",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("code_digest", sa.LargeBinary(), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.account_id"], name="fk_recovery_code_account_id"),
        sa.PrimaryKeyConstraint("account_id", "code_digest", name="pk_recovery_code"),
    )


def downgrade() -> None:
    """Drops them: everybody signs in without."""
    op.drop_table("recovery_code")
    op.drop_column("signed_in_session", "passed_second_factor")
    for column in ("totp_last_step", "totp_confirmed_at", "totp_secret"):
        op.drop_column("account", column)
