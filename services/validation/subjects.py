"""Answers requests for a person's data: the findings of checks, which explain their results."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from services.contracts.events.subjects import (
    MOST_ROWS,
    SUBJECT_ANSWERED,
    SubjectAnsweredData,
    SubjectPart,
    SubjectRequestedData,
    SubjectSheet,
)
from services.contracts.values import to_the_minute
from services.kit.data.bulk import is_any_of
from services.kit.events.envelope import Event
from services.kit.events.outbox import publish
from services.validation.models import ApplicationCheck, CheckFinding, WaitingCheck

_RESULTS = {"passed": "通过", "failed": "未通过", "waiting": "等待登记系统"}
_WHY_KEPT = "仅存申请编号、结果和规则，不含个人身份信息"


def subject_requested(session: Session, event: Event[SubjectRequestedData]) -> None:
    """Answers with all findings, or erases them; results stay, which hold nothing of the person."""
    data = event.data
    answer = _copy(session, data) if data.kind == "copy" else _erase(session, data)
    publish(session, SUBJECT_ANSWERED["validation"], answer)


def _copy(session: Session, data: SubjectRequestedData) -> SubjectAnsweredData:
    found = session.execute(
        select(ApplicationCheck.result, ApplicationCheck.checked_at, CheckFinding.message)
        .outerjoin(
            CheckFinding,
            (CheckFinding.application_id == ApplicationCheck.application_id)
            & (CheckFinding.check_no == ApplicationCheck.check_no),
        )
        .where(is_any_of(ApplicationCheck.application_id, data.application_ids))
        .order_by(ApplicationCheck.checked_at.desc().nulls_first(), CheckFinding.position)
        .limit(MOST_ROWS)
    ).all()
    rows = [[to_the_minute(row.checked_at), _RESULTS.get(row.result, row.result), row.message or ""] for row in found]
    return SubjectAnsweredData(
        request_id=data.request_id,
        kind=data.kind,
        parts=[SubjectPart(title="系统校验", rows=len(rows))],
        sheets=[SubjectSheet(title="系统校验", headings=["校验时间", "结果", "说明"], rows=rows)],
    )


def _erase(session: Session, data: SubjectRequestedData) -> SubjectAnsweredData:
    ids: Sequence[UUID] = data.application_ids
    checks = select(func.count()).select_from(ApplicationCheck).where(is_any_of(ApplicationCheck.application_id, ids))
    findings = session.scalars(
        delete(CheckFinding).where(is_any_of(CheckFinding.application_id, ids)).returning(CheckFinding.position)
    ).all()
    session.execute(delete(WaitingCheck).where(is_any_of(WaitingCheck.application_id, ids)))
    return SubjectAnsweredData(
        request_id=data.request_id,
        kind=data.kind,
        parts=[
            SubjectPart(title="校验说明与依据", rows=len(findings)),
            SubjectPart(title="校验结果", rows=session.scalar(checks) or 0, kept_because=_WHY_KEPT),
        ],
    )
