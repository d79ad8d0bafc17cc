"""Merges a union into another one of its kind: all that was its own is the successor's from then on.

Accounts, subordinates, what waits and transfers move at once; members and their applications, which may be many, in
parts. The other services move what they store when they hear of the successor, and take it for the merged union
where older news names that. Frozen papers, batch numbers and the audit log keep the former union.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Select, and_, not_, or_, select, union_all, update
from sqlalchemy.orm import Session

from services.contracts.events.membership import UNION_MERGED, UnionMergedData
from services.kit.data.bulk import is_any_of
from services.kit.events.envelope import Event
from services.kit.events.outbox import publish
from services.kit.rpc.methods import Caller
from services.kit.schemas import required
from services.membership.accounts.accounts import move_account
from services.membership.accounts.delegations import end_broken
from services.membership.event_builders import publish_unions
from services.membership.models import (
    Account,
    Application,
    ApplicationHistory,
    Delegation,
    ImportJob,
    Member,
    Transfer,
    Union,
)
from services.membership.union_changes.moving import put_subordinates_below

AT_ONCE = 2000
"""Most members that move in one transaction, with their applications."""


def merge(session: Session, union: Union, successor: Union, caller: Caller) -> None:
    """Merges a union, both being locked and nothing in the way."""
    moved = put_subordinates_below(session, union, successor)
    end_broken(session, [union.union_id, *moved], successor, caller)
    union.ended_at = datetime.now(UTC)
    earlier = select(Union).where(Union.successor_union_id == union.union_id).order_by(Union.union_id)
    merged = [union, *session.scalars(earlier)]
    for one in merged:
        one.successor_union_id = successor.union_id
    accounts = select(Account).where(Account.union_id == union.union_id).order_by(Account.account_id)
    for account in session.scalars(accounts.with_for_update()).all():
        move_account(session, account, successor)
    _move_at_once(session, union.union_id, successor.union_id)
    session.flush()
    for one in merged:
        publish_merged(session, one, successor)


def publish_merged(session: Session, union: Union, successor: Union) -> None:
    """Publishes a merger, with the successor, to all that store what was the union's, the service itself included."""
    publish_unions(session, [successor, union])
    publish(session, UNION_MERGED, UnionMergedData(union_id=union.union_id))


def union_merged(session: Session, event: Event[UnionMergedData]) -> None:
    """Moves some members of a merged union with their applications, and goes on until none is left.

    The successor is not merged itself meanwhile: what has come to it by then moves on with it.
    """
    union = session.get_one(Union, event.data.union_id, with_for_update={"read": True})
    successor_id = required(union.successor_union_id)
    member_ids = session.scalars(_some_members(union.union_id)).all()
    if member_ids:
        _move_members(session, member_ids, union.union_id, successor_id)
        publish(session, UNION_MERGED, event.data)


def _move_at_once(session: Session, union_id: UUID, successor_id: UUID) -> None:
    """Moves what is not much. Transfers between the two stay as they were decided."""
    between = or_(
        *(
            and_(Transfer.from_union_id == one, Transfer.to_union_id == other)
            for one, other in ((union_id, successor_id), (successor_id, union_id))
        )
    )
    for column, condition in (
        (Delegation.union_id, None),
        (ImportJob.union_id, None),
        (Transfer.from_union_id, not_(between)),
        (Transfer.to_union_id, not_(between)),
    ):
        moving = update(column.class_).where(column == union_id).values({column: successor_id})
        session.execute(moving if condition is None else moving.where(condition))


def _some_members(union_id: UUID) -> Select[UUID]:
    """Up to AT_ONCE members of the union, or others with an application or a step of one that is the union's."""
    steps = select(ApplicationHistory.application_id).where(ApplicationHistory.union_id == union_id).limit(AT_ONCE)
    some = (
        select(Member.member_id).where(Member.union_id == union_id, Member.left_at.is_(None)),
        select(Member.member_id).where(Member.union_id == union_id, Member.left_at.is_not(None)),
        select(Application.member_id).where(Application.union_id == union_id),
        select(Application.member_id).where(Application.application_id.in_(steps)),
    )
    found = union_all(*(one.limit(AT_ONCE).subquery().select() for one in some)).subquery()
    return select(found.c.member_id).distinct().limit(AT_ONCE)


def _move_members(session: Session, member_ids: Sequence[UUID], union_id: UUID, successor_id: UUID) -> None:
    """Moves the members, whom nothing else changes meanwhile, with what is the union's of theirs."""
    chosen = is_any_of(Member.member_id, member_ids)
    session.execute(select(Member.member_id).where(chosen).order_by(Member.member_id).with_for_update())
    theirs = select(Application.application_id).where(is_any_of(Application.member_id, member_ids))
    for column, condition in (
        (Member.union_id, chosen),
        (Application.union_id, is_any_of(Application.member_id, member_ids)),
        (ApplicationHistory.union_id, ApplicationHistory.application_id.in_(theirs)),
        (Transfer.from_union_id, is_any_of(Transfer.member_id, member_ids) & (Transfer.state == "requested")),
    ):
        moving = update(column.class_).where(column == union_id, condition).values({column: successor_id})
        session.execute(moving.execution_options(synchronize_session=False))
