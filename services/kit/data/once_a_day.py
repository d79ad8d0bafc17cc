"""Work that is done once a day, however many processes there are and however often they restart."""

from collections.abc import Callable, Iterable
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import DeclarativeBase, Session

from services.kit.data.database import Database


def do_once(database: Database, days: type[DeclarativeBase], day: date, work: Callable[[Session], None]) -> None:
    """Does the day's work in a transaction unless it is done; `days` is a table of the days on which it was done.

    Another process waits for that transaction, and does the work itself where it is rolled back.
    """
    table = _table(days)
    with database.read() as session:
        if session.scalar(select(table.c.day).where(table.c.day == day)) is not None:
            return
    claim = insert(table).values(day=day).on_conflict_do_nothing().returning(table.c.day)
    with database.begin() as session:
        if session.scalar(claim) is not None:
            work(session)


def remember_days(session: Session, days: type[DeclarativeBase], done: Iterable[date]) -> None:
    """Stores that the work of these days was done, as after a restore."""
    for day in done:
        session.execute(insert(_table(days)).values(day=day).on_conflict_do_nothing())


def _table(days: type[DeclarativeBase]) -> Any:
    return days.__table__
