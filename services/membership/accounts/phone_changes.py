"""Changes of an account's telephone 更换手机号: one administrator requests, another one confirms.

Links to choose a password go to that number, so an administrator who could change it alone could act as the holder.
"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, and_, func, select, update
from sqlalchemy.orm import Session, aliased
from uuid_utils.compat import uuid7

from services.contracts.masks import mask_phone
from services.contracts.operations.membership.accounts import (
    ListPhoneChangesRequest,
    PhoneChangeAnswer,
    PhoneChangeRequest,
    PhoneChangesAnswer,
    RequestPhoneChangeRequest,
)
from services.kit.data.lists.page_rows import page_of
from services.kit.events.envelope import correlation
from services.kit.operations import audit
from services.kit.problems import Conflict, NotFound, Problem
from services.kit.rpc.methods import Caller
from services.kit.rpc.work import Work
from services.kit.schemas import UNSET
from services.kit.settings import read_settings, settings_class
from services.membership.accounts import controls
from services.membership.accounts.account_links import void_links
from services.membership.accounts.account_notifications import notify_holder, notify_of_request
from services.membership.accounts.accounts import (
    ADMINISTRATOR,
    is_same_person,
    managed_account,
    refuse_own_phone,
    set_phone,
)
from services.membership.models import Account, PhoneChange, Union
from services.membership.unions import own_and_subordinates

_REQUESTER, _DECIDER = aliased(Account, name="requester"), aliased(Account, name="decider")
_WEEK = timedelta(days=7)
_OPEN = PhoneChange.state == "requested"
_Row = Row[PhoneChange, Account, Union, Account, Account]


@settings_class
class PhoneChangeSettings:
    """How long a change waits for its second administrator; read from the environment by `read_settings`."""

    phone_change_hours: float = 72
    phone_change_holds_links_hours: float = 24
    """How long after the request no link is sent; limited, so that nobody alone can block a holder's links for ever."""
    phone_changes_a_week: int = 2
    """How many changes one administrator may request for the same account in a week."""


def request_phone_change(work: Work, request: RequestPhoneChangeRequest) -> PhoneChangeAnswer:
    """Requests another number for an account in scope, or the own one; the holder is notified, also at the old number.

    Earlier links remain valid until the confirmation: a request alone voids nothing. Raises NotFound,
    Conflict `account_disabled`, `phone_change_waits`, `phone_unchanged` and `own_phone`, and Problem
    `too_many_phone_changes`.
    """
    session, caller = work.session, work.caller
    _lock_in_order(session, caller, request.account_id)
    account, union = managed_account(session, caller, request.account_id)
    _check_request(session, caller, account, request.phone)
    _end_expired(session, account)
    change = _add_change(session, caller, account, request)
    values = {"phone": request.phone, "reason": request.reason}
    audit.record(session, ("phone_change", change.change_id), old={"phone": account.phone}, new=values)
    confirming = [one for one in (union.union_id, union.superior_union_id) if one]
    notify_of_request(session, account, caller, confirming)
    return _answer_of(session, caller, change.change_id)


def list_phone_changes(work: Work, request: ListPhoneChangesRequest) -> PhoneChangesAnswer:
    """A page of the changes of accounts in scope, waiting ones first, then the newest.

    An audit event records to whom whole new numbers were shown.
    """
    waits = and_(_OPEN, PhoneChange.expires_at > datetime.now(UTC))
    matching = _in_scope(work.caller).order_by(waits.desc(), PhoneChange.requested_at.desc(), PhoneChange.change_id)
    if request.state is not UNSET:
        matching = matching.where(_is(request.state))
    if request.account_id is not UNSET:
        matching = matching.where(PhoneChange.account_id == request.account_id)
    rows, counted = page_of(work.session, matching, request)
    items = _answers(work.session, work.caller, rows)
    _record_shown(work, [one for one in items if one.can_confirm])
    return PhoneChangesAnswer.of(items, request, counted)


def confirm_phone_change(work: Work, request: PhoneChangeRequest) -> PhoneChangeAnswer:
    """Sets the account's number that another administrator requested; no link is sent to it for a day.

    Raises NotFound, Conflict `own_account`, `own_phone`, `phone_change_ended` and `requester_gone`, Forbidden
    `own_request` and `same_administrator` for a caller who is not independent of the requester.
    """
    session, caller = work.session, work.caller
    change, account, union = _waiting(session, caller, request.change_id)
    requester, confirmer = session.get_one(Account, change.requested_by), _own(session, caller)
    if is_same_person(account, confirmer):
        raise Conflict("own_account", "不能确认更换自己的手机号", "请由其他管理员操作。")
    _check_open(account)
    refuse_own_phone(session, caller, account, change.phone)
    controls.refuse_unless_independent(session, requester, confirmer)
    if not _may_ask(session, requester, union):
        raise Conflict("requester_gone", "申请人已不是该账号的管理员，申请不再有效", "请重新申请。")
    old = account.phone
    set_phone(account, change.phone)
    account.phone_changed_at = datetime.now(UTC)
    void_links(session, account)
    for administrator in (requester, confirmer):
        controls.control(session, account, administrator.account_id, controls.PHONE)
    _decide(change, caller, "confirmed")
    audit.record(
        session,
        ("phone_change", change.change_id),
        old={"phone": old},
        new={"phone": account.phone, "requested_by": requester.account_name},
    )
    notify_holder(session, account, "phone_changed", caller, phones=[old, account.phone])
    return _answer_of(session, caller, change.change_id)


