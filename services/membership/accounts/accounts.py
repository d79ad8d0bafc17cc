"""Accounts that administrators manage for their union and its subordinates: create, find, change, unlock."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_, any_, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from services.contracts.masks import mask_phone
from services.contracts.operations.membership.accounts import (
    AccountItem,
    AccountRequest,
    CreateAccountRequest,
    ListAccountsAnswer,
    ListAccountsRequest,
    NewAccountAnswer,
    ResetLinkAnswer,
    UpdateAccountRequest,
)
from services.contracts.values import InvalidValue, clean_mobile
from services.kit.data.lists.ordering import in_order
from services.kit.data.lists.page_rows import page_of
from services.kit.operations import audit
from services.kit.problems import Conflict, Forbidden, NotFound
from services.kit.rpc.methods import Caller
from services.kit.rpc.work import Work
from services.kit.schemas import UNSET, change_fields
from services.kit.settings import read_settings, settings_class
from services.membership.accounts import controls
from services.membership.accounts.account_audit import changeable, record_account
from services.membership.accounts.account_links import send_link, void_links
from services.membership.accounts.account_notifications import notify_holder
from services.membership.accounts.delegations import end_all_of
from services.membership.identity import lockout, passwords, sessions
from services.membership.members.member_documents import phone_digest
from services.membership.models import Account, Union
from services.membership.unions import open_union_in_scope, own_and_subordinates, require_open, union_in_scope

ADMINISTRATOR, OPERATOR = "administrator", "operator"


@settings_class
class FirstLinkSettings:
    """How long the link of a new account works; read from the environment by `read_settings`."""

    first_link_hours: float = 24


def list_accounts(work: Work, request: ListAccountsRequest) -> ListAccountsAnswer:
    """A page of the accounts of one union, or of all in the caller's scope, by name.

    So an administrator of a superior union can find an account whose holder forgot its name. Raises NotFound for a
    union out of scope.
    """
    session, caller = work.session, work.caller
    columns = {"account_name": Account.account_name, "last_signed_in_at": Account.last_signed_in_at}
    order = in_order(request.sort, columns, Account.account_name)
    matching = select(Account, Union).join(Union, Union.union_id == Account.union_id).order_by(*order)
    if request.union_id is not UNSET:
        matching = matching.where(Account.union_id == union_in_scope(session, caller, request.union_id).union_id)
    else:
        matching = matching.where(own_and_subordinates(caller))
    if request.q is not UNSET:
        matching = matching.where(_is_about(request.q))
    if request.state is not UNSET:
        matching = matching.where(_has_state(request.state))
    rows, counted = page_of(session, matching, request)
    return ListAccountsAnswer.of([account_answer(row.Account, row.Union) for row in rows], request, counted)


def get_account(work: Work, request: AccountRequest) -> AccountItem:
    """An account in the caller's scope; raises NotFound."""
    account = work.session.get(Account, request.account_id)
    if account is None:
        raise _not_found()
    return account_answer(account, _union_of(work.session, work.caller, account))


def create_account(work: Work, request: CreateAccountRequest) -> NewAccountAnswer:
    """Creates an account of a union in scope; its holder gets a link to choose the first password.

    Raises NotFound, Forbidden for roles that the union or one account cannot have, Conflict `account_exists`,
    `own_phone` and `union_ended`.
    """
    union = open_union_in_scope(work.session, work.caller, request.union_id)
    account, sent = open_account(work.session, work.caller, union, request)
    audit.record(work.session, new={"account_name": account.account_name, **changeable(account)})
    return NewAccountAnswer(**vars(account_answer(account, union)), **vars(sent))


def open_account(
    session: Session, caller: Caller, union: Union, request: CreateAccountRequest
) -> tuple[Account, ResetLinkAnswer]:
    """As `create_account`, of a union in scope that stays open; returns the account, and where the link was sent."""
    _check_roles(union, request.roles)
    account = account_without_password(union, request.account_name, request.display_name, request.roles)
    refuse_own_phone(session, caller, account, request.phone)
    set_phone(account, request.phone)
    session.add(account)
    try:
        session.flush()
    except IntegrityError as taken:
        raise Conflict("account_exists", "该账号已被使用", "请换一个账号。") from taken
    record_account(session, account)
    controls.controlled_by(session, account, caller, controls.MADE)
    lasts = timedelta(hours=read_settings(FirstLinkSettings).first_link_hours)
    sent = send_link(session, account, caller, lasts, is_first=True)
    return account, sent


