"""Many rows in one statement: values travel in one array parameter a column, however many they are."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, TableValuedAlias, any_, cast, column, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.type_api import TypeEngine

Types = Mapping[str, TypeEngine[Any]]


def as_table(name: str, columns: Types, rows: Sequence[Sequence[Any]]) -> TableValuedAlias:
    """The rows as a table to join, update or insert from; values stand in the order of the columns."""
    arrays = zip(*rows, strict=True) if rows else ([] for _ in columns)
    unnested = func.unnest(
        *(cast(list(values), ARRAY(kind)) for values, kind in zip(arrays, columns.values(), strict=True))
    )
    return unnested.table_valued(*(column(key, kind) for key, kind in columns.items()), name=name).render_derived()


def is_among(attribute: InstrumentedAttribute[Any], values: Iterable[Any]) -> ColumnElement[bool]:
    """Whether the column holds one of the values."""
    return attribute == any_(cast(list(values), ARRAY(attribute.type)))
