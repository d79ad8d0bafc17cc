"""Merges a union into another one of its kind: all that was its own is the successor's from then on.

Accounts, subordinates, what waits and transfers move at once; members and their applications, which may be many, in
parts. The other services move what they store when they hear of the successor, and take it for the merged union
where older news names that. Frozen papers, batch numbers and the audit log keep the former union.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import and_, not_, or_, select, tuple_, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from services.contracts.events.membership import UNION_MERGED, UnionMergedData
from services.kit.events.envelope import Event
from services.kit.events.outbox import publish
from services.kit.schemas import required
from services.membership.accounts.accounts import move_account
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
"""Most members, applications, and steps of these that move in one transaction."""
_IN_PARTS: Sequence[tuple[InstrumentedAttribute[UUID], tuple[InstrumentedAttribute[object], ...]]] = (
    (Member.union_id, (Member.member_id,)),
    (Application.union_id, (Application.application_id,)),
    (ApplicationHistory.union_id, (ApplicationHistory.application_id, ApplicationHistory.version)),
)
"""The unions of rows that move in parts, and the keys of the rows; in the order in which others lock them."""


def merge(session: Session, union: Union, successor: Union) -> Sequence[UUID]:
    """Merges a union that is locked and in whose way nothing is; returns it with what has moved along."""
    moved = put_subordinates_below(session, union, successor)
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
    return [union.union_id, *moved]


def publish_merged(session: Session, union: Union, successor: Union) -> None:
    """Publishes a merger, with the successor, to all that store what was the union's, the service itself included."""
    publish_unions(session, [successor, union])
    publish(session, UNION_MERGED, UnionMergedData(union_id=union.union_id))


def union_merged(session: Session, event: Event[UnionMergedData]) -> None:
    """Moves some members and applications of a merged union, and goes on until none is left."""
    union = session.get_one(Union, event.data.union_id)
    successor_id = required(union.successor_union_id)
    moved = [_move_some(session, column, keys, union.union_id, successor_id) for column, keys in _IN_PARTS]
    if any(moved):
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


def _move_some(
    session: Session,
    column: InstrumentedAttribute[UUID],
    keys: Sequence[InstrumentedAttribute[object]],
    union_id: UUID,
    successor_id: UUID,
) -> bool:
    """Moves up to AT_ONCE rows; returns whether there were any."""
    some = select(*keys).where(column == union_id).order_by(*keys).limit(AT_ONCE).with_for_update()
    moving = update(column.class_).where(tuple_(*keys).in_(some)).values({column: successor_id})
    return session.execute(moving.returning(keys[0]).execution_options(synchronize_session=False)).first() is not None
