"""Operators' work on a batch at the bank: see its feedback, resend messages, correct a wrong time.

It also works on the command line, for when no page is available:
`python -m services.batching.bank.bank_operations show|resend|correct`, with DATABASE_URL and the service's keys.
"""

import argparse
import getpass
import json
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from marshmallow import ValidationError
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from services.batching.bank import handing_over
from services.batching.event_builders import steps
from services.batching.facts import publish_counted
from services.batching.models import Application, BankFeedback, Batch, Card
from services.batching.pending.application_states import State
from services.batching.places import let_nobody_move
from services.contracts.events.batching import ISSUE_TIMES_CORRECTED, IssueTimesCorrectedData
from services.contracts.operations.batching import (
    CORRECT_PROCESSED_AT,
    GET_BANK_BATCH,
    RESEND_TO_BANK,
    BankBatchAnswer,
    BankFeedbackAnswer,
    BankTime,
    BatchRequest,
    CorrectProcessedAtAnswer,
    CorrectProcessedAtRequest,
    ResendToBankAnswer,
    ResendToBankRequest,
)
from services.kit.data.database import engine_for
from services.kit.events.contract import in_chunks
from services.kit.events.outbox import publish
from services.kit.operations import audit
from services.kit.problems import Conflict, NotFound, Problem, invalid_fields
from services.kit.rpc.operation import Operation
from services.kit.rpc.request import Caller, plain_json
from services.kit.rpc.work import Work
from services.kit.settings import DatabaseSettings, SettingsError, read_settings

_FEEDBACKS_SHOWN = 100


def get_bank_batch(work: Work, request: BatchRequest) -> BankBatchAnswer:
    """A batch with the bank's feedback and reported times; raises NotFound."""
    session, batch_no = work.session, request.batch_no
    batch = session.get(Batch, batch_no)
    if batch is None:
        raise NotFound()
    return BankBatchAnswer(
        batch_no=batch_no,
        union_name=batch.union_name,
        submitted_at=batch.submitted_at,
        total=batch.total,
        issued=batch.issued,
        refused=batch.refused,
        released=batch.released,
        feedback_at=batch.feedback_at,
        recalled=len(handing_over.released_of(session, batch_no)),
        times=_times(session, batch),
        feedbacks=_feedbacks(session, batch_no),
    )


def resend(work: Work, request: ResendToBankRequest) -> ResendToBankAnswer:
    """Hands a batch over once more as it was submitted and the recall of those released since, or only the recall.

    Raises NotFound, and Conflict `nothing_recalled`.
    """
    session = work.session
    batch = _locked(session, request.batch_no)
    released = handing_over.released_of(session, batch.batch_no)
    persons: Sequence[Any] = handing_over.frozen_persons(session, batch.batch_no) if request.what == "batch" else ()
    if request.what == "recall" and not released:
        raise Conflict("nothing_recalled", "该批次没有已撤回的人员", "批次未被撤销，或银行已全部办结。")
    if persons:
        handing_over.hand_over(session, batch, persons, repeated=True)
    handing_over.recall(session, batch, released, repeated=True)
    sent = ResendToBankAnswer(applicants=len(persons), recalled=len(released))
    audit.record(session, ("batch", batch.batch_no), new={"what": request.what, **vars(sent), "reason": request.reason})
    return sent


def correct_processed_at(work: Work, request: CorrectProcessedAtRequest) -> CorrectProcessedAtAnswer:
    """Corrects a time that the bank reported, and publishes the correction for the cards that were issued at it.

    Raises NotFound (also where nothing has that time) and Invalid for an implausible new time.
    """
    session = work.session
    batch = _locked(session, request.batch_no)
    wrong, right = request.processed_at, request.corrected_at
    if not batch.submitted_at <= right <= datetime.now(UTC):
        raise invalid_fields({"corrected_at": "应在提交时间之后，且不晚于现在"})
    corrected = _correct_times(session, batch.batch_no, wrong, right)
    if not corrected and batch.feedback_at != wrong:
        raise NotFound()
    if batch.feedback_at == wrong:
        latest = select(func.max(Application.decided_at)).where(Application.batch_no == batch.batch_no)
        batch.feedback_at = max(right, session.scalar(latest) or right)
    _publish_corrected(session, batch, wrong, right, [row for row in corrected if row.state == State.ISSUED])
    publish_counted(session, (row.application_id for row in corrected))
    old, new = {"processed_at": wrong}, {"processed_at": right, "reason": request.reason}
    applications = audit.references("application", (row.application_id for row in corrected))
    audit.record(session, ("batch", batch.batch_no), *applications, old=old, new=new)
    return CorrectProcessedAtAnswer(applications=len(corrected))


