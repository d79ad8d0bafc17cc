"""Who controls an account: the administrators who lately made it, or changed what proves it or what it may do.

Whoever did could act in its holder's name. So nobody decides alone by two accounts: what an account asks for is decided
by none that the same administrator controls, be it through other administrators.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from services.common.messaging.rpc import Caller
from services.common.settings import read_settings, settings_class
from services.membership.models import Account, AccountControl

MADE, LINK, PHONE, ROLES, FACTOR = "made", "link", "phone", "roles", "factor"


@settings_class
class ControlSettings:
    """How long an administrator's act on an account counts; read from the environment by `read_settings`."""

    account_control_days: float = 7

    @property
    def lasts(self) -> timedelta:
        """For so long an administrator who acted on an account controls it."""
        return timedelta(days=self.account_control_days)


def control(session: Session, account: Account, administrator_id: UUID, kind: str) -> None:
    """From now on, and for a while, this administrator controls the account."""
    now = datetime.now(UTC)
    session.add(
        AccountControl(
            control_id=uuid7(), account_id=account.account_id, administrator_id=administrator_id, kind=kind, at=now
        )
    )
    account.controlled_at = now


def controlled_by(session: Session, account: Account, caller: Caller, kind: str) -> None:
    """As `control`, by the caller."""
    control(session, account, UUID(caller.account_id), kind)


def controllers_of(session: Session, account: Account) -> set[UUID]:
    """Who controls the account now: directly, or by having controlled, before it acted, who does.

    An account that nobody has acted on lately costs no statement.
    """
    since = datetime.now(UTC) - read_settings(ControlSettings).lasts
    if account.controlled_at is None or account.controlled_at <= since:
        return set()
    edge = AccountControl
    found = (
        select(edge.administrator_id, edge.at)
        .where(edge.account_id == account.account_id, edge.at > since)
        .cte("controllers", recursive=True)
    )
    above = select(edge.administrator_id, edge.at).join(
        found, (edge.account_id == found.c.administrator_id) & (edge.at > since) & (edge.at <= found.c.at)
    )
    found = found.union(above)
    return set(session.scalars(select(found.c.administrator_id).group_by(found.c.administrator_id)))


def who_may_act_as(session: Session, account: Account) -> set[UUID]:
    """The account's holder, and who controls it. Of two such sets that meet, one administrator could act as both."""
    return {account.account_id, *controllers_of(session, account)}
