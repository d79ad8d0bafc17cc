"""The files of a request: the copy to hand to the member, and the receipt of what was done."""

from io import BytesIO

from services.contracts.operations.membership.subjects import SubjectPartAnswer, SubjectRequestId
from services.contracts.values import to_the_minute
from services.kit.documents.content_types import PDF, XLSX
from services.kit.documents.typeface import document_typeface
from services.kit.operations import audit
from services.kit.problems import Conflict
from services.kit.rpc.files import FileAnswer, file_answer
from services.kit.rpc.work import Work
from services.membership.models import SubjectCopy, SubjectRequest
from services.membership.subjects.copying import workbook
from services.membership.subjects.requests import parts_of, request_in_scope

TITLE = "个人信息处理回执"
_KINDS = {"copy": "查阅、复制", "erasure": "删除"}
_SERVICES = {
    "membership": "会员",
    "validation": "校验",
    "batching": "办卡批次",
    "revocation": "撤销",
    "notification": "消息",
}
_WIDTH, _HEIGHT, _MARGIN, _SIZE, _LINE = 595, 842, 56, 10.5, 18


def fetch_subject_copy(work: Work, request: SubjectRequestId) -> FileAnswer:
    """The copy as a workbook; each download is recorded. Raises NotFound, Conflict `copy_not_ready`, `copy_gone`."""
    session = work.session
    row, union, _, _ = request_in_scope(session, work.caller, request.request_id)
    audit.record(session, ("subject_request", row.request_id), ("member", row.member_id), union_id=union.union_id)
    if row.kind != "copy" or row.state != "done":
        raise Conflict("copy_not_ready", "副本尚未备齐", "请等待各系统应答后再下载。")
    if session.get(SubjectCopy, (row.request_id, "membership")) is None:
        raise Conflict("copy_gone", "副本已过保存期限并删除", "需要时请重新受理。")
    return file_answer(f"个人信息副本-{row.member_no}.xlsx", XLSX, workbook(session, row.request_id))


def get_subject_receipt(work: Work, request: SubjectRequestId) -> FileAnswer:
    """The receipt as a PDF: what each service keeps or has erased. Raises NotFound, Conflict `request_not_done`."""
    row, union, requester, decider = request_in_scope(work.session, work.caller, request.request_id)
    if row.state != "done":
        raise Conflict("request_not_done", "请求尚未办结", "请等待各系统应答后再下载回执。")
    people = [requester.display_name, *([decider.display_name] if decider else [])]
    content = _pdf(row, union.name, people, parts_of(work.session, row.request_id))
    return file_answer(f"{TITLE}-{row.member_no}.pdf", PDF, content)


def _pdf(row: SubjectRequest, union_name: str, people: list[str], parts: list[SubjectPartAnswer]) -> bytes:
    typeface, buffer = document_typeface(), BytesIO()
    canvas = typeface.new_canvas(buffer, TITLE)
    typeface.draw(canvas, (_WIDTH - typeface.width(TITLE, 16)) / 2, _HEIGHT - 72, TITLE, 16)
    y = _HEIGHT - 110
    for text in _lines(row, union_name, people, parts):
        for line in typeface.wrap(text, _WIDTH - 2 * _MARGIN, _SIZE):
            if y < _MARGIN:
                canvas.showPage()
                y = _HEIGHT - _MARGIN
            typeface.draw(canvas, _MARGIN, y, line, _SIZE)
            y -= _LINE
    canvas.save()
    return buffer.getvalue()


def _lines(row: SubjectRequest, union_name: str, people: list[str], parts: list[SubjectPartAnswer]) -> list[str]:
    return [
        f"请求编号：{row.request_id}",
        f"会员编号：{row.member_no}　　工会：{union_name}",
        f"请求：{_KINDS[row.kind]}　　理由：{row.reason}",
        f"受理：{people[0]}　{to_the_minute(row.requested_at)}",
        *([f"确认：{people[1]}"] if len(people) > 1 else []),
        f"办结：{to_the_minute(row.done_at or row.requested_at)}",
        "",
        *(f"{_SERVICES[one.service]}　{one.title}：{one.rows} 条，{_done(row, one)}" for one in parts),
    ]


def _done(row: SubjectRequest, part: SubjectPartAnswer) -> str:
    if part.rows == 0:
        return "没有记录"
    if row.kind == "copy":
        return "已提供"
    return f"保留：{part.kept_because}" if part.kept_because else "已删除"
