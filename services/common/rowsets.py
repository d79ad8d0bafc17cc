"""Many rows in one statement: values travel in one array parameter a column, however many they are."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, TableValuedAlias, any_, cast, column, func, select
from sqlalchemy.dialects.postgresql import ARRAY, Insert, insert
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute
from sqlalchemy.sql.type_api import TypeEngine

Types = Mapping[str, TypeEngine[Any]]


def as_table(name: str, columns: Types, rows: Sequence[Sequence[Any]]) -> TableValuedAlias:
    """The rows as a table to join, update or insert from; values stand in the order of the columns."""
    arrays = zip(*rows, strict=True) if rows else ([] for _ in columns)
    unnested = func.unnest(
        *(cast(list(values), ARRAY(kind)) for values, kind in zip(arrays, columns.values(), strict=True))
    )
    return unnested.table_valued(*(column(key, kind) for key, kind in columns.items()), name=name).render_derived()


def types_of(model: type[DeclarativeBase], names: Iterable[str]) -> Types:
    """The types of these columns of a table."""
    return {name: model.__table__.c[name].type for name in names}


def is_among(attribute: InstrumentedAttribute[Any], values: Iterable[Any]) -> ColumnElement[bool]:
    """Whether the column holds one of the values."""
    return attribute == any_(cast(list(values), ARRAY(attribute.type)))


def insert_rows(model: type[DeclarativeBase], rows: Sequence[Mapping[str, Any]]) -> Insert:
    """The statement that inserts the rows, which all have the same columns; there is at least one."""
    columns = types_of(model, rows[0])
    new = as_table("new", columns, [[row[name] for name in columns] for row in rows])
    return insert(model).from_select(list(columns), select(new))
