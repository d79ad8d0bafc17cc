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


def indexed_name(name: Any) -> ColumnElement[str]:
    """What an index with `text_pattern_ops` holds that `begins_by_index_with` uses."""
    found: ColumnElement[str] = func.lower(collate(name, "und-x-icu"))
    return found


def begins_by_index_with(name: Any, beginning: str) -> ColumnElement[bool]:
    """As `begins_with`, for lists that no other index narrows."""
    escaped = beginning.replace("/", "//").replace("%", "/%").replace("_", "/_")
    return indexed_name(name).like(indexed_name(literal(escaped)).concat("%"), escape="/")
