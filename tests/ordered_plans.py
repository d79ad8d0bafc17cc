"""Plans of paged queries: whether an index yields the order that a caller wants."""

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

_SETTINGS = ("enable_seqscan", "enable_bitmapscan", "enable_sort", "enable_incremental_sort")


def sorts_in(engine: Engine, ask: Callable[[Session], object]) -> list[str]:
    """Names the sorts in the plan of the page that `ask` reads; PostgreSQL avoids one if an index has the order."""
    pages: list[tuple[str, Any]] = []

    def listen(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
        if "ORDER BY" in statement and "LIMIT" in statement:
            pages.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", listen)
    try:
        with Session(engine) as session:
            ask(session)
    finally:
        event.remove(engine, "before_cursor_execute", listen)
    statement, parameters = pages[-1]
    with engine.begin() as connection:
        for setting in _SETTINGS:
            connection.exec_driver_sql(f"set local {setting} = off")
        explained = connection.exec_driver_sql(f"explain (format json) {statement}", parameters).scalar_one()
    return [node for node in _nodes(explained[0]["Plan"]) if "Sort" in node]


def _nodes(plan: dict[str, Any]) -> Iterator[str]:
    yield plan["Node Type"]
    for inner in plan.get("Plans", []):
        yield from _nodes(inner)