def account_without_password(union: Union, account_name: str, display_name: str, roles: list[str]) -> Account:
    """A new account that cannot be signed in to before its holder has chosen a password by a link."""
    return _account(union, account_name, display_name, roles, passwords.unusable_password())


def new_account(union: Union, account_name: str, display_name: str, roles: list[str], password: str) -> Account:
    """A new account, not added to a session yet; its password must be changed at the first sign-in."""
    return _account(union, account_name, display_name, roles, passwords.hash_password(password))


def update_account(work: Work, request: UpdateAccountRequest) -> AccountItem:
    """Changes the present fields of an account.

    Raises NotFound, Forbidden for a role that the union cannot have, Conflict `own_account` for one's own roles or
    closing one's own account, Conflict `last_administrator`, and `union_ended` for opening an account again.
    """
    session, caller = work.session, work.caller
    account, union = managed_account(session, caller, request.account_id)
    before = changeable(account)
    roles = sorted(set(account.roles if request.roles is UNSET else request.roles))
    disabled = account.disabled if request.disabled is UNSET else request.disabled
    if (roles, disabled) != (account.roles, account.disabled):
        refuse_own(caller, account, "不能修改自己的角色，也不能停用自己的账号")
        _check_roles(union, roles)
        if _administers(account) and (disabled or ADMINISTRATOR not in roles):
            _keep_an_administrator(session, caller, account)
        if not disabled:
            require_open(session, union.union_id)
        _change_rights(session, caller, account, roles, disabled=disabled)
    change_fields(account, request, ("display_name",))
    audit.record(session, old=before, new=changeable(account))
    return account_answer(account, union)


def unlock_account(work: Work, request: AccountRequest) -> AccountItem:
    """Unlocks an account that too many wrong passwords have locked; its holder is notified.

    Unlocking allows further guesses, so the administrator counts as controlling the account. Nothing happens where no
    failure is counted, so that no holder is flooded with SMS. Raises NotFound, Conflict `own_account`.
    """
    session, caller = work.session, work.caller
    account, union = managed_account(session, caller, request.account_id)
    refuse_own(caller, account, "不能解锁自己的账号")
    if lockout.forget_failures(session, account):
        controls.controlled_by(session, account, caller, controls.UNLOCKED)
        notify_holder(session, account, "unlocked", caller)
    return account_answer(account, union)


def managed_account(session: Session, caller: Caller, account_id: UUID) -> tuple[Account, Union]:
    """An account in scope, locked until the transaction ends, and its union; raises NotFound."""
    account = session.get(Account, account_id, with_for_update=True)
    if account is None:
        raise _not_found()
    record_account(session, account)
    return account, _union_of(session, caller, account)


def close_account(session: Session, account: Account, caller: Caller) -> None:
    """Disables an account: ends its sessions, links and delegations."""
    sessions.end_all(session, account, "account_disabled")
    void_links(session, account)
    account.disabled = True
    end_all_of(session, account, caller)


def move_account(session: Session, account: Account, union: Union) -> None:
    """Moves an account into the union that its own was merged into: its holder signs in again."""
    record_account(session, account)
    sessions.end_all(session, account, "roles_changed")
    account.union_id = union.union_id


def refuse_own(caller: Caller, account: Account, what: str) -> None:
    """Raises Conflict `own_account` for an operation that nobody may do on the own account."""
    if str(account.account_id) == caller.account_id:
        raise Conflict("own_account", what, "请由其他管理员操作。")


def refuse_own_phone(session: Session, caller: Caller, account: Account, phone: str | None) -> None:
    """Raises Conflict `own_phone` for the caller's own number on another account."""
    own = session.get(Account, UUID(caller.account_id))
    if phone and own is not None and own.account_id != account.account_id and own.phone == phone:
        raise Conflict("own_phone", "不能将自己的手机号登记到他人的账号", "请填写账号使用人本人的手机号。")


def is_same_person(one: Account, other: Account) -> bool:
    """Whether two accounts are the same, or share a telephone, where links for both arrive."""
    has_phone = one.phone_digest is not None
    return one.account_id == other.account_id or (has_phone and one.phone_digest == other.phone_digest)


def set_phone(account: Account, phone: str | None) -> None:
    """Sets an account's telephone number and its digest for searches."""
    account.phone = phone
    account.phone_digest = phone_digest(phone) if phone else None


