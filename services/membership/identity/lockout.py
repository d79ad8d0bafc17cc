"""Counts failures and delays further tries; nobody's failures lock another out (GB/T 22239-2019 8.1.4.1).

Failures of an address are counted by kind, and make only the captchas for that address harder. For an account, failures
of devices that never signed it in are counted together by its name, whether it exists or not; after some of them each
further try has to wait. A device that has signed it in has a count of its own. A try is counted before it is verified,
so that concurrent tries have no advantage over sequential ones.
"""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import prometheus_client as metrics
from sqlalchemy import ColumnElement, and_, case, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.contracts.operations.membership.identity import CAPTCHA_PURPOSES
from services.kit.data.encryption import blind_index
from services.kit.origins import counted_origin
from services.kit.settings import read_settings, settings_class
from services.membership.models import OF_STRANGERS, Account, FailureCount

HARDEST_LEVEL = 5

_failures = metrics.Counter("sign_in_failures", "Failed sign-ins, and wrong captchas before them.", ["kind"])
for _purpose in CAPTCHA_PURPOSES:
    _failures.labels(_purpose)
(_NAME, _PROOF), _DEVICE = OF_STRANGERS, "device"


@settings_class
class LockoutSettings:
    """How many failures cause delays, and how long these are; read from the environment by `read_settings`."""

    sign_in_failures_per_account: int = 5
    """Failures without delay of devices that never signed the account in; each further try has to wait."""
    sign_in_failures_per_address: int = 10
    """Failures of one kind from which captchas get harder, by a level with each doubling."""
    sign_in_failures_minutes: float = 30
    sign_in_delay_seconds: float = 5
    """The delay of the first further try; it doubles with each one."""
    sign_in_longest_delay_seconds: float = 300

    @property
    def within(self) -> timedelta:
        """The period after which failures are forgotten."""
        return timedelta(minutes=self.sign_in_failures_minutes)

    def delay_after(self, failures: int) -> timedelta:
        """The delay of the next try after so many failures."""
        doublings = min(failures - self.sign_in_failures_per_account, 30)
        return timedelta(seconds=min(self.sign_in_longest_delay_seconds, self.sign_in_delay_seconds * 2**doublings))


@dataclass(frozen=True)
class Counter:
    """The key of a count of tries."""

    kind: str
    subject: str
    account_name: str | None = None
    account_id: UUID | None = None

    @property
    def is_of_device(self) -> bool:
        """Whether it counts only the tries of a device that has signed the account in."""
        return self.kind == _DEVICE


def of_name(account_name: str) -> Counter:
    """The counter of unknown devices' sign-in tries by a name; only a digest, for it may be a mistyped password."""
    return Counter(_NAME, blind_index(account_name, "account name").hex(), account_name=account_name)


def of_proof(account_id: UUID) -> Counter:
    """The counter of unknown devices' tries to re-authenticate in a session of the account."""
    return Counter(_PROOF, str(account_id), account_id=account_id)


def of_device(account_id: UUID, device_id: UUID) -> Counter:
    """The counter of the tries of a device that has signed the account in."""
    return Counter(_DEVICE, f"{account_id} {device_id}", account_id=account_id)


def count_attempt(session: Session, counter: Counter) -> int:
    """Counts a try as failed; returns 0 where it is accepted, else the seconds until the next one is."""
    now, settings = datetime.now(UTC), read_settings(LockoutSettings)
    named = select(Account.account_id).where(Account.account_name == counter.account_name).scalar_subquery()
    account_id = named if counter.account_id is None else counter.account_id
    row = {"kind": counter.kind, "subject": counter.subject, "failures": 1, "counted_at": now}
    failures = session.scalar(
        insert(FailureCount)
        .values(**row, account_id=account_id)
        .on_conflict_do_update(
            index_elements=[FailureCount.kind, FailureCount.subject],
            set_={
                "failures": case((_is_old(settings), 1), else_=FailureCount.failures + 1),
                "counted_at": now,
                "account_id": account_id,  # the account may have been created after the count
            },
            where=_is_free(now),
        )
        .returning(FailureCount.failures)
    )
    if failures is None:
        free_at = session.scalar(select(FailureCount.free_at).where(_is(counter)))
        return 1 if free_at is None else max(1, math.ceil((free_at - now).total_seconds()))
    if failures >= settings.sign_in_failures_per_account:
        free_at = now + settings.delay_after(failures)
        session.execute(update(FailureCount).where(_is(counter)).values(free_at=free_at))
    return 0


