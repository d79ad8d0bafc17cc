"""Adds accounts to audit events: the affected account, or its holder as the caller."""

from typing import Any

from sqlalchemy.orm import Session

from services.kit.operations import audit
from services.kit.rpc.methods import Caller
from services.membership.models import Account

_CHANGEABLE = ("display_name", "roles", "phone", "disabled")


def record_account(session: Session, account: Account) -> None:
    """Adds the account to the records of the command's audit event."""
    audit.record(session, ("account", account.account_id), union_id=account.union_id)


def record_holder(session: Session, account: Account) -> None:
    """Sets the account's holder as the caller of the audit event, once sign-in or a password choice proves it."""
    record_account(session, account)
    audit.record_actor(
        session,
        Caller(
            account_id=str(account.account_id),
            account_name=account.account_name,
            display_name=account.display_name,
            roles=frozenset(account.roles),
            union_id=str(account.union_id),
        ),
    )


def changeable(account: Account) -> dict[str, Any]:
    """The values of an account that administrators change, as old or new values of an audit event in JSON types."""
    return {name: getattr(account, name) for name in _CHANGEABLE}
