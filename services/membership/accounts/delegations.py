"""Delegations 委托: a deputy decides in a reviewer's name for a period, without any other right of the reviewer.

Whom an account stands in for travels in its session (review_rights.py), which the gateway signs for each request.
"""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, and_, any_, false, func, or_, select
from sqlalchemy.orm import Session, aliased
from uuid_utils.compat import uuid7

from services.contracts.operations.membership.delegations import (
    MOST_CANDIDATES,
    Colleague,
    ColleaguesAnswer,
    CreateDelegation,
    DelegationAnswer,
    DelegationRequest,
    DelegationsAnswer,
    ListDelegations,
    ListDeputies,
    ListPrincipals,
)
from services.contracts.overdue import today
from services.kit.data.bulk import is_any_of
from services.kit.data.lists.page_rows import page_of
from services.kit.operations import audit
from services.kit.problems import Conflict, FieldProblem, Forbidden, Invalid, NotFound
from services.kit.rpc.methods import Caller
from services.kit.rpc.work import Work
from services.kit.schemas import UNSET, Unset
from services.membership.accounts.delegation_events import publish_delegation
from services.membership.accounts.review_rights import REVIEWER, same_person
from services.membership.models import Account, Delegation, Union
from services.membership.unions import is_union_or_below, require_open

_PRINCIPAL, _DEPUTY = aliased(Account, name="principal"), aliased(Account, name="deputy")
_MAKER, _ENDER = aliased(Account, name="maker"), aliased(Account, name="ender")
_OF_PRINCIPAL, _OF_DEPUTY = aliased(Union, name="principal_union"), aliased(Union, name="deputy_union")
_Columns = tuple[Delegation, Account, Account, Account, Account, Union, Union]
_Row = Row[*_Columns]
_OPERATOR, _ADMINISTRATOR = "operator", "administrator"


class _Person(NamedTuple):
    """An account with its union."""

    account: Account
    union: Union


def create_delegation(work: Work, request: CreateDelegation) -> DelegationAnswer:
    """Names a deputy for the caller, or for a reviewer of a union below whose superior's administrator the caller is.

    Raises NotFound for accounts that may give or receive no delegation of the caller, Forbidden `own_deputy` for an
    administrator who names itself, Invalid for a day that is over, Conflict `delegation_overlaps`.
    """
    session, caller, day = work.session, work.caller, today()
    if request.first_day < day:
        raise Invalid([FieldProblem("first_day", "day_is_over", "开始日期不能早于今天")])
    principal = _principal(session, caller, request.principal_id, lock=True)
    require_open(session, principal.union.union_id)
    principal = _principal(session, caller, request.principal_id)
    if str(request.deputy_id) == caller.account_id and principal.account.account_id != request.deputy_id:
        raise Forbidden("own_deputy", "不能指定自己为代审人", "请指定其他人，或由审核人本人委托。")
    deputy = _deputy_of(session, principal, request.deputy_id)
    _check_free(session, principal.account, request)
    made = Delegation(
        delegation_id=uuid7(),
        principal_id=principal.account.account_id,
        deputy_id=deputy.account_id,
        union_id=principal.union.union_id,
        first_day=request.first_day,
        last_day=request.last_day,
        reason=request.reason,
        made_by=UUID(caller.account_id),
        made_at=datetime.now(UTC),
    )
    session.add(made)
    session.flush()
    _record(session, made, new={**_shown(made, principal.account, deputy), "reason": made.reason})
    publish_delegation(session, made, principal.account, deputy, caller)
    return _answer_of(session, caller, made.delegation_id)


def list_delegations(work: Work, request: ListDelegations) -> DelegationsAnswer:
    """A page of the delegations that the caller may see: running ones first, then those to come, then the newest."""
    matching = _visible_to(work.caller).order_by(
        _is("active").desc(), _is("upcoming").desc(), Delegation.first_day.desc(), Delegation.delegation_id
    )
    if request.state is not UNSET:
        matching = matching.where(_is(request.state))
    if request.mine is not UNSET:
        column = Delegation.principal_id if request.mine == "given" else Delegation.deputy_id
        matching = matching.where(column == UUID(work.caller.account_id))
    rows, counted = page_of(work.session, matching, request)
    return DelegationsAnswer.of([_answer(work.caller, row) for row in rows], request, counted)


