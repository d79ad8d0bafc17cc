"""Imports of members as clerks ask for them: a file is handed in, previewed, confirmed or given up, and reported on."""

import base64
import binascii
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from services.contracts.events.membership import IMPORT_CONTINUED, IMPORT_REQUESTED
from services.kit.data.paging import page_of
from services.kit.events.outbox import tell
from services.kit.operations import audit
from services.kit.problems import Conflict, FieldProblem, Invalid, NotFound
from services.kit.rpc.files import FileAnswer, file_answer
from services.kit.rpc.methods import Caller
from services.kit.rpc.paging import page_answer
from services.kit.sheets import XLSX
from services.membership.imports.import_parts import PART, choose_sheets, end_import, named, progress, sheets_of
from services.membership.imports.import_preview import previewed_rows
from services.membership.imports.sheets import error_sheet, template
from services.membership.models import ImportJob, ImportRow

LARGEST_FILE = 20 * 1024 * 1024
PREVIEW_LIFE = timedelta(hours=24)
"""Choice: a preview that nobody confirms ends with the next day."""
FILE_KINDS = (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods", ".csv", ".txt")

_COUNTS = (
    *("rows_new", "rows_known", "rows_wrong", "rows_read", "rows_accepted", "rows_rejected", "rows_warned"),
    "resumptions",
)


def start_import(session: Session, caller: Caller, file_name: str, content: str) -> dict[str, Any]:
    """Takes a file (base64) for the caller's union; it is read asynchronously. Raises Invalid for what is none."""
    now = datetime.now(UTC)
    job = ImportJob(
        import_id=uuid7(),
        union_id=UUID(caller.union_id),
        started_by=UUID(caller.account_id),
        file_name=file_name,
        content=_checked_content(file_name, content),
        state="reading",
        **dict.fromkeys(_COUNTS, 0),
        started_at=now,
        progressed_at=now,
    )
    session.add(job)
    session.flush()
    tell(session, IMPORT_REQUESTED, named(job))
    audit.note(session, ("import", job.import_id), new={"file_name": file_name})
    return _answer(job)


def preview_import(session: Session, caller: Caller, import_id: UUID) -> dict[str, Any]:
    """The first rows of each sheet, and the first that are wrong, masked; who has looked is kept. Raises NotFound.

    There are none once the import is confirmed or has ended.
    """
    audit.note(session, ("import", import_id))
    job = _own(session, caller, import_id)
    return previewed_rows(session, import_id) if job.state == "previewed" else {"rows": [], "wrong": []}


def confirm_import(session: Session, caller: Caller, import_id: UUID, sheets: Sequence[int] | None) -> dict[str, Any]:
    """Lets the rows of these sheets, or of all that can be read, be registered; again it changes nothing.

    Raises NotFound, Invalid for a sheet that cannot be registered, Conflict `import_not_previewed`.
    """
    audit.note(session, ("import", import_id), new={"sheets": sheets})
    job = _own(session, caller, import_id, for_update=True)
    readable = [sheet["sheet_no"] for sheet in sheets_of(job) if sheet["reason"] is None]
    chosen = set(sheets or readable)
    if job.state in ("running", "finished") and chosen == _chosen(job):
        return _answer(job)
    if job.state != "previewed":
        raise Conflict("import_not_previewed", "该导入不在待确认状态", "请刷新页面查看导入结果，或重新上传。")
    if not chosen:
        raise Conflict("import_not_previewed", "该导入没有可以登记的工作表", "请重新上传。")
    if not chosen <= set(readable):
        raise Invalid([FieldProblem("sheets", "sheet_unreadable", "所选工作表不能导入，请重新选择")])
    choose_sheets(session, job, chosen)
    job.state = "running"
    tell(session, IMPORT_CONTINUED, named(job))
    progress(session, job)
    return _answer(job)


def cancel_import(session: Session, caller: Caller, import_id: UUID) -> dict[str, Any]:
    """Gives a preview up, and forgets its rows; raises NotFound, and Conflict `import_not_previewed`."""
    audit.note(session, ("import", import_id))
    job = _own(session, caller, import_id, for_update=True)
    if job.state == "previewed":
        end_import(session, job, "cancelled")
    elif job.state != "cancelled":
        raise Conflict("import_not_previewed", "该导入不在待确认状态，不能取消", "已登记的会员不会因此移除。")
    return _answer(job)


def get_import(session: Session, caller: Caller, import_id: UUID) -> dict[str, Any]:
    """How far an import of the caller's union is; raises NotFound."""
    return _answer(_own(session, caller, import_id))


def list_imports(session: Session, caller: Caller, asked: dict[str, Any]) -> dict[str, Any]:
    """A page of the imports of the caller's union, newest first."""
    newest_first = select(ImportJob).where(ImportJob.union_id == caller.union_id).order_by(ImportJob.import_id.desc())
    rows, counted = page_of(session, newest_first, asked)
    return page_answer([_answer(row.ImportJob) for row in rows], asked, counted)


def get_errors(session: Session, caller: Caller, import_id: UUID) -> FileAnswer:
    """The sheet of the rows that were rejected so far, and of those with a warning; raises NotFound."""
    audit.note(session, ("import", import_id))
    job = _own(session, caller, import_id)
    found: dict[str, None] = {}
    for sheet in sheets_of(job):
        found.update(dict.fromkeys(sheet["titles"]))
    rejected = ((json.loads(row.cells), row.reason or "") for row in _rows_in(session, import_id, "rejected"))
    warned = (
        (row.line_no, json.loads(row.cells).get("姓名", ""), row.warning or "")
        for row in _rows_in(session, import_id, "registered")
    )
    return file_answer(
        f"{job.file_name.rpartition('.')[0]}-错误清单.xlsx", XLSX, error_sheet(list(found), rejected, warned)
    )


def get_template() -> FileAnswer:
    """The sheet to fill in."""
    return file_answer("会员名册模板.xlsx", XLSX, template())


def _checked_content(file_name: str, content: str) -> bytes:
    if not file_name.lower().endswith(FILE_KINDS):
        raise Invalid([FieldProblem("file", "file_type", "请上传 .xlsx、.xls、.xlsb、.ods 或 .csv 文件")])
    try:
        decoded = base64.b64decode(content, validate=True)
    except binascii.Error as error:
        raise Invalid([FieldProblem("file", "invalid", "文件内容无法读取，请重新上传")]) from error
    if not decoded or len(decoded) > LARGEST_FILE:
        raise Invalid([FieldProblem("file", "file_size", "文件应不为空且不超过 20 MB")])
    return decoded


def _rows_in(session: Session, import_id: UUID, state: str) -> Iterable[ImportRow]:
    return session.scalars(
        select(ImportRow)
        .where(ImportRow.import_id == import_id, ImportRow.state == state)
        .order_by(ImportRow.row_no)
        .execution_options(yield_per=PART)
    )


def _own(session: Session, caller: Caller, import_id: UUID, for_update: bool = False) -> ImportJob:
    job = session.get(ImportJob, import_id, with_for_update=for_update)
    if job is None or str(job.union_id) != caller.union_id:
        raise NotFound(title="未找到该导入记录")
    return job


def _chosen(job: ImportJob) -> set[int]:
    return {sheet["sheet_no"] for sheet in sheets_of(job) if sheet["is_chosen"]}


def _answer(job: ImportJob) -> dict[str, Any]:
    sheets = [{name: value for name, value in sheet.items() if name != "titles"} for sheet in sheets_of(job)]
    counts = {name: getattr(job, name) for name in _COUNTS if name != "resumptions"}
    if job.state in ("reading", "previewed"):
        # A process of a former release may have judged it.
        counts |= {"rows_new": job.rows_new + job.rows_known, "rows_known": 0}
    return {
        "import_id": job.import_id,
        "file_name": job.file_name,
        "state": job.state,
        "failure": job.failure,
        "sheets": sheets,
        "rows_total": job.rows_total,
        **counts,
        "started_at": job.started_at,
        "expires_at": job.progressed_at + PREVIEW_LIFE if job.state == "previewed" else None,
        "finished_at": job.finished_at,
    }
