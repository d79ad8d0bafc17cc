"""Carries out imports in parts: reads the file, judges the rows for the preview, then registers them.

Each part is one event and one transaction: its rows, counts and the next event commit together, so that a
restarted import resumes at the last part that was committed.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import delete, exists, func, select, update
from sqlalchemy.orm import Session

from services.contracts.events.membership import (
    IMPORT_CONTINUED,
    IMPORT_PROGRESSED,
    ImportContinuedData,
    ImportProgressedData,
    ImportRequestedData,
)
from services.contracts.masks import mask_numbers
from services.contracts.operations.membership.imports import NotRead
from services.contracts.operations.membership.members import RegisterMemberRequest
from services.kit.data.bulk import insert_rows, is_any_of, types_of, values_table
from services.kit.events.envelope import Event, correlation
from services.kit.events.failures import is_transient
from services.kit.events.outbox import publish
from services.kit.operations import audit
from services.kit.operations.logs import class_name
from services.kit.problems import FieldProblem
from services.kit.rpc.methods import Caller
from services.kit.sheets.unreadable import UnreadableSheet
from services.membership.imports.sheet_reader import Row, SheetReport
from services.membership.imports.sheet_reader import read_file as read_content
from services.membership.imports.sheets import WrongRow, facts_of, reason_of
from services.membership.imports.stored_sheets import StoredSheet, sheet_to_store, store_sheets, stored_sheets
from services.membership.members.members import KNOWN, REPEATED, Outcome, examine, register_members
from services.membership.models import Account, ImportJob, ImportRow, Member

log = structlog.get_logger()

PART = 1000
"""How many rows are judged or registered in one transaction."""

_FREE = ("new", "known")
"""States of rows that can be registered; an earlier release also set `known`, which no preview shows."""
_UNDECIDED = ("waiting", *_FREE, "wrong")
_WITHOUT_ROWS = "文件中没有会员：表头下方没有内容，或只有模板的示例行。请填写后重新上传。"
_UNREGISTRABLE = "系统无法登记该行，请核对各列内容后重新填写；如仍有问题，请联系技术支持"
"""The reason for a row that the database refuses, or that causes an error of our own code."""
_REPEATED_REASON = reason_of(REPEATED.field, REPEATED.reason)


def read_file(session: Session, event: Event[ImportRequestedData]) -> None:
    """Stores the rows of the file and deletes the file; an unreadable file ends the import."""
    job = session.get_one(ImportJob, event.data.import_id, with_for_update=True)
    if job.content is None:
        return
    content, job.content = job.content, None
    try:
        with session.begin_nested():
            job.rows_total = _store_rows(session, job, content)
    except UnreadableSheet as unreadable:
        end_import(session, job, "failed", str(unreadable))
        return
    if job.rows_total == 0:
        end_import(session, job, "failed", _WITHOUT_ROWS)
    else:
        publish_continued(session, job)
        progress(session, job)


def continue_import(session: Session, event: Event[ImportContinuedData]) -> None:
    """Judges the next PART rows for the preview, or registers them once the preview is confirmed."""
    job = session.get_one(ImportJob, event.data.import_id, with_for_update=True)
    if job.state == "reading":
        _judge_part(session, job)
    elif job.state == "running":
        _register_part(session, job)


def choose_sheets(session: Session, job: ImportJob, chosen: set[int]) -> None:
    """Deletes the rows of other sheets; rows that only repeated deleted ones become valid."""
    of_job = ImportRow.import_id == job.import_id
    session.execute(delete(ImportRow).where(of_job, ImportRow.sheet_no.not_in(chosen)))
    session.execute(update(ImportRow).where(of_job, ImportRow.state == "known").values(state="new", reason=None))
    _count_verdicts(session, job)
    again = ImportRow.reason == _REPEATED_REASON
    session.execute(update(ImportRow).where(of_job, ImportRow.state == "wrong", again).values(state="new", reason=None))
    rejected = session.execute(
        update(ImportRow).where(of_job, ImportRow.state == "wrong").values(state="rejected").returning(1)
    ).all()
    job.rows_read = job.rows_rejected = len(rejected)
    store_sheets(job, [_after_choice(sheet, chosen) for sheet in stored_sheets(job)])


def finish_numbered(session: Session, import_ids: Iterable[UUID]) -> None:
    """Ends the imports whose rows are all registered or rejected, and whose members all have their numbers."""
    for import_id in sorted(import_ids):
        job = session.get(ImportJob, import_id, with_for_update=True)
        if job is not None and job.state == "running":
            _finish_if_done(session, job)


def end_import(session: Session, job: ImportJob, state: str, failure: str | None = None) -> None:
    """Ends an import and publishes it; rows that are not registered yet are deleted."""
    session.execute(delete(ImportRow).where(ImportRow.import_id == job.import_id, ImportRow.state.in_(_UNDECIDED)))
    job.content, job.state, job.failure, job.finished_at = None, state, _storable(failure), datetime.now(UTC)
    progress(session, job)


def publish_continued(session: Session, job: ImportJob) -> None:
    """Publishes the event that starts the next part of an import."""
    publish(session, IMPORT_CONTINUED, ImportContinuedData(union_id=job.union_id, import_id=job.import_id))


def progress(session: Session, job: ImportJob) -> None:
    """Stores and publishes an import's progress."""
    job.progressed_at, job.resumptions = datetime.now(UTC), 0
    data = ImportProgressedData(
        union_id=job.union_id,
        import_id=job.import_id,
        state=job.state if job.state in ("finished", "failed") else "running",
        phase=job.state,
        failure=job.failure,
        rows_total=job.rows_total,
        rows_read=job.rows_read,
        rows_accepted=job.rows_accepted,
        rows_rejected=job.rows_rejected,
    )
    publish(session, IMPORT_PROGRESSED, data)


