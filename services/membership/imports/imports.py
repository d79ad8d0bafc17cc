"""The operations on imports of members: upload a file, preview, confirm or cancel it, get progress and errors."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from services.contracts.events.membership import IMPORT_REQUESTED, ImportRequestedData
from services.contracts.operations.membership.imports import (
    ConfirmImportRequest,
    GetImportTemplateRequest,
    ImportAnswer,
    ImportPreviewAnswer,
    ImportRequest,
    ListImportsAnswer,
    ListImportsRequest,
    StartImportRequest,
)
from services.kit.data.lists.page_rows import page_of
from services.kit.documents.content_types import XLSX
from services.kit.events.outbox import publish
from services.kit.operations import audit
from services.kit.problems import Conflict, FieldProblem, Invalid, NotFound
from services.kit.rpc.files import FileAnswer, file_answer, uploaded
from services.kit.rpc.work import Work
from services.kit.schemas import UNSET
from services.membership.imports.import_parts import PART, choose_sheets, end_import, progress, publish_continued
from services.membership.imports.import_preview import previewed_rows
from services.membership.imports.sheets import error_sheet, template
from services.membership.imports.stored_sheets import stored_sheets
from services.membership.models import ImportJob, ImportRow
from services.membership.unions import require_open

MOST_MEGABYTES = 20
PREVIEW_LIFE = timedelta(hours=24)
"""Choice: how long a preview can be confirmed before the import ends."""
FILE_KINDS = (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods", ".csv", ".txt")

_COUNTS = (
    *("rows_new", "rows_known", "rows_wrong", "rows_read", "rows_accepted", "rows_rejected", "rows_warned"),
    "resumptions",
)


def start_import(work: Work, request: StartImportRequest) -> ImportAnswer:
    """Stores a file (base64) for the caller's union, to be read asynchronously.

    Raises Invalid for an invalid one, Conflict `union_ended`.
    """
    session, caller, now = work.session, work.caller, datetime.now(UTC)
    require_open(session, UUID(caller.union_id))
    job = ImportJob(
        import_id=uuid7(),
        union_id=UUID(caller.union_id),
        started_by=UUID(caller.account_id),
        file_name=request.file_name,
        content=_checked_content(request.file_name, request.content),
        state="reading",
        **dict.fromkeys(_COUNTS, 0),
        started_at=now,
        progressed_at=now,
    )
    session.add(job)
    session.flush()
    publish(session, IMPORT_REQUESTED, ImportRequestedData(union_id=job.union_id, import_id=job.import_id))
    audit.record(session, ("import", job.import_id), new={"file_name": request.file_name})
    return _answer(job)


def preview_import(work: Work, request: ImportRequest) -> ImportPreviewAnswer:
    """The first rows of each sheet, and the first invalid ones, masked; the call is recorded. Raises NotFound.

    There are none once the import is confirmed or has ended.
    """
    audit.record(work.session, ("import", request.import_id))
    job = _own(work, request.import_id)
    if job.state != "previewed":
        return ImportPreviewAnswer(rows=[], wrong=[])
    return previewed_rows(work.session, job.import_id)


def confirm_import(work: Work, request: ConfirmImportRequest) -> ImportAnswer:
    """Starts the registration of the rows of these sheets, or of all readable ones; a repetition changes nothing.

    Raises NotFound, Invalid for a sheet that cannot be registered, Conflict `import_not_previewed` and `union_ended`.
    """
    sheets = None if request.sheets is UNSET else request.sheets
    audit.record(work.session, ("import", request.import_id), new={"sheets": sheets})
    require_open(work.session, UUID(work.caller.union_id))
    job = _own(work, request.import_id, for_update=True)
    readable = [sheet.sheet_no for sheet in stored_sheets(job) if sheet.reason is None]
    chosen = set(sheets or readable)
    if job.state in ("running", "finished") and chosen == _chosen(job):
        return _answer(job)
    if job.state != "previewed":
        raise Conflict("import_not_previewed", "该导入不在待确认状态", "请刷新页面查看导入结果，或重新上传。")
    if not chosen:
        raise Conflict("import_not_previewed", "该导入没有可以登记的工作表", "请重新上传。")
    if not chosen <= set(readable):
        raise Invalid([FieldProblem("sheets", "sheet_unreadable", "所选工作表不能导入，请重新选择")])
    choose_sheets(work.session, job, chosen)
    job.state = "running"
    publish_continued(work.session, job)
    progress(work.session, job)
    return _answer(job)


def cancel_import(work: Work, request: ImportRequest) -> ImportAnswer:
    """Cancels a previewed import, and deletes its rows; raises NotFound, and Conflict `import_not_previewed`."""
    audit.record(work.session, ("import", request.import_id))
    job = _own(work, request.import_id, for_update=True)
    if job.state == "previewed":
        end_import(work.session, job, "cancelled")
    elif job.state != "cancelled":
        raise Conflict("import_not_previewed", "该导入不在待确认状态，不能取消", "已登记的会员不会因此移除。")
    return _answer(job)


def get_import(work: Work, request: ImportRequest) -> ImportAnswer:
    """An import of the caller's union with its progress; raises NotFound."""
    return _answer(_own(work, request.import_id))


