"""The list of a union's members (卡片信息管理): filters, each served by an index, and how a member is shown."""

import re
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, ColumnElement, Row, Select, Text, Uuid, cast, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from services.contracts.masks import mask_card, mask_document
from services.contracts.values import clean_name
from services.kit.data.bulk import is_among
from services.kit.data.name_search import caseless
from services.kit.data.paging import page_of
from services.kit.problems import FieldProblem, Invalid
from services.kit.rpc.methods import Caller
from services.kit.rpc.paging import Counted, page_answer
from services.membership.applications.application_states import CardState
from services.membership.members.documents import FOUND_BY_END, document_end_digest, possible_digests
from services.membership.models import EMPLOYED, Member, Union
from services.membership.unions import reachable_union

SHANGHAI = ZoneInfo("Asia/Shanghai")
HINT = (
    "此列表中仅显示关联企业内会员，灵活就业和企业外入会人员如需办卡，"
    "请至微信公众号“申工社”→服务大厅→点击“申请办卡”办理。"
)
REASONS = {
    "number_missing": "会员编号没有生成，请等待编号生成后再勾选",
    CardState.PENDING: "会员已在待办中，无需勾选",
    CardState.SUBMITTED: "会员的卡正在办理中，无需勾选",
    CardState.ISSUED: "会员已办卡，无需勾选",
}
"""Why a member cannot be queued, by code."""

ADDRESSES_COUNTED = 1000
"""No index can count an address's matches: each is looked at, so fewer of them are counted."""

_LOOKED_AT, _ONE_IN = 2000, 20
"""A part is common when one in twenty of the newest members' addresses holds it."""

_HOUSE = re.compile(r"([^0-9]{0,3})([^0-9]{2}[0-9]+)(?=([^0-9]{1,3}))")
"""A whole number with the two characters before it, and up to three on both sides."""

_LAST_CHARACTER = "\U0010ffff"


def list_members(session: Session, caller: Caller, asked: dict[str, Any]) -> dict[str, Any]:
    """A page of the members of one union; raises NotFound for a union out of the caller's reach.

    By name where a name is asked for, by time of application where that is, else the newest first: so that each filter
    is answered in the order of its index.
    """
    union = union_to_search(session, caller, asked)
    if "address" in asked:
        rows, counted = _page_by_address(session, union.union_id, asked)
    else:
        rows, counted = page_of(session, _in_order(asked).where(*filters(union.union_id, asked)), asked)
    return {**page_answer([member_item(row.Member) for row in rows], asked, counted), "hint": HINT}


def union_to_search(session: Session, caller: Caller, asked: dict[str, Any]) -> Union:
    """The union whose members a MemberFilter is about; raises NotFound, and Invalid for the end of a number elsewhere.

    By the end of a number members are found in the caller's own union alone.
    """
    union = reachable_union(session, caller, asked.get("union_id"))
    if "document_end" in asked and str(union.union_id) != caller.union_id:
        raise Invalid([FieldProblem("document_end", "own_union_only", "按证件号码后四位只能查询本工会的会员")])
    return union


def filters(union_id: UUID, asked: dict[str, Any]) -> list[ColumnElement[bool]]:
    """The conditions of a MemberFilter within one union."""
    conditions = [EMPLOYED, Member.union_id == union_id]
    if "name" in asked:
        # A range, since a plan for any pattern of LIKE could not use the index.
        key = caseless(literal(clean_name(asked["name"])))
        conditions += [Member.name_key >= key, Member.name_key <= key.concat(_LAST_CHARACTER)]
    if "document_number" in asked:
        conditions.append(is_among(Member.document_digest, possible_digests(asked["document_number"])))
    if "document_end" in asked:
        conditions += [
            Member.document_end == document_end_digest(asked["document_end"]),
            Member.document_type.in_(FOUND_BY_END),
        ]
    if "address" in asked:
        conditions += [_has_fragments_of(union_id, asked["address"]), _holds(asked["address"])]
    if "applied_from" in asked:
        conditions.append(Member.applied_at >= _midnight(asked["applied_from"]))
    if "applied_to" in asked:
        conditions.append(Member.applied_at < _midnight(asked["applied_to"] + timedelta(days=1)))
    exact = (Member.sex, Member.card_state, Member.channel)
    return conditions + [column == asked[column.key] for column in exact if column.key in asked]