def end_delegation(work: Work, request: DelegationRequest) -> DelegationAnswer:
    """Ends a delegation at once: the principal, the deputy, or an administrator of a superior does.

    Raises NotFound for one that the caller may not see, Forbidden `not_ones_own`, Conflict `delegation_ended`.
    """
    session, caller = work.session, work.caller
    found = session.get(Delegation, request.delegation_id, with_for_update=True)
    row = session.execute(_visible_to(caller).where(Delegation.delegation_id == request.delegation_id)).first()
    if found is None or row is None:
        raise NotFound(title="未找到该委托")
    _, principal, deputy, *_, union, _ = row
    _record(session, found)
    if not _may_end(caller, found, union):
        raise Forbidden("not_ones_own", "只有委托人、代审人或上级工会管理员可以结束该委托")
    if state_of(found) == "ended":
        raise Conflict("delegation_ended", "该委托已结束", "请刷新后查看。")
    _end(session, found, principal, deputy, caller)
    return _answer_of(session, caller, found.delegation_id)


def list_principals(work: Work, request: ListPrincipals) -> ColleaguesAnswer:
    """The reviewers for whom the caller may name a deputy."""
    caller = work.caller
    may = [Account.account_id == UUID(caller.account_id)]
    if _ADMINISTRATOR in caller.roles:
        may.append(Union.superior_ids.contains([UUID(caller.union_id)]))
    matching = _people().where(_reviews(Account), or_(*may))
    return _colleagues(work.session, matching, request.q, len(caller.superior_ids))


def list_deputies(work: Work, request: ListDeputies) -> ColleaguesAnswer:
    """The accounts that may stand in for a reviewer; raises NotFound for one for whom the caller may name nobody."""
    principal = _principal(work.session, work.caller, request.principal_id)
    matching = _people().where(
        is_any_of(Account.union_id, [principal.union.union_id, *principal.union.superior_ids]),
        Account.account_id.notin_([principal.account.account_id, UUID(work.caller.account_id)]),
        _may_stand_in(),
        ~same_person(principal.account),
    )
    return _colleagues(work.session, matching, request.q, len(principal.union.superior_ids))


def end_all_of(session: Session, account: Account, caller: Caller) -> None:
    """Ends what an account gave that is no active reviewer any more, and what it received if it is closed."""
    is_closed = account.disabled or _OPERATOR in account.roles
    gave = Delegation.principal_id == account.account_id if is_closed or REVIEWER not in account.roles else false()
    received = Delegation.deputy_id == account.account_id if is_closed else false()
    _end_open(session, or_(gave, received), caller)


def end_broken(session: Session, moved: Collection[UUID], superior: Union, caller: Caller) -> None:
    """Ends the delegations of reviewers of unions that have moved below a superior whose deputy is not above any more.

    Nobody makes one meanwhile, for the unions are locked.
    """
    principal_moves, deputy_moves = is_any_of(Delegation.union_id, moved), is_any_of(_DEPUTY.union_id, moved)
    _end_open(session, _is_broken(principal_moves, deputy_moves, superior), caller)


def count_broken(session: Session, union: Union, superior: Union) -> int:
    """How many delegations would end if the union moved below the superior with all below it."""
    moving = select(Union.union_id).where(is_union_or_below(union.union_id))
    broken = _is_broken(Delegation.union_id.in_(moving), _DEPUTY.union_id.in_(moving), superior)
    return session.scalar(select(func.count()).select_from(_open(broken).subquery())) or 0


def state_of(one: Delegation) -> str:
    """`upcoming`, `active` or `ended`, by the day in Shanghai."""
    day = today()
    if one.ended_at is not None or one.last_day < day:
        return "ended"
    return "upcoming" if one.first_day > day else "active"


def _is(state: str) -> ColumnElement[bool]:
    """The same as `state_of`, in SQL."""
    day, is_ended = today(), or_(Delegation.ended_at.is_not(None), Delegation.last_day < today())
    return {
        "ended": is_ended,
        "upcoming": and_(~is_ended, Delegation.first_day > day),
        "active": and_(~is_ended, Delegation.first_day <= day),
    }[state]


