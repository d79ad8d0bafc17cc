"""Revocation's tables: its copy of batches from events, and the requests to revoke them."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import DateTime, Index, Uuid, func, literal_column
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from services.kit.data.database import EncryptedText, new_metadata
from services.revocation.request_states import RequestState


class Base(DeclarativeBase):
    """All tables of revocation, with the messaging kit's own."""

    metadata = new_metadata()


class Batch(Base):
    """A batch as published by `batch_submitted`; `superior_ids` are all unions above its union, its superior last.

    The last columns are kept for batching, should its database be restored to before the submission; batches from
    before they were kept lack them.
    """

    __tablename__ = "batch"
    __table_args__ = (Index(None, "superior_ids", postgresql_using="gin"),)

    batch_no: Mapped[str] = mapped_column(primary_key=True)
    union_id: Mapped[UUID] = mapped_column(index=True)
    union_code: Mapped[str]
    union_name: Mapped[str]
    superior_union_id: Mapped[UUID | None]
    superior_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid), server_default="{}")
    channel: Mapped[str]
    outlet_name: Mapped[str]
    total: Mapped[int]
    submitted_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    personal: Mapped[bool] = mapped_column(server_default="false")
    outlet_code: Mapped[str | None]
    submitted_by: Mapped[UUID | None]
    contact_name: Mapped[str | None] = mapped_column(EncryptedText)
    contact_phone: Mapped[str | None] = mapped_column(EncryptedText)


class KnownUnion(Base):
    """A union as membership published it at `known_at`; all that was a merged one's is the successor's."""

    __tablename__ = "known_union"

    union_id: Mapped[UUID] = mapped_column(primary_key=True)
    code: Mapped[str]
    name: Mapped[str]
    superior_union_id: Mapped[UUID | None]
    superior_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    successor_union_id: Mapped[UUID | None]
    known_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Application(Base):
    """An application of a batch and its newest known state; its batch may become known later."""

    __tablename__ = "application"
    __table_args__ = (Index(None, "batch_no", "state"),)

    application_id: Mapped[UUID] = mapped_column(primary_key=True)
    batch_no: Mapped[str]
    version: Mapped[int]
    state: Mapped[str]


class ReminderDay(Base):
    """A day on which people were reminded of overdue work."""

    __tablename__ = "reminder_day"

    day: Mapped[date] = mapped_column(primary_key=True)
    done_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class Revocation(Base):
    """A request to revoke a batch, kept permanently with its decision."""

    __tablename__ = "revocation"
    __table_args__ = (
        Index(None, "reviewer_union_id", "requested_at"),
        Index(None, "union_id", "requested_at"),
        Index(
            "uq_revocation_open_batch_no",
            "batch_no",
            unique=True,
            postgresql_where=literal_column("state") == RequestState.REQUESTED.value,
        ),
    )

    revocation_id: Mapped[UUID] = mapped_column(primary_key=True)
    batch_no: Mapped[str]
    union_id: Mapped[UUID]
    reviewer_union_id: Mapped[UUID]
    former_reviewer_union_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid), server_default="{}")
    applicant_name: Mapped[str] = mapped_column(EncryptedText)
    applicant_phone: Mapped[str] = mapped_column(EncryptedText)
    reason_code: Mapped[str | None]
    reason: Mapped[str | None] = mapped_column(EncryptedText)
    requested_by: Mapped[UUID]
    requested_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    requester_controllers: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid), server_default="{}")
    state: Mapped[str]
    decided_by: Mapped[UUID | None]
    on_behalf_of: Mapped[UUID | None]
    represented_name: Mapped[str | None] = mapped_column(EncryptedText)
    decided_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    remark: Mapped[str | None]
