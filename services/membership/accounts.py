"""Accounts: sign-in, one's own password, and the accounts that administrators keep for their unions."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from services.common.contracts.rpc.paging import page_answer
from services.common.messaging.rpc import Caller
from services.common.paging import page_of
from services.common.persistence import Database
from services.common.personal import mask_phone
from services.common.problems import Conflict, FieldProblem, Forbidden, Invalid, NotFound, Problem
from services.membership import passwords
from services.membership.models import Account, Union
from services.membership.unions import reachable_union, union_answer

FAILURES_TO_LOCK = 5
FAILURES_WITHIN = timedelta(minutes=30)
LOCKED_FOR = timedelta(minutes=60)
"""Choice, for GB/T 22239-2019 8.1.4.1: five wrong passwords in half an hour lock the account for an hour."""


def sign_in(session: Session, database: Database, account_name: str, password: str) -> dict[str, Any]:
    """The account that this is the password of.

    Raises Problem `sign_in_failed`, the same and after the same time for an unknown account, a wrong password, and one
    that is locked or disabled. A failure is counted in a transaction of its own, since this one is rolled back.
    """
    account = session.scalar(select(Account).where(Account.account_name == account_name.strip().lower()))
    is_right = passwords.is_right(password, account.password_hash if account else None)
    if account is None or _is_locked(account):
        raise _sign_in_failed()
    if not is_right:
        with database.begin() as apart:
            _count_failure(apart.get_one(Account, account.account_id, with_for_update=True))
        raise _sign_in_failed()
    if account.disabled:
        raise _sign_in_failed()
    _forget_failures(account)
    return _own_answer(session, account)


def get_me(session: Session, caller: Caller) -> dict[str, Any]:
    """The caller's account as it is now; raises Problem `session_ended` where it may not work any more."""
    return _own_answer(session, _own_account(session, caller))


def change_password(session: Session, caller: Caller, current: str, new: str) -> dict[str, Any]:
    """Gives the caller's account another password; raises Invalid for a wrong current or a weak or equal new one."""
    account = _own_account(session, caller)
    if not passwords.is_right(current, account.password_hash):
        raise Invalid([FieldProblem("current_password", "password_wrong", "当前密码不正确")])
    if new == current:
        raise Invalid([FieldProblem("new_password", "password_unchanged", "新密码不能与当前密码相同")])
    passwords.check_choice(new, account.account_name)
    account.password_hash = passwords.hash_password(new)
    account.must_change_password = False
    return _own_answer(session, account)


def list_accounts(session: Session, caller: Caller, asked: dict[str, Any]) -> dict[str, Any]:
    """A page of the accounts of a union within reach, by name."""
    union = reachable_union(session, caller, asked["union_id"])
    matching = select(Account).where(Account.union_id == union.union_id).order_by(Account.account_name)
    rows, counted = page_of(session, matching, asked)
    return page_answer([_answer(row.Account) for row in rows], asked, counted)


def create_account(session: Session, caller: Caller, asked: dict[str, Any]) -> dict[str, Any]:
    """A new account of a union within reach, with a password for its first sign-in.

    Raises NotFound, Forbidden for a role that the union cannot have, Conflict `account_exists`.
    """
    union = reachable_union(session, caller, asked["union_id"])
    _check_roles(union, asked["roles"])
    password = passwords.one_time_password()
    account = new_account(union, asked["account_name"], asked["display_name"], asked["roles"], password)
    account.phone = asked["phone"]
    session.add(account)
    try:
        session.flush()
    except IntegrityError as taken:
        raise Conflict("account_exists", "该账号已被使用", "请换一个账号。") from taken
    return {**_answer(account), "one_time_password": password}


def new_account(union: Union, account_name: str, display_name: str, roles: list[str], password: str) -> Account:
    """An account that no session holds yet; its password is to be changed at the first sign-in."""
    return Account(
        account_id=uuid7(),
        union_id=union.union_id,
        account_name=account_name,
        display_name=display_name,
        roles=sorted(set(roles)),
        password_hash=passwords.hash_password(password),
        must_change_password=True,
        disabled=False,
        created_at=datetime.now(UTC),
    )


def update_account(session: Session, caller: Caller, asked: dict[str, Any]) -> dict[str, Any]:
    """Changes what is given; raises NotFound, Forbidden, and Conflict `own_account` for disabling oneself."""
    account, union = _managed(session, caller, asked["account_id"])
    if asked.get("disabled") and str(account.account_id) == caller.account_id:
        raise Conflict("own_account", "不能停用自己的账号", "请由其他管理员操作。")
    if "roles" in asked:
        _check_roles(union, asked["roles"])
        account.roles = sorted(set(asked["roles"]))
    account.display_name = asked.get("display_name", account.display_name)
    account.disabled = asked.get("disabled", account.disabled)
    return _answer(account)


def reset_password(session: Session, caller: Caller, account_id: UUID) -> dict[str, Any]:
    """Gives an account within reach a password for one sign-in, and unlocks it; raises NotFound."""
    account, _ = _managed(session, caller, account_id)
    password = passwords.one_time_password()
    account.password_hash = passwords.hash_password(password)
    account.must_change_password = True
    _forget_failures(account)
    return {"one_time_password": password}


def _own_account(session: Session, caller: Caller) -> Account:
    account = session.get(Account, caller.account_id)
    if account is None or account.disabled:
        raise Problem("session_ended", 401, "登录已失效", "请重新登录；如账号已停用，请联系上级工会。")
    return account


def _managed(session: Session, caller: Caller, account_id: UUID) -> tuple[Account, Union]:
    account = session.get(Account, account_id, with_for_update=True)
    if account is None:
        raise NotFound(title="未找到该账号")
    return account, reachable_union(session, caller, account.union_id)


def _check_roles(union: Union, roles: list[str]) -> None:
    """Choice: operators see to the whole system, so only the city's union has them."""
    if "operator" in roles and union.kind != "city":
        raise Forbidden("role_not_allowed", "只有市总工会可以设置运维角色")


def _is_locked(account: Account) -> bool:
    return account.locked_until is not None and account.locked_until > datetime.now(UTC)


def _count_failure(account: Account) -> None:
    now = datetime.now(UTC)
    if account.first_failure_at is None or account.first_failure_at < now - FAILURES_WITHIN:
        account.first_failure_at, account.failures = now, 0
    account.failures += 1
    if account.failures >= FAILURES_TO_LOCK:
        account.locked_until = now + LOCKED_FOR
        account.first_failure_at, account.failures = None, 0


def _forget_failures(account: Account) -> None:
    account.failures, account.first_failure_at, account.locked_until = 0, None, None


def _sign_in_failed() -> Problem:
    detail = f"请核对账号和密码；连续输错 {FAILURES_TO_LOCK} 次将锁定 1 小时。如忘记账号或密码，请联系上级工会。"
    return Problem("sign_in_failed", 401, "账号或密码不正确", detail)


def _own_answer(session: Session, account: Account) -> dict[str, Any]:
    return {
        "account_id": account.account_id,
        "account_name": account.account_name,
        "display_name": account.display_name,
        "roles": account.roles,
        "union": union_answer(session.get_one(Union, account.union_id)),
        "must_change_password": account.must_change_password,
    }


def _answer(account: Account) -> dict[str, Any]:
    return {
        "account_id": account.account_id,
        "union_id": account.union_id,
        "account_name": account.account_name,
        "display_name": account.display_name,
        "roles": account.roles,
        "phone": mask_phone(account.phone) if account.phone else None,
        "disabled": account.disabled,
        "must_change_password": account.must_change_password,
        "created_at": account.created_at,
    }
