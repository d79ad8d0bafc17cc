"""Requests validation's system checks 系统校验 of queued applications."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.orm import Session

from services.batching.event_builders import publish_pending_changed
from services.batching.models import PENDING, Application
from services.batching.pending.application_states import UNDER_CHECK, Check, State
from services.batching.pending.pending import lock_pending
from services.batching.pending.persons import facts_of
from services.contracts.events.batching import VALIDATION_REQUESTED, RequestedCheck, ValidationRequestedData
from services.contracts.operations.batching import CheckPendingAnswer, CheckPendingRequest
from services.contracts.values import start_of, today
from services.kit.data.bulk import is_any_of
from services.kit.events.contract import in_chunks
from services.kit.events.outbox import publish
from services.kit.operations import audit
from services.kit.rpc.work import Work
from services.kit.schemas import UNSET


class Outdated(NamedTuple):
    """A person whose passed check is no longer valid; `expired_on` where the document has expired."""

    name: str
    expired_on: date | None


_AT_ONCE = 2_500
"""Most applications in memory at once, for a union may have any number."""


def check_pending(work: Work, request: CheckPendingRequest) -> CheckPendingAnswer:
    """Requests the check of the named applications, or of all of a channel that have not passed.

    Applications under check are skipped. Returns how many checks were requested.
    """
    session, union_id = work.session, UUID(work.caller.union_id)
    lock_pending(session, union_id)
    if request.application_ids is not UNSET:
        chosen = and_(is_any_of(Application.application_id, request.application_ids))
    else:
        chosen = and_(Application.channel == request.channel, Application.check_state != Check.PASSED)
    requested = request_checks(session, union_id, PENDING, chosen)
    publish_pending_changed(session, union_id, "checking", requested)
    return CheckPendingAnswer(checking=requested)


def recheck_outdated(session: Session, union_id: UUID, channel: str, hours: int) -> list[Outdated]:
    """Requests checks for persons of a channel whose passed check is no longer valid; returns them by member number.

    Such a check is older than so many hours or of a former month, at whose end people retire, or the document has
    expired since.
    """
    day = today()
    oldest = max(datetime.now(UTC) - timedelta(hours=hours), start_of(day.replace(day=1)))
    outdated = and_(
        Application.channel == channel,
        Application.check_state == Check.PASSED,
        or_(
            Application.checked_at.is_(None),
            Application.checked_at < oldest,
            Application.document_expiry < day,
        ),
    )
    lock_pending(session, union_id)
    found = session.execute(
        select(Application.name, Application.document_expiry)
        .where(Application.union_id == union_id, PENDING, outdated)
        .order_by(Application.member_no)
    ).all()
    if found:
        request_checks(session, union_id, PENDING, outdated)
        publish_pending_changed(session, union_id, "checking", len(found))
    return [
        Outdated(row.name, row.document_expiry if row.document_expiry and row.document_expiry < day else None)
        for row in found
    ]


def request_checks(session: Session, union_id: UUID, *chosen: ColumnElement[bool]) -> int:
    """Requests checks of the union's queued applications among the chosen, with new numbers; returns how many."""
    due = and_(
        Application.union_id == union_id,
        Application.state == State.QUEUED,
        Application.check_state.not_in(UNDER_CHECK),
        *chosen,
    )
    requested = 0
    while True:
        taken = _take_for_check(session, due)
        _publish_requested(session, union_id, taken)
        requested += len(taken)
        if len(taken) < _AT_ONCE:
            audit.record(session, new={"checking": requested})
            return requested


def requested_checks(union_id: UUID, applications: Sequence[Any]) -> ValidationRequestedData:
    """The event data that requests the current checks of applications, or of rows with their columns."""
    return ValidationRequestedData(
        union_id=union_id,
        applications=[RequestedCheck(application_id=one.application_id, check_no=one.check_no) for one in applications],
        persons=[facts_of(one) for one in applications],
    )


def _take_for_check(session: Session, due: ColumnElement[bool]) -> Sequence[Any]:
    """Marks at most _AT_ONCE of the due applications as under check; returns the columns that the event needs."""
    next_ones = select(Application.application_id).where(due).limit(_AT_ONCE)
    return session.execute(
        update(Application)
        .where(Application.application_id.in_(next_ones))
        .values(check_state=Check.CHECKING, check_no=Application.check_no + 1, findings=None)
        .returning(
            Application.application_id,
            Application.check_no,
            Application.name,
            Application.document_type,
            Application.document_number,
            Application.document_expiry,
            Application.nationality,
            Application.other_facts,
        )
        .execution_options(synchronize_session=False)
    ).all()


def _publish_requested(session: Session, union_id: UUID, taken: Sequence[Any]) -> None:
    audit.record(session, *audit.references("application", (row.application_id for row in taken)))
    for part in in_chunks(taken):
        publish(
            session,
            VALIDATION_REQUESTED,
            requested_checks(union_id, part),
        )
