"""Overdue requests 超期: those that nobody has decided in time, marked in lists and reminded of once a day."""

from collections.abc import Iterator
from datetime import date

from sqlalchemy import ColumnElement, and_, func, literal_column, select
from sqlalchemy.orm import Session

from services.contracts.events.overdue import WORK_OVERDUE, OverdueWork, WorkOverdueData
from services.contracts.overdue import ReminderSettings, day_of_reminders, last_day_of, overdue_before
from services.kit.data.database import Database
from services.kit.data.once_a_day import do_once
from services.kit.events.contract import in_chunks
from services.kit.events.outbox import publish
from services.kit.settings import read_settings, settings_class
from services.revocation.models import ReminderDay, Revocation
from services.revocation.request_states import RequestState

_KIND = "revocation"
_IS_OPEN = Revocation.state == literal_column(f"'{RequestState.REQUESTED.value}'")


@settings_class
class OverdueSettings:
    """After how many working days a request is overdue."""

    overdue_revocation_days: int = 3
    """How many working days a request for revocation may wait for a decision."""


def is_overdue(further_days: int = 0) -> ColumnElement[bool]:
    """Whether a request has waited beyond the limit, and so many further working days."""
    limit = read_settings(OverdueSettings).overdue_revocation_days + further_days
    return and_(_IS_OPEN, Revocation.requested_at < overdue_before(limit))


def due_on(revocation: Revocation) -> date | None:
    """The last day on which a decision is in time; None for a decided request."""
    if revocation.state != RequestState.REQUESTED:
        return None
    return last_day_of(revocation.requested_at, read_settings(OverdueSettings).overdue_revocation_days)


def remind(database: Database) -> None:
    """Publishes today's overdue requests, once, whichever process does it."""
    settings = read_settings(ReminderSettings)
    day = day_of_reminders(settings.overdue_reminder_hour)
    if day is None:
        return

    def publish_all(session: Session) -> None:
        for works in in_chunks(list(_overdue_works(session, settings.overdue_escalation_days))):
            publish(session, WORK_OVERDUE["revocation"], WorkOverdueData(day=day, works=list(works)))

    do_once(database, ReminderDay, day, publish_all)


def _overdue_works(session: Session, escalation_days: int) -> Iterator[OverdueWork]:
    for level, further_days in (("overdue", 0), ("escalated", escalation_days)):
        counted = (
            select(Revocation.reviewer_union_id, func.count(), func.min(Revocation.requested_at))
            .where(is_overdue(further_days))
            .group_by(Revocation.reviewer_union_id)
        )
        for union_id, count, since in session.execute(counted):
            yield OverdueWork(kind=_KIND, union_id=union_id, level=level, count=count, since=since)
