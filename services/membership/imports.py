"""Imports of members: a sheet is handed in, read, and registered part by part; whoever is killed goes on where it was.

Each part is a message of our own and a transaction: its rows, counts and the next message commit together.
"""

import base64
import binascii
import json
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from uuid import UUID

from sqlalchemy import Integer, Text, delete, select, update
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from services.common.contracts.membership import IMPORT_CONTINUED, IMPORT_PROGRESSED, IMPORT_REQUESTED
from services.common.contracts.rpc.files import file_answer
from services.common.contracts.rpc.paging import page_answer
from services.common.messaging import audit
from services.common.messaging.envelope import correlation
from services.common.messaging.outbox import tell
from services.common.messaging.rpc import Caller
from services.common.paging import page_of
from services.common.problems import FieldProblem, Invalid, NotFound
from services.common.rowsets import as_table, insert_rows, is_among
from services.common.sheets import XLSX
from services.membership.members import register_members
from services.membership.models import Account, ImportJob, ImportRow
from services.membership.sheets import (
    LARGEST_FILE,
    UnreadableSheet,
    WrongRow,
    error_sheet,
    facts_of,
    read_rows,
    reason_of,
    template,
)

PART = 1000
"""How many rows are registered in one transaction."""


def start_import(session: Session, caller: Caller, file_name: str, content: str) -> dict[str, Any]:
    """Takes a sheet (base64) for the caller's union; it is read by and by. Raises Invalid for what is no such file."""
    job = ImportJob(
        import_id=uuid7(),
        union_id=UUID(caller.union_id),
        started_by=UUID(caller.account_id),
        file_name=file_name,
        content=_checked_content(file_name, content),
        state="running",
        rows_read=0,
        rows_accepted=0,
        rows_rejected=0,
        started_at=datetime.now(UTC),
    )
    session.add(job)
    session.flush()
    tell(session, IMPORT_REQUESTED, _named(job))
    audit.note(session, ("import", job.import_id), new={"file_name": file_name})
    return _answer(job)


def read_file(session: Session, import_id: UUID) -> None:
    """Keeps the rows of the file and forgets the file; a file that cannot be read ends the import."""
    job = session.get_one(ImportJob, import_id, with_for_update=True)
    if job.content is None:
        return
    content, job.content = job.content, None
    try:
        with session.begin_nested():
            job.rows_total = _keep_rows(session, job, content)
    except UnreadableSheet as unreadable:
        end_import(session, job, str(unreadable))
    else:
        tell(session, IMPORT_CONTINUED, _named(job))
        _tell_progress(session, job)


def end_import(session: Session, job: ImportJob, failure: str) -> None:
    """Ends an import as failed for good: what comes of it later does nothing. Members registered so far stay."""
    job.state, job.failure, job.finished_at, job.content = "failed", failure, datetime.now(UTC), None
    _tell_progress(session, job)


def continue_import(session: Session, import_id: UUID) -> None:
    """Registers the next PART of rows; the good ones are members now, the bad ones keep their reason."""
    job = session.get_one(ImportJob, import_id, with_for_update=True)
    if job.state != "running":
        return
    rows = session.scalars(
        select(ImportRow)
        .where(ImportRow.import_id == import_id, ImportRow.reason.is_(None))
        .order_by(ImportRow.row_no)
        .limit(PART)
    ).all()
    member_ids, reasons = _register(session, job.union_id, rows)
    accepted = [row.row_no for row in rows if row.row_no not in reasons]
    session.execute(
        delete(ImportRow)
        .where(ImportRow.import_id == import_id, is_among(ImportRow.row_no, accepted))
        .execution_options(synchronize_session=False)
    )
    _keep_reasons(session, import_id, reasons)
    job.rows_read += len(rows)
    job.rows_accepted += len(accepted)
    job.rows_rejected += len(reasons)
    _record(session, job, member_ids, len(reasons))
    if len(rows) == PART:
        tell(session, IMPORT_CONTINUED, _named(job))
    else:
        job.state, job.finished_at = "finished", datetime.now(UTC)
    _tell_progress(session, job)


def get_import(session: Session, caller: Caller, import_id: UUID) -> dict[str, Any]:
    """How far an import of the caller's union is; raises NotFound."""
    return _answer(_own(session, caller, import_id))


def list_imports(session: Session, caller: Caller, asked: dict[str, Any]) -> dict[str, Any]:
    """A page of the imports of the caller's union, newest first."""
    newest_first = select(ImportJob).where(ImportJob.union_id == caller.union_id).order_by(ImportJob.import_id.desc())
    rows, counted = page_of(session, newest_first, asked)
    return page_answer([_answer(row.ImportJob) for row in rows], asked, counted)


