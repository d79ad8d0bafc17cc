"""First tables of notification.

Revision: 0001
"""

from datetime import datetime

import sqlalchemy as sa
from alembic import op

from services.kit.data.database import EncryptedText, create_messaging_tables, drop_messaging_tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Makes the tables."""
    create_messaging_tables(op)
    op.create_table(
        "inbox_message",
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("union_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("link", sa.String(), nullable=True),
        _now("created_at"),
        sa.PrimaryKeyConstraint("message_id", name="pk_inbox_message"),
        sa.UniqueConstraint("topic", name="uq_inbox_message_topic"),
    )
    op.create_index("ix_inbox_message_union_id_role_message_id", "inbox_message", ["union_id", "role", "message_id"])
    op.create_table(
        "read_mark",
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["message_id"], ["inbox_message.message_id"], name="fk_read_mark_message_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("message_id", "account_id", name="pk_read_mark"),
    )
    op.create_table(
        "sms",
        sa.Column("sms_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("phone", EncryptedText(), nullable=False),
        sa.Column("text", EncryptedText(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.String(), nullable=True),
        _now("created_at"),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("sms_id", name="pk_sms"),
    )
    op.create_index("ix_sms_due_at", "sms", ["due_at"], postgresql_where=sa.text("state in ('waiting', 'sending')"))
    op.create_index(
        "uq_sms_waiting_topic", "sms", ["topic"], unique=True, postgresql_where=sa.text("state = 'waiting'")
    )
    op.create_table(
        "announcement",
        sa.Column("announcement_id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("places", sa.ARRAY(sa.String()), nullable=False),
        _now("published_at"),
        sa.Column("published_by", sa.Uuid(), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("announcement_id", name="pk_announcement"),
    )
    op.create_index("ix_announcement_published_at", "announcement", ["published_at"])
    op.create_table(
        "guide",
        sa.Column("guide_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("guide_id", name="pk_guide"),
    )
    op.create_table(
        "attachment",
        sa.Column("attachment_id", sa.Uuid(), nullable=False),
        sa.Column("announcement_id", sa.Uuid(), nullable=True),
        sa.Column("guide_id", sa.Uuid(), nullable=True),
        sa.Column("file_name", sa.String(), nullable=False),
        sa.Column("content_type", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["announcement_id"], ["announcement.announcement_id"], name="fk_attachment_announcement_id"
        ),
        sa.ForeignKeyConstraint(["guide_id"], ["guide.guide_id"], name="fk_attachment_guide_id"),
        sa.PrimaryKeyConstraint("attachment_id", name="pk_attachment"),
    )
    op.create_index("ix_attachment_announcement_id", "attachment", ["announcement_id"])
    op.create_index("ix_attachment_guide_id", "attachment", ["guide_id"])


def downgrade() -> None:
    """Drops the tables."""
    for table in ("attachment", "guide", "announcement", "sms", "read_mark", "inbox_message"):
        op.drop_table(table)
    drop_messaging_tables(op)


def _now(name: str) -> sa.Column[datetime]:
    return sa.Column(name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False)