def _principal(session: Session, caller: Caller, account_id: UUID | Unset, *, lock: bool = False) -> _Person:
    """The reviewer that the request names, or else the caller; raises NotFound where the caller may not name it."""
    account = session.get(Account, account_id or UUID(caller.account_id), with_for_update=lock)
    union = session.get(Union, account.union_id) if account else None
    if account is None or union is None or not _names_for(caller, account, union):
        raise NotFound(title="未找到该审核人", detail="只有审核人本人或其上级工会的管理员可以指定代审人。")
    if account.disabled or REVIEWER not in account.roles:
        raise NotFound(title="未找到该审核人", detail="该账号没有审核人角色或已停用。")
    return _Person(account, union)


def _names_for(caller: Caller, account: Account, union: Union) -> bool:
    is_superior = _ADMINISTRATOR in caller.roles and UUID(caller.union_id) in union.superior_ids
    return str(account.account_id) == caller.account_id or is_superior


def _deputy_of(session: Session, principal: _Person, deputy_id: UUID) -> Account:
    """The account that is to stand in; raises NotFound, and Invalid for the same person."""
    deputy = session.get(Account, deputy_id)
    unions = (principal.union.union_id, *principal.union.superior_ids)
    if deputy is None or deputy.union_id not in unions or deputy.disabled or _OPERATOR in deputy.roles:
        raise NotFound(title="未找到该代审人", detail="代审人应为本工会或上级工会的有效账号。")
    same_phone = deputy.phone_digest is not None and deputy.phone_digest == principal.account.phone_digest
    if deputy.account_id == principal.account.account_id or same_phone:
        raise Invalid([FieldProblem("deputy_id", "same_person", "不能委托给本人或登记同一手机号的账号")])
    return deputy


def _check_free(session: Session, principal: Account, request: CreateDelegation) -> None:
    overlapping = select(Delegation.delegation_id).where(
        Delegation.principal_id == principal.account_id,
        Delegation.ended_at.is_(None),
        Delegation.first_day <= request.last_day,
        Delegation.last_day >= request.first_day,
    )
    if session.scalar(overlapping.limit(1)) is not None:
        raise Conflict("delegation_overlaps", "该审核人在此期间已有委托", "请修改日期，或先结束原委托。")


def _end_open(session: Session, which: ColumnElement[bool], caller: Caller) -> None:
    in_order = _open(which).order_by(Delegation.delegation_id).with_for_update(of=Delegation)
    for found, principal, deputy in session.execute(in_order).all():
        _record(session, found)
        _end(session, found, principal, deputy, caller)


def _open(which: ColumnElement[bool]) -> Select[Delegation, Account, Account]:
    return (
        select(Delegation, _PRINCIPAL, _DEPUTY)
        .join(_PRINCIPAL, _PRINCIPAL.account_id == Delegation.principal_id)
        .join(_DEPUTY, _DEPUTY.account_id == Delegation.deputy_id)
        .where(which, Delegation.ended_at.is_(None), Delegation.last_day >= today())
    )


def _is_broken(
    principal_moves: ColumnElement[bool], deputy_moves: ColumnElement[bool], superior: Union
) -> ColumnElement[bool]:
    """Whether a reviewer who moves has a deputy who does not, and is not above the new place."""
    above = [superior.union_id, *superior.superior_ids]
    return and_(principal_moves, ~deputy_moves, ~is_any_of(_DEPUTY.union_id, above))


def _end(session: Session, found: Delegation, principal: Account, deputy: Account, caller: Caller) -> None:
    found.ended_at, found.ended_by = datetime.now(UTC), UUID(caller.account_id)
    found.version += 1
    session.flush()
    audit.record(session, old={"state": "active"}, new={"state": "ended", **_shown(found, principal, deputy)})
    publish_delegation(session, found, principal, deputy, caller)


def _record(session: Session, one: Delegation, **changes: dict[str, object]) -> None:
    records = (("delegation", one.delegation_id), ("account", one.principal_id), ("account", one.deputy_id))
    audit.record(session, *records, union_id=one.union_id, **changes)


