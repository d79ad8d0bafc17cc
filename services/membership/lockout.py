"""Lockout: too many failed sign-ins of an account or from an address lock it for a while (GB/T 22239-2019 8.1.4.1).

A try of an account is counted before it is known to be right, so that many at once are no more than many in turn.
"""

from datetime import UTC, datetime, timedelta
from typing import Protocol

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.common.origins import counted_origin
from services.common.problems import Problem
from services.common.settings import read_settings, settings_class
from services.membership.models import Account, AddressFailures


@settings_class
class LockoutSettings:
    """How many failures lock, and for how long; read from the environment by `read_settings`."""

    sign_in_failures_per_account: int = 5
    sign_in_failures_per_address: int = 50
    """Whole offices sit behind one address."""
    sign_in_failures_minutes: float = 30
    sign_in_locked_minutes: float = 60

    @property
    def within(self) -> timedelta:
        """Failures older than this are forgotten."""
        return timedelta(minutes=self.sign_in_failures_minutes)

    @property
    def locked_for(self) -> timedelta:
        """For so long nobody gets in."""
        return timedelta(minutes=self.sign_in_locked_minutes)


class _Counted(Protocol):
    """An account or an address."""

    failures: int
    first_failure_at: datetime | None
    locked_until: datetime | None


def is_locked(counted: _Counted) -> bool:
    """Whether nobody gets in, not even with the right password."""
    return counted.locked_until is not None and counted.locked_until > datetime.now(UTC)


def begin_try(account: Account) -> bool:
    """Counts a try as if it had failed; answers whether the account is open, locked accounts are left as they are."""
    if is_locked(account):
        return False
    _count(account, read_settings(LockoutSettings).sign_in_failures_per_account)
    return True


def take_back(account: Account) -> None:
    """The try that was counted last was right; those before it still count."""
    account.failures, account.locked_until = max(0, account.failures - 1), None


def forget_failures(account: Account) -> None:
    """Unlocks the account and starts counting anew."""
    account.failures, account.first_failure_at, account.locked_until = 0, None, None


def refusal_of_address(session: Session, origin: str | None) -> Problem | None:
    """What is told to an address that is locked; nothing to others."""
    if origin is None:
        return None
    counted = session.get(AddressFailures, counted_origin(origin))
    if counted is None or not is_locked(counted):
        return None
    refusal = Problem("address_locked", 429, "登录失败次数过多", "当前网络地址登录失败次数过多，请稍后再试。")
    refusal.retry_after = int((counted.locked_until - datetime.now(UTC)).total_seconds()) + 1  # type: ignore[operator]
    return refusal


def count_failure_of_address(session: Session, origin: str | None) -> None:
    """Counts a failed sign-in from an address, and locks the address when it was one too many."""
    if origin is None:
        return
    _forget_old_addresses(session)
    address = counted_origin(origin)
    session.execute(insert(AddressFailures).values(address=address).on_conflict_do_nothing())
    counted = session.get_one(AddressFailures, address, with_for_update=True, populate_existing=True)
    if not is_locked(counted):
        _count(counted, read_settings(LockoutSettings).sign_in_failures_per_address)


def _count(counted: _Counted, failures_to_lock: int) -> None:
    now, settings = datetime.now(UTC), read_settings(LockoutSettings)
    is_old = counted.first_failure_at is None or counted.first_failure_at < now - settings.within
    if is_old or counted.locked_until is not None:
        counted.first_failure_at, counted.failures, counted.locked_until = now, 0, None
    counted.failures += 1
    if counted.failures >= failures_to_lock:
        counted.locked_until = now + settings.locked_for


def _forget_old_addresses(session: Session) -> None:
    settings = read_settings(LockoutSettings)
    last_count = func.coalesce(AddressFailures.locked_until, AddressFailures.first_failure_at)
    old = select(AddressFailures.address).where(last_count < func.now() - settings.within).limit(100)
    session.execute(
        delete(AddressFailures).where(AddressFailures.address.in_(old.with_for_update(skip_locked=True))),
        execution_options={"synchronize_session": False},
    )
