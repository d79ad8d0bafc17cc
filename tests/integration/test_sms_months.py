"""SMS that were sent or failed go to the table of their month, which is dropped as a whole."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from services.kit.data import months
from services.kit.data.retention import first_id_of
from services.notification import sms_months
from services.notification.models import PastSms, Sms
from services.notification.sms_months import MONTHLY, maintain
from tests.databases import DatabaseFactory

NOW = datetime.now(UTC)


class Desk:
    def __init__(self, url: str) -> None:
        self.engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
        self.connection = psycopg.connect(url.replace("+psycopg", ""), autocommit=True)

    def add(self, state: str, days: float) -> None:
        """Adds an SMS that was created, and sent if it was, so many days ago."""
        at = NOW - timedelta(days=days)
        facts = {"kind": "cards_issued", "topic": str(uuid4()), "count": 2, "phone": "13812345678", "text": "已制卡"}
        with Session(self.engine) as session, session.begin():
            sms_id = UUID(int=first_id_of(at).int + uuid4().int % 2**60)
            times = {"due_at": at, "created_at": at, "sent_at": at if state == "sent" else None}
            session.add(Sms(sms_id=sms_id, state=state, attempts=1, **facts, **times))

    def rows(self, model: Any) -> list[Any]:
        with Session(self.engine, expire_on_commit=False) as session:
            return session.query(model).order_by(model.sms_id).all()

    def maintain(self, now: datetime = NOW) -> None:
        maintain(self.connection, now)


@pytest.fixture
def desk(database: DatabaseFactory) -> Iterator[Desk]:
    desk = Desk(database("notification"))
    yield desk
    desk.connection.close()
    desk.engine.dispose()


def test_what_was_settled_a_day_ago_moves_with_all_that_is_known_of_it(desk: Desk) -> None:
    for state, days in (("sent", 1.1), ("failed", 3), ("sent", 0.9), ("waiting", 5), ("sending", 5)):
        desk.add(state, days)
    before = {one.sms_id: one for one in desk.rows(Sms)}

    desk.maintain()

    assert sorted(one.state for one in desk.rows(Sms)) == ["sending", "sent", "waiting"]
    moved = desk.rows(PastSms)
    assert [one.state for one in moved] == ["failed", "sent"]
    names = [column.name for column in Sms.__table__.columns if column.name != "may_wait"]  # which says when to send
    for one in moved:
        assert {name: getattr(one, name) for name in names} == {
            name: getattr(before[one.sms_id], name) for name in names
        }
        assert one.month == months.month_of(NOW)


def test_all_sets_of_a_backlog_move(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sms_months, "CHUNK", 3)
    for number in range(8):
        desk.add("sent", 2 + number)
    desk.maintain()
    assert (len(desk.rows(Sms)), len(desk.rows(PastSms))) == (0, 8)


def test_a_month_goes_when_its_term_has_passed(desk: Desk) -> None:
    long_ago = date(2020, 1, 1)
    for month in (long_ago, months.later(months.month_of(NOW), -6)):
        name = months.partition_name("past_sms", month)
        bounds = f"from ('{month}') to ('{months.later(month)}')"
        desk.connection.execute(f"create table {name} partition of past_sms for values {bounds}")
    desk.add("sent", 2)
    desk.maintain()

    left = {one.name for one in months.partitions_of(desk.connection, "past_sms")}
    assert months.partition_name("past_sms", long_ago) not in left
    assert {months.partition_name("past_sms", month) for month in months.months_ahead(NOW)} <= left
    assert len(desk.rows(PastSms)) == 1


def test_the_database_drops_no_young_month_and_no_other_table(desk: Desk) -> None:
    name = months.partition_name("past_sms", months.month_of(NOW))
    for parent, partition, why in (
        ("past_sms", name, "the last 180 days stay"),
        ("past_sms", "sms", "no month that may be dropped"),
        ("sms", "sms", "no month that may be dropped"),
    ):
        with pytest.raises(psycopg.Error, match=why):
            desk.connection.execute("select drop_month(%s, %s)", [parent, partition])


def test_a_clock_that_is_ahead_drops_nothing_young(desk: Desk) -> None:
    """The database has a clock of its own; by the other one the current month ended 180 days ago on any day of it."""
    with pytest.raises(psycopg.Error, match="the last 180 days stay"):
        desk.maintain(NOW + timedelta(days=180 + 31))
    assert MONTHLY == ("past_sms",)
