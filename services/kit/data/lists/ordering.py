"""The order of a list by a column of the caller's choice, with nothing before everything in both indexes and lists."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement


def in_order(sort: str, columns: Mapping[str, Any], then: Any) -> list[ColumnElement[Any]]:
    """The order by one of the columns, `-` before its name for the greatest first; equal rows follow `then`.

    Rows without a value count as the smallest: an index on `smallest_first(column)` yields both directions.
    """
    column = columns[sort.removeprefix("-")]
    if not sort.startswith("-"):
        return [smallest_first(column), then.asc()]
    greatest_first = column.desc().nulls_last() if column.nullable else column.desc()
    return [greatest_first, then.desc()]


def smallest_first(column: Any) -> ColumnElement[Any]:
    """A column as an index holds it that `in_order` uses."""
    ascending: ColumnElement[Any] = column.asc().nulls_first() if column.nullable else column.asc()
    return ascending
