"""Devices that have signed in, failures counted by kind, and one-time passwords that belong to a browser.

Revision: 0016
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Adds three tables and the device of a session; what the release before counts in stays until it is gone."""
    op.create_table(
        "failure_count",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("free_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("kind", "subject", name="pk_failure_count"),
    )
    op.create_index("ix_failure_count_account_id", "failure_count", ["account_id"])
    op.create_index("ix_failure_count_counted_at", "failure_count", ["counted_at"])
    op.create_table(
        "known_device",
        sa.Column("device_id", sa.Uuid(), nullable=False),
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("device_id", "holder_id", name="pk_known_device"),
    )
    op.create_index("ix_known_device_holder_id", "known_device", ["holder_id"])
    op.create_index("ix_known_device_used_at", "known_device", ["used_at"])
    op.create_table(
        "sms_code",
        sa.Column("code_id", sa.Uuid(), nullable=False),
        sa.Column("phone_digest", sa.LargeBinary(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=True),
        sa.Column("code_digest", sa.LargeBinary(), nullable=True),
        sa.Column("tries", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["member.member_id"], name="fk_sms_code_member_id_member"),
        sa.PrimaryKeyConstraint("code_id", name="pk_sms_code"),
    )
    op.create_index("ix_sms_code_phone_digest_issued_at", "sms_code", ["phone_digest", "issued_at"])
    op.create_index("ix_sms_code_origin_issued_at", "sms_code", ["origin", "issued_at"])
    op.create_index("ix_sms_code_issued_at", "sms_code", ["issued_at"])
    op.add_column("signed_in_session", sa.Column("device_id", sa.Uuid(), nullable=True))


def downgrade() -> None:
    """Drops them."""
    op.drop_column("signed_in_session", "device_id")
    op.drop_table("sms_code")
    op.drop_table("known_device")
    op.drop_table("failure_count")
