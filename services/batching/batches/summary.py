"""Counts of batches for the workbench: applications that await the bank, submitted ones, refused ones by reason."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Date, and_, cast, func, select
from sqlalchemy.orm import Session

from services.batching.batches.batches import UNDECIDED, of_union, visible_to
from services.batching.models import HAS_UNDECIDED, Application, Batch
from services.batching.pending.application_states import State
from services.contracts.operations.batching import (
    BatchSummaryAnswer,
    BatchSummaryRequest,
    RefusalReason,
    SubmittedDay,
    UnionBatches,
)
from services.contracts.values import SHANGHAI, start_of
from services.kit.rpc.operation import Scope
from services.kit.rpc.work import Work
from services.kit.schemas import required

DAYS = 30


def summarise(work: Work, request: BatchSummaryRequest) -> BatchSummaryAnswer:
    """Counts over the batches of a union in the caller's scope and of all below it; for subordinates by union."""
    session, caller = work.session, work.caller
    union_id = request.union_id or UUID(caller.union_id)
    counted = and_(visible_to(caller), of_union(union_id))
    awaiting = select(func.coalesce(func.sum(UNDECIDED), 0), func.count()).where(counted, HAS_UNDECIDED)
    awaiting_bank, awaiting_batches = session.execute(awaiting).one()
    return BatchSummaryAnswer(
        awaiting_bank=awaiting_bank,
        awaiting_batches=awaiting_batches,
        submitted_by_day=_submitted_by_day(session, counted),
        refused_by_reason=_refused_by_reason(session, counted),
        by_union=_by_union(session, union_id, counted) if caller.scope >= Scope.SUBORDINATES else [],
    )


def _submitted_by_day(session: Session, counted: ColumnElement[bool]) -> list[SubmittedDay]:
    """Submitted applications on each of the last DAYS days in Shanghai, with days without any."""
    today = datetime.now(UTC).astimezone(SHANGHAI).date()
    first = today - timedelta(days=DAYS - 1)
    day = cast(func.timezone(SHANGHAI.key, Batch.submitted_at), Date)
    by_day = select(day, func.sum(Batch.total)).where(counted, Batch.submitted_at >= start_of(first)).group_by(day)
    submitted = {row[0]: row[1] for row in session.execute(by_day)}
    days = [first + timedelta(days=number) for number in range(DAYS)]
    return [SubmittedDay(day=one, submitted=submitted.get(one, 0)) for one in days]


def _refused_by_reason(session: Session, counted: ColumnElement[bool]) -> list[RefusalReason]:
    refused = (
        select(
            Application.reason_code,
            func.max(Application.reason).label("reason"),
            func.count().label("count"),
        )
        .join(Batch, Batch.batch_no == Application.batch_no)
        .where(counted, Application.state == State.REFUSED)
        .group_by(Application.reason_code)
        .order_by(func.count().desc(), Application.reason_code)
    )
    return [
        RefusalReason(reason_code=required(code), reason=reason or required(code), count=count)
        for code, reason, count in session.execute(refused)
    ]


def _by_union(session: Session, union_id: UUID, counted: ColumnElement[bool]) -> list[UnionBatches]:
    """The batches of all subordinates of a union, summed by direct subordinate."""
    below = Batch.superior_ids[func.array_position(Batch.superior_ids, union_id) + 1]
    names = ("total", "issued", "refused", "released")
    summed = (
        select(
            func.coalesce(below, Batch.union_id).label("subordinate_id"),
            func.count().label("batches"),
            *(func.sum(getattr(Batch, name)).label(name) for name in names),
        )
        .where(counted, Batch.superior_ids.contains([union_id]))
        .group_by("subordinate_id")
    )
    return [
        UnionBatches(union_id=row["subordinate_id"], **{name: row[name] for name in ("batches", *names)})
        for row in session.execute(summed).mappings()
    ]
