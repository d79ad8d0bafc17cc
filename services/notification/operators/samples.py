"""The samples of the services' status: stored as they come, and read for the last hour and what changed in a day."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, Subquery, func, literal, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.contracts.events.status import StatusSampledData
from services.contracts.external.queues import BANK_QUEUES
from services.contracts.operations.overview import Sample, StatusChange
from services.kit.events.envelope import Event
from services.kit.schemas import values_of
from services.notification.models import ServiceSample

MOST_CHANGES = 50
_SILENCE = timedelta(minutes=3)
"""From here on the time between two samples counts as silence: a change of the leader costs a minute."""


def status_sampled(session: Session, event: Event[StatusSampledData]) -> None:
    """Stores a sample; of a minute in which the leader changed, the first that comes."""
    adding = insert(ServiceSample).values(service=event.type.partition(".")[0], **values_of(event.data))
    session.execute(adding.on_conflict_do_nothing())


def samples_since(session: Session, since: datetime) -> list[Sample]:
    """The samples from a moment on, by minute and service."""
    found = session.scalars(
        select(ServiceSample).where(ServiceSample.minute >= since).order_by(ServiceSample.minute, ServiceSample.service)
    )
    return [
        Sample(
            service=one.service,
            minute=one.minute,
            waiting=one.waiting,
            dead=one.dead,
            outbox_messages=one.outbox_messages,
            outbox_seconds=one.outbox_seconds,
            to_bank=one.to_outside if one.service == BANK_QUEUES.owner else None,
            from_bank=one.from_outside if one.service == BANK_QUEUES.owner else None,
        )
        for one in found
    ]


def changes_since(session: Session, since: datetime) -> list[StatusChange]:
    """What changed from one sample of a service to the next, the newest first, at most MOST_CHANGES.

    A number of processes is compared with the last one that was known.
    """
    of = _with_former(since).c
    differs = or_(
        of.release != of.release_before,
        of.processes != of.processes_before,
        of.reasons != of.reasons_before,
        of.minute - of.minute_before > literal(_SILENCE),
    )
    newest_first = select(*of).where(differs).order_by(of.minute.desc(), of.service).limit(MOST_CHANGES)
    return [change for row in session.execute(newest_first) for change in _changes(row)][:MOST_CHANGES]


def _with_former(since: datetime) -> Subquery:
    """The samples, each with what the service's former sample said, as `<column>_before`."""
    of_service: dict[str, Any] = {"partition_by": ServiceSample.service, "order_by": ServiceSample.minute}
    known_before = func.count(ServiceSample.processes).over(**of_service).label("known_before")
    counted = select(ServiceSample, known_before).where(ServiceSample.minute >= since).subquery()
    # Those that share a count follow on the last sample whose number is known.
    last_known = func.max(counted.c.processes).over(partition_by=(counted.c.service, counted.c.known_before))
    known = select(
        *(counted.c[name] for name in ("service", "minute", "release", "reasons")), last_known.label("processes")
    ).subquery()
    before = [
        func.lag(known.c[name]).over(partition_by=known.c.service, order_by=known.c.minute).label(f"{name}_before")
        for name in ("release", "processes", "reasons", "minute")
    ]
    return select(known, *before).subquery()


def _changes(row: "Row[Any]") -> Iterator[StatusChange]:
    if row.minute - row.minute_before > _SILENCE:
        yield _change(row, "silence", row.minute_before.isoformat(), row.minute.isoformat())
    if row.release != row.release_before:
        yield _change(row, "release", row.release_before, row.release)
    if None not in (row.processes, row.processes_before) and row.processes != row.processes_before:
        yield _change(row, "processes", str(row.processes_before), str(row.processes))
    if row.reasons != row.reasons_before:
        yield _change(row, "reasons", "\n".join(row.reasons_before), "\n".join(row.reasons))


def _change(row: "Row[Any]", kind: str, before: str, after: str) -> StatusChange:
    return StatusChange(at=row.minute, service=row.service, kind=kind, before=before, after=after)