def get_errors(session: Session, caller: Caller, import_id: UUID) -> dict[str, str]:
    """The sheet of the rows that were rejected so far; raises NotFound."""
    audit.note(session, ("import", import_id))
    job = _own(session, caller, import_id)
    rejected = session.scalars(
        select(ImportRow)
        .where(ImportRow.import_id == import_id, ImportRow.reason.is_not(None))
        .order_by(ImportRow.row_no)
        .execution_options(yield_per=PART)
    )
    rows = ((json.loads(row.cells), row.reason or "") for row in rejected)
    return file_answer(f"{job.file_name.rpartition('.')[0]}-错误清单.xlsx", XLSX, error_sheet(rows))


def get_template() -> dict[str, str]:
    """The sheet to fill in."""
    return file_answer("会员名册模板.xlsx", XLSX, template())


def _checked_content(file_name: str, content: str) -> bytes:
    if not file_name.lower().endswith((".xlsx", ".csv")):
        raise Invalid([FieldProblem("file", "file_type", "请上传 .xlsx 或 .csv 文件")])
    try:
        decoded = base64.b64decode(content, validate=True)
    except binascii.Error as error:
        raise Invalid([FieldProblem("file", "invalid", "文件内容无法读取，请重新上传")]) from error
    if not decoded or len(decoded) > LARGEST_FILE:
        raise Invalid([FieldProblem("file", "file_size", "文件应不为空且不超过 20 MB")])
    return decoded


def _keep_rows(session: Session, job: ImportJob, content: bytes) -> int:
    """The number of rows kept, each with the number of its line in the sheet; the heading's is 1."""
    count = 0
    numbered = enumerate(read_rows(job.file_name, content), start=2)
    while part := list(islice(numbered, PART)):
        rows = [
            {"import_id": job.import_id, "row_no": row_no, "cells": json.dumps(cells, ensure_ascii=False)}
            for row_no, cells in part
        ]
        session.execute(insert_rows(ImportRow, rows))
        count += len(rows)
        time.sleep(0)  # reading is all computing: let the others have a turn
    return count


def _register(session: Session, union_id: UUID, rows: Sequence[ImportRow]) -> tuple[list[UUID], dict[int, str]]:
    """Registers the rows that are good; answers the new members, and why the other rows are not, by row number."""
    reasons: dict[int, str] = {}
    good = list(_good_rows(rows, reasons))
    outcomes = register_members(session, union_id, [facts for _, facts in good])
    for (row_no, _), outcome in zip(good, outcomes, strict=True):
        if outcome.problems:
            reasons[row_no] = "；".join(reason_of(problem.field, problem.reason) for problem in outcome.problems)
    return [outcome.member_id for outcome in outcomes if outcome.member_id], reasons


def _record(session: Session, job: ImportJob, member_ids: Sequence[UUID], rejected: int) -> None:
    """Whoever handed the sheet in has registered its members, though the system did so later."""
    starter = session.get(Account, job.started_by)
    caller = Caller(
        account_id=str(job.started_by),
        account_name=starter.account_name if starter else None,
        display_name=starter.display_name if starter else None,
        roles=frozenset(starter.roles if starter else ()),
        union_id=str(job.union_id),
    )
    act = audit.Act("membership.start_import", caller, correlation_id=correlation.get())
    act.records = [f"import:{job.import_id}", *(f"member:{member_id}" for member_id in member_ids)]
    act.new = {"registered": len(member_ids), "rejected": rejected}
    audit.tell_act(session, "membership", act)


def _good_rows(rows: Sequence[ImportRow], reasons: dict[int, str]) -> Iterator[tuple[int, dict[str, Any]]]:
    for row in rows:
        try:
            yield row.row_no, facts_of(json.loads(row.cells))
        except WrongRow as wrong:
            reasons[row.row_no] = str(wrong)


def _keep_reasons(session: Session, import_id: UUID, reasons: dict[int, str]) -> None:
    bad = as_table("bad", {"row_no": Integer(), "reason": Text()}, list(reasons.items()))
    session.execute(
        update(ImportRow)
        .where(ImportRow.import_id == import_id, ImportRow.row_no == bad.c.row_no)
        .values(reason=bad.c.reason)
        .execution_options(synchronize_session=False)
    )


def _own(session: Session, caller: Caller, import_id: UUID) -> ImportJob:
    job = session.get(ImportJob, import_id)
    if job is None or str(job.union_id) != caller.union_id:
        raise NotFound(title="未找到该导入记录")
    return job


def _named(job: ImportJob) -> dict[str, Any]:
    return {"union_id": job.union_id, "import_id": job.import_id}


def _tell_progress(session: Session, job: ImportJob) -> None:
    counts = {name: getattr(job, name) for name in ("rows_total", "rows_read", "rows_accepted", "rows_rejected")}
    tell(session, IMPORT_PROGRESSED, {**_named(job), "state": job.state, **counts})


def _answer(job: ImportJob) -> dict[str, Any]:
    return {
        "import_id": job.import_id,
        "file_name": job.file_name,
        "state": job.state,
        "failure": job.failure,
        "rows_total": job.rows_total,
        "rows_read": job.rows_read,
        "rows_accepted": job.rows_accepted,
        "rows_rejected": job.rows_rejected,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
    }
