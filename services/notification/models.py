"""Notification's tables: inbox messages, outbound SMS, announcements, guides, files, reports, samples and alerts."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, DateTime, ForeignKey, Index, SmallInteger, String, Uuid, func
from sqlalchemy import text as sql_text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from services.kit.data.database import EncryptedText, new_metadata
from services.kit.data.months import CURRENT_MONTH


class Base(DeclarativeBase):
    """All tables of notification, with the messaging kit's own."""

    metadata = new_metadata()


class InboxMessage(Base):
    """A message for a role in a union, or with `account_id` for one account.

    `topic` identifies what is counted in one message. What was `settled_at` a moment counts as read by everybody.
    `known` is what several events about one topic have told so far.
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
    settled_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    known: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class ToldReviewers(Base):
    """Which assignment of a request for revocation was told last: 0, and one more with each move of its union."""

    __tablename__ = "told_reviewers"
    __table_args__ = (Index(None, "told_at"),)

    revocation_id: Mapped[UUID] = mapped_column(primary_key=True)
    assignment: Mapped[int]
    told_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class ReadMark(Base):
    """The mark that an account has read a message."""

    __tablename__ = "read_mark"

    message_id: Mapped[UUID] = mapped_column(
        ForeignKey("inbox_message.message_id", ondelete="CASCADE"), primary_key=True
    )
    account_id: Mapped[UUID] = mapped_column(primary_key=True)


class MessageTemplate(Base):
    """A text that the city has given a kind of message, in one version; the newest counts.

    `body` is empty where the default was restored. The history names the account that edited.
    """

    __tablename__ = "message_template"

    kind: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    title: Mapped[str]
    body: Mapped[str]
    is_on: Mapped[bool]
    edited_by: Mapped[UUID]
    editor: Mapped[str]
    edited_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class MemberNotice(Base):
    """What a member is told of an application: at which number, with which outlet, and what became of it.

    Number and outcome come in two events, in any order; the member is told once both are known.
    """

    __tablename__ = "member_notice"
    __table_args__ = (
        Index(None, "known_at"),
        Index("ix_member_notice_open_member_id", "member_id", postgresql_where=sql_text("outcome is null")),
    )

    application_id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID | None]
    phone: Mapped[str | None] = mapped_column(EncryptedText)
    outlet_name: Mapped[str] = mapped_column(server_default="")
    outlet_address: Mapped[str] = mapped_column(server_default="")
    outlet_phone: Mapped[str] = mapped_column(server_default="")
    handed_out_by_union: Mapped[bool] = mapped_column(server_default="false")
    outcome: Mapped[str | None]
    reason: Mapped[str] = mapped_column(server_default="")
    told: Mapped[str | None]
    known_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class MemberMessage(Base):
    """A message to a member, who reads it on the phone."""

    __tablename__ = "member_message"
    __table_args__ = (Index(None, "member_id", "message_id"),)

    message_id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID]
    text: Mapped[str] = mapped_column(EncryptedText)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    read_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class SmsRefusal(Base):
    """A member who wants no text messages about applications and cards."""

    __tablename__ = "sms_refusal"

    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    refused_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


STILL_COUNTS = sql_text("state = 'waiting'")
"""Whether an SMS still waits, and counts further things of its topic.

