"""Export of a search in the audit log as an .xlsx, which is an audit event itself."""

import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from openpyxl import Workbook

from services.contracts.operations.audit import EXPORT_ACTS, LARGEST_EXPORT, ActAnswer, ExportActsRequest
from services.contracts.values import SHANGHAI
from services.kit.documents.content_types import XLSX
from services.kit.documents.sheet_cells import heading_row, saved, text_row
from services.kit.operations import audit
from services.kit.problems import Problem
from services.kit.rpc.files import FileAnswer, file_answer
from services.kit.rpc.work import Work
from services.kit.schemas import values_of
from services.membership.audit.audit_search import answers, check_number_search, newest
from services.membership.models import AuditEntry

HEADINGS = (
    "时间",
    "账号",
    "姓名",
    "所属工会",
    "角色",
    "操作",
    "结果",
    "未成功原因",
    "操作对象",
    "网络地址",
    "变更前",
    "变更后",
)
OUTCOME_WORDS = {"done": "成功", "refused": "未成功"}
ROLE_WORDS = {
    "clerk": "经办人",
    "reviewer": "审核人",
    "administrator": "管理员",
    "operator": "运维",
    "deputy": "代审人",
}
_AT_ONCE = 500


def export_acts(work: Work, request: ExportActsRequest) -> FileAnswer:
    """The audit events of a search as a sheet, newest first, at most LARGEST_EXPORT; it records filter and rows.

    Raises what a search by number raises, and Problem `export_too_large`.
    """
    check_number_search(work, request, EXPORT_ACTS.name)
    found = newest(work, request, LARGEST_EXPORT + 1)
    if len(found) > LARGEST_EXPORT:
        detail = f"一次最多导出 {LARGEST_EXPORT} 条，请缩小查询范围。"
        raise Problem("export_too_large", 422, "符合条件的操作过多", detail)
    audit.record(work.session, new={"rows": len(found), **values_of(request)}, union_id=work.caller.union_id)
    return file_answer(f"操作日志-{datetime.now(SHANGHAI):%Y%m%d}.xlsx", XLSX, _sheet(work, found))


def _sheet(work: Work, entries: Sequence[AuditEntry]) -> bytes:
    """The sheet, written in parts; it yields to other green threads meanwhile."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet("操作日志")
    sheet.append(heading_row(sheet, HEADINGS))
    for start in range(0, len(entries), _AT_ONCE):
        for one in answers(work, entries[start : start + _AT_ONCE]):
            sheet.append(text_row(sheet, _texts(one)))
        time.sleep(0)
    return saved(book)


def _texts(one: ActAnswer) -> Iterator[str]:
    yield one.at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")
    yield one.account_name or ("会员本人" if one.member_id else "未登录")
    yield one.display_name or ""
    yield one.union_name or ""
    yield "、".join(ROLE_WORDS.get(role, role) for role in one.roles)
    yield one.label
    yield OUTCOME_WORDS[one.outcome]
    yield one.problem_code or ""
    yield "、".join(f"{record.label} {record.id}" for record in one.records)
    yield one.origin or ""
    yield _changes(one.old)
    yield _changes(one.new)


def _changes(values: dict[str, Any] | None) -> str:
    return "；".join(f"{name}：{value}" for name, value in (values or {}).items())
