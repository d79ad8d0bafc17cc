"""Statements for many rows: the values of each column are one array parameter, however many rows there are."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any
from typing import cast as cast_type
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    Delete,
    Table,
    TableValuedAlias,
    TypeDecorator,
    Update,
    any_,
    cast,
    column,
    func,
    inspect,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, Insert, insert
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute, Session
from sqlalchemy.sql.type_api import TypeEngine
from sqlalchemy.types import UserDefinedType

Types = Mapping[str, TypeEngine[Any]]


def values_table(name: str, columns: Types, rows: Sequence[Sequence[Any]]) -> TableValuedAlias:
    """The rows as a table to join, update or insert from; each row has its values in the order of the columns."""
    arrays = zip(*rows, strict=True) if rows else ([] for _ in columns)
    unnested = func.unnest(*(_array(values, kind) for values, kind in zip(arrays, columns.values(), strict=True)))
    return unnested.table_valued(*(column(key, kind) for key, kind in columns.items()), name=name).render_derived()


def types_of(model: type[DeclarativeBase], names: Iterable[str]) -> Types:
    """The types of these columns of a table."""
    return {name: model.__table__.c[name].type for name in names}


def is_any_of(attribute: InstrumentedAttribute[Any], values: Iterable[Any]) -> ColumnElement[bool]:
    """Whether the column holds one of the values."""
    return attribute == any_(_array(values, attribute.type))


def insert_rows(model: type[DeclarativeBase] | Table, rows: Sequence[Mapping[str, Any]]) -> Insert:
    """The statement that inserts the rows, which all have the same columns; there is at least one.

    The session's pending changes are not flushed before it.
    """
    table: Any = model if isinstance(model, Table) else model.__table__
    columns = {name: table.c[name].type for name in rows[0]}
    new = values_table("new", columns, [[row[name] for name in columns] for row in rows])
    return insert(table).from_select(list(columns), select(new))


def store_newer(
    session: Session, model: type[DeclarativeBase], rows: Sequence[Mapping[str, Any]], at: InstrumentedAttribute[Any]
) -> list[Any]:
    """Stores at least one row, each in the place of one that is older by the column `at`; returns the keys of those."""
    (key,) = inspect(model).primary_key
    adding = insert(model).values(list(rows))
    changed = {name: adding.excluded[name] for name in rows[0] if name != key.name}
    stored = adding.on_conflict_do_update(index_elements=[key], set_=changed, where=at < adding.excluded[at.key])
    return list(session.scalars(stored.returning(key)))


def count_changed(session: Session, statement: Update | Delete) -> int:
    """Carries out the change; returns of how many rows. Objects that the session has loaded stay as they are."""
    done = session.execute(statement.execution_options(synchronize_session=False))
    return cast_type(CursorResult[Any], done).rowcount


class _ArrayText(UserDefinedType[Any]):
    """A list written as a PostgreSQL array literal; psycopg takes several times as long for many values."""

    cache_ok = True

    def __init__(self, kind: TypeEngine[Any]) -> None:
        self.kind = kind

    def get_col_spec(self, **_: Any) -> str:
        """None: no column has this type, and a bound value has the type that it is cast to."""
        return "unknown"

    def bind_processor(self, dialect: Any) -> Callable[[Any], str]:
        """Converts each value as the column's type does, then writes the array."""
        kind = self.kind
        if isinstance(kind, TypeDecorator):
            return lambda values: _written(kind.process_bind_param(value, dialect) for value in values)
        return _written


def _array(values: Iterable[Any], kind: TypeEngine[Any]) -> ColumnElement[Any]:
    return cast(literal(list(values), _ArrayText(kind)), ARRAY(kind))


def _written(values: Iterable[Any]) -> str:
    values = list(values)
    writers = {kind: _writer_of(kind) for kind in set(map(type, values))}
    return f"{{{','.join([writers[type(value)](value) for value in values])}}}"


def _writer_of(kind: type) -> Callable[[Any], str]:
    for known, write in _WRITERS.items():
        if issubclass(kind, known):
            return write
    raise TypeError(f"Values of type {kind.__name__} cannot stand in an array.")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", r"\\").replace('"', r"\"")
    return f'"{escaped}"'


_WRITERS: Mapping[type, Callable[[Any], str]] = {
    type(None): lambda _: "NULL",
    str: _quoted,
    UUID: lambda value: f"{value.int:032x}",
    bytes: lambda value: rf'"\\x{value.hex()}"',
    bool: lambda value: "t" if value else "f",
    int: str,
    float: repr,
    datetime: lambda value: f'"{value.isoformat()}"',
    date: lambda value: value.isoformat(),
}
"""How a value is written in an array, by its type; a subclass is written as the first of these that it extends."""
