"""The list of members of a union, or of it and all below (卡片信息管理): filters, each with an index, and the items."""

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, Row, Select, Text, Uuid, cast, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import InstrumentedAttribute, Session

from services.contracts.masks import mask_card, mask_document
from services.contracts.operations.membership.members import (
    LIST_MEMBERS,
    EndedApplication,
    ListMembersAnswer,
    ListMembersRequest,
    MemberFilter,
    MemberItem,
    SelectableReason,
)
from services.contracts.values import clean_name, end_of, start_of
from services.kit.data.bulk import is_any_of
from services.kit.data.lists.name_search import caseless
from services.kit.data.lists.ordering import in_order
from services.kit.data.lists.page_rows import page_of, refuse_too_deep
from services.kit.problems import FieldProblem, Invalid
from services.kit.rpc.methods import Caller
from services.kit.rpc.operation import Scope
from services.kit.rpc.paging import Counted
from services.kit.rpc.work import Work
from services.kit.schemas import UNSET
from services.membership.applications.application_states import CardState
from services.membership.applications.cards import has_status, status_of
from services.membership.applications.ended import ended_applications, is_ended
from services.membership.members.member_documents import (
    SEARCHABLE_BY_END,
    document_end_digest,
    phone_digest,
    possible_digests,
)
from services.membership.members.number_searches import count, numbers_in
from services.membership.models import EMPLOYED, Member, Union
from services.membership.unions import is_union_or_below, union_in_scope, union_names

HINT = (
    "此列表中仅显示关联企业内会员，灵活就业和企业外入会人员如需办卡，"
    "请至微信公众号“申工社”→服务大厅→点击“申请办卡”办理。"
)
REASONS = {
    "number_missing": "会员编号没有生成，请等待编号生成后再勾选",
    CardState.PENDING: "会员已在待办中，无需勾选",
    CardState.SUBMITTED: "会员的卡正在办理中，无需勾选",
    CardState.ISSUED: "会员已办卡，无需勾选",
    "left": "会员已退会或退休，不能办卡",
}
"""Why a member cannot be queued, by code."""

ADDRESSES_COUNTED = 1000
"""Most matches of an address that are counted; fewer than usual, for each candidate row must be read."""

_LOOKED_AT, _ONE_IN = 2000, 20
"""A part of an address is common when one in `_ONE_IN` of the `_LOOKED_AT` newest members' addresses contains it."""

_HOUSE = re.compile(r"([^0-9]{0,3})([^0-9]{2}[0-9]+)(?=([^0-9]{1,3}))")
"""A whole number with the two characters before it, and up to three characters on both sides."""

_ORDERS_OF_ONE_UNION = ("member_no", "applied_at")
"""Orders that have an index by union alone."""

_LAST_CHARACTER = "\U0010ffff"


def list_members(work: Work, request: ListMembersRequest) -> ListMembersAnswer:
    """A page of the members of a union, or of it and all below; raises NotFound for one out of the caller's scope.

    Unless the caller wants another, the order is that of the filter's index: by name for a search by name, by time of
    application for a search by that, else the newest first. Raises Invalid for an order that many unions do not have.
    """
    session = work.session
    if (
        request.with_subordinates
        and request.sort is not UNSET
        and request.sort.removeprefix("-") in _ORDERS_OF_ONE_UNION
    ):
        raise Invalid(
            [FieldProblem("sort", "one_union_only", "按会员编号和申办时间只能排序一个工会的会员，请取消“含下级工会”")]
        )
    count(work.database, work.caller, numbers_in(request), LIST_MEMBERS.name)
    union_id = union_to_search(session, work.caller, request).union_id
    if request.address is not UNSET:
        rows, counted = _page_by_address(session, union_id, request, request.address)
    else:
        rows, counted = page_of(session, _in_order(request).where(*filters(union_id, request)), request)
    names = union_names(session, {row.Member.union_id for row in rows})
    ended = ended_applications(session, [row.Member for row in rows])
    items = [member_item(row.Member, names[row.Member.union_id], ended.get(row.Member.member_id)) for row in rows]
    return ListMembersAnswer.of(items, request, counted, hint=HINT)