def _store_rows(session: Session, job: ImportJob, content: bytes) -> int:
    """Stores the rows in the order of the file, and the reports on its sheets; returns the number of rows."""
    sheets, titles, kept, waiting = list[StoredSheet](), dict[str, None](), 0, list[Row]()
    for found in read_content(content):
        if isinstance(found, SheetReport):
            sheets.append(sheet_to_store(found, titles))
            titles = {}
            continue
        titles.update(dict.fromkeys(found.cells))
        waiting.append(found)
        if len(waiting) == PART:
            kept += _store_part(session, job, kept, waiting)
            waiting = []
    kept += _store_part(session, job, kept, waiting)
    store_sheets(job, sheets)
    return kept


def _store_part(session: Session, job: ImportJob, before: int, rows: Sequence[Row]) -> int:
    if rows:
        values = [
            {
                "import_id": job.import_id,
                "row_no": row_no,
                "sheet_no": row.sheet_no,
                "line_no": row.line_no,
                "cells": json.dumps(row.cells, ensure_ascii=False),
            }
            for row_no, row in enumerate(rows, start=before + 1)
        ]
        session.execute(insert_rows(ImportRow, values))
    return len(rows)


def _judge_part(session: Session, job: ImportJob) -> None:
    rows = _next_rows(session, job.import_id, "waiting")
    verdicts = [_verdict(row) for row in rows]
    _update_rows(session, job.import_id, ("state", "document_digest", "reason", "warning"), verdicts)
    if len(rows) == PART:
        publish_continued(session, job)
    else:
        _judge_repeated(session, job.import_id)
        _count_verdicts(session, job)
        job.state = "previewed"
    progress(session, job)


def _verdict(row: ImportRow) -> tuple[Any, ...]:
    """A row of a bulk update: number, verdict, digest of the document, reason and warning.

    Whether a member has the number is not looked up, for a preview would reveal that for any number without a trace.
    """
    digest, reason, warning = _examined(row)
    return row.row_no, "wrong" if reason else "new", digest, _storable(reason), _storable(warning)