def member_item(member: Member) -> dict[str, Any]:
    """A member as the list shows one."""
    code = why_not_selectable(member)
    return {
        "member_id": member.member_id,
        "member_no": member.member_no,
        "name": member.name,
        "document_type": member.document_type,
        "document_number": mask_document(member.document_number),
        "card_no": mask_card(member.card_no) if member.card_no else None,
        "applied_at": member.applied_at,
        "channel": member.channel,
        "card_state": member.card_state,
        "application_id": member.application_id,
        "selectable": code is None,
        "reason": {"code": code, "reason": REASONS[code]} if code else None,
    }


def why_not_selectable(member: Member) -> str | None:
    """The code of the reason why a member cannot be queued; None where nothing is in the way."""
    if member.card_state != CardState.NONE:
        return member.card_state
    return "number_missing" if member.member_no is None else None


def _in_order(asked: dict[str, Any]) -> Select[Member]:
    return select(Member).order_by(*_order(asked, Member))


def _order(asked: dict[str, Any], of: Any) -> list[ColumnElement[Any]]:
    """The order of a list by the columns `of` members or of what was found of them."""
    if "name" in asked:
        return [of.name_key, of.member_id]
    if "applied_from" in asked or "applied_to" in asked:
        return [of.applied_at.desc(), of.member_id.desc()]
    return [of.member_id.desc()]


def _page_by_address(session: Session, union_id: UUID, asked: dict[str, Any]) -> tuple[Sequence[Row[Member]], Counted]:
    """What many addresses hold is met soon wherever one looks, and the index of fragments would list too many; what few
    hold is found by the index at once, and then all that match are known."""
    part = asked["address"]
    if _is_common(session, union_id, part):
        others = {name: value for name, value in asked.items() if name != "address"}
        common = _in_order(asked).where(*filters(union_id, others), _holds(part))
        return page_of(session, common, asked, ADDRESSES_COUNTED)
    rare = filters(union_id, asked)
    page, total = _page_and_total(session, rare, asked)
    if total > ADDRESSES_COUNTED:
        return page_of(session, _in_order(asked).where(*rare), asked, ADDRESSES_COUNTED)
    return page, Counted(total, is_exact=True)


def _page_and_total(
    session: Session, conditions: Sequence[ColumnElement[bool]], asked: dict[str, Any]
) -> tuple[Sequence[Row[Member]], int]:
    """The page of those that are found, and how many are, up to one more than are counted: looked for once."""
    keys = select(Member.member_id, Member.name_key, Member.applied_at)
    found = keys.where(*conditions).limit(ADDRESSES_COUNTED + 1).cte("found")
    total = select(func.count()).select_from(found)
    first = (asked["page"] - 1) * asked["size"]
    cut = select(found.c.member_id).order_by(*_order(asked, found.c)).limit(asked["size"]).offset(first).subquery()
    page = _in_order(asked).add_columns(total.scalar_subquery().label("total"))
    rows = session.execute(page.join(cut, cut.c.member_id == Member.member_id)).all()
    if rows or first == 0:
        return rows, rows[0].total if rows else 0
    return rows, session.scalar(total) or 0


def _is_common(session: Session, union_id: UUID, part: str) -> bool:
    """Whether a part stands in so many of the newest members' addresses that it stands everywhere."""
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
    """The index knows addresses by keys of fragments, which hold the union too."""
    keys = func.fragment_keys(cast(union_id, Uuid), cast(_fragments(part), ARRAY(Text)), type_=ARRAY(BigInteger))
    return func.address_keys(Member.union_id, Member.address, type_=ARRAY(BigInteger)).contains(keys)


def _fragments(part: str) -> list[str]:
    """What an address that holds the part is known by: its two or three neighbouring characters.

    A whole number with the two characters before it is a fragment of its own, and marked, for 路1 stands in 路12 too.
    Where the part has one, it and up to three characters on both sides are enough: the lists of all the others would
    take longer to go through than what is found to look at.
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


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), SHANGHAI)