def union_to_search(session: Session, caller: Caller, chosen: MemberFilter) -> Union:
    """The union of a filter; raises NotFound, and Invalid for what cannot be searched in other unions.

    By the end of a number only members of the caller's own union can be found, by an address those of one union.
    """
    union = union_in_scope(session, caller, chosen.union_id or None)
    is_own_alone = str(union.union_id) == caller.union_id and not chosen.with_subordinates
    if chosen.document_end is not UNSET and not is_own_alone:
        raise Invalid([FieldProblem("document_end", "own_union_only", "按证件号码后四位只能查询本工会的会员")])
    if chosen.with_subordinates and caller.scope < Scope.SUBORDINATES:
        raise Invalid([FieldProblem("with_subordinates", "own_union_only", "经办人只能查询本工会的会员")])
    if chosen.with_subordinates and chosen.address is not UNSET:
        raise Invalid([FieldProblem("address", "one_union_only", "按地址只能查询一个工会，请取消“含下级工会”")])
    return union


def filters(union_id: UUID, chosen: MemberFilter) -> list[ColumnElement[bool]]:
    """The conditions of a filter within this union, and if so chosen all below."""
    is_of = partial(_is_of, union_id, chosen)
    conditions = [EMPLOYED, is_of(Member.union_id)]
    if chosen.name is not UNSET:
        # A range, because a plan for any LIKE pattern could not use the index.
        key = caseless(literal(clean_name(chosen.name)))
        conditions += [Member.name_key >= key, Member.name_key <= key.concat(_LAST_CHARACTER)]
    conditions += _of_numbers(chosen)
    if chosen.address is not UNSET:
        conditions += [_has_fragments_of(union_id, chosen.address), _holds(chosen.address)]
    if chosen.applied_from is not UNSET:
        conditions.append(Member.applied_at >= start_of(chosen.applied_from))
    if chosen.applied_to is not UNSET:
        conditions.append(Member.applied_at < end_of(chosen.applied_to))
    if chosen.last_outcome is not UNSET or chosen.last_batch_no is not UNSET:
        conditions.append(is_ended(is_of, chosen))
    if chosen.has_left is not UNSET:
        conditions.append(Member.left_at.is_not(None) if chosen.has_left else Member.left_at.is_(None))
    if chosen.card_status is not UNSET:
        conditions.append(has_status(chosen.card_status))
    exact = {
        Member.sex: chosen.sex,
        Member.card_state: chosen.card_state,
        Member.channel: chosen.channel,
    }
    return conditions + [column == value for column, value in exact.items() if value is not UNSET]


def member_item(member: Member, union_name: str, ended: EndedApplication | None) -> MemberItem:
    """A member in the form of the list; `ended` is why the member is free again."""
    code = why_not_selectable(member)
    return MemberItem(
        member_id=member.member_id,
        member_no=member.member_no,
        name=member.name,
        document_type=member.document_type,
        document_number=mask_document(member.document_number),
        card_no=mask_card(member.card_no) if member.card_no else None,
        applied_at=member.applied_at,
        channel=member.channel,
        card_state=member.card_state,
        card_status=status_of(member),
        application_id=member.application_id,
        union_id=member.union_id,
        union_name=union_name,
        ended=ended,
        left_because=member.left_because,
        selectable=code is None,
        reason=SelectableReason(code=code, reason=REASONS[code]) if code else None,
    )


def why_not_selectable(member: Member) -> str | None:
    """The code of the reason why a member cannot be queued; None if it can."""
    if member.card_state != CardState.NONE:
        return member.card_state
    if member.left_at is not None:
        return "left"
    return "number_missing" if member.member_no is None else None


def _is_of(union_id: UUID, chosen: MemberFilter, column: InstrumentedAttribute[UUID]) -> ColumnElement[bool]:
    if not chosen.with_subordinates:
        return column == union_id
    return column.in_(select(Union.union_id).where(is_union_or_below(union_id)))


