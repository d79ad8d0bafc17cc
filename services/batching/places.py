"""Unions as membership published them last: what belongs to one that moves or is merged follows.

Whoever stores a union with its place asks `current` after `let_nobody_move`, for what it was told may be older. What is
stored already follows in transactions of its own, since there may be much of it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, false, func, inspect, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, aliased

from services.batching.models import Application, Batch, Card, KnownUnion, ListedUnion, MovedMember
from services.contracts.events.batching import UNIONS_MOVED, UnionsMovedData
from services.contracts.events.membership import UnionsChangedData
from services.contracts.shared import UnionFacts, union_row
from services.kit.data.bulk import is_any_of, store_newer
from services.kit.data.links import shorten
from services.kit.events.envelope import Event
from services.kit.events.outbox import publish
from services.kit.schemas import values_of

_NOW = aliased(KnownUnion, name="now")
"""A known union, or its successor."""
_UNIONS_AT_ONCE = 20
ROWS_AT_ONCE = 2000
"""Most rows of each table that follow in one transaction, while nobody lists, submits or issues."""
_MOVES = 0x6D6F7665
"""The advisory lock of the moves: held alone by one that is under way, and together by all that must miss none."""


def let_nobody_move(session: Session) -> None:
    """Waits for moves under way, of members and of unions, and lets no other begin until the transaction ends.

    Whoever lists members, submits them or issues cards must do so first, before any other lock: it asks where they
    belong, and would not see a move that commits meanwhile, as the move would not see what it inserts.
    """
    session.execute(select(func.pg_advisory_xact_lock_shared(_MOVES)))


def move_alone(session: Session) -> None:
    """Waits for all who let nobody move, and is the only one that moves until the transaction ends."""
    session.execute(select(func.pg_advisory_xact_lock(_MOVES)))


def unions_changed(session: Session, event: Event[UnionsChangedData]) -> None:
    """Stores unions, unless newer news of them is known; what belongs to those that moved or were merged follows."""
    move_alone(session)
    rows = [
        {**union_row(one), "successor_union_id": one.successor_union_id, "known_at": event.time}
        for one in event.data.unions
    ]
    stored = store_newer(session, KnownUnion, rows, KnownUnion.known_at)
    if any(one.successor_union_id for one in event.data.unions):
        stored = [*stored, *shorten(session, KnownUnion.union_id, KnownUnion.successor_union_id)]
    moved = sorted(set(stored))
    for start in range(0, len(moved), _UNIONS_AT_ONCE):
        publish(session, UNIONS_MOVED, UnionsMovedData(union_ids=moved[start : start + _UNIONS_AT_ONCE]))


def unions_moved(session: Session, event: Event[UnionsMovedData]) -> None:
    """Has some of what belongs to unions follow to their places and successors, and goes on until all has."""
    move_alone(session)
    _merge_lists(session, event.data.union_ids)
    place = {"superior_union_id": _NOW.superior_union_id, "superior_ids": _NOW.superior_ids}
    with_name = {"superior_ids": _NOW.superior_ids, "union_name": _NOW.name}
    follows: tuple[tuple[Any, dict[str, Any]], ...] = (
        *((Application, {}), (Batch, place), (ListedUnion, place)),
        *((Card, with_name), (MovedMember, with_name)),
    )
    followed = [_follow(session, model, columns, event.data.union_ids) for model, columns in follows]
    if ROWS_AT_ONCE in followed:
        publish(session, UNIONS_MOVED, event.data)


def current(session: Session, union: UnionFacts) -> UnionFacts:
    """The union, or its successor, as known last; that stays so until a transaction ends that lets nobody move."""
    known = session.get(KnownUnion, union.union_id)
    if known is not None and known.successor_union_id is not None:
        known = session.get_one(KnownUnion, known.successor_union_id)
    return union if known is None else _facts(known)


def current_id(session: Session, union_id: UUID) -> UUID:
    """The id of the union, or of its successor, as `current` gives it."""
    return session.scalar(select(KnownUnion.successor_union_id).where(KnownUnion.union_id == union_id)) or union_id


def remember_union(session: Session, union: UnionFacts, queued_at: datetime) -> None:
    """Stores the union as described by its newest queueing; the first part suffices, so that others need not wait."""
    known = select(ListedUnion.queued_at).where(ListedUnion.union_id == union.union_id)
    if (known_at := session.scalar(known)) is not None and known_at >= queued_at:
        return
    facts = {**values_of(union), "queued_at": queued_at}
    adding = insert(ListedUnion).values(facts)
    session.execute(
        adding.on_conflict_do_update(
            index_elements=[ListedUnion.union_id],
            set_={name: adding.excluded[name] for name in facts if name != "union_id"},
            where=ListedUnion.queued_at < adding.excluded.queued_at,
        )
    )


def _follow(session: Session, model: Any, columns: Mapping[str, Any], union_ids: Sequence[UUID]) -> int:
    """Has up to ROWS_AT_ONCE rows of the unions follow; returns how many."""
    (key,) = inspect(model).primary_key
    some = aliased(model)

    def is_elsewhere(row: Any) -> ColumnElement[bool]:
        is_merged = KnownUnion.successor_union_id.is_not(None)
        has_moved = row.superior_ids != _NOW.superior_ids if "superior_ids" in columns else false()
        return and_(
            is_any_of(KnownUnion.union_id, union_ids),
            row.union_id == KnownUnion.union_id,
            _NOW.union_id == func.coalesce(KnownUnion.successor_union_id, KnownUnion.union_id),
            or_(is_merged, has_moved),
        )

    chosen = select(getattr(some, key.name)).where(is_elsewhere(some)).limit(ROWS_AT_ONCE)
    moving = update(model).where(key.in_(chosen.correlate(None)), is_elsewhere(model))
    followed = moving.values({"union_id": _NOW.union_id, **columns}).returning(key)
    return len(session.execute(followed.execution_options(synchronize_session=False)).all())


def _merge_lists(session: Session, union_ids: Sequence[UUID]) -> None:
    """Has superiors see the pending list of a successor in the place of those of merged unions."""
    merged = delete(ListedUnion).where(
        ListedUnion.union_id == KnownUnion.union_id,
        is_any_of(KnownUnion.union_id, union_ids),
        KnownUnion.successor_union_id.is_not(None),
    )
    gone = session.execute(merged.returning(KnownUnion.successor_union_id, ListedUnion.queued_at))
    for successor_id, queued_at in gone.all():
        remember_union(session, _facts(session.get_one(KnownUnion, successor_id)), queued_at)


def _facts(known: KnownUnion) -> UnionFacts:
    return UnionFacts(**union_row(known))
