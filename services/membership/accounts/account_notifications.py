"""Publishes changes of an account's credentials, telephone or roles, so that its holder is notified."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from services.contracts.events.membership import ACCOUNT_CHANGED, AccountChangedData, AccountHolder
from services.kit.events.outbox import publish
from services.kit.rpc.methods import Caller
from services.membership.models import Account


def notify_holder(
    session: Session,
    account: Account,
    change: str,
    by: Caller | None = None,
    phones: Sequence[str | None] | None = None,
) -> None:
    """Publishes a change (ACCOUNT_CHANGES) for the holder, at the account's telephone unless others are named.

    `by` is the administrator, or None where the holder made the change.
    """
    numbers = [account.phone] if phones is None else phones
    holder = AccountHolder(
        account_name=account.account_name,
        phones=list(dict.fromkeys(number for number in numbers if number)),
        changed_by=name_of(by) if by else None,
    )
    _publish(session, account, change, holder)


def notify_of_request(session: Session, account: Account, by: Caller, union_ids: Sequence[UUID]) -> None:
    """Publishes a requested change of telephone: the holder is notified, administrators of the unions may confirm."""
    phones = [account.phone] if account.phone else []
    holder = AccountHolder(account_name=account.account_name, phones=phones, changed_by=name_of(by))
    _publish(session, account, "phone_change_requested", holder, union_ids)


def name_of(administrator: Caller) -> str:
    """The name of an administrator for holders and the audit log."""
    if administrator.account_name is None:
        return administrator.display_name or ""
    return f"{administrator.display_name}（{administrator.account_name}）"


def _publish(
    session: Session, account: Account, change: str, holder: AccountHolder, administrators_of: Sequence[UUID] = ()
) -> None:
    data = AccountChangedData(
        change_id=uuid7(),
        account_id=account.account_id,
        union_id=account.union_id,
        change=change,
        changed_at=datetime.now(UTC),
        administrators_of=list(administrators_of),
        holder=holder,
    )
    publish(session, ACCOUNT_CHANGED, data, subject=str(account.account_id))
