"""Forgotten passwords: a link from an administrator, by which the account's holder alone chooses another one."""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from services.common.contracts.membership import RESET_LINK_MADE
from services.common.messaging.outbox import tell
from services.common.messaging.rpc import Caller
from services.common.personal import mask_account_name, mask_phone
from services.common.problems import Conflict, NotFound
from services.common.settings import read_settings, settings_class
from services.membership import devices, passwords, sessions
from services.membership.account_acts import note_account, note_holder
from services.membership.accounts import managed_account, refuse_own
from services.membership.lockout import forget_failures
from services.membership.models import Account, ResetLink

_PAGE = "/reset#"
"""The token stands behind `#`: browsers keep that part to themselves, so that no log of a server holds it."""


@settings_class
class ResetLinkSettings:
    """How long a link works; read from the environment by `read_settings`."""

    reset_link_minutes: float = 30


def create_reset_link(session: Session, caller: Caller, account_id: UUID, send_sms: bool) -> dict[str, Any]:
    """A link for an account within reach, told once, which makes all earlier ones void.

    Raises NotFound, Conflict `own_account`, `account_disabled` and, where it is to be sent, `no_phone`.
    """
    account, _ = managed_account(session, caller, account_id)
    refuse_own(caller, account, "不能重置自己的密码")
    if account.disabled:
        raise Conflict("account_disabled", "账号已停用，不能重置密码", "请先启用账号。")
    if send_sms and account.phone is None:
        raise Conflict("no_phone", "该账号没有手机号，无法发送短信", "请先填写手机号，或直接将链接交给本人。")
    void_links(session, account)
    token = secrets.token_urlsafe(32)
    link = ResetLink(
        token_hash=_hash_of(token),
        account_id=account.account_id,
        made_by=UUID(caller.account_id),
        expires_at=datetime.now(UTC) + timedelta(minutes=read_settings(ResetLinkSettings).reset_link_minutes),
    )
    session.add(link)
    if send_sms:
        _tell_made(session, account, link, token)
    return {
        "url_path": _PAGE + token,
        "token": token,
        "expires_at": link.expires_at,
        "sent_to": mask_phone(account.phone) if send_sms and account.phone else None,
    }


def check_reset_link(session: Session, token: str) -> dict[str, Any]:
    """Whose link it is, for the page to greet by; raises NotFound `reset_link_invalid` for any that does not work.

    Nothing is counted: nobody guesses 256 bits, and who sends rubbish must not hinder others at the address.
    """
    link, account = _working(session, token)
    return {"account_name": mask_account_name(account.account_name), "expires_at": link.expires_at}


def reset_password(session: Session, token: str, new_password: str) -> dict[str, Any]:
    """Gives the link's account the password that its holder chose, unlocks it, ends its sessions, uses the link up.

    No device is known for it any more. Raises NotFound `reset_link_invalid` as `check_reset_link` does, and Invalid for
    a weak password, after which the link still works.
    """
    link, account = _working(session, token)
    note_account(session, account)
    session.refresh(account, with_for_update=True)
    session.refresh(link, with_for_update=True)
    if not _works(link, account):
        raise _invalid()
    passwords.check_choice(new_password, account.account_name)
    account.password_hash = passwords.hash_password(new_password)
    account.must_change_password = False
    note_holder(session, account)
    forget_failures(session, account)
    devices.forget_all(session, account.account_id)
    sessions.end_all(session, account, "password_reset")
    link.used_at = datetime.now(UTC)
    return {"account_name": account.account_name}


def void_links(session: Session, account: Account) -> None:
    """No link made for the account until now works any more."""
    session.execute(
        update(ResetLink)
        .where(ResetLink.account_id == account.account_id, ResetLink.used_at.is_(None), ResetLink.void_since.is_(None))
        .values(void_since=func.now())
    )


def _working(session: Session, token: str) -> tuple[ResetLink, Account]:
    found = session.execute(
        select(ResetLink, Account)
        .join(Account, Account.account_id == ResetLink.account_id)
        .where(ResetLink.token_hash == _hash_of(token))
    ).one_or_none()
    if found is None or not _works(found.ResetLink, found.Account):
        raise _invalid()
    return found.ResetLink, found.Account


def _works(link: ResetLink, account: Account) -> bool:
    is_open = link.used_at is None and link.void_since is None
    return is_open and link.expires_at > datetime.now(UTC) and not account.disabled


def _invalid() -> NotFound:
    """One for all reasons: who guesses learns nothing."""
    return NotFound("reset_link_invalid", "链接无效或已失效", "请联系上级工会管理员重新获取重置链接。")


def _tell_made(session: Session, account: Account, link: ResetLink, token: str) -> None:
    recipient = {"phone": account.phone, "account_name": account.account_name, "url_path": _PAGE + token}
    told = {"account_id": account.account_id, "expires_at": link.expires_at, "recipient": recipient}
    tell(session, RESET_LINK_MADE, told)


def _hash_of(token: str) -> bytes:
    """The token has 256 random bits: nothing slower is needed to keep it from being guessed."""
    return hashlib.sha256(token.encode()).digest()
