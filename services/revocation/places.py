"""Unions as membership published them last: batches of one that moves follow, open requests go to its new superior."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from services.contracts.events.membership import UnionsChangedData
from services.contracts.shared import UnionFacts, union_row
from services.kit.data.bulk import is_any_of, store_newer
from services.kit.data.links import shorten
from services.kit.events.envelope import Event
from services.revocation.models import Batch, KnownUnion, Revocation
from services.revocation.request_states import RequestState
from services.revocation.requests import reassign

_NOW = aliased(KnownUnion, name="now")
"""A known union, or its successor."""
_MOVES = 0x6D6F7665
"""The advisory lock of the moves: held alone by one that is under way, and together by who stores batches."""


def unions_changed(session: Session, event: Event[UnionsChangedData]) -> None:
    """Stores unions, unless newer news of them is known; their batches and requests follow."""
    session.execute(select(func.pg_advisory_xact_lock(_MOVES)))
    rows = [
        {**union_row(one), "successor_union_id": one.successor_union_id, "known_at": event.time}
        for one in event.data.unions
    ]
    stored = store_newer(session, KnownUnion, rows, KnownUnion.known_at)
    if any(one.successor_union_id for one in event.data.unions):
        stored = [*stored, *shorten(session, KnownUnion.union_id, KnownUnion.successor_union_id)]
    changed = and_(
        is_any_of(KnownUnion.union_id, stored),
        _NOW.union_id == func.coalesce(KnownUnion.successor_union_id, KnownUnion.union_id),
    )
    is_elsewhere = or_(Batch.union_id != _NOW.union_id, Batch.superior_ids != _NOW.superior_ids)
    session.execute(
        update(Batch)
        .where(Batch.union_id == KnownUnion.union_id, changed, is_elsewhere)
        .values(union_id=_NOW.union_id, superior_union_id=_NOW.superior_union_id, superior_ids=_NOW.superior_ids)
        .execution_options(synchronize_session=False)
    )
    for column in (Revocation.union_id, Revocation.reviewer_union_id):
        session.execute(
            update(Revocation)
            .where(column == KnownUnion.union_id, changed, column != _NOW.union_id)
            .values({column: _NOW.union_id})
            .execution_options(synchronize_session=False)
        )
    now = select(func.coalesce(KnownUnion.successor_union_id, KnownUnion.union_id))
    _reassign_requests(session, session.scalars(now.where(is_any_of(KnownUnion.union_id, stored))).all())


def current(session: Session, union: UnionFacts) -> UnionFacts:
    """The union, or its successor, as known last; nobody moves it until the transaction ends."""
    session.execute(select(func.pg_advisory_xact_lock_shared(_MOVES)))
    known = session.get(KnownUnion, union.union_id)
    if known is not None and known.successor_union_id is not None:
        known = session.get_one(KnownUnion, known.successor_union_id)
    return union if known is None else UnionFacts(**union_row(known))


def _reassign_requests(session: Session, union_ids: Sequence[UUID]) -> None:
    waiting = session.execute(
        select(Revocation, Batch)
        .join(Batch, Batch.batch_no == Revocation.batch_no)
        .where(
            is_any_of(Batch.union_id, union_ids),
            Revocation.state == RequestState.REQUESTED,
            Revocation.reviewer_union_id != Batch.superior_union_id,
        )
        .order_by(Revocation.revocation_id)
        .with_for_update(of=Revocation)
    ).all()
    for revocation, batch in waiting:
        reassign(session, revocation, batch)
