"""Rows of a table that lead to other rows of it, such as what was merged to what it was merged into."""

from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased


def shorten(session: Session, key: InstrumentedAttribute[Any], link: InstrumentedAttribute[Any]) -> list[Any]:
    """Has each row whose link leads to a row with a link lead to the end of the chain; returns the keys of these rows.

    Nobody else may change links until the transaction ends. There must be no circle.
    """
    model = key.class_
    further = aliased(model)
    shortened: set[Any] = set()
    onward = getattr(further, link.key)
    lengthening = (
        update(model)
        .where(link == getattr(further, key.key), onward.is_not(None), onward != key)
        .values({link.key: onward})
        .returning(key)
        .execution_options(synchronize_session=False)
    )
    for _ in range(session.scalar(select(func.count()).select_from(model).where(link.is_not(None))) or 0):
        found = list(session.scalars(lengthening))
        shortened.update(found)
        if not found:
            break
    session.expire_all()
    return sorted(shortened)
