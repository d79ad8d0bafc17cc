"""Counts of batches for the workbench: applications that await the bank, submitted ones, refused ones by reason."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import Date, cast, func, select
from sqlalchemy.orm import Session

from services.batching.batches.batches import UNDECIDED, visible_to
from services.batching.models import Application, Batch
from services.batching.pending.application_states import State
from services.batching.register.register import LOCAL_TIME
from services.contracts.operations.batching import (
    BatchSummaryAnswer,
    BatchSummaryRequest,
    RefusalReason,
    SubmittedDay,
    UnionBatches,
)
from services.kit.rpc.methods import Caller
from services.kit.rpc.operation import Scope
from services.kit.rpc.work import Work
from services.kit.schemas import required

DAYS = 30


def summarise(work: Work, _request: BatchSummaryRequest) -> BatchSummaryAnswer:
    """Counts over the batches in the caller's scope; for subordinates by union."""
    session, caller = work.session, work.caller
    awaiting_bank = select(func.coalesce(func.sum(UNDECIDED), 0)).where(visible_to(caller))
    return BatchSummaryAnswer(
        awaiting_bank=session.scalar(awaiting_bank) or 0,
        submitted_by_day=_submitted_by_day(session, caller),
        refused_by_reason=_refused_by_reason(session, caller),
        by_union=_by_union(session, caller) if caller.scope >= Scope.SUBORDINATES else [],
    )


def _submitted_by_day(session: Session, caller: Caller) -> list[SubmittedDay]:
    """Submitted applications on each of the last DAYS days in Shanghai, with days without any."""
    today = datetime.now(UTC).astimezone(LOCAL_TIME).date()
    first = today - timedelta(days=DAYS - 1)
    day = cast(func.timezone(LOCAL_TIME.key, Batch.submitted_at), Date)
    counted = select(day, func.sum(Batch.total)).where(visible_to(caller), day >= first).group_by(day)
    submitted = {row[0]: row[1] for row in session.execute(counted)}
    days = [first + timedelta(days=number) for number in range(DAYS)]
    return [SubmittedDay(day=one, submitted=submitted.get(one, 0)) for one in days]


def _refused_by_reason(session: Session, caller: Caller) -> list[RefusalReason]:
    refused = (
        select(
            Application.reason_code,
            func.max(Application.reason).label("reason"),
            func.count().label("count"),
        )
        .join(Batch, Batch.batch_no == Application.batch_no)
        .where(visible_to(caller), Application.state == State.REFUSED)
        .group_by(Application.reason_code)
        .order_by(func.count().desc(), Application.reason_code)
    )
    return [
        RefusalReason(reason_code=required(code), reason=reason or required(code), count=count)
        for code, reason, count in session.execute(refused)
    ]


def _by_union(session: Session, caller: Caller) -> list[UnionBatches]:
    """The batches of all subordinates, summed by direct subordinate."""
    own = UUID(caller.union_id)
    below = Batch.superior_ids[func.array_position(Batch.superior_ids, own) + 1]
    names = ("total", "issued", "refused", "released")
    summed = (
        select(
            func.coalesce(below, Batch.union_id).label("subordinate_id"),
            func.count().label("batches"),
            *(func.sum(getattr(Batch, name)).label(name) for name in names),
        )
        .where(Batch.superior_ids.contains([own]))
        .group_by("subordinate_id")
    )
    return [
        UnionBatches(union_id=row["subordinate_id"], **{name: row[name] for name in ("batches", *names)})
        for row in session.execute(summed).mappings()
    ]