def account_answer(account: Account, union: Union) -> AccountItem:
    """An account in the form for administrators."""
    return AccountItem(
        account_id=account.account_id,
        union_id=account.union_id,
        union_name=union.name,
        account_name=account.account_name,
        display_name=account.display_name,
        roles=account.roles,
        phone=mask_phone(account.phone) if account.phone else None,
        state=_state_of(account),
        disabled=account.disabled,
        locked_until=account.locked_until if lockout.is_locked(account) else None,
        last_signed_in_at=account.last_signed_in_at,
        must_change_password=account.must_change_password,
        has_second_factor=account.totp_confirmed_at is not None,
        created_at=account.created_at,
    )


def _account(union: Union, account_name: str, display_name: str, roles: list[str], password_hash: str) -> Account:
    return Account(
        account_id=uuid7(),
        union_id=union.union_id,
        account_name=account_name,
        display_name=display_name,
        roles=sorted(set(roles)),
        password_hash=password_hash,
        must_change_password=True,
        disabled=False,
        created_at=datetime.now(UTC),
    )


def _change_rights(session: Session, caller: Caller, account: Account, roles: list[str], *, disabled: bool) -> None:
    """Sets an account's roles and whether it is disabled, with the consequences for sessions and links."""
    if roles != account.roles:
        sessions.end_all(session, account, "roles_changed")
        controls.controlled_by(session, account, caller, controls.ROLES)
        notify_holder(session, account, "roles_changed", caller)
    if not disabled and account.disabled:
        controls.controlled_by(session, account, caller, controls.REOPENED)
        notify_holder(session, account, "reopened", caller)
    account.roles = roles
    if disabled:
        close_account(session, account, caller)
    else:
        account.disabled = False
        end_all_of(session, account, caller)


def _union_of(session: Session, caller: Caller, account: Account) -> Union:
    """The account's union; raises NotFound for an account out of scope."""
    try:
        return union_in_scope(session, caller, account.union_id)
    except NotFound as out_of_scope:
        raise _not_found() from out_of_scope


def _not_found() -> NotFound:
    return NotFound(title="未找到该账号")


def _check_roles(union: Union, roles: list[str]) -> None:
    """Raises for invalid roles. Choice: operators serve the whole system, so only the city's union has them, without
    other roles."""
    if OPERATOR not in roles:
        return
    if union.kind != "city":
        raise Forbidden("role_not_allowed", "只有市总工会可以设置运维角色")
    if set(roles) != {OPERATOR}:
        raise Forbidden("operator_alone", "运维角色不能与其他角色同时设置", "请为运维人员单独新增账号。")


def _administers(account: Account) -> bool:
    return ADMINISTRATOR in account.roles and not account.disabled


def _keep_an_administrator(session: Session, caller: Caller, account: Account) -> None:
    """Raises Conflict `last_administrator`; also if two administrators disable each other's accounts concurrently.

    A superior union may leave a subordinate without an administrator, for it can create another.
    """
    if str(account.union_id) != caller.union_id:
        return
    session.execute(select(1).where(Union.union_id == account.union_id).select_from(Union).with_for_update())
    others = select(Account.account_id).where(
        Account.union_id == account.union_id,
        Account.account_id != account.account_id,
        Account.disabled.is_(False),
        any_(Account.roles) == ADMINISTRATOR,
    )
    if session.scalar(others.limit(1)) is None:
        raise Conflict("last_administrator", "本工会至少保留一个管理员", "请先增加其他管理员。")


def _is_about(words: str) -> ColumnElement[bool]:
    about = or_(
        Account.account_name.contains(words.lower(), autoescape=True),
        Account.display_name.contains(words, autoescape=True),
    )
    try:
        return or_(about, Account.phone_digest == phone_digest(clean_mobile(words)))
    except InvalidValue:
        return about


def _has_state(state: str) -> ColumnElement[bool]:
    locked = func.coalesce(Account.locked_until > func.now(), False)
    return {
        "disabled": Account.disabled.is_(True),
        "locked": and_(Account.disabled.is_(False), locked),
        "active": and_(Account.disabled.is_(False), ~locked),
    }[state]


def _state_of(account: Account) -> str:
    if account.disabled:
        return "disabled"
    return "locked" if lockout.is_locked(account) else "active"
