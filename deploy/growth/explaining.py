"""Cursors that explain each statement before they execute it: first as it comes, then again with a warm cache."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.rows import tuple_row

_EXPLAINED = ("select", "insert", "update", "delete", "with")
_EXPLAIN = "explain (analyze, buffers, format json) "

Plan = Mapping[str, Any]
"""A node of a plan as PostgreSQL describes it in JSON; `Plans` are the nodes below it."""


@dataclass(frozen=True)
class Explained:
    """A statement with its plan, which is that of the second run; times in milliseconds, with planning."""

    statement: str
    plan: Plan
    first_ms: float
    warm_ms: float


@dataclass
class Notebook:
    """What the cursors of a connection have explained.

    `stand_ins` replace parameters: a made-up digest for that of a number which somebody can type.
    """

    stand_ins: Mapping[bytes, bytes] = field(default_factory=dict)
    explained: list[Explained] = field(default_factory=list)
    is_open: bool = False

    @contextmanager
    def noting(self) -> Iterator[list[Explained]]:
        """Explains what is executed meanwhile, and yields the list that it goes to."""
        self.explained, self.is_open = [], True
        try:
            yield self.explained
        finally:
            self.is_open = False

    @contextmanager
    def resting(self) -> Iterator[None]:
        """Explains nothing of what is executed meanwhile, in a question that first needs something to ask about."""
        was_open, self.is_open = self.is_open, False
        try:
            yield
        finally:
            self.is_open = was_open


def explain_on(connection: "psycopg.Connection[Any]", notebook: Notebook) -> None:
    """Has the connection's cursors explain what they execute; each needs a transaction that is open."""

    class Plain(_Explaining, psycopg.Cursor[Any]):
        book = notebook

    class Named(_Explaining, psycopg.ServerCursor[Any]):
        book = notebook

    connection.cursor_factory = Plain
    connection.server_cursor_factory = Named


class _Explaining:
    book: Notebook

    def execute(self: Any, query: Any, params: Any = None, **more: Any) -> Any:
        """Explains the statement, and executes it."""
        params = _replaced(params, self.book.stand_ins)
        if self.book.is_open and str(query).lstrip().lower().startswith(_EXPLAINED):
            self.book.explained.append(_explained(self.connection, query, params))
        return super().execute(query, params, **more)  # type: ignore[misc]


def _replaced(params: Any, stand_ins: Mapping[bytes, bytes]) -> Any:
    def replaced(value: Any) -> Any:
        if isinstance(value, list):
            return [replaced(one) for one in value]
        return stand_ins.get(value, value) if isinstance(value, bytes) else value

    return {name: replaced(value) for name, value in params.items()} if isinstance(params, Mapping) else params


def _explained(connection: "psycopg.Connection[Any]", statement: str, params: Any) -> Explained:
    """The plan of a statement, whose effects are undone."""
    with psycopg.Cursor(connection, row_factory=tuple_row) as cursor:
        first, warm = (_run(cursor, statement, params) for _ in range(2))
    return Explained(str(statement), warm["Plan"], _milliseconds(first), _milliseconds(warm))


def _run(cursor: "psycopg.Cursor[Any]", statement: str, params: Any) -> Mapping[str, Any]:
    cursor.execute("savepoint explained")
    ((found,),) = cursor.execute(f"{_EXPLAIN}{statement}", params).fetchone()  # type: ignore[misc]
    cursor.execute("rollback to savepoint explained")
    cursor.execute("release savepoint explained")
    return found


def _milliseconds(found: Mapping[str, Any]) -> float:
    return float(found["Planning Time"] + found["Execution Time"])