def decline_phone_change(work: Work, request: PhoneChangeRequest) -> PhoneChangeAnswer:
    """Ends a waiting change: another administrator declines it, or the requester withdraws it.

    Raises NotFound, Conflict `phone_change_ended`.
    """
    session, caller = work.session, work.caller
    change, account, _ = _waiting(session, caller, request.change_id)
    _decide(change, caller, "declined")
    audit.record(session, ("phone_change", change.change_id), old={"state": "requested"}, new={"state": "declined"})
    notify_holder(session, account, "phone_change_ended", caller)
    return _answer_of(session, caller, change.change_id)


def open_change(session: Session, account: Account) -> PhoneChange | None:
    """The account's change of number that waits for confirmation, if any."""
    return session.scalar(
        select(PhoneChange).where(
            PhoneChange.account_id == account.account_id, _OPEN, PhoneChange.expires_at > datetime.now(UTC)
        )
    )


def blocks_links(change: PhoneChange) -> bool:
    """Whether the waiting change still blocks links."""
    hours = read_settings(PhoneChangeSettings).phone_change_holds_links_hours
    return change.requested_at > datetime.now(UTC) - timedelta(hours=hours)


def _check_request(session: Session, caller: Caller, account: Account, phone: str | None) -> None:
    """Raises the errors of `request_phone_change` for a number that cannot be requested now."""
    _check_open(account)
    if phone == account.phone:
        raise Conflict("phone_unchanged", "新手机号与已登记的手机号相同")
    refuse_own_phone(session, caller, account, phone)
    if open_change(session, account) is not None:
        raise Conflict(
            "phone_change_waits", "该账号已有更换手机号的申请待确认", "请等待其他管理员确认，或先撤回该申请。"
        )
    _refuse_too_many(session, caller, account)


def _check_open(account: Account) -> None:
    if account.disabled:
        raise Conflict("account_disabled", "账号已停用，不能更换手机号", "请先启用账号。")


def _add_change(session: Session, caller: Caller, account: Account, request: RequestPhoneChangeRequest) -> PhoneChange:
    now = datetime.now(UTC)
    change = PhoneChange(
        change_id=uuid7(),
        account_id=account.account_id,
        phone=request.phone,
        old_phone=account.phone,
        reason=request.reason,
        state="requested",
        requested_by=UUID(caller.account_id),
        requested_at=now,
        expires_at=now + timedelta(hours=read_settings(PhoneChangeSettings).phone_change_hours),
    )
    session.add(change)
    session.flush()
    return change


def _record_shown(work: Work, shown: Sequence[PhoneChangeAnswer]) -> None:
    """Records to whom whole new numbers were shown, in a new transaction, for the query's is read-only."""
    if not shown:
        return
    audit_event = audit.AuditEvent("membership.list_phone_changes", work.caller, correlation_id=correlation.get())
    with work.database.begin() as session, audit.recording(session, "membership", audit_event):
        for change in shown:
            audit.record(session, ("phone_change", change.change_id), union_id=change.union_id)


def _refuse_too_many(session: Session, caller: Caller, account: Account) -> None:
    """Raises Problem `too_many_phone_changes`; the locked account serializes concurrent requests."""
    since = datetime.now(UTC) - _WEEK
    requested = select(func.count(), func.min(PhoneChange.requested_at)).where(
        PhoneChange.account_id == account.account_id,
        PhoneChange.requested_by == UUID(caller.account_id),
        PhoneChange.requested_at > since,
    )
    count, first = session.execute(requested).one()
    most = read_settings(PhoneChangeSettings).phone_changes_a_week
    if count >= most:
        problem = Problem(
            "too_many_phone_changes",
            429,
            "您为该账号申请更换手机号过于频繁",
            f"同一账号七日内最多申请 {most} 次，请由其他管理员申请。",
        )
        problem.retry_after = math.ceil((first - since).total_seconds()) if first else None
        raise problem


