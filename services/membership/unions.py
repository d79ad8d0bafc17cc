"""Unions: the tree of any depth, who may look into which union, new and renamed ones."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, String, cast, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from stdnum.cn import uscc
from uuid_utils.compat import uuid7

from services.kit.data.paging import page_of
from services.kit.operations import audit
from services.kit.problems import Conflict, FieldProblem, Forbidden, Invalid, NotFound
from services.kit.rpc.methods import Caller
from services.kit.rpc.operation import Scope
from services.kit.rpc.paging import page_answer
from services.membership.models import Union

_GRASSROOTS_CODE = "81"
_KINDS_BELOW = {"city": ("superior",), "superior": ("grassroots", "superior"), "grassroots": ()}
"""The kinds of unions that may stand right below one of each kind, the most common first."""


def reachable_union(session: Session, caller: Caller, union_id: UUID | None) -> Union:
    """The union that the caller asks for, its own without one; raises NotFound for one out of its reach."""
    union = session.get(Union, union_id or caller.union_id)
    if union is None or not _is_within_reach(caller, union):
        raise NotFound(title="未找到该工会")
    return union


def list_unions(session: Session, caller: Caller, asked: dict[str, Any]) -> dict[str, Any]:
    """A page of the caller's union and all below it, or of those right below `superior_union_id`, by code."""
    matching = select(Union).where(own_and_below(caller)).order_by(Union.code)
    if "superior_union_id" in asked:
        superior = reachable_union(session, caller, asked["superior_union_id"])
        matching = matching.where(Union.superior_union_id == superior.union_id)
    if "q" in asked:
        matching = matching.where(
            or_(Union.name.contains(asked["q"], autoescape=True), Union.code.startswith(asked["q"], autoescape=True))
        )
    rows, counted = page_of(session, matching, asked)
    return page_answer([union_answer(row.Union) for row in rows], asked, counted)


def get_union(session: Session, caller: Caller, union_id: UUID) -> dict[str, Any]:
    """A union within reach; raises NotFound."""
    return union_answer(reachable_union(session, caller, union_id))


def name_unions(session: Session, union_ids: Sequence[str], codes: Sequence[str]) -> dict[str, Any]:
    """The names of unions by id or code; what is neither, as a message may say anything, names none."""
    named = or_(cast(Union.union_id, String).in_([one.lower() for one in union_ids]), Union.code.in_(codes))
    rows = session.execute(select(Union.union_id, Union.code, Union.name).where(named))
    return {"items": [dict(row._mapping) for row in rows]}


def create_union(session: Session, caller: Caller, asked: dict[str, Any]) -> dict[str, Any]:
    """A new union below the caller's or one below it.

    Without a kind it is the one that the superior's unions mostly are. Raises NotFound for a superior out of reach,
    Invalid for a kind that cannot stand below it and for a wrong code, Conflict `union_exists`.
    """
    superior = reachable_union(session, caller, asked["superior_union_id"])
    kind = _kind_below(superior, asked.get("kind"))
    union = add_union(session, asked["name"], asked["code"], kind, superior)
    try:
        session.flush()
    except IntegrityError as taken:
        raise Conflict("union_exists", "该统一社会信用代码已有工会使用", "请核对代码，或在工会列表中查找。") from taken
    new = {"code": union.code, "name": union.name, "superior_union_id": union.superior_union_id}
    audit.note(session, ("union", union.union_id), new=new, union_id=union.union_id)
    return union_answer(union)


def rename_union(session: Session, caller: Caller, union_id: UUID, name: str) -> dict[str, Any]:
    """Gives a union below the caller's another name; what was submitted keeps the old one.

    Choice: its own name is for the union above to change, since registers bear it; above the city's there is none.
    Raises NotFound, and Forbidden for the caller's own union.
    """
    union = reachable_union(session, caller, union_id)
    audit.note(session, ("union", union_id), old={"name": union.name}, new={"name": name}, union_id=union_id)
    if str(union.union_id) == caller.union_id and union.superior_union_id is not None:
        raise Forbidden("own_union", "不能修改本工会的名称", "请由上级工会修改。")
    union.name = name
    return union_answer(union)


def add_union(session: Session, name: str, code: str, kind: str, superior: Union | None) -> Union:
    """Adds a union to the session; raises Invalid for a code that no such union can have."""
    union_id = uuid7()
    union = Union(
        union_id=union_id,
        code=_checked_code(code, kind),
        name=name,
        kind=kind,
        superior_union_id=superior and superior.union_id,
        superior_ids=[*superior.superior_ids, superior.union_id] if superior else [],
    )
    session.add(union)
    return union


def union_answer(union: Union) -> dict[str, Any]:
    """A union as answers hold it."""
    return {
        "union_id": union.union_id,
        "code": union.code,
        "name": union.name,
        "superior_union_id": union.superior_union_id,
        "superior_ids": union.superior_ids,
        "kind": union.kind,
    }


def own_and_below(caller: Caller) -> ColumnElement[bool]:
    """The caller's union and all below it."""
    own = UUID(caller.union_id)
    return or_(Union.union_id == own, Union.superior_ids.contains([own]))


def _is_within_reach(caller: Caller, union: Union) -> bool:
    own = UUID(caller.union_id)
    return union.union_id == own or (caller.scope >= Scope.SUBORDINATES and own in union.superior_ids)


def _kind_below(superior: Union, wanted: str | None) -> str:
    """The kind of a new union below this one; raises Invalid."""
    possible = _KINDS_BELOW[superior.kind]
    if not possible:
        reason = "基层工会下不能再设工会，请选择区局（产业）工会"
        raise Invalid([FieldProblem("superior_union_id", "grassroots_has_none_below", reason)])
    if wanted is not None and wanted not in possible:
        raise Invalid([FieldProblem("kind", "kind_not_below_superior", "市总工会下只能设区局（产业）工会")])
    return wanted or possible[0]


def _checked_code(code: str, kind: str) -> str:
    normalised: str = uscc.compact(code)
    if not uscc.is_valid(normalised):
        raise Invalid([FieldProblem("code", "code_invalid", "统一社会信用代码不正确，请核对 18 位代码")])
    if kind == "grassroots" and not normalised.startswith(_GRASSROOTS_CODE):
        raise Invalid([FieldProblem("code", "code_of_no_union", "基层工会的统一社会信用代码应以 81 开头")])
    return normalised