def _examined(row: ImportRow) -> tuple[bytes | None, str | None, str | None]:
    """The digest of a row's document, the reason why it cannot be registered, and its warnings."""
    try:
        _, digest, outcome = examine(facts_of(json.loads(row.cells)))
    except WrongRow as wrong:
        return None, str(wrong), None
    except Exception as error:
        return None, _unexpected(row, error), None
    return digest, _words(outcome.problems), _words(outcome.warnings)


def _judge_repeated(session: Session, import_id: UUID) -> None:
    """Marks rows that repeat the document of an earlier row as wrong."""
    place = func.row_number().over(partition_by=ImportRow.document_digest, order_by=ImportRow.row_no)
    of_free = (
        select(ImportRow.row_no, place.label("place"))
        .where(ImportRow.import_id == import_id, ImportRow.state.in_(_FREE))
        .subquery()
    )
    session.execute(
        update(ImportRow)
        .where(ImportRow.import_id == import_id, ImportRow.row_no == of_free.c.row_no, of_free.c.place > 1)
        .values(state="wrong", reason=_REPEATED_REASON)
        .execution_options(synchronize_session=False)
    )


def _count_verdicts(session: Session, job: ImportJob) -> None:
    rows = func.count().label("rows")
    of_job = ImportRow.import_id == job.import_id
    counted = session.execute(select(ImportRow.state, rows).where(of_job).group_by(ImportRow.state))
    counts = {row.state: row.rows for row in counted}
    job.rows_total = sum(counts.values())
    job.rows_new = sum(counts.get(state, 0) for state in _FREE)
    job.rows_wrong, job.rows_known = counts.get("wrong", 0), 0


def _after_choice(sheet: StoredSheet, chosen: set[int]) -> StoredSheet:
    """The sheet after the clerk's choice; the rows of a readable sheet that was not chosen count as skipped."""
    if sheet.sheet_no in chosen:
        return replace(sheet, is_chosen=True)
    left = [NotRead(reason="确认时未选择该工作表", rows=sheet.rows, cells=0)] if sheet.reason is None else []
    return replace(sheet, is_chosen=False, not_read=[*sheet.not_read, *left])


def _register_part(session: Session, job: ImportJob) -> None:
    rows = _next_rows(session, job.import_id, "new", "waiting")
    if not rows:
        _finish_if_done(session, job)
        return
    requests: list[tuple[int, RegisterMemberRequest]] = []
    reasons: dict[int, str] = {}
    for row in rows:
        try:
            requests.append((row.row_no, facts_of(json.loads(row.cells))))
        except WrongRow as wrong:
            reasons[row.row_no] = str(wrong)
        except Exception as error:
            reasons[row.row_no] = _unexpected(row, error)
    outcomes = _register(session, job, [request for _, request in requests])
    by_row = {row_no: outcome for (row_no, _), outcome in zip(requests, outcomes, strict=True)}
    reasons |= {row_no: _words(outcome.problems) or "" for row_no, outcome in by_row.items() if outcome.problems}
    warnings = {no: _words(one.warnings) or "" for no, one in by_row.items() if one.warnings and not one.problems}
    _settle(session, rows, reasons, warnings)
    job.rows_read += len(rows)
    job.rows_accepted += len(rows) - len(reasons)
    job.rows_rejected += len(reasons)
    known = sum(outcome.problems == (KNOWN,) for outcome in outcomes)
    job.rows_known += known
    job.rows_warned += len(warnings)
    _record(session, job, [outcome.member_id for outcome in outcomes if outcome.member_id], len(reasons), known)
    if len(rows) == PART:
        publish_continued(session, job)
        progress(session, job)
    elif not _finish_if_done(session, job):
        progress(session, job)


def _register(session: Session, job: ImportJob, requests: Sequence[RegisterMemberRequest]) -> list[Outcome]:
    """Registers all in a few statements; if the database refuses, each half, down to the refused rows."""
    if not requests:
        return []
    try:
        with session.begin_nested():
            return register_members(session, job.union_id, requests, job.import_id)
    except Exception as error:
        if is_transient(error):
            raise
        if len(requests) > 1:
            middle = len(requests) // 2
            return _register(session, job, requests[:middle]) + _register(session, job, requests[middle:])
        log.warning("row_refused", import_id=str(job.import_id), error=class_name(error))
        return [Outcome(problems=(FieldProblem("", "refused", _UNREGISTRABLE),))]