def discount_attempt(session: Session, counter: Counter) -> None:
    """Removes the last try from the count, since it was right; earlier ones still count."""
    fewer = func.greatest(0, FailureCount.failures - 1)
    session.execute(update(FailureCount).where(_is(counter)).values(failures=fewer, free_at=None))


def forget(session: Session, counter: Counter) -> None:
    """Deletes the count."""
    session.execute(delete(FailureCount).where(_is(counter)))


def forget_failures(session: Session, account: Account) -> bool:
    """Deletes all counts of the account, also by its name, so that every device can try at once; false if none were.

    The counts are locked in the same order as by a try, that of a device first.
    """
    found = (
        select(FailureCount)
        .where(or_(FailureCount.account_id == account.account_id, _is(of_name(account.account_name))))
        .order_by(FailureCount.kind, FailureCount.subject)
        .with_for_update()
    )
    counts = session.scalars(found).all()
    for count in counts:
        session.delete(count)
    session.flush()
    session.expire(account, ["locked_until"])
    return bool(counts)


def is_locked(account: Account) -> bool:
    """Whether devices that never signed the account in have to wait."""
    return account.locked_until is not None and account.locked_until > datetime.now(UTC)


def count_failure_of_address(session: Session, kind: str, origin: str | None) -> None:
    """Counts a failure of a kind, one of the contract's CAPTCHA_PURPOSES, from an address."""
    _failures.labels(kind).inc()
    if origin is None:
        return
    now, settings = datetime.now(UTC), read_settings(LockoutSettings)
    _forget_old(session, settings)
    session.execute(
        insert(FailureCount)
        .values(kind=kind, subject=counted_origin(origin), failures=1, counted_at=now)
        .on_conflict_do_update(
            index_elements=[FailureCount.kind, FailureCount.subject],
            set_={
                "failures": case((_is_old(settings), 1), else_=FailureCount.failures + 1),
                "counted_at": case((_is_old(settings), now), else_=FailureCount.counted_at),
            },
        )
    )


def level_of_address(session: Session, kind: str, origin: str | None) -> int:
    """The captcha level for this kind of form at an address: 0 after few failures."""
    settings = read_settings(LockoutSettings)
    counted = Counter(kind, counted_origin(origin))
    failures = session.scalar(select(FailureCount.failures).where(_is(counted), ~_is_old(settings))) or 0
    if failures < settings.sign_in_failures_per_address:
        return 0
    return min(HARDEST_LEVEL, 1 + int(math.log2(failures / settings.sign_in_failures_per_address)))


def _is(counter: Counter) -> ColumnElement[bool]:
    return and_(FailureCount.kind == counter.kind, FailureCount.subject == counter.subject)


def _is_old(settings: LockoutSettings) -> ColumnElement[bool]:
    return FailureCount.counted_at < datetime.now(UTC) - settings.within


def _is_free(now: datetime) -> ColumnElement[bool]:
    return or_(FailureCount.free_at.is_(None), FailureCount.free_at <= now)


def _forget_old(session: Session, settings: LockoutSettings) -> None:
    old = select(FailureCount.kind, FailureCount.subject).where(
        _is_old(settings), or_(FailureCount.free_at.is_(None), FailureCount.free_at < func.now())
    )
    some = old.limit(100).with_for_update(skip_locked=True).cte("old")
    session.execute(
        delete(FailureCount).where(FailureCount.kind == some.c.kind, FailureCount.subject == some.c.subject),
        execution_options={"synchronize_session": False},
    )
