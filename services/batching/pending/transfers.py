"""Transfers of members to other unions: their cards go along, their queued applications end, submitted ones go on."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.batching.event_builders import publish_pending_changed
from services.batching.models import Application, Card, MovedMember
from services.batching.pending.application_states import State
from services.batching.pending.pending import lock_pending, remove
from services.batching.places import current, move_alone
from services.contracts.events.membership import MemberTransferredData
from services.kit.data.bulk import is_any_of
from services.kit.events.subscribe import Event

_CANCELLED = "会员已转会至其他工会，申请取消"


def member_transferred(session: Session, event: Event[MemberTransferredData]) -> None:
    """Stores the member's union, unless a later transfer is known; moves the card and ends queued applications."""
    move_alone(session)
    moved, union = event.data, current(session, event.data.union)
    values = {
        "union_id": union.union_id,
        "union_name": union.name,
        "superior_ids": union.superior_ids,
        "version": moved.version,
        "transferred_at": moved.transferred_at,
    }
    newest = session.scalar(
        insert(MovedMember)
        .values(member_id=moved.member_id, **values)
        .on_conflict_do_update(
            index_elements=[MovedMember.member_id], set_=values, where=MovedMember.version < moved.version
        )
        .returning(MovedMember.member_id)
    )
    if newest is None:
        return
    move_cards(session, Card.member_id == moved.member_id)
    end_queued(session, [moved.member_id])


def move_cards(session: Session, which: ColumnElement[bool]) -> Sequence[UUID]:
    """Moves cards to the unions of their members who have moved; returns their applications."""
    return session.scalars(
        update(Card)
        .where(which, Card.member_id == MovedMember.member_id)
        .values(union_id=MovedMember.union_id, union_name=MovedMember.union_name, superior_ids=MovedMember.superior_ids)
        .returning(Card.application_id)
        .execution_options(synchronize_session=False)
    ).all()


def end_queued(session: Session, member_ids: Iterable[UUID]) -> None:
    """Ends applications of these members that wait in the list of a union which they left after being queued."""
    left_behind = session.execute(
        select(Application.application_id, Application.union_id)
        .join(MovedMember, MovedMember.member_id == Application.member_id)
        .where(
            is_any_of(Application.member_id, member_ids),
            Application.state == State.QUEUED,
            Application.union_id != MovedMember.union_id,
            Application.listed_at <= MovedMember.transferred_at,
        )
        .order_by(Application.union_id)
    ).all()
    for application_id, union_id in left_behind:
        lock_pending(session, union_id)
        this = Application.application_id == application_id
        removed = remove(session, union_id, "cancelled", this, detail=_CANCELLED)
        publish_pending_changed(session, union_id, "cancelled", removed)
