"""Files of the bank's results: an operator uploads one, and its lines are judged as those of messages."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from services.batching.bank.bank_feedback import apply_feedback
from services.batching.bank.bank_reading import Feedback, feedback_in
from services.batching.bank_files.result_rows import Documents, WrongRow, documents_of
from services.batching.bank_files.workbooks import receipt_workbook
from services.batching.models import BankResultFile, Branch
from services.contracts.external import bank_files
from services.contracts.external.bank import REJECTIONS
from services.contracts.external.bank_keys import clear_text
from services.contracts.operations.bank_files import (
    ListResultFilesAnswer,
    ListResultFilesRequest,
    RejectedLines,
    ResultFileAnswer,
    ResultFileRequest,
    ResultFileSummary,
    UploadResultsRequest,
)
from services.kit.data.lists.page_rows import page_of
from services.kit.documents.content_types import XLSX
from services.kit.operations import audit
from services.kit.problems import Conflict, FieldProblem, Invalid, NotFound
from services.kit.rpc.files import FileAnswer, file_answer, uploaded
from services.kit.rpc.work import Work
from services.kit.schemas import UNSET, as_dict, schema_of
from services.kit.sheets.forms import FilledRow, filled_rows
from services.kit.sheets.locked import is_locked
from services.kit.sheets.unreadable import UnreadableSheet
from services.kit.sheets.workbook_reader import MOST_ROWS, read_workbook

MOST_MEGABYTES = 10
_REJECTIONS = schema_of(RejectedLines)(many=True)
_SUMMARY = (
    *(BankResultFile.result_file_id, BankResultFile.branch_code, Branch.name.label("branch_name")),
    *(BankResultFile.file_name, BankResultFile.uploaded_at, BankResultFile.uploaded_by),
    *(BankResultFile.lines, BankResultFile.applied, BankResultFile.repeated),
    *(BankResultFile.rejected, BankResultFile.skipped),
)


def upload_results(work: Work, request: UploadResultsRequest) -> ResultFileAnswer:
    """Applies a file's results and reports, and says which lines were not taken, and why.

    Raises NotFound, Conflict `no_file_password`, and Invalid for a file that cannot be read or has no line, or that
    has no password where messages must be encrypted; then nothing was done.
    """
    session = work.session
    branch = session.get(Branch, request.branch_code)
    if branch is None:
        raise NotFound(title="未找到该发卡支行")
    rows, not_read = _read(branch, uploaded(request.content, MOST_MEGABYTES))
    documents = documents_of(rows)
    file = BankResultFile(
        result_file_id=uuid7(),
        branch_code=branch.code,
        file_name=request.file_name,
        uploaded_by=work.caller.account_name or "",
        lines=len(rows),
        applied=0,
        repeated=0,
        rejected=len(documents.wrong),
        skipped=documents.skipped,
        rejections="[]",
        not_read=json.dumps(not_read, ensure_ascii=False),
    )
    session.add(file)
    session.flush()
    judged = _apply(session, file, documents)
    session.flush()
    _record(session, file, judged)
    return _whole(session, file)


def list_result_files(work: Work, request: ListResultFilesRequest) -> ListResultFilesAnswer:
    """The uploaded files, newest first."""
    matching = select(*_SUMMARY).join(Branch, Branch.code == BankResultFile.branch_code)
    matching = matching.order_by(BankResultFile.uploaded_at.desc(), BankResultFile.result_file_id.desc())
    if request.branch_code is not UNSET:
        matching = matching.where(BankResultFile.branch_code == request.branch_code)
    rows, counted = page_of(work.session, matching, request)
    return ListResultFilesAnswer.of([ResultFileSummary(**row._mapping) for row in rows], request, counted)


def get_result_file(work: Work, request: ResultFileRequest) -> ResultFileAnswer:
    """One of them, with the lines that were not taken; raises NotFound."""
    return _whole(work.session, _file(work.session, request))


def get_result_receipt(work: Work, request: ResultFileRequest) -> FileAnswer:
    """The same as a workbook for the bank; raises NotFound."""
    file = _file(work.session, request)
    content = receipt_workbook(file, _REJECTIONS.load(json.loads(file.rejections)), json.loads(file.not_read))
    return file_answer(f"回执-{file.file_name.rpartition('.')[0] or file.file_name}.xlsx", XLSX, content)


def _read(branch: Branch, content: bytes) -> tuple[list[FilledRow], list[str]]:
    """The filled rows of a file, and the sheets that were not read; raises Conflict and Invalid."""
    if branch.file_password is None:
        raise Conflict("no_file_password", "该支行还没有文件密码", "请市总工会管理员在“发卡支行和网点”中生成。")
    if clear_text() == "no" and not is_locked(content):
        raise _refused("not_encrypted", "文件含有银行卡号，须以该支行的文件密码加密后上传（.xlsx）")
    passwords = [one for one in (branch.file_password, branch.former_file_password) if one]
    try:
        rows, not_read = filled_rows(read_workbook(content, passwords), bank_files.FORMS, bank_files.OUR_SHEETS)
    except UnreadableSheet as unreadable:
        raise _refused("unreadable", str(unreadable)) from unreadable
    if len(rows) > MOST_ROWS:
        raise _refused("too_many_rows", f"一次最多 {MOST_ROWS} 行，请拆分后分别上传")
    return rows, not_read


def _refused(code: str, reason: str) -> Invalid:
    return Invalid([FieldProblem("file", code, reason)])


def _apply(session: Session, file: BankResultFile, documents: Documents) -> list[Feedback]:
    """Applies what could be read, and stores the outcome with the file; returns the judged feedback."""
    read = [feedback_in(document, file.branch_code) for document, _ in documents.read]
    for feedback in read:
        feedback.result_file_id = file.result_file_id
    judged = apply_feedback(session, read) if read else []
    rejections = _wrong(documents.wrong)
    for feedback, (_, rows) in zip(judged, documents.read, strict=True):
        file.applied += feedback.applied
        file.repeated += feedback.repeated
        file.rejected += feedback.rejected
        rejections += _rejections(feedback, rows)
    file.rejections = json.dumps([as_dict(one) for one in rejections], ensure_ascii=False)
    return judged


def _wrong(wrong: Sequence[WrongRow]) -> list[RejectedLines]:
    """Rows that cannot be read, those with one reason together."""
    lines: defaultdict[tuple[str, str, str], list[int]] = defaultdict(list)
    for one in wrong:
        lines[one.row.sheet, one.heading, one.reason].append(one.row.line_no)
    return [
        RejectedLines(sheet=sheet, lines=found, code="bad_schema", field=heading, reason=reason)
        for (sheet, heading, reason), found in lines.items()
    ]


def _rejections(feedback: Feedback, rows: Sequence[FilledRow]) -> Iterator[RejectedLines]:
    """What a receipt would say, in Chinese, by the lines and headings of the file."""
    form = rows[0].form
    for rejection in feedback.rejections(REJECTIONS):
        concerned = [rows[line] for line in rejection["lines"]] or rows
        heading = form.headings.get(rejection["field"] or "")
        words = bank_files.REJECTION_WORDS[rejection["code"]]
        note = form.notes.get(rejection["field"] or "") if rejection["code"] == "bad_schema" else None
        for sheet in dict.fromkeys(row.sheet for row in concerned):
            yield RejectedLines(
                sheet=sheet,
                lines=[row.line_no for row in concerned if row.sheet == sheet],
                code=rejection["code"],
                field=heading,
                reason=f"{words}：{note}" if note else words,
            )


def _record(session: Session, file: BankResultFile, judged: Sequence[Feedback]) -> None:
    batches = dict.fromkeys(feedback.batch_no for feedback in judged if feedback.batch_no and feedback.applied)
    counts = {name: getattr(file, name) for name in ("lines", "applied", "repeated", "rejected", "skipped")}
    audit.record(
        session,
        ("branch", file.branch_code),
        *audit.references("batch", batches),
        new={"file_name": file.file_name, "result_file_id": str(file.result_file_id), **counts},
    )


def _file(session: Session, request: ResultFileRequest) -> BankResultFile:
    file = session.get(BankResultFile, request.result_file_id)
    if file is None:
        raise NotFound()
    return file


def _whole(session: Session, file: BankResultFile) -> ResultFileAnswer:
    return ResultFileAnswer(
        **_summary(session, file),
        rejections=_REJECTIONS.load(json.loads(file.rejections)),
        not_read=json.loads(file.not_read),
    )


def _summary(session: Session, file: BankResultFile) -> dict[str, Any]:
    row = session.execute(
        select(*_SUMMARY)
        .join(Branch, Branch.code == BankResultFile.branch_code)
        .where(BankResultFile.result_file_id == file.result_file_id)
    ).one()
    return dict(row._mapping)
