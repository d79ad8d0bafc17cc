"""A member's own data as a sheet to take along from the phone (Personal Information Protection Law, article 45)."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from uuid import UUID

from openpyxl import Workbook
from sqlalchemy import select
from sqlalchemy.orm import Session

from services.contracts.masks import mask_card, mask_document, mask_phone
from services.contracts.operations.membership.members import ExportOwnDataRequest
from services.contracts.shared import CARD_STEP_WORDS
from services.contracts.values import LONG_TERM, to_the_minute, today
from services.kit.documents.content_types import XLSX
from services.kit.documents.sheet_cells import heading_row, saved, text_row
from services.kit.rpc.files import FileAnswer, file_answer
from services.kit.rpc.work import Work
from services.membership.applications.cards import card_steps_of, status_of
from services.membership.enrolments.covers import KIND_WORDS, STATUS_WORDS, WAY_WORDS, covers_of, period_of
from services.membership.imports.sheets import DOCUMENT_TYPE_WORDS, SEX_WORDS
from services.membership.members.corrections import corrections_of
from services.membership.members.exports import CARD_STATE_WORDS, CARD_STATUS_WORDS, CHANNEL_WORDS
from services.membership.members.members import applications_of
from services.membership.members.number_searches import PLACES
from services.membership.models import Disclosure, Member, Transfer, Union
from services.membership.unions import union_names

Rows = Iterable[Sequence[str]]
APPLICATION_WORDS = {
    "queued": "待办中",
    "submitted": "办理中",
    "issued": "已办卡",
    "refused": "银行退回",
    "released": "已释放",
    "removed": "已移除",
}
DISCLOSURE_WORDS = {"reveal": "显示完整号码", "search": "按号码查询"}
RETIREMENT_WORDS = {"M60": "男，60 周岁", "F55": "女，55 周岁", "F50": "女，50 周岁", "special": "特殊工种"}
FIELD_WORDS = {
    "name": "姓名",
    "document_type": "证件类型",
    "document_number": "证件号码",
    "document_expiry": "证件到期日",
    "document_issued": "证件签发日",
    "nationality": "国籍",
    "phone": "手机号码",
    "address": "联系地址",
    "retirement_category": "退休类别",
    "special_retirement_month": "特殊工种退休年月",
}
TRANSFER_WORDS = {"requested": "待原工会确认", "accepted": "已转会", "declined": "原工会未同意", "withdrawn": "已撤回"}


def export_own_data(work: Work, _request: ExportOwnDataRequest) -> FileAnswer:
    """What membership keeps of the caller, on several sheets; whole numbers are on the documents themselves."""
    session = work.session
    member = session.get_one(Member, UUID(work.caller.member_id))
    book = Workbook(write_only=True)
    for title, headings, rows_of in SHEETS:
        sheet = book.create_sheet(title)
        sheet.append(heading_row(sheet, headings))
        for row in rows_of(session, member):
            sheet.append(text_row(sheet, row))
    return file_answer(f"我的信息-{today():%Y%m%d}.xlsx", XLSX, saved(book))


def _facts(session: Session, member: Member) -> Rows:
    yield "姓名", member.name
    yield "会员编号", member.member_no or ""
    yield "所在工会", union_names(session, [member.union_id])[member.union_id]
    yield "性别", SEX_WORDS.get(member.sex or "", "")
    yield "出生日期", _day(member.birth_date)
    yield "国籍", member.nationality or ""
    yield "证件类型", DOCUMENT_TYPE_WORDS[member.document_type]
    yield "证件号码", mask_document(member.document_number)
    yield "证件签发日", _day(member.document_issued)
    yield "证件到期日", _word("document_expiry", _day(member.document_expiry))
    yield "手机号码", mask_phone(member.phone) if member.phone else ""
    yield "联系地址", member.address or ""
    yield "退休类别", _word("retirement_category", member.retirement_category)
    yield "登记时间", to_the_minute(member.registered_at)
    yield "办卡状态", CARD_STATE_WORDS[member.card_state]
    yield "银行卡号", mask_card(member.card_no) if member.card_no else ""
    yield "卡片状态", CARD_STATUS_WORDS.get(status_of(member) or "", "")


def _steps(session: Session, member: Member) -> Rows:
    for one in applications_of(session, member.member_id):
        head = (
            to_the_minute(one.queued_at),
            CHANNEL_WORDS[one.channel],
            one.batch_no or "",
            one.consent_version or "",
            to_the_minute(one.consented_at),
        )
        for step in one.steps:
            yield *head, APPLICATION_WORDS[step.state], to_the_minute(step.at), step.note or ""


def _card(session: Session, member: Member) -> Rows:
    for step in card_steps_of(session, member.member_id):
        yield to_the_minute(step.happened_at), CARD_STEP_WORDS[step.step], step.card_no


def _covers(session: Session, member: Member) -> Rows:
    for cover in covers_of(session, member.member_id):
        yield (
            str(cover.year),
            WAY_WORDS[cover.way],
            "、".join(KIND_WORDS[kind] for kind in cover.kinds),
            *period_of(cover),
            STATUS_WORDS[cover.status],
            cover.reason or "",
            cover.enrolment_no,
        )


def _corrections(session: Session, member: Member) -> Rows:
    for one in corrections_of(session, member.member_id):
        for change in one.changes:
            yield (
                to_the_minute(one.corrected_at),
                FIELD_WORDS.get(change.field, change.field),
                change.old or "",
                change.new or "",
            )


def _transfers(session: Session, member: Member) -> Rows:
    own = select(Transfer).where(Transfer.member_id == member.member_id).order_by(Transfer.requested_at.desc())
    transfers = session.scalars(own).all()
    names = union_names(session, {one for row in transfers for one in (row.from_union_id, row.to_union_id)})
    for one in transfers:
        yield (
            to_the_minute(one.requested_at),
            names[one.from_union_id],
            names[one.to_union_id],
            TRANSFER_WORDS[one.state],
            to_the_minute(one.decided_at),
        )


def _disclosures(session: Session, member: Member) -> Rows:
    seen = (
        select(Disclosure, Union.name)
        .join(Union, Union.union_id == Disclosure.union_id)
        .where(Disclosure.member_id == member.member_id, Disclosure.kind.in_(DISCLOSURE_WORDS))
        .order_by(Disclosure.at.desc())
    )
    for disclosure, union_name in session.execute(seen):
        yield (
            to_the_minute(disclosure.at),
            union_name,
            DISCLOSURE_WORDS[disclosure.kind],
            PLACES.get(disclosure.reason, disclosure.reason),
        )


def _word(field: str, value: str | None) -> str:
    """A value of a field in Chinese, where it is a code."""
    words = {
        "document_type": DOCUMENT_TYPE_WORDS,
        "document_expiry": {LONG_TERM.isoformat(): "长期"},
        "retirement_category": RETIREMENT_WORDS,
    }
    return words.get(field, {}).get(value or "", value or "")


def _day(day: date | None) -> str:
    return day.isoformat() if day else ""


SHEETS: tuple[tuple[str, Sequence[str], Callable[[Session, Member], Rows]], ...] = (
    ("本人信息", ("项目", "内容"), _facts),
    (
        "办卡申请",
        ("申请时间", "办理通道", "批次编号", "同意书版本", "同意时间", "状态", "时间", "说明"),
        _steps,
    ),
    ("卡片", ("时间", "事项", "卡号"), _card),
    (
        "参保",
        ("年度", "参保方式", "保障项目", "保障开始", "保障结束", "状态", "终止原因", "参保编号"),
        _covers,
    ),
    ("信息更正", ("时间", "项目", "原内容", "新内容"), _corrections),
    ("转会", ("申请时间", "原工会", "新工会", "结果", "办结时间"), _transfers),
    ("号码查看记录", ("时间", "工会", "方式", "理由"), _disclosures),
)
"""The sheets: title, headings, and the function that yields the rows."""
