"""Requests to change the tree of unions: previewed, made by one administrator, carried out when another one confirms.

Both are of unions above the changed one and above the new superior, so that nobody gives or takes what is not theirs.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, and_, or_, select, true
from sqlalchemy.orm import Session, aliased
from uuid_utils.compat import uuid7

from services.contracts.events.membership import UNION_CHANGE_NOTED, UnionChangeNotedData
from services.contracts.operations.membership.union_changes import (
    ListUnionChangesRequest,
    PreviewUnionChangeRequest,
    RequestUnionChangeRequest,
    UnionChangeAnswer,
    UnionChangePreview,
    UnionChangeRequest,
    UnionChangesAnswer,
)
from services.kit.data.lists.page_rows import page_of
from services.kit.events.outbox import publish
from services.kit.operations import audit
from services.kit.problems import Conflict, FieldProblem, Forbidden, Invalid, NotFound
from services.kit.rpc.methods import Caller
from services.kit.rpc.work import Work
from services.kit.schemas import UNSET, Unset, as_dict, required, schema_of
from services.kit.settings import read_settings, settings_class
from services.membership.accounts import controls
from services.membership.accounts.accounts import ADMINISTRATOR
from services.membership.models import Account, Union, UnionChange
from services.membership.union_changes.carrying_out import carry_out, lock_unions, preview
from services.membership.unions import lock_tree, own_and_subordinates, union_in_scope

_FROM, _TARGET = aliased(Union, name="from_union"), aliased(Union, name="target_union")
_REQUESTER, _DECIDER = aliased(Account, name="requester"), aliased(Account, name="decider")
_OPEN = UnionChange.state == "requested"
_MISSING = {"move": "请选择新的上级工会", "merge": "请选择并入的工会"}
_Columns = tuple[UnionChange, Union, Union, Union, Account, Account]
_Row = Row[*_Columns]


class _Change(NamedTuple):
    """A change with its unions and the account that requested it."""

    change: UnionChange
    union: Union
    target: Union | None
    requester: Account


@settings_class
class UnionChangeSettings:
    """How long a change of the tree waits for its second administrator."""

    union_change_hours: float = 72
    """Choice: a change of the tree that nobody confirmed after so many hours has to be requested again."""


def preview_union_change(work: Work, request: PreviewUnionChangeRequest) -> UnionChangePreview:
    """What a change would concern, and what is in its way. Raises as `request_union_change` does."""
    union, target = _of_request(work.session, work.caller, request)
    return preview(work.session, request.kind, union, target)


def request_union_change(work: Work, request: RequestUnionChangeRequest) -> UnionChangeAnswer:
    """Requests a change; other administrators of the caller's union, and of its superior, are asked to confirm.

    Raises NotFound for a union or a target out of scope, Forbidden `own_union`, Invalid without a target where one is
    needed, Conflict `union_ended`, `union_change_waits`, and `union_change_obstructed` with what is in the way.
    """
    session, caller = work.session, work.caller
    lock_tree(session)
    union, target = _of_request(session, caller, request)
    audit.record(session, ("union", union.union_id), union_id=union.union_id)
    _expire(session, UnionChange.union_id == union.union_id)
    if session.scalar(select(UnionChange.change_id).where(UnionChange.union_id == union.union_id, _OPEN)) is not None:
        raise Conflict("union_change_waits", "该工会已有撤并申请待确认", "请等待其他管理员确认，或先撤回该申请。")
    found = _free(session, request.kind, union, target)
    now = datetime.now(UTC)
    change = UnionChange(
        change_id=uuid7(),
        kind=request.kind,
        union_id=union.union_id,
        from_union_id=required(union.superior_union_id),
        target_union_id=target and target.union_id,
        reason=request.reason,
        preview=as_dict(found),
        state="requested",
        requested_by=UUID(caller.account_id),
        requested_at=now,
        expires_at=now + timedelta(hours=read_settings(UnionChangeSettings).union_change_hours),
    )
    session.add(change)
    session.flush()
    audit.record(session, ("union_change", change.change_id), new=_shown(change, union, target))
    requester = session.get_one(Account, change.requested_by)
    _publish(session, _Change(change, union, target, requester), _asked(session, requester))
    return _answer_of(session, caller, change.change_id)


def list_union_changes(work: Work, request: ListUnionChangesRequest) -> UnionChangesAnswer:
    """A page of the changes of unions in scope, waiting ones first, then the newest."""
    waits = and_(_OPEN, UnionChange.expires_at > datetime.now(UTC))
    matching = _in_scope(work.caller).order_by(waits.desc(), UnionChange.requested_at.desc(), UnionChange.change_id)
    if request.state is not UNSET:
        matching = matching.where(_is(request.state))
    rows, counted = page_of(work.session, matching, request)
    return UnionChangesAnswer.of(_answers(work.session, work.caller, rows), request, counted)


def confirm_union_change(work: Work, request: UnionChangeRequest) -> UnionChangeAnswer:
    """Carries out a change that another administrator requested.

    Raises NotFound, Forbidden `own_union`, or `own_request` and `same_administrator` for a caller who is not
    independent of the requester, Conflict `union_change_ended`, `requester_gone`, and `union_change_obstructed`.
    """
    session, caller = work.session, work.caller
    change, union, target, requester = waiting = _waiting(session, caller, request.change_id)
    _refuse_unless_above(caller, union, target)
    controls.refuse_unless_independent(session, requester, session.get_one(Account, UUID(caller.account_id)))
    if not _may_ask(requester, union, target):
        raise Conflict("requester_gone", "申请人已不是上级工会的管理员，申请不再有效", "请重新申请。")
    accounts = lock_unions(session, union, target)
    found = _free(session, change.kind, union, target)
    before = {"superior_union_id": union.superior_union_id}
    carry_out(session, change.kind, union, target, caller)
    change.preview = as_dict(found)
    _decide(change, caller, "done")
    shown = {"requested_by": requester.account_name, **_shown(change, union, target)}
    audit.record(session, ("union", union.union_id), old=before, new=shown)
    above = [change.from_union_id, *(one.union_id for one in _given(target))]
    for union_id in above:
        audit.record(session, union_id=union_id)
    told = [union.union_id, *above, *_asked(session, requester)]
    _publish(session, waiting, told, accounts if change.kind == "merge" else ())
    _end_groundless(session)
    return _answer_of(session, caller, change.change_id)


def decline_union_change(work: Work, request: UnionChangeRequest) -> UnionChangeAnswer:
    """Ends a waiting change: another administrator declines it, or the requester withdraws it.

    Raises NotFound, Forbidden `own_union`, Conflict `union_change_ended`.
    """
    session, caller = work.session, work.caller
    change, union, target, requester = waiting = _waiting(session, caller, request.change_id)
    is_own = str(requester.account_id) == caller.account_id
    if not is_own:
        _refuse_unless_above(caller, union, target)
    _decide(change, caller, "withdrawn" if is_own else "declined")
    audit.record(session, old={"state": "requested"}, new={"state": change.state})
    _publish(session, waiting, _asked(session, requester))
    return _answer_of(session, caller, change.change_id)


def expire_changes(session: Session) -> None:
    """Ends changes that nobody confirmed in time; who was asked is told."""
    lock_tree(session)
    _expire(session, true())


def _of_request(session: Session, caller: Caller, request: PreviewUnionChangeRequest) -> tuple[Union, Union | None]:
    union = union_in_scope(session, caller, request.union_id)
    if str(union.union_id) == caller.union_id:
        raise Forbidden("own_union", "不能撤并本工会", "请由上级工会申请。")
    if union.ended_at is not None:
        raise Conflict("union_ended", "该工会已撤销或合并", "请刷新后查看；已合并的，请重新登录后在合并后的工会办理。")
    return union, _target(session, caller, request.kind, request.target_union_id)


def _target(session: Session, caller: Caller, kind: str, target_union_id: UUID | Unset) -> Union | None:
    if kind == "dissolve":
        return None
    if target_union_id is UNSET:
        raise Invalid([FieldProblem("target_union_id", "required", _MISSING[kind])])
    return union_in_scope(session, caller, target_union_id)


def _free(session: Session, kind: str, union: Union, target: Union | None) -> UnionChangePreview:
    """What the change concerns; raises Conflict where something is in its way."""
    found = preview(session, kind, union, target)
    if found.obstacles:
        raise Conflict("union_change_obstructed", "不能撤并", "；".join(one.reason for one in found.obstacles) + "。")
    return found


def _waiting(session: Session, caller: Caller, change_id: UUID) -> _Change:
    """A waiting change with its unions and requester, while nothing else changes the tree.

    Raises NotFound, Conflict `union_change_ended`.
    """
    lock_tree(session)
    row = session.execute(_in_scope(caller).where(UnionChange.change_id == change_id)).first()
    if row is None:
        raise _not_found()
    change, union, _, target, requester, _ = row
    audit.record(session, ("union_change", change_id), union_id=union.union_id)
    if _state_of(change) != "requested":
        raise Conflict("union_change_ended", "该申请已处理或已过期", "请刷新后查看；需要时请重新申请。")
    return _Change(change, union, target, requester)


def _not_found() -> NotFound:
    return NotFound(title="未找到该申请")


def _refuse_unless_above(caller: Caller, union: Union, target: Union | None) -> None:
    if str(union.union_id) == caller.union_id:
        raise Forbidden("own_union", "不能确认或结束本工会的撤并", "请由上级工会的管理员操作。")
    if not _reaches(UUID(caller.union_id), union, target):
        raise _not_found()


def _reaches(own: UUID, union: Union, target: Union | None) -> bool:
    """Whether a union is above the changed one, and is the target or above it."""
    return own in union.superior_ids and all(own in (one.union_id, *one.superior_ids) for one in _given(target))


def _may_ask(requester: Account, union: Union, target: Union | None) -> bool:
    is_administrator = not requester.disabled and ADMINISTRATOR in requester.roles
    return is_administrator and _reaches(requester.union_id, union, target)


def _asked(session: Session, requester: Account) -> list[UUID]:
    """The unions whose administrators may confirm: the requester's, and its superior."""
    superior = session.get_one(Union, requester.union_id).superior_union_id
    return [requester.union_id, *([superior] if superior else [])]


