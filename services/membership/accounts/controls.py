"""Control of accounts: who may act as one, its holder and administrators who recently created or changed it.

Nobody may decide alone by two accounts: a request of an account cannot be decided by an account that the same person
could act as, be it through other administrators or by a shared telephone, where links for both accounts arrive.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, DateTime, cast, literal, select, true, union_all
from sqlalchemy.orm import Session, aliased
from uuid_utils.compat import uuid7

from services.kit.problems import Forbidden
from services.kit.rpc.methods import Caller
from services.kit.settings import read_settings, settings_class
from services.membership.models import Account, AccountControl

MADE, LINK, PHONE, ROLES, FACTOR = "made", "link", "phone", "roles", "factor"
REOPENED, UNLOCKED = "reopened", "unlocked"
_ANY_TIME = cast("infinity", DateTime(timezone=True))


@settings_class
class ControlSettings:
    """How long an administrator's control of an account lasts; read from the environment by `read_settings`."""

    account_control_days: float = 7

    @property
    def lasts(self) -> timedelta:
        """How long an administrator who acted on an account controls it."""
        return timedelta(days=self.account_control_days)


def control(session: Session, account: Account, administrator_id: UUID, kind: str) -> None:
    """Records that this administrator controls the account, from now and for a limited time."""
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
    """Other accounts that control the account, directly or by a chain of earlier controls, or share its telephone.

    For an account without telephone that nobody has acted on recently no statement is executed.
    """
    since = _since()
    if account.phone_digest is None and (account.controlled_at is None or account.controlled_at <= since):
        return set()
    return _linked(session, account, AccountControl.at > since) - {account.account_id}


def who_may_act_as(session: Session, account: Account) -> set[UUID]:
    """As `others_who_may_act_as`, with the account itself. If two such sets intersect, one person could act as both."""
    return {account.account_id, *others_who_may_act_as(session, account)}


def are_independent(session: Session, one: Account, other: Account) -> bool:
    """Whether no person may act as both now, and neither ever created the other, directly or through others.

    Two accounts that a third one created long ago are independent, for the first administrator has created all.
    """
    if not who_may_act_as(session, one).isdisjoint(who_may_act_as(session, other)):
        return False
    made = AccountControl.kind == MADE
    return one.account_id not in _linked(session, other, made) and other.account_id not in _linked(session, one, made)


def refuse_unless_independent(session: Session, requester: Account, confirmer: Account) -> None:
    """Raises Forbidden `own_request` and `same_administrator` for who may not confirm what another one requested."""
    if requester.account_id == confirmer.account_id:
        raise Forbidden("own_request", "不能确认自己提交的申请", "请由其他管理员确认。")
    if not are_independent(session, requester, confirmer):
        raise Forbidden(
            "same_administrator",
            "您的账号与申请人的账号为同一手机号，或由对方开通，或近期由同一管理员变更，不能确认该申请",
            "请由其他管理员或上级工会的管理员确认。",
        )


def _since() -> datetime:
    return datetime.now(UTC) - read_settings(ControlSettings).lasts


def _linked(session: Session, account: Account, counts: ColumnElement[bool]) -> set[UUID]:
    """The account, and all linked to it by telephone, or by controls that count, each earlier than the next one."""
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
