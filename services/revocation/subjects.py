"""Answers requests for a person's data: revocation knows applications by their ids alone, and erases nothing."""

from sqlalchemy import func, select
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
from services.revocation.models import Application, Revocation

_STATES = {"requested": "待审核", "approved": "已撤销", "rejected": "不同意撤销", "closed": "无需审核"}
_WHY_KEPT = "仅存批次和申请编号，不含个人身份信息"


def subject_requested(session: Session, event: Event[SubjectRequestedData]) -> None:
    """Answers with the requests to revoke batches of the person."""
    data = event.data
    of_person = is_any_of(Application.application_id, data.application_ids)
    if data.kind == "copy":
        requests = session.execute(
            select(Revocation.batch_no, Revocation.requested_at, Revocation.state)
            .where(Revocation.batch_no.in_(select(Application.batch_no).where(of_person)))
            .order_by(Revocation.requested_at.desc())
            .limit(MOST_ROWS)
        ).all()
        rows = [[one.batch_no, to_the_minute(one.requested_at), _STATES[one.state]] for one in requests]
        parts = [SubjectPart(title="批次撤销", rows=len(rows))]
        sheets = [SubjectSheet(title="批次撤销", headings=["批次编号", "申请时间", "结果"], rows=rows)]
    else:
        known = session.scalar(select(func.count()).select_from(Application).where(of_person)) or 0
        parts, sheets = [SubjectPart(title="所在批次", rows=known, kept_because=_WHY_KEPT)], []
    answer = SubjectAnsweredData(request_id=data.request_id, kind=data.kind, parts=parts, sheets=sheets)
    publish(session, SUBJECT_ANSWERED["revocation"], answer)
