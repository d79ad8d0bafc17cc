"""Validation's tables: checks of applications, their findings, and the checks that wait for the registry."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, ForeignKeyConstraint, Index, SmallInteger, func
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from services.kit.data.database import EncryptedText, new_metadata


class Base(DeclarativeBase):
    """All tables of validation, with the messaging kit's own."""

    metadata = new_metadata()


class ApplicationCheck(Base):
    """One check of one application; the greatest `check_no` counts. `checked_at` is null while it waits.

    The union is the one that had it checked; of one that was merged since, the successor sees it.
    `rules` are those that were not met, separated by spaces: reports count them when the findings are gone. It is null
    where an earlier release made the check, and no rebuild of the reports has stored them.
    """

    __tablename__ = "application_check"

    application_id: Mapped[UUID] = mapped_column(primary_key=True)
    check_no: Mapped[int] = mapped_column(primary_key=True)
    union_id: Mapped[UUID]
    result: Mapped[str]
    taken_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    checked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    rules: Mapped[str | None]


class MergedUnion(Base):
    """A union that was merged, as membership published it at `known_at`."""

    __tablename__ = "merged_union"
    __table_args__ = (Index(None, "successor_union_id"),)

    union_id: Mapped[UUID] = mapped_column(primary_key=True)
    successor_union_id: Mapped[UUID]
    known_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class CheckFinding(Base):
    """A finding of a rule in a check. `evidence` is a JSON object; like the message it holds personal data."""

    __tablename__ = "check_finding"
    __table_args__ = (
        ForeignKeyConstraint(
            ["application_id", "check_no"], ["application_check.application_id", "application_check.check_no"]
        ),
    )

    application_id: Mapped[UUID] = mapped_column(primary_key=True)
    check_no: Mapped[int] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    rule: Mapped[str]
    rule_version: Mapped[str]
    code: Mapped[str]
    severity: Mapped[str]
    message: Mapped[str] = mapped_column(EncryptedText)
    evidence: Mapped[str] = mapped_column(EncryptedText)
    found_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now(), index=True)


class WaitingCheck(Base):
    """A check that waits for the registry; the person is stored only while it waits."""

    __tablename__ = "waiting_check"
    __table_args__ = (
        ForeignKeyConstraint(
            ["application_id", "check_no"], ["application_check.application_id", "application_check.check_no"]
        ),
        Index(None, "next_try_at"),
    )

    application_id: Mapped[UUID] = mapped_column(primary_key=True)
    check_no: Mapped[int] = mapped_column(primary_key=True)
    union_id: Mapped[UUID]
    person: Mapped[str] = mapped_column(EncryptedText)
    correlation_id: Mapped[str | None]
    tries: Mapped[int]
    next_try_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
