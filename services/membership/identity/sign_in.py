"""Sign-in with account, password and captcha."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.contracts.operations.membership.identity import SignInAnswer, SignInRequest
from services.kit.data.encryption import blind_index
from services.kit.operations import audit
from services.kit.operations.audit import Record
from services.kit.problems import Problem
from services.kit.rpc.work import Work
from services.kit.settings import read_settings, settings_class
from services.membership.accounts.account_audit import record_account, record_holder
from services.membership.identity import captchas, devices, lockout, passwords, sessions
from services.membership.identity.lockout import Counter
from services.membership.identity.own_account import own_answer
from services.membership.models import Account

PURPOSE = "sign_in"
"""The purpose of its captchas, and the kind of its failures."""


@settings_class
class FirstPasswordSettings:
    """How long a new account's first password is valid; read from the environment."""

    first_password_hours: float = 72
    """How long the password that an administrator hands over is valid; afterwards a reset link is needed."""


def sign_in(work: Work, request: SignInRequest) -> SignInAnswer:
    """Signs in to the account of this name and password, in a new session.

    Raises Problem `captcha_used`, `captcha_wrong` or `captcha_too_easy`, `sign_in_delayed` where unknown devices failed
    at the name too often, whether the account exists or not, and `sign_in_failed`: the same and after the same work for
    an unknown account, a wrong password, an expired first password, and a disabled account. Changes that must survive
    the refusal – the used captcha, the counted try – are made in transactions of their own.
    """
    session, account_name = work.session, request.account_name.strip().lower()
    counter, seconds = _count_attempt(work, request, account_name)
    account = session.scalar(select(Account).where(Account.account_name == account_name))
    if seconds:
        _record_attempt(session, account, account_name)
        raise _delayed(seconds)
    is_right = _is_right(session, account, request.password)
    _record_attempt(session, account, account_name)
    if account is None or not is_right or account.disabled or _has_old_first_password(account):
        with work.database.begin() as apart:
            lockout.count_failure_of_address(apart, PURPOSE, work.caller.origin)
        raise _sign_in_failed()
    if account.totp_confirmed_at is None:
        lockout.forget(session, counter)
        devices.remember(session, request.visit.device_id, account.account_id)
    else:
        lockout.discount_attempt(session, counter)
    record_holder(session, account)
    account.last_signed_in_at = datetime.now(UTC)
    begun = sessions.start(session, account, work.caller, request.visit)
    return SignInAnswer(account=own_answer(session, account, begun.next_step), session=begun)


def _count_attempt(work: Work, request: SignInRequest, account_name: str) -> tuple[Counter, int]:
    """Consumes the captcha and counts a try of the device, or of unknown devices at the name.

    Returns the counter, and the seconds to wait. Raises the Invalid that `captchas.consume` returns.
    """
    device_id = request.visit.device_id
    with work.database.begin() as apart:
        known_id = devices.account_of(apart, device_id, account_name)
        refusal = captchas.consume(apart, work.caller, PURPOSE, request.captcha, is_known_device=known_id is not None)
        if refusal is None:
            return _count(apart, account_name, known_id, device_id)
    raise refusal


def _count(session: Session, account_name: str, known_id: UUID | None, device_id: UUID | None) -> tuple[Counter, int]:
    """Counts a try; returns its counter and the seconds to wait. A device that fails too often is unknown again."""
    if known_id is not None and device_id is not None:
        own = lockout.of_device(known_id, device_id)
        if not lockout.count_attempt(session, own):
            return own, 0
    of_unknown_devices = lockout.of_name(account_name)
    return of_unknown_devices, lockout.count_attempt(session, of_unknown_devices)


def _has_old_first_password(account: Account) -> bool:
    """Whether the account's first password has expired without being replaced."""
    hours = read_settings(FirstPasswordSettings).first_password_hours
    return account.must_change_password and account.created_at < datetime.now(UTC) - timedelta(hours=hours)


def _is_right(session: Session, account: Account | None, password: str) -> bool:
    """Whether the password is right, also after locking the account, for verification takes a while."""
    verified = account.password_hash if account else None
    if not passwords.is_right(password, verified) or account is None:
        return False
    session.refresh(account, with_for_update=True)
    return account.password_hash == verified


def unknown_name(account_name: str) -> Record:
    """The record of tries to sign in to an account that does not exist.

    Only a keyed digest of the name, for it may be a mistyped password: who knows the name can search for it.
    """
    return "sign_in_name", blind_index(account_name, "sign-in name").hex()


def _record_attempt(session: Session, account: Account | None, account_name: str) -> None:
    """Records every try at an account, or at a name without one."""
    if account is None:
        audit.record(session, unknown_name(account_name))
    else:
        record_account(session, account)


def _sign_in_failed() -> Problem:
    failures = read_settings(lockout.LockoutSettings).sign_in_failures_per_account
    detail = f"请核对账号和密码；连续输错 {failures} 次后，每次须等待片刻才能再试。如忘记账号或密码，请联系上级工会。"
    return Problem("sign_in_failed", 401, "账号或密码不正确", detail)


def _delayed(seconds: int) -> Problem:
    """The refusal for unknown devices; a device that has signed the account in has a count of its own."""
    how = "曾用该账号登录过的设备不受影响；也可请上级工会的管理员解锁或重置密码。"
    problem = Problem("sign_in_delayed", 429, "登录失败次数过多", f"请在 {seconds} 秒后再试。{how}")
    problem.retry_after = seconds
    return problem
