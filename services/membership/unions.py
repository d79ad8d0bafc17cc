"""Unions: the tree, who may look into which union, new unions."""

from typing import Any
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from stdnum.cn import uscc
from uuid_utils.compat import uuid7

from services.common.contracts.rpc.paging import page_answer
from services.common.messaging.rpc import Caller
from services.common.paging import page_of
from services.common.problems import Conflict, FieldProblem, Invalid, NotFound
from services.membership.models import Union

LOOK_DOWN = frozenset({"reviewer", "administrator"})
"""Roles that may look into the unions below their own."""

_GRASSROOTS_CODE = "81"


def reachable_union(session: Session, caller: Caller, union_id: UUID | None) -> Union:
    """The union that the caller asks for, its own without one; raises NotFound for one out of its reach."""
    union = session.get(Union, union_id or caller.union_id)
    if union is None or not _is_within_reach(caller, union):
        raise NotFound(title="未找到该工会")
    return union


def list_unions(session: Session, caller: Caller, asked: dict[str, Any]) -> dict[str, Any]:
    """A page of the caller's union and all below it, by code."""
    matching = select(Union).where(_own_and_below(caller)).order_by(Union.code)
    if "q" in asked:
        matching = matching.where(
            or_(Union.name.contains(asked["q"], autoescape=True), Union.code.startswith(asked["q"], autoescape=True))
        )
    rows, counted = page_of(session, matching, asked)
    return page_answer([union_answer(row.Union) for row in rows], asked, counted)


def create_union(session: Session, caller: Caller, asked: dict[str, Any]) -> dict[str, Any]:
    """A new union below the caller's or one below it.

    Right below the city's union it is a superior union, else a grassroots union, whose code begins with 81 (GB 32100).
    Raises NotFound for a superior out of reach, Invalid for a wrong code, Conflict `union_exists`.
    """
    superior = reachable_union(session, caller, asked["superior_union_id"])
    kind = "superior" if superior.kind == "city" else "grassroots"
    union = add_union(session, asked["name"], asked["code"], kind, superior)
    try:
        session.flush()
    except IntegrityError as taken:
        raise Conflict("union_exists", "该统一社会信用代码已有工会使用", "请核对代码，或在工会列表中查找。") from taken
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
        "kind": union.kind,
    }


def _is_within_reach(caller: Caller, union: Union) -> bool:
    own = UUID(caller.union_id)
    return union.union_id == own or (bool(caller.roles & LOOK_DOWN) and own in union.superior_ids)


def _own_and_below(caller: Caller) -> Any:
    return or_(Union.union_id == caller.union_id, Union.superior_ids.contains([UUID(caller.union_id)]))


def _checked_code(code: str, kind: str) -> str:
    normalised: str = uscc.compact(code)
    if not uscc.is_valid(normalised):
        raise Invalid([FieldProblem("code", "code_invalid", "统一社会信用代码不正确，请核对 18 位代码")])
    if kind == "grassroots" and not normalised.startswith(_GRASSROOTS_CODE):
        raise Invalid([FieldProblem("code", "code_of_no_union", "基层工会的统一社会信用代码应以 81 开头")])
    return normalised
