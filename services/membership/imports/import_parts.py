"""Carries out imports: reads and judges the file for the preview, then registers its rows in parts.

The file is read in one transaction. Each part is one event and one transaction: its rows, counts and the next event
commit together, so that a restarted import resumes at the last part that was committed.
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
from services.contracts.operations.membership.imports import NotRead
from services.kit.data.bulk import insert_rows
from services.kit.events.envelope import Event, correlation
from services.kit.events.outbox import publish
from services.kit.operations import audit
from services.kit.rpc.methods import Caller
from services.kit.sheets.unreadable import UnreadableSheet
from services.membership.imports.judging import (
    FREE,
    REPEATED_REASON,
    UNREGISTRABLE,
    in_halves,
    judge_again,
    judge_repeated,
    judged,
    storable,
    wrong,
)
from services.membership.imports.registering import register_rows
from services.membership.imports.sheet_reader import Row, SheetReport
from services.membership.imports.sheet_reader import read_file as read_content
from services.membership.imports.stored_sheets import StoredSheet, sheet_to_store, store_sheets, stored_sheets
from services.membership.models import Account, ImportJob, ImportRow, Member

log = structlog.get_logger()

PART = 1000
"""How many rows are judged or registered in one transaction."""

_UNDECIDED = ("waiting", *FREE, "wrong")
_WITHOUT_ROWS = "文件中没有会员：表头下方没有内容，或只有模板的示例行。请填写后重新上传。"


def read_file(session: Session, event: Event[ImportRequestedData]) -> None:
    """Stores the rows of the file with their verdicts, and deletes the file; an unreadable file ends the import."""
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
        return
    if job.state == "running":  # as an earlier release began it, without a preview
        publish_continued(session, job)
    else:
        _show_preview(session, job)
    progress(session, job)


def continue_import(session: Session, event: Event[ImportContinuedData]) -> None:
    """Registers the next PART rows of a confirmed import."""
    job = session.get_one(ImportJob, event.data.import_id, with_for_update=True)
    if job.state == "reading":
        _judge_waiting(session, job)
    elif job.state == "running":
        _register_part(session, job)


def choose_sheets(session: Session, job: ImportJob, chosen: set[int]) -> None:
    """Deletes the rows of other sheets; rows that only repeated deleted ones become valid."""
    of_job = ImportRow.import_id == job.import_id
    session.execute(delete(ImportRow).where(of_job, ImportRow.sheet_no.not_in(chosen)))
    session.execute(update(ImportRow).where(of_job, ImportRow.state == "known").values(state="new", reason=None))
    _count_verdicts(session, job)
    again = ImportRow.reason == REPEATED_REASON
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
    job.content, job.state, job.failure, job.finished_at = None, state, storable(failure), datetime.now(UTC)
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
    """Stores rows with their verdicts; one that the database refuses is stored as wrong, without facts."""
    values = [
        {
            "import_id": job.import_id,
            "row_no": row_no,
            "sheet_no": row.sheet_no,
            "line_no": row.line_no,
            "cells": json.dumps(row.cells, ensure_ascii=False),
            **judged(job.import_id, row.cells),
        }
        for row_no, row in enumerate(rows, start=before + 1)
    ]

    def store(some: Sequence[dict[str, Any]]) -> list[bool]:
        session.execute(insert_rows(ImportRow, some))
        return [True] * len(some)

    stored = in_halves(session, values, store, refused=False)
    if refused := [row | wrong(UNREGISTRABLE) for row, is_stored in zip(values, stored, strict=True) if not is_stored]:
        session.execute(insert_rows(ImportRow, refused))
    return len(rows)


def _judge_waiting(session: Session, job: ImportJob) -> None:
    """Judges the next rows that an earlier release has stored without a verdict."""
    waiting = (
        select(ImportRow.row_no)
        .where(ImportRow.import_id == job.import_id, ImportRow.state == "waiting")
        .order_by(ImportRow.row_no)
        .limit(PART)
    )
    row_nos = session.scalars(waiting).all()
    judge_again(session, job.import_id, row_nos)
    if len(row_nos) == PART:
        publish_continued(session, job)
    else:
        _show_preview(session, job)
    progress(session, job)


def _show_preview(session: Session, job: ImportJob) -> None:
    judge_repeated(session, job.import_id)
    _count_verdicts(session, job)
    job.state = "previewed"


def _count_verdicts(session: Session, job: ImportJob) -> None:
    rows = func.count().label("rows")
    of_job = ImportRow.import_id == job.import_id
    counted = session.execute(select(ImportRow.state, rows).where(of_job).group_by(ImportRow.state))
    counts = {row.state: row.rows for row in counted}
    job.rows_total = sum(counts.values())
    job.rows_new = sum(counts.get(state, 0) for state in FREE)
    job.rows_wrong, job.rows_known = counts.get("wrong", 0), 0


def _after_choice(sheet: StoredSheet, chosen: set[int]) -> StoredSheet:
    """The sheet after the clerk's choice; the rows of a readable sheet that was not chosen count as skipped."""
    if sheet.sheet_no in chosen:
        return replace(sheet, is_chosen=True)
    left = [NotRead(reason="确认时未选择该工作表", rows=sheet.rows, cells=0)] if sheet.reason is None else []
    return replace(sheet, is_chosen=False, not_read=[*sheet.not_read, *left])


def _register_part(session: Session, job: ImportJob) -> None:
    part = register_rows(session, job, PART)
    if not part.rows:
        _finish_if_done(session, job)
        return
    job.rows_read += part.rows
    job.rows_accepted += len(part.member_ids)
    job.rows_rejected += part.rejected
    job.rows_known += part.known
    job.rows_warned += part.warned
    _record(session, job, part.member_ids, part.rejected, part.known)
    if part.rows == PART:
        publish_continued(session, job)
        progress(session, job)
    elif not _finish_if_done(session, job):
        progress(session, job)


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
