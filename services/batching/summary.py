"""Counts of batches for the workbench: what waits for the bank, what was submitted, what was refused and why."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Date, cast, func, select
from sqlalchemy.orm import Session

from services.batching.application_states import State
from services.batching.batches import UNDECIDED, visible_to
from services.batching.models import Application, Batch
from services.batching.register import LOCAL_TIME
from services.common.messaging.rpc import Caller

DAYS = 30


def summarise(session: Session, caller: Caller) -> dict[str, Any]:
    """Counts over the batches that the caller may see; by union for those of direct subordinates."""
    return {
        "awaiting_bank": session.scalar(select(func.coalesce(func.sum(UNDECIDED), 0)).where(visible_to(caller))),
        "submitted_by_day": _submitted_by_day(session, caller),
        "refused_by_reason": _refused_by_reason(session, caller),
        "by_union": _by_union(session, caller) if caller.roles & {"reviewer", "administrator"} else [],
    }


def _submitted_by_day(session: Session, caller: Caller) -> list[dict[str, Any]]:
    """The last DAYS days in Shanghai, days without a submission too."""
    today = datetime.now(UTC).astimezone(LOCAL_TIME).date()
    first = today - timedelta(days=DAYS - 1)
    day = cast(func.timezone(LOCAL_TIME.key, Batch.submitted_at), Date)
    counted = select(day, func.sum(Batch.total)).where(visible_to(caller), day >= first).group_by(day)
    submitted = {row[0]: row[1] for row in session.execute(counted)}
    days = [first + timedelta(days=number) for number in range(DAYS)]
    return [{"day": one, "submitted": submitted.get(one, 0)} for one in days]


def _refused_by_reason(session: Session, caller: Caller) -> list[dict[str, Any]]:
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
        {"reason_code": row.reason_code, "reason": row.reason or row.reason_code, "count": row.count}
        for row in session.execute(refused)
    ]


def _by_union(session: Session, caller: Caller) -> list[dict[str, Any]]:
    names = ("total", "issued", "refused", "released")
    summed = (
        select(
            Batch.union_id,
            Batch.union_code.label("code"),
            func.max(Batch.union_name).label("name"),
            func.count().label("batches"),
            *(func.sum(getattr(Batch, name)).label(name) for name in names),
        )
        .where(Batch.superior_union_id == caller.union_id)
        .group_by(Batch.union_id, Batch.union_code)
        .order_by(Batch.union_code)
    )
    return [
        {
            "union": {"union_id": row["union_id"], "code": row["code"], "name": row["name"]},
            **{name: row[name] for name in ("batches", *names)},
        }
        for row in session.execute(summed).mappings()
    ]
