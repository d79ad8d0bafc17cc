"""Event builders for the holder of an account, who hears of each change of what proves it or of what it may do."""

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

    `by` is the administrator, and None where the holder did it.
    """
    numbers = [account.phone] if phones is None else phones
    holder = AccountHolder(
        account_name=account.account_name,
        phones=list(dict.fromkeys(number for number in numbers if number)),
        changed_by=name_of(by) if by else None,
    )
    _publish(session, account, change, holder)


def ask_to_confirm(session: Session, account: Account, by: Caller, union_ids: Sequence[UUID]) -> None:
    """Publishes that another telephone number is requested: the holder hears it, administrators of unions confirm."""
    phones = [account.phone] if account.phone else []
    holder = AccountHolder(account_name=account.account_name, phones=phones, changed_by=name_of(by))
    _publish(session, account, "phone_change_requested", holder, union_ids)


def name_of(administrator: Caller) -> str:
    """How an administrator is named to holders and in the log."""
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