def _waiting(session: Session, caller: Caller, change_id: UUID) -> tuple[PhoneChange, Account, Union]:
    """A waiting change and its account in scope, both locked; raises NotFound, Conflict `phone_change_ended`."""
    change = session.get(PhoneChange, change_id)
    if change is None:
        raise _not_found()
    _lock_in_order(session, caller, change.account_id)
    try:
        account, union = managed_account(session, caller, change.account_id)
    except NotFound as out_of_scope:
        raise _not_found() from out_of_scope
    session.refresh(change, with_for_update=True)
    if _state_of(change) != "requested":
        raise Conflict("phone_change_ended", "该申请已处理或已过期", "请刷新后查看；需要时请重新申请。")
    return change, account, union


def _lock_in_order(session: Session, caller: Caller, account_id: UUID) -> None:
    """Locks the account and the caller's in order, so that two who act on each other do not deadlock."""
    both = Account.account_id.in_([account_id, UUID(caller.account_id)])
    session.execute(select(Account.account_id).where(both).order_by(Account.account_id).with_for_update())


def _may_ask(session: Session, requester: Account, union: Union) -> bool:
    is_above = requester.union_id in (union.union_id, *union.superior_ids)
    return is_above and not requester.disabled and ADMINISTRATOR in requester.roles


def _decide(change: PhoneChange, caller: Caller, state: str) -> None:
    change.state, change.decided_by, change.decided_at = state, UUID(caller.account_id), datetime.now(UTC)


def _end_expired(session: Session, account: Account) -> None:
    session.execute(
        update(PhoneChange)
        .where(PhoneChange.account_id == account.account_id, _OPEN, PhoneChange.expires_at <= datetime.now(UTC))
        .values(state="expired")
    )


def _is(state: str) -> ColumnElement[bool]:
    now = datetime.now(UTC)
    if state == "requested":
        return and_(_OPEN, PhoneChange.expires_at > now)
    if state == "expired":
        return (PhoneChange.state == "expired") | and_(_OPEN, PhoneChange.expires_at <= now)
    return PhoneChange.state == state


def _in_scope(caller: Caller) -> Select[PhoneChange, Account, Union, Account, Account]:
    return (
        select(PhoneChange, Account, Union, _REQUESTER, _DECIDER)
        .join(Account, Account.account_id == PhoneChange.account_id)
        .join(Union, Union.union_id == Account.union_id)
        .join(_REQUESTER, _REQUESTER.account_id == PhoneChange.requested_by)
        .outerjoin(_DECIDER, _DECIDER.account_id == PhoneChange.decided_by)
        .where(own_and_subordinates(caller))
    )


def _answer_of(session: Session, caller: Caller, change_id: UUID) -> PhoneChangeAnswer:
    session.flush()
    found = session.execute(_in_scope(caller).where(PhoneChange.change_id == change_id)).all()
    return _answers(session, caller, found)[0]


def _answers(session: Session, caller: Caller, rows: Sequence[_Row]) -> list[PhoneChangeAnswer]:
    """The changes as the caller sees them; independence is computed once for each requester."""
    open_rows = [row for row in rows if _state_of(row[0]) == "requested"]
    requesters = {row[3].account_id: row[3] for row in open_rows}
    own = _own(session, caller)
    independent = {one for one, account in requesters.items() if controls.are_independent(session, account, own)}
    return [_answer(own, row, independent) for row in rows]


def _answer(own: Account, row: _Row, independent: set[UUID]) -> PhoneChangeAnswer:
    change, account, union, requester, decider = row
    state = _state_of(change)
    is_independent = requester.account_id in independent and not is_same_person(account, own)
    can_confirm = state == "requested" and is_independent and change.phone != own.phone
    return PhoneChangeAnswer(
        change_id=change.change_id,
        account_id=account.account_id,
        account_name=account.account_name,
        display_name=account.display_name,
        union_id=union.union_id,
        union_name=union.name,
        old_phone=mask_phone(change.old_phone) if change.old_phone else None,
        new_phone=_new_phone(change, is_whole=can_confirm),
        reason=change.reason,
        state=state,
        requested_by=requester.account_id,
        requested_by_name=requester.display_name,
        requested_at=change.requested_at,
        expires_at=change.expires_at,
        decided_by_name=decider.display_name if decider else None,
        decided_at=change.decided_at,
        can_confirm=can_confirm,
    )


def _new_phone(change: PhoneChange, *, is_whole: bool) -> str | None:
    """The new number, whole for those who may confirm it and must compare it with what the holder says."""
    return change.phone if is_whole or not change.phone else mask_phone(change.phone)


def _state_of(change: PhoneChange) -> str:
    is_over = change.state == "requested" and change.expires_at <= datetime.now(UTC)
    return "expired" if is_over else change.state


def _own(session: Session, caller: Caller) -> Account:
    return session.get_one(Account, UUID(caller.account_id))


def _not_found() -> NotFound:
    return NotFound(title="未找到该申请")
