"""Signing in with account, password and captcha."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.common.messaging import audit
from services.common.messaging.rpc import Caller
from services.common.persistence import Database
from services.common.problems import Problem
from services.common.settings import read_settings, settings_class
from services.membership import captchas, lockout, passwords, sessions
from services.membership.account_acts import note_account, note_holder
from services.membership.models import Account
from services.membership.own_account import own_answer


@settings_class
class FirstPasswordSettings:
    """How long the password of a new account is good for choosing another; read from the environment."""

    first_password_hours: float = 72
    """So long the password that an administrator hands over works; then a reset link is needed."""


def sign_in(session: Session, database: Database, caller: Caller, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The account that this is the password of, and a new session of it (SignInAnswer).

    Raises Problem `captcha_used` or `captcha_wrong`, `address_locked`, and `sign_in_failed`: the same and after the
    same time for an unknown account, a wrong password, a first one that was not replaced in time, and an account that
    is locked or disabled. What must outlast the refusal – the captcha used up, the try counted – is done in
    transactions of its own.
    """
    account_name = asked["account_name"].strip().lower()
    is_open = _begin_try(database, caller, account_name, asked["captcha"])
    account = session.scalar(select(Account).where(Account.account_name == account_name))
    is_right = _is_right(session, account, asked["password"])
    _note(session, account)
    if account is None or not is_open or not is_right or account.disabled or _has_old_first_password(account):
        with database.begin() as apart:
            lockout.count_failure_of_address(apart, caller.origin)
        raise _sign_in_failed()
    if account.totp_confirmed_at is None:
        lockout.forget_failures(account)
    else:
        lockout.take_back(account)
    note_holder(session, account)
    account.last_signed_in_at = datetime.now(UTC)
    begun = sessions.start(session, account, caller, asked["visit"])
    return {"account": own_answer(session, account, begun["next_step"]), "session": begun}


def _begin_try(database: Database, caller: Caller, account_name: str, captcha: Mapping[str, Any]) -> bool:
    """Uses the captcha up and counts a try of the account, if there is one; answers whether it is open."""
    with database.begin() as apart:
        refusal = lockout.refusal_of_address(apart, caller.origin) or captchas.use_up(apart, captcha)
        if refusal is None:
            account = apart.scalar(select(Account).where(Account.account_name == account_name).with_for_update())
            return account is not None and lockout.begin_try(account)
        if refusal.code == "captcha_wrong":
            lockout.count_failure_of_address(apart, caller.origin)
    raise refusal


def _has_old_first_password(account: Account) -> bool:
    """Whether the password that was handed over with the account should have been replaced by now."""
    hours = read_settings(FirstPasswordSettings).first_password_hours
    return account.must_change_password and account.created_at < datetime.now(UTC) - timedelta(hours=hours)


def _is_right(session: Session, account: Account | None, password: str) -> bool:
    """Whether it is the password, and still is when the account is locked for what follows: verifying takes a while."""
    verified = account.password_hash if account else None
    if not passwords.is_right(password, verified) or account is None:
        return False
    session.refresh(account, with_for_update=True)
    return account.password_hash == verified


def _note(session: Session, account: Account | None) -> None:
    """Every try is kept, but not a name that no account has: it may be a password."""
    audit.note(session)
    if account is not None:
        note_account(session, account)


def _sign_in_failed() -> Problem:
    settings = read_settings(lockout.LockoutSettings)
    failures, minutes = settings.sign_in_failures_per_account, settings.sign_in_locked_minutes
    detail = f"请核对账号和密码；连续输错 {failures} 次将锁定 {minutes:g} 分钟。如忘记账号或密码，请联系上级工会。"
    return Problem("sign_in_failed", 401, "账号或密码不正确", detail)
