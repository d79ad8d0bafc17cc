"""Rows that are sent as array parameters arrive unchanged, whatever their values are."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import (
    BigInteger,
    Boolean,
    Date,
    DateTime,
    Double,
    Engine,
    LargeBinary,
    Text,
    Uuid,
    create_engine,
    select,
)
from sqlalchemy.exc import StatementError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from services.kit.data.bulk import insert_rows, is_any_of, values_table
from services.kit.data.database import EncryptedText
from tests.databases import DatabaseFactory


class Base(DeclarativeBase):
    pass


class Thing(Base):
    __tablename__ = "thing"
    key: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    text: Mapped[str | None] = mapped_column(Text)
    secret: Mapped[str | None] = mapped_column(EncryptedText)
    data: Mapped[bytes | None] = mapped_column(LargeBinary)
    number: Mapped[int | None] = mapped_column(BigInteger)
    amount: Mapped[float | None] = mapped_column(Double)
    is_so: Mapped[bool | None] = mapped_column(Boolean)
    day: Mapped[date | None] = mapped_column(Date)
    at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class Colour(StrEnum):
    RED = "red"


_NAMES = [column.key for column in Thing.__table__.columns]
_KEY = uuid4()
_TEXTS = ("", "NULL", "null", "{a,b}", 'a"b', "a\\b", '\\"', "王𬎆, 芳", " \n\t ", "'")
_PLAIN: dict[str, Any] = {
    "key": _KEY,
    "text": "a",
    "secret": "b",
    "data": b"c",
    "number": 1,
    "amount": 0.1,
    "is_so": True,
    "day": date(2026, 11, 25),
    "at": datetime(2026, 11, 25, 12, 0, 0, 123456, UTC),
}


@pytest.fixture(scope="module")
def engine(module_database: DatabaseFactory) -> Iterator[Engine]:
    made = create_engine(module_database("revocation"))
    Base.metadata.create_all(made)
    yield made
    made.dispose()


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {name: None for name in _NAMES if name != "key"},
        *(
            {"text": text, "secret": text}
            for text in ("", "NULL", "null", "{a,b}", 'a"b', "a\\b", '\\"', "王𬎆, 芳", " \n\t ", "'")
        ),
        {"text": Colour.RED},
        {"data": bytes(range(256))},
        {"data": b""},
        {"number": -(2**63), "amount": -1e300, "is_so": False},
        {"day": date(1, 1, 1)},
        {"day": date(9999, 12, 31)},
        {"at": datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=8)))},
    ],
)
def test_a_row_arrives_as_it_was(engine: Engine, changed: dict[str, Any]) -> None:
    row = {**_PLAIN, **changed}
    with Session(engine) as session:
        session.execute(insert_rows(Thing, [{**_PLAIN, "key": uuid4()}, row]))
        found = session.execute(select(Thing).where(is_any_of(Thing.key, [row["key"]]))).scalar_one()
        assert {name: getattr(found, name) for name in _NAMES} == row


def test_no_rows_are_an_empty_table(engine: Engine) -> None:
    with Session(engine) as session:
        given = values_table("given", {"key": Uuid(), "text": Text()}, []).c
        assert session.execute(select(given.key, given.text)).all() == []
        assert session.scalars(select(Thing).where(is_any_of(Thing.key, []))).all() == []


def test_a_value_of_a_kind_that_nobody_stores_in_rows_is_refused(engine: Engine) -> None:
    with Session(engine) as session, pytest.raises(StatementError, match="Values of type complex"):
        session.scalars(select(Thing).where(is_any_of(Thing.text, [1j]))).all()