def _settle(session: Session, rows: Sequence[ImportRow], reasons: dict[int, str], warnings: dict[int, str]) -> None:
    """Keeps rejected rows, only the names of rows with a warning, and deletes the others."""
    if not rows:
        return
    import_id = rows[0].import_id
    kept = reasons.keys() | warnings.keys()
    gone = [row.row_no for row in rows if row.row_no not in kept]
    session.execute(
        delete(ImportRow)
        .where(ImportRow.import_id == import_id, is_any_of(ImportRow.row_no, gone))
        .execution_options(synchronize_session=False)
    )
    rejected = [(row_no, "rejected", _storable(reason)) for row_no, reason in reasons.items()]
    _update_rows(session, import_id, ("state", "reason"), rejected)
    names = {row.row_no: _name_alone(row) for row in rows if row.row_no in warnings}
    warned = [(row_no, "registered", _storable(words), names[row_no]) for row_no, words in warnings.items()]
    _update_rows(session, import_id, ("state", "warning", "cells"), warned)


def _update_rows(session: Session, import_id: UUID, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Sets columns of an import's rows in one statement; each row of values begins with the row's number."""
    if not rows:
        return
    table = values_table("changed", types_of(ImportRow, ("row_no", *columns)), rows)
    session.execute(
        update(ImportRow)
        .where(ImportRow.import_id == import_id, ImportRow.row_no == table.c.row_no)
        .values({name: table.c[name] for name in columns})
        .execution_options(synchronize_session=False)
    )


def _name_alone(row: ImportRow) -> str:
    return json.dumps({"姓名": json.loads(row.cells).get("姓名", "")}, ensure_ascii=False)


def _finish_if_done(session: Session, job: ImportJob) -> bool:
    """Ends the import if all rows are settled and all members have their numbers; returns whether it did."""
    session.flush()
    waits = exists().where(ImportRow.import_id == job.import_id, ImportRow.state.in_(_UNDECIDED))
    unnumbered = exists().where(Member.import_id == job.import_id, Member.member_no.is_(None))
    if session.scalar(select(waits | unnumbered)):
        return False
    end_import(session, job, "finished")
    return True


def _record(session: Session, job: ImportJob, member_ids: Sequence[UUID], rejected: int, known: int) -> None:
    """Records an audit event of the user who uploaded the file, who counts as registering its members."""
    starter = session.get(Account, job.started_by)
    caller = Caller(
        account_id=str(job.started_by),
        account_name=starter.account_name if starter else None,
        display_name=starter.display_name if starter else None,
        roles=frozenset(starter.roles if starter else ()),
        union_id=str(job.union_id),
    )
    audit_event = audit.AuditEvent("membership.start_import", caller, correlation_id=correlation.get())
    audit_event.records = [f"import:{job.import_id}", *(f"member:{member_id}" for member_id in member_ids)]
    audit_event.new = {"registered": len(member_ids), "rejected": rejected, "known": known}
    audit.publish_audit_event(session, "membership", audit_event)


def _next_rows(session: Session, import_id: UUID, *states: str) -> Sequence[ImportRow]:
    return session.scalars(
        select(ImportRow)
        .where(ImportRow.import_id == import_id, ImportRow.state.in_(states))
        .order_by(ImportRow.row_no)
        .limit(PART)
    ).all()


def _unexpected(row: ImportRow, error: Exception) -> str:
    """The reason for a row that causes an error of our own code; raises transient errors."""
    if is_transient(error):
        raise error
    log.warning("row_refused", import_id=str(row.import_id), error=class_name(error))
    return _UNREGISTRABLE


def _words(problems: Sequence[FieldProblem]) -> str | None:
    return "；".join(reason_of(problem.field, problem.reason) for problem in problems) or None


def _storable(text: str | None) -> str | None:
    """A reason without characters that the database cannot store, and with masked numbers."""
    return mask_numbers(text.replace("\0", "")) if text else None
