"""What the holder of an account is told of: each change of what proves it or of what it may do, whoever made it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from services.contracts.events.membership import ACCOUNT_CHANGED
from services.kit.events.outbox import tell
from services.kit.rpc.methods import Caller
from services.membership.models import Account


def tell_holder(
    session: Session,
    account: Account,
    change: str,
    by: Caller | None = None,
    phones: Sequence[str | None] | None = None,
) -> None:
    """Tells of a change (ACCOUNT_CHANGES), at the account's telephone unless others are named.

    `by` is the administrator, and None where the holder did it.
    """
    numbers = [account.phone] if phones is None else phones
    holder = {
        "account_name": account.account_name,
        "phones": list(dict.fromkeys(number for number in numbers if number)),
        "changed_by": name_of(by) if by else None,
    }
    _tell(session, account, {"change": change, "holder": holder})


def ask_to_confirm(session: Session, account: Account, by: Caller, union_ids: Sequence[UUID]) -> None:
    """Tells the holder that another telephone number is asked for, and asks the administrators of unions to confirm."""
    phones = [account.phone] if account.phone else []
    holder = {"account_name": account.account_name, "phones": phones, "changed_by": name_of(by)}
    told = {"change": "phone_change_requested", "holder": holder, "administrators_of": union_ids}
    _tell(session, account, told)


def name_of(administrator: Caller) -> str:
    """How an administrator is named to holders and in the log."""
    if administrator.account_name is None:
        return administrator.display_name or ""
    return f"{administrator.display_name}（{administrator.account_name}）"


def _tell(session: Session, account: Account, what: Mapping[str, Any]) -> None:
    facts = {"account_id": account.account_id, "union_id": account.union_id, "changed_at": datetime.now(UTC)}
    tell(session, ACCOUNT_CHANGED, {"change_id": uuid7(), **facts, **what}, subject=str(account.account_id))
