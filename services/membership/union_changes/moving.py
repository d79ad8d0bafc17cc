"""Moves unions below another one, with all below them, and publishes their new places."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, func, literal, select, update
from sqlalchemy.orm import Session

from services.kit.data.bulk import is_any_of
from services.kit.events.contract import in_chunks
from services.membership.event_builders import publish_unions
from services.membership.models import Union
from services.membership.unions import is_union_or_below


def put_below(session: Session, union: Union, superior: Union) -> Sequence[UUID]:
    """Puts a union, with all below it, below another one; returns what has moved."""
    within = is_union_or_below(union.union_id)
    return _put(session, Union.union_id == union.union_id, within, len(union.superior_ids), superior)


def put_subordinates_below(session: Session, union: Union, superior: Union) -> Sequence[UUID]:
    """Puts the subordinates of a union, with all below them, below another one; returns what has moved."""
    below = Union.superior_ids.contains([union.union_id])
    return _put(session, Union.superior_union_id == union.union_id, below, len(union.superior_ids) + 1, superior)


def _put(
    session: Session, roots: ColumnElement[bool], within: ColumnElement[bool], depth: int, superior: Union
) -> Sequence[UUID]:
    """Puts the roots, and all unions within, below the superior; the first `depth` unions above them are so no more."""
    above = literal([*superior.superior_ids, superior.union_id], Union.superior_ids.type)
    kept = Union.superior_ids[depth + 1 : func.cardinality(Union.superior_ids)]
    session.execute(update(Union).where(roots).values(superior_union_id=superior.union_id))
    moving = update(Union).where(within).values(superior_ids=above.op("||")(kept)).returning(Union.union_id)
    moved: list[UUID] = sorted(session.scalars(moving.execution_options(synchronize_session=False)))
    session.expire_all()
    for part in in_chunks(moved):
        publish_unions(session, session.scalars(select(Union).where(is_any_of(Union.union_id, part))).all())
    return moved
