"""Links by which an account's holder chooses a password: sent to the account's telephone, void by newer ones."""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import func, update
from sqlalchemy.orm import Session

from services.contracts.events.membership import RESET_LINK_MADE, ResetLinkMadeData, ResetLinkRecipient
from services.contracts.masks import mask_phone
from services.contracts.operations.membership.accounts import ResetLinkAnswer
from services.kit.events.outbox import publish
from services.kit.rpc.methods import Caller
from services.kit.schemas import required
from services.membership.accounts.account_notifications import name_of
from services.membership.models import Account, ResetLink

_PAGE = "/reset#"
"""The page's path; the token follows `#`, a part that browsers do not send, so that no server logs it."""


def send_link(
    session: Session, account: Account, by: Caller, lasts: timedelta, *, is_first: bool = False
) -> ResetLinkAnswer:
    """Sends a link to the account's telephone, which makes all earlier links void.

    Nobody else gets it, not even the administrator who requested it. The account must have a telephone.
    """
    void_links(session, account)
    phone, token = required(account.phone), secrets.token_urlsafe(32)
    link = ResetLink(
        token_hash=hash_of(token),
        account_id=account.account_id,
        made_by=UUID(by.account_id),
        is_for_holder=True,
        expires_at=datetime.now(UTC) + lasts,
    )
    session.add(link)
    recipient = ResetLinkRecipient(
        phone=phone, account_name=account.account_name, url_path=_PAGE + token, made_by=name_of(by)
    )
    data = ResetLinkMadeData(
        account_id=account.account_id, expires_at=link.expires_at, is_first=is_first, recipient=recipient
    )
    publish(session, RESET_LINK_MADE, data)
    return ResetLinkAnswer(expires_at=link.expires_at, sent_to=mask_phone(phone))


def void_links(session: Session, account: Account) -> None:
    """Makes all existing links of the account void."""
    session.execute(
        update(ResetLink)
        .where(ResetLink.account_id == account.account_id, ResetLink.used_at.is_(None), ResetLink.void_since.is_(None))
        .values(void_since=func.now())
    )


def hash_of(token: str) -> bytes:
    """The hash of a token; its 256 random bits cannot be guessed, so no slow hash is needed."""
    return hashlib.sha256(token.encode()).digest()
