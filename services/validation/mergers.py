"""Mergers of unions: the successor sees the checks of a merged union."""

from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from services.contracts.events.membership import UnionsChangedData
from services.kit.data.bulk import store_newer
from services.kit.data.links import shorten
from services.kit.events.envelope import Event
from services.validation.models import ApplicationCheck, MergedUnion

_MERGERS = 0x6D657267
"""The advisory lock of those that store mergers."""


def unions_changed(session: Session, event: Event[UnionsChangedData]) -> None:
    """Stores the successors of merged unions, unless newer ones are known."""
    rows = [
        {"union_id": one.union_id, "successor_union_id": one.successor_union_id, "known_at": event.time}
        for one in event.data.unions
        if one.successor_union_id is not None
    ]
    if rows:
        session.execute(select(func.pg_advisory_xact_lock(_MERGERS)))
        store_newer(session, MergedUnion, rows, MergedUnion.known_at)
        shorten(session, MergedUnion.union_id, MergedUnion.successor_union_id)


def is_of(union_id: UUID) -> ColumnElement[bool]:
    """The condition for checks of a union, and of those that were merged into it."""
    merged = select(MergedUnion.union_id).where(MergedUnion.successor_union_id == union_id)
    return or_(ApplicationCheck.union_id == union_id, ApplicationCheck.union_id.in_(merged))
