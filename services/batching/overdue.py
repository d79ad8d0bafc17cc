"""Overdue work 超期 of batching: pending entries, batches and cards, marked in lists and reminded of once a day."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import structlog
from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from services.batching.models import (
    COMPLETE,
    HAS_UNDECIDED,
    PENDING,
    WAITING,
    Application,
    Batch,
    Branch,
    Card,
    ReminderDay,
)
from services.batching.pending.application_states import Check
from services.contracts.events.overdue import WORK_OVERDUE, OverdueWork, WorkOverdueData
from services.contracts.overdue import ReminderSettings, day_of_reminders, last_day_of, overdue_before
from services.contracts.rules.working_days import is_announced
from services.kit.data.database import Database
from services.kit.data.once_a_day import do_once
from services.kit.events.contract import in_chunks
from services.kit.events.outbox import publish
from services.kit.settings import read_settings, settings_class

log = structlog.get_logger()


@settings_class
class OverdueSettings:
    """After how many working days work of batching is overdue."""

    overdue_unchecked_days: int = 2
    """How many working days an entry may stay on the pending list unchecked."""
    overdue_failed_days: int = 3
    """How many working days after its check an entry that has failed may stay on the pending list."""
    overdue_incomplete_days: int = 3
    """How many working days an entry of the special channel may stay incomplete."""
    overdue_unprinted_days: int = 2
    """How many working days after its submission a batch's register may stay unprinted."""
    overdue_bank_silent_days: int = 10
    """How many working days after its submission the bank may be silent on a batch."""
    overdue_uncollected_days: int = 22
    """How many working days after it was made a card may wait for collection; then its member is reminded once."""

    def limit_of(self, kind: str) -> int:
        """The limit of a kind of waiting work."""
        limit: int = getattr(self, f"overdue_{kind}_days")
        return limit


@dataclass(frozen=True)
class Waiting:
    """A kind of waiting work: of which table, which rows, and since when each waits."""

    model: Any
    is_waiting: ColumnElement[bool]
    since: ColumnElement[datetime]


ENTRIES: Mapping[str, Waiting] = {
    "unchecked": Waiting(
        Application, and_(PENDING, Application.check_state == Check.UNCHECKED), Application.__table__.c.listed_at
    ),
    "failed": Waiting(
        Application,
        and_(PENDING, Application.check_state == Check.FAILED),
        func.coalesce(Application.checked_at, Application.listed_at),
    ),
    "incomplete": Waiting(
        Application, and_(PENDING, Application.channel == "special", ~COMPLETE), Application.__table__.c.listed_at
    ),
}
"""The kinds of waiting work on pending lists; an entry may be of several."""

BATCHES: Mapping[str, Waiting] = {
    "unprinted": Waiting(
        Batch,
        and_(HAS_UNDECIDED, Batch.register_state == "unprinted", Batch.personal.is_(False)),
        Batch.__table__.c.submitted_at,
    ),
    "bank_silent": Waiting(Batch, and_(HAS_UNDECIDED, Batch.feedback_at.is_(None)), Batch.__table__.c.submitted_at),
}
"""The kinds of batches that wait; a personal application has no register to print."""

CARDS: Mapping[str, Waiting] = {"uncollected": Waiting(Card, WAITING, Card.__table__.c.made_at)}
"""Cards that wait for collection."""

_HANDED_OUT = (
    select(Application.application_id)
    .join(Batch, Batch.batch_no == Application.batch_no)
    .join(Branch, Branch.code == Batch.branch_code)
    .where(Application.application_id == Card.application_id, Branch.union_hands_out)
    .exists()
)
_OF_CLERKS: Mapping[str, Waiting] = {
    **ENTRIES,
    **BATCHES,
    "uncollected": Waiting(Card, and_(WAITING, _HANDED_OUT), Card.__table__.c.made_at),
}
"""What people are reminded of: cards that the bank hands out are between it and the member."""


def is_overdue(kinds: Mapping[str, Waiting]) -> ColumnElement[bool]:
    """Whether a row is overdue in any of these kinds."""
    settings = read_settings(OverdueSettings)
    return or_(*(_is_overdue(kind, settings.limit_of(name)) for name, kind in kinds.items()))


def due_on(application: Application) -> date | None:
    """The last day on which an entry is in time; None for one that waits for nothing of the clerk."""
    settings = read_settings(OverdueSettings)
    return min((last_day_of(since, settings.limit_of(kind)) for kind, since in _waits_of(application)), default=None)


def kinds_of_overdue(batch: Batch) -> list[str]:
    """The kinds in which a batch is overdue."""
    if batch.total == batch.issued + batch.refused + batch.released:
        return []
    waiting = {
        "unprinted": batch.register_state == "unprinted" and not batch.personal,
        "bank_silent": batch.feedback_at is None,
    }
    settings = read_settings(OverdueSettings)
    return [
        kind
        for kind, is_waiting in waiting.items()
        if is_waiting and batch.submitted_at < overdue_before(settings.limit_of(kind))
    ]


def is_card_overdue(card: Card) -> bool:
    """Whether a card that waits for collection has waited too long."""
    return card.made_at < uncollected_before()


def uncollected_before() -> datetime:
    """The moment such that a card made before it and not collected since is overdue."""
    return overdue_before(read_settings(OverdueSettings).overdue_uncollected_days)


def remind(database: Database) -> None:
    """Publishes today's overdue work, once, whichever process does it."""
    settings = read_settings(ReminderSettings)
    day = day_of_reminders(settings.overdue_reminder_hour)
    if day is None:
        return

    def publish_all(session: Session) -> None:
        if not is_announced(day.year):
            log.warning("working_days_not_announced", year=day.year)
        for works in in_chunks(list(_overdue_works(session, settings.overdue_escalation_days))):
            publish(session, WORK_OVERDUE["batching"], WorkOverdueData(day=day, works=list(works)))

    do_once(database, ReminderDay, day, publish_all)


def _waits_of(application: Application) -> Iterator[tuple[str, datetime]]:
    if application.check_state == Check.UNCHECKED:
        yield "unchecked", application.listed_at
    if application.check_state == Check.FAILED:
        yield "failed", application.checked_at or application.listed_at
    if application.channel == "special" and (application.document_expiry is None or application.nationality is None):
        yield "incomplete", application.listed_at


def _is_overdue(kind: Waiting, limit: int) -> ColumnElement[bool]:
    return and_(kind.is_waiting, kind.since < overdue_before(limit))


def _overdue_works(session: Session, escalation_days: int) -> Iterator[OverdueWork]:
    settings = read_settings(OverdueSettings)
    for name, kind in _OF_CLERKS.items():
        for level, further_days in (("overdue", 0), ("escalated", escalation_days)):
            counted = (
                select(kind.model.union_id, func.count(), func.min(kind.since))
                .where(_is_overdue(kind, settings.limit_of(name) + further_days))
                .group_by(kind.model.union_id)
            )
            for union_id, count, since in session.execute(counted):
                yield OverdueWork(kind=name, union_id=union_id, level=level, count=count, since=since)
