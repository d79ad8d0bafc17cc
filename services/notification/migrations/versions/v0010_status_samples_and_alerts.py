"""Samples of the services' status and the alerts of monitoring, for the operators' overview.

Revision: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Creates the tables, and an index of text messages that failed."""
    counts = ("processes", "waiting", "dead", "to_outside", "from_outside")
    op.create_table(
        "service_sample",
        sa.Column("minute", sa.DateTime(timezone=True), nullable=False),
        sa.Column("service", sa.String(), nullable=False),
        sa.Column("release", sa.String(), nullable=False),
        sa.Column("reasons", sa.ARRAY(sa.String()), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=True) for name in counts),
        sa.Column("outbox_messages", sa.Integer(), nullable=False),
        sa.Column("outbox_seconds", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("minute", "service", name="pk_service_sample"),
    )
    op.create_table(
        "alert",
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("instance", sa.String(), nullable=False),
        sa.Column("notice", sa.String(), nullable=False),
        sa.Column("heard_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("fingerprint", "started_at", name="pk_alert"),
    )
    op.create_index("ix_alert_started_at", "alert", ["started_at"])
    op.create_index("ix_alert_heard_at", "alert", ["heard_at"])
    op.create_index("ix_sms_failed", "sms", ["sms_id"], postgresql_where=sa.text("state = 'failed'"))


def downgrade() -> None:
    """Drops the tables and the index."""
    op.drop_index("ix_sms_failed", "sms")
    op.drop_table("alert")
    op.drop_table("service_sample")
