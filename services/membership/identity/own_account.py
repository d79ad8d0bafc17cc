"""The caller's own account: its data, its password, and re-authentication."""

from datetime import date

from sqlalchemy.orm import Session

from services.contracts.operations.membership.accounts import AccountAnswer, StandsInFor
from services.contracts.operations.membership.identity import ChangePasswordRequest, GetMeRequest, SessionAnswer
from services.kit.problems import FieldProblem, Forbidden, Invalid
from services.kit.rpc.methods import Caller
from services.kit.rpc.request import Principal
from services.kit.rpc.work import Work
from services.membership.accounts.account_audit import record_account
from services.membership.accounts.account_links import void_links
from services.membership.accounts.account_notifications import notify_holder
from services.membership.accounts.review_rights import principals_of
from services.membership.identity import devices, lockout, passwords, sessions
from services.membership.identity.next_step import SECOND_FACTOR, next_step
from services.membership.models import Account, SignedInSession, Union
from services.membership.unions import union_answer


def get_me(work: Work, _request: GetMeRequest) -> AccountAnswer:
    """The caller's current account; raises Problem `session_ended` where it is disabled."""
    account = own_account(work.session, work.caller)
    return own_answer(work.session, account, next_step(account, sessions.current(work.session, work.caller)))


def change_password(work: Work, request: ChangePasswordRequest) -> SessionAnswer:
    """Sets the caller's account another password; ends all its sessions and starts a new one.

    Raises Invalid for a wrong current or a weak or equal new password.
    """
    session, new = work.session, request.new_password
    account, current = reauthenticate(work, request.current_password)
    if new == request.current_password:
        raise Invalid([FieldProblem("new_password", "password_unchanged", "新密码不能与当前密码相同")])
    passwords.check_choice(new, account, session.get_one(Union, account.union_id).name)
    account.password_hash = passwords.hash_password(new)
    account.must_change_password = False
    void_links(session, account)
    sessions.end_all(session, account, "password_changed")
    devices.forget_all(session, account.account_id, but=current.device_id)
    notify_holder(session, account, "password_set")
    return sessions.renew(session, current)


def reauthenticate(work: Work, password: str) -> tuple[Account, SignedInSession]:
    """The caller's account, locked until the transaction ends, and session, after verification of the password.

    A page that was left open is not enough to change credentials. Raises Invalid for a wrong password, Forbidden for a
    caller who has not passed the second factor, Problem `session_ended`.
    """
    account = own_account(work.session, work.caller)
    record_account(work.session, account)
    if next_step(account, sessions.current(work.session, work.caller)) == SECOND_FACTOR:
        raise Forbidden("second_factor_due", "请先输入动态口令", "通过动态口令验证后才能进行此操作。")
    account, current, counter = count_attempt(work)
    if not passwords.is_right(password, account.password_hash):
        raise Invalid([FieldProblem("current_password", "password_wrong", "当前密码不正确")])
    lockout.discount_attempt(work.session, counter)
    return account, current


def count_attempt(work: Work) -> tuple[Account, SignedInSession, lockout.Counter]:
    """Counts a try of the caller to re-authenticate; returns account and session, both locked, and the counter.

    After too many tries, of this device or of unknown ones, their session ends; other sessions of the account stay.
    Raises Problem `session_ended`.
    """
    session, caller = work.session, work.caller
    with work.database.begin() as apart:
        account, current = own_account(apart, caller, for_update=True), sessions.current(apart, caller)
        counter = _counter(apart, account, current)
        is_open = not lockout.count_attempt(apart, counter)
        if not is_open:
            sessions.end(apart, current, "locked")
    if not is_open:
        raise sessions.session_ended()
    return own_account(session, caller, for_update=True), sessions.current(session, caller), counter


def _counter(session: Session, account: Account, current: SignedInSession) -> lockout.Counter:
    """The counter of a known device, or the one that all other devices share."""
    if current.device_id and devices.has_signed_in(session, current.device_id, account.account_id):
        return lockout.of_device(account.account_id, current.device_id)
    return lockout.of_proof(account.account_id)


def own_answer(session: Session, account: Account, step: str | None) -> AccountAnswer:
    """An account in the form for its holder."""
    return AccountAnswer(
        account_id=account.account_id,
        account_name=account.account_name,
        display_name=account.display_name,
        roles=account.roles,
        union=union_answer(session.get_one(Union, account.union_id)),
        must_change_password=account.must_change_password,
        next_step=step,
        has_second_factor=account.totp_confirmed_at is not None,
        deputy_for=[] if step else [_stands_in_for(one) for one in principals_of(session, account)],
    )


def _stands_in_for(principal: Principal) -> StandsInFor:
    return StandsInFor(name=principal.name, last_day=date.fromisoformat(principal.last_day))


def own_account(session: Session, caller: Caller, *, for_update: bool = False) -> Account:
    """The caller's account; raises Problem `session_ended` for one that is disabled."""
    account = session.get(Account, caller.account_id, with_for_update=for_update, populate_existing=for_update)
    if account is None or account.disabled:
        raise sessions.session_ended()
    return account