def _locked(session: Session, batch_no: str) -> Batch:
    let_nobody_move(session)
    batch = session.scalar(select(Batch).where(Batch.batch_no == batch_no).with_for_update(key_share=True))
    if batch is None:
        raise NotFound()
    return batch


def _times(session: Session, batch: Batch) -> list[BankTime]:
    counted = (
        select(Application.decided_at, func.count().label("applications"))
        .where(Application.batch_no == batch.batch_no, Application.decided_at.is_not(None))
        .group_by(Application.decided_at)
    )
    times = {row.decided_at: row.applications for row in session.execute(counted)}
    if batch.feedback_at:
        times.setdefault(batch.feedback_at, 0)
    now = datetime.now(UTC)
    return [
        BankTime(processed_at=at, applications=times[at], is_plausible=batch.submitted_at <= at <= now)
        for at in sorted(times, reverse=True)
    ]


def _feedbacks(session: Session, batch_no: str) -> list[BankFeedbackAnswer]:
    newest = select(BankFeedback).where(BankFeedback.batch_no == batch_no).order_by(BankFeedback.id.desc())
    names = ("feedback_id", "processed_at", "results", "applied", "repeated", "rejected")
    return [
        BankFeedbackAnswer(received_at=one.at, **{name: getattr(one, name) for name in names})
        for one in session.scalars(newest.limit(_FEEDBACKS_SHOWN))
    ]


def _correct_times(session: Session, batch_no: str, wrong: datetime, right: datetime) -> Sequence[Any]:
    session.execute(
        update(Card)
        .where(
            Card.application_id == Application.application_id, Application.batch_no == batch_no, Card.made_at == wrong
        )
        .values(made_at=right)
        .execution_options(synchronize_session=False)
    )
    return session.execute(
        update(Application)
        .where(Application.batch_no == batch_no, Application.decided_at == wrong)
        .values(decided_at=right)
        .returning(Application.application_id, Application.member_id, Application.version, Application.state)
        .execution_options(synchronize_session=False)
    ).all()


def _publish_corrected(session: Session, batch: Batch, wrong: datetime, right: datetime, issued: Sequence[Any]) -> None:
    for part in in_chunks(issued):
        data = IssueTimesCorrectedData(
            batch_no=batch.batch_no,
            union_id=batch.union_id,
            said_at=wrong,
            issued_at=right,
            applications=steps(part),
        )
        publish(session, ISSUE_TIMES_CORRECTED, data)


_COMMANDS: dict[str, tuple[Operation[Any, Any], Callable[[Work, Any], Any]]] = {
    "show": (GET_BANK_BATCH, get_bank_batch),
    "resend": (RESEND_TO_BANK, resend),
    "correct": (CORRECT_PROCESSED_AT, correct_processed_at),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command in a transaction, with its audit event; returns the exit status."""
    asked = vars(_parser().parse_args(arguments))
    command = asked.pop("command")
    operation, use_case = _COMMANDS[command]
    try:
        request = operation.request_schema().load(asked)
        engine = engine_for(read_settings(DatabaseSettings), "bank_operations")
        with Session(engine) as session, session.begin():
            answer = _recorded(session, operation, lambda work: use_case(work, request))
    except (Problem, ValidationError, SettingsError) as refusal:
        error_text = refusal.to_dict() if isinstance(refusal, Problem) else refusal
        print(f"nothing was done: {error_text}", file=sys.stderr)
        return 1
    print(json.dumps(json.loads(plain_json(answer)), ensure_ascii=False, indent=1))
    return 0


def _recorded(session: Session, operation: Operation[Any, Any], run: Callable[[Work], Any]) -> Any:
    """Runs a command with an audit event; it names the user of the machine, for the command line has no account."""
    user = f"{getpass.getuser()}@command-line"
    caller = Caller(account_name=user, display_name=user)
    if not operation.is_command:
        return run(Work(session, caller))
    with audit.recording(session, "batching", audit.AuditEvent(operation.name, caller)):
        return run(Work(session, caller))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m services.batching.bank.bank_operations", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    show = commands.add_parser("show", help="a batch with the bank's feedback, without persons")
    again = commands.add_parser("resend", help="send a batch or its recall to the bank once more, marked as repeated")
    again.add_argument("what", choices=("batch", "recall"))
    right = commands.add_parser("correct", help="put the right time in the place of a wrong one that the bank gave")
    right.add_argument("--was", dest="processed_at", required=True, metavar="TIME", help="as `show` has it")
    right.add_argument("--is", dest="corrected_at", required=True, metavar="TIME", help="2026-11-24T10:00:00+08:00")
    for one in (show, again, right):
        one.add_argument("--batch", dest="batch_no", required=True)
    for one in (again, right):
        one.add_argument("--reason", required=True, help="stands in the audit log")
    return parser


if __name__ == "__main__":
    sys.exit(main())