def _shown(one: Delegation, principal: Account, deputy: Account) -> dict[str, object]:
    """What the audit log says of a delegation."""
    return {
        "principal": principal.display_name,
        "deputy": deputy.display_name,
        "first_day": one.first_day,
        "last_day": one.last_day,
    }


def _delegations() -> Select[*_Columns]:
    return (
        select(Delegation, _PRINCIPAL, _DEPUTY, _MAKER, _ENDER, _OF_PRINCIPAL, _OF_DEPUTY)
        .join(_PRINCIPAL, _PRINCIPAL.account_id == Delegation.principal_id)
        .join(_DEPUTY, _DEPUTY.account_id == Delegation.deputy_id)
        .join(_MAKER, _MAKER.account_id == Delegation.made_by)
        .outerjoin(_ENDER, _ENDER.account_id == Delegation.ended_by)
        .join(_OF_PRINCIPAL, _OF_PRINCIPAL.union_id == Delegation.union_id)
        .join(_OF_DEPUTY, _OF_DEPUTY.union_id == _DEPUTY.union_id)
    )


def _visible_to(caller: Caller) -> Select[*_Columns]:
    own, union_id = UUID(caller.account_id), UUID(caller.union_id)
    seen = [Delegation.principal_id == own, Delegation.deputy_id == own]
    if not caller.roles.isdisjoint({REVIEWER, _ADMINISTRATOR}):
        seen.append(Delegation.union_id == union_id)
    if _ADMINISTRATOR in caller.roles:
        seen.append(_OF_PRINCIPAL.superior_ids.contains([union_id]))
    return _delegations().where(or_(*seen))


def _may_end(caller: Caller, one: Delegation, union: Union) -> bool:
    is_superior = _ADMINISTRATOR in caller.roles and UUID(caller.union_id) in union.superior_ids
    return caller.account_id in (str(one.principal_id), str(one.deputy_id)) or is_superior


def _people() -> Select[Account, Union]:
    return select(Account, Union).join(Union, Union.union_id == Account.union_id)


def _reviews(account: type[Account]) -> ColumnElement[bool]:
    return and_(account.disabled.is_(False), any_(account.roles) == REVIEWER)


def _may_stand_in() -> ColumnElement[bool]:
    return and_(Account.disabled.is_(False), any_(Account.roles) != _OPERATOR)


def _colleagues(session: Session, matching: Select[Account, Union], q: str | Unset, depth: int) -> ColleaguesAnswer:
    """At most MOST_CANDIDATES, those of the union at this depth of the tree first."""
    if q is not UNSET:
        columns = (Account.display_name, Account.account_name, Union.name)
        matching = matching.where(or_(*(column.icontains(q, autoescape=True) for column in columns)))
    distance = func.abs(func.cardinality(Union.superior_ids) - depth)
    in_order = matching.order_by(distance, Account.display_name, Account.account_id).limit(MOST_CANDIDATES)
    return ColleaguesAnswer(items=[_colleague(account, union) for account, union in session.execute(in_order)])


def _colleague(account: Account, union: Union) -> Colleague:
    return Colleague(
        account_id=account.account_id,
        account_name=account.account_name,
        display_name=account.display_name,
        roles=account.roles,
        union_id=union.union_id,
        union_name=union.name,
    )


def _answer_of(session: Session, caller: Caller, delegation_id: UUID) -> DelegationAnswer:
    return _answer(caller, session.execute(_delegations().where(Delegation.delegation_id == delegation_id)).one())


def _answer(caller: Caller, row: _Row) -> DelegationAnswer:
    one, principal, deputy, maker, ender, union, of_deputy = row
    return DelegationAnswer(
        delegation_id=one.delegation_id,
        state=state_of(one),
        principal_id=one.principal_id,
        principal_name=principal.display_name,
        union_id=one.union_id,
        union_name=union.name,
        deputy_id=one.deputy_id,
        deputy_name=deputy.display_name,
        deputy_union_name=of_deputy.name,
        first_day=one.first_day,
        last_day=one.last_day,
        reason=one.reason,
        made_by=one.made_by,
        made_by_name=maker.display_name,
        made_at=one.made_at,
        ended_at=one.ended_at,
        ended_by_name=ender.display_name if ender else None,
        can_end=state_of(one) != "ended" and _may_end(caller, one, union),
    )
