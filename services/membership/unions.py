"""Unions: the tree, of any depth, the scope of callers in it, and new and renamed unions."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import ColumnElement, String, cast, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from stdnum.cn import uscc
from uuid_utils.compat import uuid7

from services.contracts.operations.membership.accounts import (
    CreateUnionRequest,
    ListedUnion,
    ListUnionsAnswer,
    ListUnionsRequest,
    NamedUnion,
    NameUnionsAnswer,
    NameUnionsRequest,
    RenameUnionRequest,
    UnionAnswer,
    UnionRequest,
)
from services.kit.data.bulk import is_any_of
from services.kit.data.lists.ordering import in_order
from services.kit.data.lists.page_rows import page_of
from services.kit.operations import audit
from services.kit.problems import Conflict, FieldProblem, Forbidden, Invalid, NotFound
from services.kit.rpc.methods import Caller
from services.kit.rpc.operation import Scope
from services.kit.rpc.work import Work
from services.kit.schemas import UNSET, Unset
from services.kit.text import clean_compatible
from services.membership.event_builders import publish_unions
from services.membership.models import Union

_GRASSROOTS_CODE = "81"
UNION_EXISTS = "union_exists", "该统一社会信用代码已有工会使用", "请核对代码，或在工会列表中查找。"
"""The refusal of a code that is taken."""
_TREE = "union tree"
"""The advisory lock of the tree of unions."""
KINDS_BELOW = {"city": ("superior",), "superior": ("grassroots", "superior"), "grassroots": ()}
"""The kinds of direct subordinates that a union of each kind may have, the most common first."""


def union_in_scope(session: Session, caller: Caller, union_id: UUID | Unset | None) -> Union:
    """The union that the request names, or else the caller's own; raises NotFound for one out of scope."""
    union = session.get(Union, union_id or caller.union_id)
    if union is None or not _is_in_scope(caller, union):
        raise NotFound(title="未找到该工会")
    return union


def list_unions(work: Work, request: ListUnionsRequest) -> ListUnionsAnswer:
    """A page of the caller's union and all subordinates, or of `superior_union_id`'s direct subordinates.

    Those that have ended are shown on their own.
    """
    order = in_order(request.sort, {"code": Union.code, "name": Union.name}, Union.code)
    is_shown = Union.ended_at.is_not(None) if request.ended else Union.ended_at.is_(None)
    matching = select(Union).where(own_and_subordinates(work.caller), is_shown).order_by(*order)
    if request.superior_union_id is not UNSET:
        superior = union_in_scope(work.session, work.caller, request.superior_union_id)
        matching = matching.where(Union.superior_union_id == superior.union_id)
    if request.q is not UNSET:
        code = clean_compatible(request.q).upper()
        matching = matching.where(
            or_(Union.name.contains(request.q, autoescape=True), Union.code.startswith(code, autoescape=True))
        )
    rows, counted = page_of(work.session, matching, request)
    merged_into = {row.Union.successor_union_id for row in rows if row.Union.successor_union_id}
    names = union_names(work.session, merged_into) if merged_into else {}
    items = [
        ListedUnion(
            **vars(union_answer(row.Union)),
            ended_at=row.Union.ended_at,
            successor_name=names.get(row.Union.successor_union_id),
        )
        for row in rows
    ]
    return ListUnionsAnswer.of(items, request, counted)


def get_union(work: Work, request: UnionRequest) -> UnionAnswer:
    """A union in the caller's scope; raises NotFound."""
    return union_answer(union_in_scope(work.session, work.caller, request.union_id))


def require_open(session: Session, union_id: UUID) -> Union:
    """The union, with its place as it is now, which stays until the transaction ends; raises Conflict `union_ended`."""
    union = session.get_one(Union, union_id, with_for_update={"read": True}, populate_existing=True)
    if union.ended_at is not None:
        raise Conflict("union_ended", "该工会已撤销或合并", "请刷新后查看；已合并的，请重新登录后在合并后的工会办理。")
    return union


def open_union_in_scope(session: Session, caller: Caller, union_id: UUID | Unset | None) -> Union:
    """The union as `union_in_scope` and `require_open` give it; raises NotFound where it has just moved away."""
    require_open(session, union_in_scope(session, caller, union_id).union_id)
    return union_in_scope(session, caller, union_id)


def lock_tree(session: Session, *, alone: bool = True) -> None:
    """Has no union move until the transaction ends; alone, none be founded either.

    Two moves at once could make a circle, and a union that is founded below a moving one could get its old place.
    """
    lock = func.pg_advisory_xact_lock if alone else func.pg_advisory_xact_lock_shared
    session.execute(select(lock(func.hashtextextended(_TREE, 0))))


