"""Enrolments for clerks and their superiors (参保信息查询), as a list and a sheet, and for members on the phone."""

import time
from collections.abc import Sequence
from uuid import UUID

from openpyxl import Workbook
from sqlalchemy import Row, Select, any_, func, literal, select
from sqlalchemy.orm import Session

from services.contracts.external.insurer_keys import is_connected
from services.contracts.masks import mask_document
from services.contracts.operations.membership.enrolments import (
    EXPORT_ENROLMENTS,
    LARGEST_EXPORT,
    LIST_ENROLMENTS,
    EnrolmentAnswer,
    EnrolmentFilter,
    ExportEnrolmentsRequest,
    GetPersonalEnrolmentsRequest,
    ListEnrolmentsAnswer,
    ListEnrolmentsRequest,
    PersonalEnrolmentsAnswer,
)
from services.contracts.operations.membership.members import MemberFilter
from services.contracts.values import today
from services.kit.data.lists.ordering import in_order
from services.kit.data.lists.page_rows import page_of
from services.kit.documents.content_types import XLSX
from services.kit.documents.sheet_cells import heading_row, saved, text_row
from services.kit.operations import audit
from services.kit.problems import Problem
from services.kit.rpc.files import FileAnswer, file_answer
from services.kit.rpc.work import Work
from services.kit.schemas import UNSET
from services.membership.applications.cards import status_of
from services.membership.enrolments.covers import (
    KIND_WORDS,
    STATUS_WORDS,
    WAY_WORDS,
    covers_of,
    has_status,
    period_of,
    status_today,
    values_of_cover,
)
from services.membership.members.exports import CARD_STATUS_WORDS
from services.membership.members.member_search import filters, union_to_search
from services.membership.members.number_searches import count, numbers_in
from services.membership.models import Enrolment, Member
from services.membership.unions import union_names

HINT = "此列表仅显示关联企业内会员，灵活就业和企业外入会人员请本人在手机“我的参保”中查看。"
HEADINGS = (
    *("会员编号", "姓名", "证件号码", "工会", "年度", "参保方式", "保障项目", "保障开始", "保障结束"),
    *("状态", "终止原因", "会员状态", "参保编号"),
)
LEFT_WORDS = {"left": "退会", "retired": "退休"}
_AT_ONCE = 500


def list_enrolments(work: Work, request: ListEnrolmentsRequest) -> ListEnrolmentsAnswer:
    """A page of the enrolments of a union's members, or of it and all below; raises NotFound out of the scope."""
    session = work.session
    matching = _matching(work, request, LIST_ENROLMENTS.name)
    columns = {"year": Enrolment.year, "covers_from": Enrolment.covers_from, "name": Member.name_key}
    rows, counted = page_of(
        session, matching.order_by(*in_order(request.sort, columns, Enrolment.enrolment_no)), request
    )
    return ListEnrolmentsAnswer.of(_answers(session, rows), request, counted, is_connected=is_connected(), hint=HINT)


def export_enrolments(work: Work, request: ExportEnrolmentsRequest) -> FileAnswer:
    """The enrolments of a filter as a sheet, with masked numbers; raises Problem `export_too_large`."""
    session = work.session
    matching = _matching(work, request, EXPORT_ENROLMENTS.name)
    bounded = matching.with_only_columns(Enrolment.enrolment_no).limit(LARGEST_EXPORT + 1).subquery()
    found = session.scalar(select(func.count()).select_from(bounded)) or 0
    if found > LARGEST_EXPORT:
        advice = f"一次最多导出 {LARGEST_EXPORT} 条，请缩小查询范围。"
        raise Problem("export_too_large", 422, "符合条件的参保信息过多", advice)
    audit.record(session, new={"enrolments": found})
    book = Workbook(write_only=True)
    sheet = book.create_sheet("参保信息")
    sheet.append(heading_row(sheet, HEADINGS))
    in_order_of_year = matching.order_by(Enrolment.year.desc(), Member.member_no, Enrolment.enrolment_no)
    for part in session.execute(in_order_of_year.execution_options(yield_per=_AT_ONCE)).partitions():
        for answer in _answers(session, part):
            sheet.append(text_row(sheet, _texts(answer)))
        time.sleep(0)
    return file_answer(f"参保信息-{today():%Y%m%d}.xlsx", XLSX, saved(book))


def get_personal_enrolments(work: Work, _request: GetPersonalEnrolmentsRequest) -> PersonalEnrolmentsAnswer:
    """The caller's own enrolments, newest first."""
    return PersonalEnrolmentsAnswer(items=covers_of(work.session, UUID(work.caller.member_id)))


def _matching(work: Work, chosen: EnrolmentFilter, place: str) -> Select[Enrolment, Member, str]:
    """The enrolments of a filter; a search by a document's number is counted as one of members is."""
    of_members = MemberFilter(
        union_id=chosen.union_id,
        with_subordinates=chosen.with_subordinates,
        name=chosen.name,
        document_number=chosen.document_number,
    )
    count(work.database, work.caller, numbers_in(of_members), place)
    union_id = union_to_search(work.session, work.caller, of_members).union_id
    matching: Select[Enrolment, Member, str] = (
        select(Enrolment, Member, status_today().label("status"))
        .join(Member, Member.member_id == Enrolment.member_id)
        .where(*filters(union_id, of_members))
    )
    exact = {Member.member_no: chosen.member_no, Enrolment.year: chosen.year, Enrolment.way: chosen.way}
    matching = matching.where(*(column == value for column, value in exact.items() if value is not UNSET))
    if chosen.kind is not UNSET:
        matching = matching.where(literal(chosen.kind) == any_(func.string_to_array(Enrolment.kinds, " ")))
    if chosen.status is not UNSET:
        matching = matching.where(has_status(chosen.status))
    return matching


def _answers(session: Session, rows: Sequence[Row[Enrolment, Member, str]]) -> list[EnrolmentAnswer]:
    names = union_names(session, {row.Member.union_id for row in rows})
    return [
        EnrolmentAnswer(
            **values_of_cover(row.Enrolment, row.status),
            member_id=row.Member.member_id,
            member_no=row.Member.member_no,
            name=row.Member.name,
            document_type=row.Member.document_type,
            document_number=mask_document(row.Member.document_number),
            union_id=row.Member.union_id,
            union_name=names[row.Member.union_id],
            card_status=status_of(row.Member),
            left_because=row.Member.left_because,
        )
        for row in rows
    ]


def _texts(answer: EnrolmentAnswer) -> tuple[str, ...]:
    member_state = [LEFT_WORDS.get(answer.left_because or ""), CARD_STATUS_WORDS.get(answer.card_status or "")]
    return (
        answer.member_no,
        answer.name,
        answer.document_number,
        answer.union_name,
        str(answer.year),
        WAY_WORDS[answer.way],
        "、".join(KIND_WORDS[kind] for kind in answer.kinds),
        *period_of(answer),
        STATUS_WORDS[answer.status],
        answer.reason or "",
        "、".join(filter(None, member_state)),
        answer.enrolment_no,
    )
