"""Notification's tables: inbox messages and their read marks, outbound SMS, announcements, guides, attachments."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ARRAY, DateTime, ForeignKey, Index, String, func
from sqlalchemy import text as sql_text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from services.kit.data.database import EncryptedText, new_metadata
from services.kit.data.months import CURRENT_MONTH


class Base(DeclarativeBase):
    """All tables of notification, with the messaging kit's own."""

    metadata = new_metadata()


class InboxMessage(Base):
    """A message for a role in a union, or with `account_id` for one account.

    `topic` identifies what is counted in one message.
    """

    __tablename__ = "inbox_message"
    __table_args__ = (Index(None, "union_id", "role", "message_id"),)

    message_id: Mapped[UUID] = mapped_column(primary_key=True)
    union_id: Mapped[UUID]
    role: Mapped[str]
    account_id: Mapped[UUID | None]
    kind: Mapped[str]
    topic: Mapped[str] = mapped_column(unique=True)
    count: Mapped[int]
    title: Mapped[str]
    body: Mapped[str]
    link: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class ReadMark(Base):
    """The mark that an account has read a message."""

    __tablename__ = "read_mark"

    message_id: Mapped[UUID] = mapped_column(
        ForeignKey("inbox_message.message_id", ondelete="CASCADE"), primary_key=True
    )
    account_id: Mapped[UUID] = mapped_column(primary_key=True)


STILL_COUNTS = sql_text("state = 'waiting'")
"""Whether an SMS still waits, and counts further things of its topic.

Literal as in its index, for PostgreSQL would not match a parameter.
"""

TO_BE_SENT = sql_text("state in ('waiting', 'sending')")
"""Whether an SMS is still to be sent; literal for the same reason."""


class Sms(Base):
    """A text message: `waiting` until `due_at`, `sending` from the first attempt, then `sent` or `failed`.

    A failed one has a reason. A day after it was sent or failed it goes to PastSms. Its id is the provider's request
    id, so that a repeated request is the same message. While it waits, things of the same `topic` are counted in it.
    `text` is erased after a one-time password or a reset link was sent.
    """

    __tablename__ = "sms"
    __table_args__ = (
        Index("ix_sms_due_at", "due_at", postgresql_where=TO_BE_SENT),
        Index("uq_sms_waiting_topic", "topic", unique=True, postgresql_where=STILL_COUNTS),
    )

    sms_id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    topic: Mapped[str]
    count: Mapped[int]
    phone: Mapped[str] = mapped_column(EncryptedText)
    text: Mapped[str | None] = mapped_column(EncryptedText)
    state: Mapped[str]
    attempts: Mapped[int] = mapped_column(server_default="0")
    due_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    last_error: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    sent_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class PastSms(Base):
    """A text message that was sent, or failed, a day ago or longer; partitioned by the month in which it came here."""

    __tablename__ = "past_sms"
    __table_args__ = ({"postgresql_partition_by": "RANGE (month)"},)

    sms_id: Mapped[UUID] = mapped_column(primary_key=True)
    month: Mapped[date] = mapped_column(primary_key=True, server_default=sql_text(CURRENT_MONTH))
    kind: Mapped[str]
    topic: Mapped[str]
    count: Mapped[int]
    phone: Mapped[str] = mapped_column(EncryptedText)
    text: Mapped[str | None] = mapped_column(EncryptedText)
    state: Mapped[str]
    attempts: Mapped[int]
    due_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    last_error: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    sent_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class Announcement(Base):
    """An announcement 通知公告 for the sign-in page, the workbench or both."""

    __tablename__ = "announcement"
    __table_args__ = (Index(None, "published_at"),)

    announcement_id: Mapped[UUID] = mapped_column(primary_key=True)
    title: Mapped[str]
    body: Mapped[str]
    places: Mapped[list[str]] = mapped_column(ARRAY(String))
    published_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    published_by: Mapped[UUID | None]
    edited_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    withdrawn_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class Guide(Base):
    """A guide 新手指引."""

    __tablename__ = "guide"

    guide_id: Mapped[UUID] = mapped_column(primary_key=True)
    position: Mapped[int]
    title: Mapped[str]
    body: Mapped[str]
    video_url: Mapped[str | None]
    withdrawn_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class Attachment(Base):
    """A file attached to an announcement or a guide."""

    __tablename__ = "attachment"

    attachment_id: Mapped[UUID] = mapped_column(primary_key=True)
    announcement_id: Mapped[UUID | None] = mapped_column(ForeignKey("announcement.announcement_id"), index=True)
    guide_id: Mapped[UUID | None] = mapped_column(ForeignKey("guide.guide_id"), index=True)
    file_name: Mapped[str]
    content_type: Mapped[str]
    content: Mapped[bytes]
