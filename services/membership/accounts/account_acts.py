"""What audit events say of accounts: which one somebody acts on, and that its holder acts."""

from typing import Any

from sqlalchemy.orm import Session

from services.kit.operations import audit
from services.kit.rpc.methods import Caller
from services.membership.models import Account

_CHANGEABLE = ("display_name", "roles", "phone", "disabled")


def record_account(session: Session, account: Account) -> None:
    """Records the account that the command acts on."""
    audit.record(session, ("account", account.account_id), union_id=account.union_id)


def record_holder(session: Session, account: Account) -> None:
    """Records that the account's holder acts: signing in or choosing a password proves it."""
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
    """What administrators change of an account, as the old or new values of an audit event, which are open JSON."""
    return {name: getattr(account, name) for name in _CHANGEABLE}
