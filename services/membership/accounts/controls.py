"""Who may act as an account: its holder, and the administrators who lately made it or changed what proves it.

Nobody decides alone by two accounts: what an account asks for is decided by none that the same person could act as, be
it through other administrators or by another account with the same telephone, where links to both arrive.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, DateTime, cast, literal, select, true, union_all
from sqlalchemy.orm import Session, aliased
from uuid_utils.compat import uuid7

from services.kit.rpc.methods import Caller
from services.kit.settings import read_settings, settings_class
from services.membership.models import Account, AccountControl

MADE, LINK, PHONE, ROLES, FACTOR = "made", "link", "phone", "roles", "factor"
REOPENED, UNLOCKED = "reopened", "unlocked"
_ANY_TIME = cast("infinity", DateTime(timezone=True))


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


def others_who_may_act_as(session: Session, account: Account) -> set[UUID]:
    """Who controls the account now, directly or by having controlled, before it acted, who does; and equal telephones.

    An account without telephone that nobody has acted on lately costs no statement.
    """
    since = _since()
    if account.phone_digest is None and (account.controlled_at is None or account.controlled_at <= since):
        return set()
    return _linked(session, account, AccountControl.at > since) - {account.account_id}


def who_may_act_as(session: Session, account: Account) -> set[UUID]:
    """The account's holder too. Of two such sets that meet, one person could act as both."""
    return {account.account_id, *others_who_may_act_as(session, account)}


def are_independent(session: Session, one: Account, other: Account) -> bool:
    """Whether no person may act as both now, and neither made the other, however long ago, be it through others.

    Two accounts that a third one made long ago are independent: in the end the first administrator has made all.
    """
    if not who_may_act_as(session, one).isdisjoint(who_may_act_as(session, other)):
        return False
    made = AccountControl.kind == MADE
    return one.account_id not in _linked(session, other, made) and other.account_id not in _linked(session, one, made)


def _since() -> datetime:
    return datetime.now(UTC) - read_settings(ControlSettings).lasts


def _linked(session: Session, account: Account, counts: ColumnElement[bool]) -> set[UUID]:
    """The account, and all who lead to it by acts that count, each before the one that it led to, or by telephone."""
    edge, own, twin = AccountControl, aliased(Account), aliased(Account)
    found = select(literal(account.account_id).label("id"), _ANY_TIME.label("at")).cte("linked", recursive=True)
    acted = select(edge.administrator_id.label("id"), edge.at.label("at")).where(
        edge.account_id == found.c.id, edge.at <= found.c.at, counts
    )
    same_phone = (
        select(twin.account_id.label("id"), found.c.at.label("at"))
        .join(own, own.phone_digest == twin.phone_digest)
        .where(own.account_id == found.c.id)
    )
    step = union_all(acted.correlate(found), same_phone.correlate(found)).lateral("step")
    found = found.union(select(step.c.id, step.c.at).select_from(found).join(step, true()))
    return set(session.scalars(select(found.c.id).distinct()))