def _given(target: Union | None) -> Sequence[Union]:
    return () if target is None else (target,)


def _decide(change: UnionChange, caller: Caller, state: str) -> None:
    change.state, change.decided_by, change.decided_at = state, UUID(caller.account_id), datetime.now(UTC)


def _expire(session: Session, which: ColumnElement[bool]) -> None:
    _end(session, session.execute(_all().where(which, _OPEN, UnionChange.expires_at <= datetime.now(UTC))).all())


def _end_groundless(session: Session) -> None:
    """Ends the changes whose requester is not above their unions any more, or whose unions have ended."""
    session.flush()
    waiting = session.execute(_all().where(_OPEN)).all()
    _end(
        session,
        [
            row
            for row in waiting
            if row[1].ended_at is not None
            or any(one.ended_at is not None for one in _given(row[3]))
            or not _may_ask(row[4], row[1], row[3])
        ],
    )


def _end(session: Session, rows: Iterable[_Row]) -> None:
    for change, union, _, target, requester, _ in rows:
        change.state = "expired"
        _publish(session, _Change(change, union, target, requester), _asked(session, requester))


def _is(state: str) -> ColumnElement[bool]:
    now = datetime.now(UTC)
    if state == "requested":
        return and_(_OPEN, UnionChange.expires_at > now)
    if state == "expired":
        return (UnionChange.state == "expired") | and_(_OPEN, UnionChange.expires_at <= now)
    return UnionChange.state == state


