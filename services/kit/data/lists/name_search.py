"""Names in SQL: searched and ordered without regard to case."""

from typing import Any

from sqlalchemy import ColumnElement, collate, func, literal


def caseless(name: Any) -> ColumnElement[str]:
    """A name as it is searched: without regard to case, in the order of code points."""
    return collate(func.lower(collate(name, "und-x-icu")), "C")


def begins_with(name: Any, beginning: str) -> ColumnElement[bool]:
    """Whether a name begins with a cleaned text; for lists that another index has narrowed before."""
    key = caseless(literal(beginning))
    return func.left(caseless(name), func.length(key)) == key
