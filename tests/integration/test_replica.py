"""Queries that may be old go to the replica while it can answer them, and to the primary otherwise.

The replica is another database here, so that an answer shows who gave it; tests/deploy/test_replica.py has a standby.
"""

import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from services.batching.service import BatchingService
from services.kit.data import replica
from services.kit.data.database import Database, WriteInReadOnlyTransaction, engine_for
from services.kit.data.replica import Replica
from services.kit.rpc.request import Caller, Request
from services.kit.secret_values import Secret
from services.kit.settings import DatabaseSettings
from tests.databases import DatabaseFactory


class Two:
    """A database with its replica, and how often each answered."""

    def __init__(self, primary: str, standby: str) -> None:
        settings = DatabaseSettings(Secret(primary), max_workers=2)
        self.database = Database()
        self.database.engine = engine_for(settings, "test")
        self.replica = Replica(engine_for(settings, "test", Secret(standby)), most_seconds=5)
        self.database.replica = self.replica
        self.name_of_replica = make_url(standby).database

    def answered_by(self, *, may_lag: bool = True) -> str:
        found = self.database.answer(_name, may_lag=may_lag)
        return "replica" if found == self.name_of_replica else "primary"

    def close(self) -> None:
        self.database.stop()


def _name(session: Session) -> Any:
    return session.scalar(text("select current_database()"))


@pytest.fixture
def two(database: DatabaseFactory) -> Iterator[Two]:
    pair = Two(database("batching"), database("batching"))
    yield pair
    pair.close()


def test_only_what_may_be_old_is_asked_of_the_replica(two: Two) -> None:
    assert [two.answered_by(may_lag=may_lag) for may_lag in (True, False)] == ["replica", "primary"]


def test_without_a_replica_the_primary_answers_all(two: Two) -> None:
    two.database.replica = None
    assert two.answered_by() == "primary"


def test_a_replica_that_is_away_is_not_missed_and_asked_again_later(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    there = two.replica.engine
    two.replica.engine = create_engine("postgresql+psycopg://nobody:none@127.0.0.1:1/none?connect_timeout=1")
    assert [two.answered_by() for _ in range(2)] == ["primary", "primary"]
    two.replica.engine = there
    assert two.answered_by() == "primary"
    monkeypatch.setattr(replica, "CHECK_SECONDS", 0)
    assert two.answered_by() == "replica"


def test_a_replica_whose_connection_breaks_in_a_query_is_replaced_by_the_primary(two: Two) -> None:
    asked: list[str] = []

    def query(session: Session) -> str:
        asked.append(str(_name(session)))
        if asked[-1] == two.name_of_replica:
            session.execute(text("select pg_terminate_backend(pg_backend_pid())"))
        return asked[-1]

    assert two.database.answer(query, may_lag=True) != two.name_of_replica
    assert asked[0] == two.name_of_replica
    assert two.answered_by() == "primary"


def test_a_replica_without_a_free_connection_is_not_waited_for_twice(two: Two) -> None:
    connect = two.replica.engine.pool._creator
    two.replica.engine = create_engine(
        "postgresql+psycopg://", creator=connect, pool_size=1, max_overflow=0, pool_timeout=0.1
    )
    assert two.answered_by() == "replica"
    with two.replica.engine.connect():
        assert two.answered_by() == "primary"


def test_a_query_that_conflicts_with_the_replay_is_asked_of_the_primary_and_the_next_one_is_not(two: Two) -> None:
    def query(session: Session) -> Any:
        if (name := _name(session)) == two.name_of_replica:
            session.execute(text("do $$ begin raise exception 'conflict' using errcode = '40001'; end $$"))
        return name

    assert two.database.answer(query, may_lag=True) != two.name_of_replica
    assert two.answered_by() == "replica"


def test_a_faulty_query_fails_once_and_does_not_count_against_the_replica(two: Two) -> None:
    asked: list[Any] = []

    def query(session: Session) -> None:
        asked.append(_name(session))
        session.execute(text("select nothing from nowhere"))

    with pytest.raises(ProgrammingError):
        two.database.answer(query, may_lag=True)
    assert asked == [two.name_of_replica]
    assert two.answered_by() == "replica"


def test_nothing_is_written_to_a_replica(two: Two) -> None:
    with pytest.raises(WriteInReadOnlyTransaction):
        two.database.answer(lambda session: session.execute(text("delete from outbox")), may_lag=True)


@pytest.mark.parametrize(("lag", "who"), [("5", "replica"), ("5.1", "primary"), ("null", "primary")])
def test_a_replica_that_lags_beyond_the_limit_is_not_asked(
    two: Two, monkeypatch: pytest.MonkeyPatch, lag: str, who: str
) -> None:
    monkeypatch.setattr(replica, "_LAG", text(f"select {lag}"))
    assert two.answered_by() == who


def test_its_lag_is_not_measured_for_each_query(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[int] = []
    keeps_up = two.replica._keeps_up

    def measure() -> bool:
        measured.append(1)
        return keeps_up()

    monkeypatch.setattr(two.replica, "_keeps_up", measure)
    monkeypatch.setattr(replica, "CHECK_SECONDS", 3600)
    assert {two.answered_by() for _ in range(20)} == {"replica"}
    assert len(measured) == 1


def _listed(two: Two, *roles: str) -> str:
    """Who answers a list of batches to a caller with these roles."""
    asked: list[str] = []
    answer = two.database.answer

    def note(query: Any, *, may_lag: bool) -> Any:
        asked.append("replica" if may_lag else "primary")
        return answer(query, may_lag=may_lag)

    service = BatchingService()
    service.database = Database()
    service.database.answer = note  # type: ignore[method-assign]
    caller = Caller(account_id=str(uuid4()), roles=frozenset(roles), union_id=str(uuid4()))
    done = service.list_batches(Request(caller.to_dict(), {}, None, str(uuid4()), time.time() + 60))
    assert '"result"' in str(done)
    return asked[0]


def test_a_superiors_list_may_be_old_and_a_clerks_may_not(two: Two) -> None:
    assert [_listed(two, role) for role in ("reviewer", "administrator", "clerk")] == ["replica", "replica", "primary"]
    assert _listed(two, "clerk", "reviewer") == "primary"


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(Exception, match="DATABASE_REPLICA_URL is no address of PostgreSQL"):
        DatabaseSettings(Secret("postgresql://localhost/a"), database_replica_url=Secret("nonsense"))


def test_a_closed_database_closes_both_pools(two: Two) -> None:
    two.answered_by()
    two.answered_by(may_lag=False)
    engines: list[Engine | None] = [two.database.engine, two.replica.engine]
    two.database.stop()
    assert [engine.pool.checkedin() for engine in engines if engine] == [0, 0]  # type: ignore[attr-defined]
