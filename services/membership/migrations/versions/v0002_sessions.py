"""Sessions are kept here, so that they can be ended.

Revision: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Makes the table of sessions."""
    op.create_table(
        "signed_in_session",
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("member_id", sa.Uuid(), nullable=True),
        sa.Column("origin", sa.String(), nullable=True),
        sa.Column("user_agent", sa.String(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_because", sa.String(), nullable=True),
        sa.CheckConstraint("num_nonnulls(account_id, member_id) = 1", name="ck_signed_in_session_one_holder"),
        sa.ForeignKeyConstraint(["account_id"], ["account.account_id"], name="fk_signed_in_session_account_id"),
        sa.ForeignKeyConstraint(["member_id"], ["member.member_id"], name="fk_signed_in_session_member_id"),
        sa.PrimaryKeyConstraint("session_id", name="pk_signed_in_session"),
    )
    for column in ("account_id", "member_id", "used_at"):
        op.create_index(f"ix_signed_in_session_{column}", "signed_in_session", [column])


def downgrade() -> None:
    """Drops it: everybody signs in again."""
    op.drop_table("signed_in_session")
