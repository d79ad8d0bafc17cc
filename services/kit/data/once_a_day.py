"""Work that is done once a day, however many processes there are and however often they restart."""

from collections.abc import Callable
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
    table: Any = days.__table__
    with database.read() as session:
        if session.scalar(select(table.c.day).where(table.c.day == day)) is not None:
            return
    claim = insert(table).values(day=day).on_conflict_do_nothing().returning(table.c.day)
    with database.begin() as session:
        if session.scalar(claim) is not None:
            work(session)