def _state_of(change: UnionChange) -> str:
    is_over = change.state == "requested" and change.expires_at <= datetime.now(UTC)
    return "expired" if is_over else change.state


def _in_scope(caller: Caller) -> Select[*_Columns]:
    """The changes of the caller's union, of those below it, below or into these; and those that it requested."""
    own = UUID(caller.union_id)
    sides = [or_(one.union_id == own, one.superior_ids.contains([own])) for one in (_FROM, _TARGET)]
    return _all().where(or_(*sides, own_and_subordinates(caller), UnionChange.requested_by == UUID(caller.account_id)))


def _all() -> Select[*_Columns]:
    return (
        select(UnionChange, Union, _FROM, _TARGET, _REQUESTER, _DECIDER)
        .join(Union, Union.union_id == UnionChange.union_id)
        .join(_FROM, _FROM.union_id == UnionChange.from_union_id)
        .outerjoin(_TARGET, _TARGET.union_id == UnionChange.target_union_id)
        .join(_REQUESTER, _REQUESTER.account_id == UnionChange.requested_by)
        .outerjoin(_DECIDER, _DECIDER.account_id == UnionChange.decided_by)
    )


def _answer_of(session: Session, caller: Caller, change_id: UUID) -> UnionChangeAnswer:
    session.flush()
    found = session.execute(_in_scope(caller).where(UnionChange.change_id == change_id)).all()
    return _answers(session, caller, found)[0]