Literal as in its index, for PostgreSQL would not match a parameter.
"""

TO_BE_SENT = sql_text("state in ('waiting', 'sending')")
"""Whether an SMS is still to be sent; literal for the same reason."""

HAS_FAILED = sql_text("state = 'failed'")
"""Whether an SMS was given up; literal for the same reason."""


class Sms(Base):
    """A text message: `waiting` until `due_at`, `sending` from the first attempt, then `sent` or `failed`.

    A failed one has a reason. A day after it was sent or failed it goes to PastSms. Its id is the provider's request
    id, so that a repeated request is the same message. While it waits, things of the same `topic` are counted in it.
    One that `may_wait` is not sent in quiet hours. `text` is erased after a one-time password or a reset link was sent.
    """

    __tablename__ = "sms"
    __table_args__ = (
        Index("ix_sms_due_at", "due_at", postgresql_where=TO_BE_SENT),
        Index("uq_sms_waiting_topic", "topic", unique=True, postgresql_where=STILL_COUNTS),
        Index("ix_sms_failed", "sms_id", postgresql_where=HAS_FAILED),
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
    may_wait: Mapped[bool] = mapped_column(server_default="false")
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


class ReportUnion(Base):
    """A union as reports know it; `superior_ids` are all unions above it, the city's first.

    `known_at` is when the event was published; a union that only a count has named has none. What is counted of a union
    that was merged counts for its successor, which has its messages as well.
    """

    __tablename__ = "report_union"
    __table_args__ = (Index(None, "superior_union_id", "code"), Index(None, "successor_union_id"))

    union_id: Mapped[UUID] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(server_default="")
    name: Mapped[str] = mapped_column(server_default="")
    kind: Mapped[str] = mapped_column(server_default="")
    superior_union_id: Mapped[UUID | None]
    superior_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid), server_default="{}")
    known_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    successor_union_id: Mapped[UUID | None]


class ReportApplication(Base):
    """What reports know of an application (reports/facts.py)."""

    __tablename__ = "report_application"

    application_id: Mapped[UUID] = mapped_column(primary_key=True)
    union_id: Mapped[UUID]
    queued_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    channel: Mapped[str]
    channel_version: Mapped[int]
    state: Mapped[str | None]
    version: Mapped[int]
    state_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    known_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    reason_code: Mapped[str | None]
    branch_code: Mapped[str | None]
    submitted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    check_no: Mapped[int]
    check_result: Mapped[str | None]
    checked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    rules: Mapped[str] = mapped_column(server_default="")


class ReportMember(Base):
    """What reports know of a member: the newest version of the membership."""

    __tablename__ = "report_member"

    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    union_id: Mapped[UUID]
    registered_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    left_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    version: Mapped[int] = mapped_column(server_default="0")


class ReportCount(Base):
    """A count of a union: its own (`is_below` false), or of all unions below it, by these unions' kind.

    `month` is as 202611, and 0 for what is counted as it stands now. `detail` is a rule, a reason or a number of days.
    """

    __tablename__ = "report_count"

    union_id: Mapped[UUID] = mapped_column(primary_key=True)
    measure: Mapped[str] = mapped_column(primary_key=True)
    month: Mapped[int] = mapped_column(primary_key=True)
    is_below: Mapped[bool] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    branch_code: Mapped[str] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(primary_key=True)
    detail: Mapped[str] = mapped_column(primary_key=True)
    count: Mapped[int] = mapped_column(BigInteger)


class ReportName(Base):
    """The name of a branch, a rule or a bank's reason that reports count by."""

    __tablename__ = "report_name"

    kind: Mapped[str] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]


class ReportRebuild(Base):
    """The newest rebuild of the reports: one row.

    `expected` is how many events the services have published for it, known when they have published all.
    """

    __tablename__ = "report_rebuild"

    one: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    rebuild_id: Mapped[UUID | None]
    started_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    expected: Mapped[int | None]
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class ReportRebuildEvent(Base):
    """An event of a rebuild that was counted, by its message id."""

    __tablename__ = "report_rebuild_event"

    rebuild_id: Mapped[UUID] = mapped_column(primary_key=True)
    message_id: Mapped[str] = mapped_column(primary_key=True)


class MonthlyReport(Base):
    """The monthly messages of one month: sent to the unions up to `last_union_id`, in the order of ids."""

    __tablename__ = "monthly_report"

    month: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    last_union_id: Mapped[UUID | None]
    sent: Mapped[int] = mapped_column(server_default="0")
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class ServiceSample(Base):
    """How a service did in one minute, as it has published it (services/contracts/events/status.py)."""

    __tablename__ = "service_sample"

    minute: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    service: Mapped[str] = mapped_column(primary_key=True)
    release: Mapped[str]
    reasons: Mapped[list[str]] = mapped_column(ARRAY(String))
    processes: Mapped[int | None]
    waiting: Mapped[int | None]
    dead: Mapped[int | None]
    to_outside: Mapped[int | None]
    from_outside: Mapped[int | None]
    outbox_messages: Mapped[int]
    outbox_seconds: Mapped[float]


class Alert(Base):
    """An alert of monitoring: fires until `ended_at`; `heard_at` is when monitoring last told of it.

    `subject` is the program or queue that it is about, `instance` the process; both are empty for the whole system.
    `notice` says in Chinese what is wrong.
    """

    __tablename__ = "alert"
    __table_args__ = (Index(None, "started_at"), Index(None, "heard_at"))

    fingerprint: Mapped[str] = mapped_column(primary_key=True)
    started_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    name: Mapped[str]
    severity: Mapped[str]
    subject: Mapped[str]
    instance: Mapped[str]
    notice: Mapped[str]
    heard_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
