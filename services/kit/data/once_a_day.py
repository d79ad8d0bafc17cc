"""Work that is done once a day, however many processes there are and however often they restart."""

from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import DeclarativeBase, Session


def is_done(session: Session, days: type[DeclarativeBase], day: date) -> bool:
    """Whether a transaction has done the day's work; `days` is a table of the days on which it was done."""
    table: Any = days.__table__
    return session.scalar(select(table.c.day).where(table.c.day == day)) is not None


def claim(session: Session, days: type[DeclarativeBase], day: date) -> bool:
    """Whether this transaction is to do the day's work; then the day counts as done when it commits.

    Another process waits here for that commit, and does the work itself where it is rolled back.
    """
    table: Any = days.__table__
    claimed = insert(table).values(day=day).on_conflict_do_nothing().returning(table.c.day)
    return session.scalar(claimed) is not None
