"""Forgotten passwords: a link to the holder's telephone, by which only the holder chooses another one."""

import math
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.contracts.masks import mask_account_name
from services.contracts.operations.membership.accounts import (
    AccountRequest,
    CheckResetLinkAnswer,
    CheckResetLinkRequest,
    ResetLinkAnswer,
    ResetPasswordAnswer,
    ResetPasswordRequest,
)
from services.kit.operations import audit
from services.kit.problems import Conflict, NotFound, Problem
from services.kit.rpc.methods import Caller
from services.kit.rpc.work import Work
from services.kit.settings import read_settings, settings_class
from services.membership.accounts import controls
from services.membership.accounts.account_audit import record_account, record_holder
from services.membership.accounts.account_links import hash_of, send_link
from services.membership.accounts.account_notifications import notify_holder
from services.membership.accounts.accounts import managed_account, refuse_own
from services.membership.accounts.phone_changes import blocks_links, open_change
from services.membership.identity import devices, passwords, sessions
from services.membership.identity.lockout import forget_failures
from services.membership.models import Account, ResetLink, Union


@settings_class
class ResetLinkSettings:
    """How long a link works; read from the environment by `read_settings`."""

    reset_link_minutes: float = 30
    reset_link_after_phone_change_hours: float = 24
    """How long no link is sent to a changed telephone number; its holder is notified first."""
    reset_links_a_day: int = 5
    """Most links that one administrator requests for one account, so that nobody floods a holder with SMS."""


def create_reset_link(work: Work, request: AccountRequest) -> ResetLinkAnswer:
    """Sends the holder of an account in scope a link, which makes all earlier links void.

    Raises NotFound, Conflict `own_account`, `account_disabled`, `no_phone`, `phone_change_waits` and
    `phone_changed_recently`, and with status 429 and the time of the next attempt Problem `too_many_links`.
    """
    session, caller = work.session, work.caller
    account, _ = managed_account(session, caller, request.account_id)
    refuse_own(caller, account, "不能重置自己的密码")
    if account.disabled:
        raise Conflict("account_disabled", "账号已停用，不能重置密码", "请先启用账号。")
    _check_phone(session, account)
    settings = read_settings(ResetLinkSettings)
    _check_count(session, account, caller, settings.reset_links_a_day)
    sent = send_link(session, account, caller, timedelta(minutes=settings.reset_link_minutes))
    controls.controlled_by(session, account, caller, controls.LINK)
    audit.record(session, new={"phone": account.phone})
    notify_holder(session, account, "link_sent", caller, phones=())
    return sent


def check_reset_link(work: Work, request: CheckResetLinkRequest) -> CheckResetLinkAnswer:
    """The account of a link, for the page's greeting; raises NotFound `reset_link_invalid` for an invalid link.

    Failures are not counted: nobody can guess 256 bits, and invalid requests must not block others at the address.
    """
    link, account = _working(work.session, request.token)
    return CheckResetLinkAnswer(account_name=mask_account_name(account.account_name), expires_at=link.expires_at)


def reset_password(work: Work, request: ResetPasswordRequest) -> ResetPasswordAnswer:
    """Sets the link's account the password that its holder chose, unlocks it, ends its sessions, and consumes the link.

    The device becomes the only known one, so that others' failures at the name do not delay it; the link proves as much
    as a password does. Raises NotFound `reset_link_invalid` as `check_reset_link` does, and
    Invalid for a weak password, after which the link still works.
    """
    session = work.session
    link, account = _lock_working(session, request.token)
    union = session.get_one(Union, account.union_id)
    passwords.check_choice(request.new_password, account, union.name)
    account.password_hash = passwords.hash_password(request.new_password)
    account.must_change_password = False
    record_holder(session, account)
    forget_failures(session, account)
    devices.forget_all(session, account.account_id, but=request.device_id)
    devices.remember(session, request.device_id, account.account_id)
    sessions.end_all(session, account, "password_reset")
    link.used_at = datetime.now(UTC)
    _note_maker(session, link)
    notify_holder(session, account, "password_set")
    return ResetPasswordAnswer(account_name=account.account_name)


def _lock_working(session: Session, token: str) -> tuple[ResetLink, Account]:
    """As `_working`, with both locked until the transaction ends."""
    link, account = _working(session, token)
    record_account(session, account)
    session.refresh(account, with_for_update=True)
    session.refresh(link, with_for_update=True)
    if not _works(link, account):
        raise _invalid()
    return link, account


def _working(session: Session, token: str) -> tuple[ResetLink, Account]:
    """The link of a token and its account; raises NotFound `reset_link_invalid`."""
    found = session.execute(
        select(ResetLink, Account)
        .join(Account, Account.account_id == ResetLink.account_id)
        .where(ResetLink.token_hash == hash_of(token))
    ).one_or_none()
    if found is None or not _works(found.ResetLink, found.Account):
        raise _invalid()
    return found.ResetLink, found.Account


def _works(link: ResetLink, account: Account) -> bool:
    is_open = link.used_at is None and link.void_since is None
    return is_open and link.expires_at > datetime.now(UTC) and not account.disabled


def _invalid() -> NotFound:
    """The same problem for all reasons, so that a guess reveals nothing."""
    return NotFound("reset_link_invalid", "链接无效或已失效", "请联系上级工会管理员重新获取重置链接。")


def _check_phone(session: Session, account: Account) -> None:
    if account.phone is None:
        raise Conflict("no_phone", "该账号没有登记手机号，不能发送重置链接", "请先登记手机号，由另一名管理员确认。")
    change = open_change(session, account)
    if change is not None and blocks_links(change):
        raise Conflict("phone_change_waits", "该账号更换手机号的申请待确认，不能发送重置链接", "请等待其他管理员确认。")
    hours = read_settings(ResetLinkSettings).reset_link_after_phone_change_hours
    if account.phone_changed_at and account.phone_changed_at > datetime.now(UTC) - timedelta(hours=hours):
        raise Conflict(
            "phone_changed_recently",
            f"该账号的手机号更换后未满 {hours:g} 小时，不能发送重置链接",
            "更换情况已通知本人，请稍后再试。",
        )


def _note_maker(session: Session, link: ResetLink) -> None:
    """Adds the administrator who created the link to the holder's audit event."""
    maker = session.get(Account, link.made_by)
    if maker is not None:
        made_by = f"{maker.display_name}（{maker.account_name}）"
        audit.record(session, ("account", maker.account_id), new={"link_made_by": made_by})


def _check_count(session: Session, account: Account, by: Caller, links_a_day: int) -> None:
    """Raises Problem `too_many_links` if this administrator requested so many for the account in the last 24 hours.

    Another administrator's do not count: nobody can keep a holder from links by requesting them.
    """
    now, day = datetime.now(UTC), timedelta(days=1)
    made_at = select(ResetLink.made_at).where(
        ResetLink.account_id == account.account_id,
        ResetLink.made_by == UUID(by.account_id),
        ResetLink.made_at > now - day,
    )
    limiting = session.scalar(made_at.order_by(ResetLink.made_at.desc()).offset(links_a_day - 1).limit(1))
    if limiting is not None:
        problem = Problem(
            "too_many_links",
            429,
            f"24 小时内已向该账号发送 {links_a_day} 次链接",
            "请本人查收已发送的短信：最近一次的链接在有效期内可以使用；或由其他管理员发送。",
        )
        problem.retry_after = math.ceil((limiting + day - now).total_seconds())
        raise problem