def list_imports(work: Work, request: ListImportsRequest) -> ListImportsAnswer:
    """A page of the imports of the caller's union, newest first."""
    own = select(ImportJob).where(ImportJob.union_id == work.caller.union_id)
    if request.state is not UNSET:
        own = own.where(ImportJob.state == request.state)
    rows, counted = page_of(work.session, own.order_by(ImportJob.import_id.desc()), request)
    return ListImportsAnswer.of([_answer(row.ImportJob) for row in rows], request, counted)


def get_errors(work: Work, request: ImportRequest) -> FileAnswer:
    """A sheet of the rows that were rejected so far, and of those with a warning; raises NotFound."""
    audit.record(work.session, ("import", request.import_id))
    job = _own(work, request.import_id)
    titles = dict.fromkeys(title for sheet in stored_sheets(job) for title in sheet.titles)
    rejected = ((json.loads(row.cells), row.reason or "") for row in _rows_in(work.session, job, "rejected"))
    warned = (
        (row.line_no, json.loads(row.cells).get("姓名", ""), row.warning or "")
        for row in _rows_in(work.session, job, "registered")
    )
    return file_answer(
        f"{job.file_name.rpartition('.')[0]}-错误清单.xlsx", XLSX, error_sheet(list(titles), rejected, warned)
    )


def get_template(work: Work, request: GetImportTemplateRequest) -> FileAnswer:
    """The template to fill in."""
    return file_answer("会员名册模板.xlsx", XLSX, template())


def _checked_content(file_name: str, content: str) -> bytes:
    if not file_name.lower().endswith(FILE_KINDS):
        raise Invalid([FieldProblem("file", "file_type", "请上传 .xlsx、.xls、.xlsb、.ods 或 .csv 文件")])
    return uploaded(content, MOST_MEGABYTES)


def _rows_in(session: Session, job: ImportJob, state: str) -> Iterable[ImportRow]:
    return session.scalars(
        select(ImportRow)
        .where(ImportRow.import_id == job.import_id, ImportRow.state == state)
        .order_by(ImportRow.row_no)
        .execution_options(yield_per=PART)
    )


def _own(work: Work, import_id: UUID, for_update: bool = False) -> ImportJob:
    job = work.session.get(ImportJob, import_id, with_for_update=for_update)
    if job is None or str(job.union_id) != work.caller.union_id:
        raise NotFound(title="未找到该导入记录")
    return job


def _chosen(job: ImportJob) -> set[int]:
    return {sheet.sheet_no for sheet in stored_sheets(job) if sheet.is_chosen}


def _answer(job: ImportJob) -> ImportAnswer:
    # Known members are not shown before the confirmation, though an earlier release may have counted them.
    is_judged_alone = job.state in ("reading", "previewed")
    return ImportAnswer(
        import_id=job.import_id,
        file_name=job.file_name,
        state=job.state,
        failure=job.failure,
        sheets=[sheet.answer() for sheet in stored_sheets(job)],
        rows_total=job.rows_total,
        rows_new=job.rows_new + job.rows_known if is_judged_alone else job.rows_new,
        rows_known=0 if is_judged_alone else job.rows_known,
        rows_wrong=job.rows_wrong,
        rows_read=job.rows_read,
        rows_accepted=job.rows_accepted,
        rows_rejected=job.rows_rejected,
        rows_warned=job.rows_warned,
        started_at=job.started_at,
        expires_at=job.progressed_at + PREVIEW_LIFE if job.state == "previewed" else None,
        finished_at=job.finished_at,
    )
