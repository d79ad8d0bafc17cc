"""Export of members as an .xlsx: masked, or with whole numbers for administrators who give a reason."""

import time
from collections.abc import Callable
from datetime import datetime

from openpyxl import Workbook
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from services.contracts.masks import mask_card, mask_document, mask_phone
from services.contracts.operations.membership.members import (
    EXPORT_MEMBERS,
    LARGEST_EXPORT,
    EndedApplication,
    ExportMembersRequest,
    MemberFilter,
)
from services.contracts.values import LONG_TERM, SHANGHAI, to_the_minute
from services.kit.documents.content_types import XLSX
from services.kit.documents.sheet_cells import heading_row, saved, text_row
from services.kit.operations import audit
from services.kit.problems import Forbidden, Problem
from services.kit.rpc.files import FileAnswer, file_answer
from services.kit.rpc.work import Work
from services.membership.applications.cards import status_of
from services.membership.applications.ended import ended_applications
from services.membership.imports.sheets import DOCUMENT_TYPE_WORDS, SEX_WORDS
from services.membership.members.disclosures import Disclosed, record
from services.membership.members.member_search import filters, union_to_search
from services.membership.members.number_searches import count, numbers_in
from services.membership.models import Member

_SEX = "性别"
"""The heading of the sex, which is exported only with whole numbers, for these contain it."""
HEADINGS = (
    *("会员编号", "姓名", _SEX, "证件类型", "证件号码", "证件到期日", "联系电话"),
    *("银行卡号", "状态", "卡片状态", "办理通道", "申办时间", "退回或释放原因"),
)
CARD_STATE_WORDS = {"none": "未办卡", "pending": "待办中", "submitted": "办理中", "issued": "已办卡"}
END_WORDS = {"refused": "银行退回", "released": "已释放"}
CARD_STATUS_WORDS = {"made": "已制卡", "collected": "已领卡", "active": "已激活", "lost": "已挂失", "closed": "已销卡"}
CHANNEL_WORDS = {"ordinary": "普通", "special": "特殊"}
_AT_ONCE = 500


def export_members(work: Work, request: ExportMembersRequest) -> FileAnswer:
    """The members of a filter as a sheet, at most LARGEST_EXPORT.

    Raises NotFound for a union out of scope, Forbidden `whole_numbers` for callers who are no administrators, and
    Problem `export_too_large`.
    """
    session, caller, chosen = work.session, work.caller, request.filter or MemberFilter()
    count(work.database, caller, numbers_in(chosen), EXPORT_MEMBERS.name)
    if request.whole_numbers and "administrator" not in caller.roles:
        raise Forbidden("whole_numbers", "没有权限导出完整号码", "请导出脱敏名单，或由管理员导出。")
    union = union_to_search(session, caller, chosen)
    matching = (
        select(Member).where(*filters(union.union_id, chosen)).order_by(Member.member_no.nulls_last(), Member.member_id)
    )
    members = _count_or_refuse(session, matching)
    exported = {"members": members, "whole_numbers": request.whole_numbers, "reason": request.reason or None}
    audit.record(session, new=exported, union_id=union.union_id)
    if request.whole_numbers:
        disclosed = Disclosed(union_id=union.union_id, members=members, reason=str(request.reason))
        record(session, caller, "export", disclosed)
        session.flush()
    content = _sheet(session, matching, _as_it_is if request.whole_numbers else None)
    return file_answer(f"会员名单-{datetime.now(SHANGHAI):%Y%m%d}.xlsx", XLSX, content)


def _count_or_refuse(session: Session, matching: Select[Member]) -> int:
    bounded = matching.with_only_columns(Member.member_id).order_by(None).limit(LARGEST_EXPORT + 1)
    found = session.scalar(select(func.count()).select_from(bounded.subquery())) or 0
    if found > LARGEST_EXPORT:
        raise Problem(
            "export_too_large",
            422,
            "符合条件的会员过多",
            f"一次最多导出 {LARGEST_EXPORT} 人，请缩小查询范围。",
        )
    return found


def _sheet(session: Session, matching: Select[Member], whole: Callable[[str], str] | None) -> bytes:
    """The sheet, written row by row to bound memory; it yields to other green threads meanwhile."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet("会员名单")
    shown = [place for place, heading in enumerate(HEADINGS) if whole or heading != _SEX]
    sheet.append(heading_row(sheet, [HEADINGS[place] for place in shown]))
    document, phone, card = (whole or mask for mask in (mask_document, mask_phone, mask_card))
    for members in session.scalars(matching.execution_options(yield_per=_AT_ONCE)).partitions():
        ended = ended_applications(session, members)
        for member in members:
            texts = (*_texts(member, document, phone, card), _end_text(ended.get(member.member_id)))
            sheet.append(text_row(sheet, [texts[place] for place in shown]))
        time.sleep(0)
    return saved(book)


def _texts(
    member: Member, document: Callable[[str], str], phone: Callable[[str], str], card: Callable[[str], str]
) -> tuple[str, ...]:
    expiry, applied = member.document_expiry, member.applied_at
    return (
        member.member_no or "",
        member.name,
        SEX_WORDS.get(member.sex or "", ""),
        DOCUMENT_TYPE_WORDS[member.document_type],
        document(member.document_number),
        ("长期" if expiry == LONG_TERM else expiry.isoformat()) if expiry else "",
        phone(member.phone) if member.phone else "",
        card(member.card_no) if member.card_no else "",
        CARD_STATE_WORDS[member.card_state],
        CARD_STATUS_WORDS.get(status_of(member) or "", ""),
        CHANNEL_WORDS.get(member.channel or "", ""),
        to_the_minute(applied),
    )


def _end_text(ended: EndedApplication | None) -> str:
    """`银行退回：姓名与证件不符` for a member who is free again."""
    return "：".join(filter(None, (END_WORDS[ended.state], ended.reason))) if ended else ""


def _as_it_is(number: str) -> str:
    return number
