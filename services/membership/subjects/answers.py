"""The services' answers to a request: kept as they come; with the last one the request is done."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.contracts.events.subjects import ASKED, SubjectAnsweredData, SubjectPart, SubjectSheet
from services.kit.events.envelope import Event
from services.kit.events.failures import Reject
from services.kit.schemas import as_dict
from services.membership.models import SubjectAnswer, SubjectCopy, SubjectRequest

OWN = "membership"


def subject_answered(session: Session, event: Event[SubjectAnsweredData]) -> None:
    """Keeps what a service has answered, each once; raises Reject for a request that nobody has made."""
    data = event.data
    row = session.get(SubjectRequest, data.request_id, with_for_update=True)
    if row is None or row.kind != data.kind:
        raise Reject("There is no such request.")
    keep_answer(session, row, event.type.partition(".")[0], data.parts, data.sheets)


def keep_answer(
    session: Session, row: SubjectRequest, service: str, parts: Sequence[SubjectPart], sheets: Sequence[SubjectSheet]
) -> None:
    """Keeps the answer of a service; a request that all have answered is done. The row must be locked or new."""
    now = datetime.now(UTC)
    kept = {"request_id": row.request_id, "service": service, "answered_at": now}
    adding = insert(SubjectAnswer).values(**kept, parts=_json(parts)).on_conflict_do_nothing()
    if session.scalar(adding.returning(SubjectAnswer.service)) is None:
        return
    if row.kind == "copy":
        session.add(SubjectCopy(**kept, sheets=_json(sheets)))
    session.flush()
    answers = select(func.count()).select_from(SubjectAnswer).where(SubjectAnswer.request_id == row.request_id)
    if row.state == "working" and session.scalar(answers) == len(ASKED) + 1:
        row.state, row.done_at = "done", now


def _json(items: Sequence[SubjectPart | SubjectSheet]) -> str:
    return json.dumps([as_dict(one) for one in items], ensure_ascii=False)
