"""What the log of acts is told of accounts: those that somebody acts on, and those whose holders act unasked who."""

from typing import Any

from sqlalchemy.orm import Session

from services.kit.operations import audit
from services.kit.rpc.methods import Caller
from services.membership.models import Account

_CHANGEABLE = ("display_name", "roles", "phone", "disabled")


def note_account(session: Session, account: Account) -> None:
    """Notes an account that the command at work acts on."""
    audit.note(session, ("account", account.account_id), union_id=account.union_id)


def note_holder(session: Session, account: Account) -> None:
    """Notes that the account's holder acts: signing in or choosing a password is proof of it."""
    note_account(session, account)
    audit.note_actor(
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
    """What administrators change of an account."""
    return {name: getattr(account, name) for name in _CHANGEABLE}