def _answers(session: Session, caller: Caller, rows: Sequence[_Row]) -> list[UnionChangeAnswer]:
    """The changes as the caller sees them; independence is computed once for each requester."""
    own = session.get_one(Account, UUID(caller.account_id))
    requesters = {row[4].account_id: row[4] for row in rows if _state_of(row[0]) == "requested"}
    independent = {one for one, account in requesters.items() if controls.are_independent(session, account, own)}
    return [_answer(caller, row, independent) for row in rows]


def _answer(caller: Caller, row: _Row, independent: set[UUID]) -> UnionChangeAnswer:
    change, union, former, target, requester, decider = row
    state, is_own = _state_of(change), str(requester.account_id) == caller.account_id
    may_decide = _reaches(UUID(caller.union_id), union, target)
    return UnionChangeAnswer(
        change_id=change.change_id,
        kind=change.kind,
        state=state,
        union_id=union.union_id,
        union_name=union.name,
        from_union_name=former.name,
        target_union_id=change.target_union_id,
        target_union_name=target.name if target else None,
        reason=change.reason,
        preview=schema_of(UnionChangePreview)().load(change.preview),
        requested_by=requester.account_id,
        requested_by_name=requester.display_name,
        requested_at=change.requested_at,
        expires_at=change.expires_at,
        decided_by_name=decider.display_name if decider else None,
        decided_at=change.decided_at,
        can_confirm=state == "requested"
        and may_decide
        and requester.account_id in independent
        and _may_ask(requester, union, target),
        can_end=state == "requested" and (is_own or may_decide),
    )


def _shown(change: UnionChange, union: Union, target: Union | None) -> dict[str, object]:
    """What the audit log says of a change."""
    return {
        "kind": change.kind,
        "union": union.name,
        "target": target.name if target else None,
        "reason": change.reason,
        "state": change.state,
    }


def _publish(session: Session, noted: _Change, told: Sequence[UUID], moved_accounts: Sequence[UUID] = ()) -> None:
    """Publishes the change as it is now; administrators of the unions `told` are notified, and holders of accounts."""
    change, union, target, _ = noted
    data = UnionChangeNotedData(
        change_id=change.change_id,
        kind=change.kind,
        state=change.state,
        union_id=union.union_id,
        union_name=union.name,
        target_union_id=target.union_id if target else None,
        target_union_name=target.name if target else None,
        told_union_ids=[*dict.fromkeys(told)],
        moved_account_ids=list(moved_accounts),
    )
    publish(session, UNION_CHANGE_NOTED, data, subject=str(union.union_id))