def _of_numbers(chosen: MemberFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if chosen.document_number is not UNSET:
        conditions.append(is_any_of(Member.document_digest, possible_digests(chosen.document_number)))
    if chosen.document_end is not UNSET:
        conditions += [
            Member.document_end == document_end_digest(chosen.document_end),
            Member.document_type.in_(SEARCHABLE_BY_END),
        ]
    if chosen.phone is not UNSET:
        conditions.append(Member.phone_digest == phone_digest(chosen.phone))
    return conditions


def _in_order(request: ListMembersRequest) -> Select[Member]:
    return select(Member).order_by(*_order(request, Member))


def _order(request: ListMembersRequest, of: Any) -> list[ColumnElement[Any]]:
    """The order of a list, by columns `of` the members or of a subquery."""
    if request.sort is not UNSET:
        columns = {"member_no": of.member_no, "name": of.name_key, "applied_at": of.applied_at}
        return in_order(request.sort, columns, of.member_id)
    if request.name is not UNSET:
        return [of.name_key, of.member_id]
    if request.applied_from is not UNSET or request.applied_to is not UNSET:
        return [of.applied_at.desc(), of.member_id.desc()]
    return [of.member_id.desc()]


def _page_by_address(
    session: Session, union_id: UUID, request: ListMembersRequest, part: str
) -> tuple[Sequence[Row[Member]], Counted]:
    """A page of a search by address, and the count.

    A common part is found soon by a scan, while the index of fragments would list too many; a rare part is found by the
    index at once, with an exact count.
    """
    refuse_too_deep(request.page, request.size)
    if _is_common(session, union_id, part):
        others = filters(union_id, replace(request, address=UNSET))
        return page_of(session, _in_order(request).where(*others, _holds(part)), request, ADDRESSES_COUNTED)
    rare = filters(union_id, request)
    page, total = _page_and_total(session, rare, request)
    if total > ADDRESSES_COUNTED:
        return page_of(session, _in_order(request).where(*rare), request, ADDRESSES_COUNTED)
    return page, Counted(total, is_exact=True)


def _page_and_total(
    session: Session, conditions: Sequence[ColumnElement[bool]], request: ListMembersRequest
) -> tuple[Sequence[Row[Member]], int]:
    """The page of the matches and their number, up to ADDRESSES_COUNTED + 1, by one search."""
    keys = select(Member.member_id, Member.member_no, Member.name_key, Member.applied_at)
    found = keys.where(*conditions).limit(ADDRESSES_COUNTED + 1).cte("found")
    total = select(func.count()).select_from(found)
    first = (request.page - 1) * request.size
    in_order = select(found.c.member_id).order_by(*_order(request, found.c))
    cut = in_order.limit(request.size).offset(first).subquery()
    page = _in_order(request).add_columns(total.scalar_subquery().label("total"))
    rows = session.execute(page.join(cut, cut.c.member_id == Member.member_id)).all()
    if rows or first == 0:
        return rows, rows[0].total if rows else 0
    return rows, session.scalar(total) or 0


def _is_common(session: Session, union_id: UUID, part: str) -> bool:
    """Whether a part is in so many of the newest members' addresses that it counts as common."""
    newest = (
        select(Member.address)
        .where(Member.union_id == union_id, EMPLOYED)
        .order_by(Member.member_id.desc())
        .limit(_LOOKED_AT)
        .subquery()
    )
    holding = select(func.count()).select_from(newest).where(newest.c.address.contains(part, autoescape=True))
    return (session.scalar(holding) or 0) >= _LOOKED_AT // _ONE_IN


def _has_fragments_of(union_id: UUID, part: str) -> ColumnElement[bool]:
    """The condition on the index of addresses, whose keys combine the union and a fragment."""
    keys = func.fragment_keys(cast(union_id, Uuid), cast(_fragments(part), ARRAY(Text)), type_=ARRAY(BigInteger))
    return func.address_keys(Member.union_id, Member.address, type_=ARRAY(BigInteger)).contains(keys)


def _fragments(part: str) -> list[str]:
    """The indexed fragments of a part of an address: runs of two or three characters.

    A whole number with the two characters before it is a fragment of its own, with a mark, for 路1 is in 路12 too. If
    the part has one, it and up to three characters on both sides suffice: reading the index for all others would take
    longer than filtering the found rows.
    """
    houses = {
        fragment
        for before, house, behind in _HOUSE.findall(part)
        for fragment in (before, f"{house}#", behind)
        if len(fragment) > 1
    }
    size = min(len(part), 3)
    return sorted(houses or {part[start : start + size] for start in range(len(part) - size + 1)})


def _holds(part: str) -> ColumnElement[bool]:
    return Member.address.contains(part, autoescape=True)