def name_unions(work: Work, request: NameUnionsRequest) -> NameUnionsAnswer:
    """The names of unions by id or code, for operators who find these in messages.

    A message may hold anything; a value that is neither an id nor a code is ignored.
    """
    union_ids = [one.lower() for one in request.union_ids]
    named = or_(cast(Union.union_id, String).in_(union_ids), Union.code.in_(request.codes))
    rows = work.session.execute(select(Union.union_id, Union.code, Union.name).where(named))
    return NameUnionsAnswer(items=[NamedUnion(union_id=row.union_id, code=row.code, name=row.name) for row in rows])


def create_union(work: Work, request: CreateUnionRequest) -> UnionAnswer:
    """Creates a union as a subordinate of the caller's union or of one of its subordinates.

    Without a kind it gets the most common one for its superior. Raises NotFound for a superior out of scope, Invalid
    for a kind that the superior cannot have and for a wrong code, Conflict `union_exists` and `union_ended`.
    """
    session = work.session
    lock_tree(session, alone=False)
    superior = open_union_in_scope(session, work.caller, request.superior_union_id)
    kind = kind_below(superior, request.kind)
    union = add_union(session, request.name, request.code, kind, superior)
    try:
        session.flush()
    except IntegrityError as taken:
        raise Conflict(*UNION_EXISTS) from taken
    publish_unions(session, [union])
    new = {"code": union.code, "name": union.name, "superior_union_id": union.superior_union_id}
    audit.record(session, ("union", union.union_id), new=new, union_id=union.union_id)
    return union_answer(union)


def rename_union(work: Work, request: RenameUnionRequest) -> UnionAnswer:
    """Renames a subordinate of the caller's union; submitted batches keep the old name.

    Choice: a union's own name is changed by its superior, since registers bear it; the city's union has no superior.
    Raises NotFound, and Forbidden for the caller's own union.
    """
    union = union_in_scope(work.session, work.caller, request.union_id)
    work.session.refresh(union, with_for_update=True)
    old, new = {"name": union.name}, {"name": request.name}
    audit.record(work.session, ("union", union.union_id), old=old, new=new, union_id=union.union_id)
    if str(union.union_id) == work.caller.union_id and union.superior_union_id is not None:
        raise Forbidden("own_union", "不能修改本工会的名称", "请由上级工会修改。")
    union.name = request.name
    publish_unions(work.session, [union])
    return union_answer(union)


def kind_below(superior: Union, requested: str | Unset) -> str:
    """The kind of a new subordinate of this union; raises Invalid."""
    possible = KINDS_BELOW[superior.kind]
    if not possible:
        reason = "基层工会下不能再设工会，请选择区局（产业）工会"
        raise Invalid([FieldProblem("superior_union_id", "grassroots_has_none_below", reason)])
    if requested and requested not in possible:
        raise Invalid([FieldProblem("kind", "kind_not_below_superior", "市总工会下只能设区局（产业）工会")])
    return requested or possible[0]


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


def union_answer(union: Union) -> UnionAnswer:
    """A union in the form of answers."""
    return UnionAnswer(
        union_id=union.union_id,
        code=union.code,
        name=union.name,
        superior_union_id=union.superior_union_id,
        superior_ids=union.superior_ids,
        kind=union.kind,
    )


def own_and_subordinates(caller: Caller) -> ColumnElement[bool]:
    """The condition for the caller's union and all its subordinates."""
    return is_union_or_below(UUID(caller.union_id))


def is_union_or_below(union_id: UUID) -> ColumnElement[bool]:
    """The condition for a union and all below it."""
    return or_(Union.union_id == union_id, Union.superior_ids.contains([union_id]))


def union_names(session: Session, union_ids: Collection[UUID]) -> dict[UUID, str]:
    """The names of these unions by id."""
    named = select(Union.union_id, Union.name).where(is_any_of(Union.union_id, union_ids))
    return {row.union_id: row.name for row in session.execute(named)}


def _is_in_scope(caller: Caller, union: Union) -> bool:
    own = UUID(caller.union_id)
    return union.union_id == own or (caller.scope >= Scope.SUBORDINATES and own in union.superior_ids)


def _checked_code(code: str, kind: str) -> str:
    normalised: str = uscc.compact(code)
    if not uscc.is_valid(normalised):
        raise Invalid([FieldProblem("code", "code_invalid", "统一社会信用代码不正确，请核对 18 位代码")])
    if kind == "grassroots" and not normalised.startswith(_GRASSROOTS_CODE):
        raise Invalid([FieldProblem("code", "code_of_no_union", "基层工会的统一社会信用代码应以 81 开头")])
    return normalised
