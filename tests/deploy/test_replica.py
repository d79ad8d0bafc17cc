"""Queries that may be old are asked of a real standby, as far as it follows, and of the primary otherwise."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from deploy.local.client import wait_until
from deploy.local.environment import ROOT
from deploy.local.ports import LOOPBACK
from deploy.local.postgres import SUPERUSER
from services.kit.data import replica
from services.kit.data.database import Database, engine_for
from services.kit.data.replica import Replica
from services.kit.secret_values import Secret
from services.kit.settings import DatabaseSettings
from tests.primary_and_standby import PrimaryAndStandby, primary_and_standby

pytestmark = [
    pytest.mark.deploy("two database servers of its own"),
    pytest.mark.timeout(600),
    pytest.mark.alone("measures how far a standby lags"),
]


@pytest.fixture(scope="module")
def servers() -> Iterator[PrimaryAndStandby]:
    with primary_and_standby(ROOT / ".local" / "test-replica" / "servers") as pair:
        pair.execute("a", "create table counted (number int)")
        yield pair


def _address(servers: PrimaryAndStandby, name: str) -> Secret:
    node = servers.servers[name]
    return Secret(f"postgresql://{SUPERUSER}:{servers.servers['a'].password}@{LOOPBACK}:{node.port}/postgres")


@pytest.fixture
def database(servers: PrimaryAndStandby, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setattr(replica, "CHECK_SECONDS", 0.2)
    settings = DatabaseSettings(_address(servers, "a"), max_workers=2)
    database = Database()
    database.engine = engine_for(settings, "test")
    database.replica = Replica(engine_for(settings, "test", _address(servers, "b")), most_seconds=1)
    yield database
    database.stop()


def _is_standby(session: Session) -> bool:
    return bool(session.scalar(text("select pg_is_in_recovery()")))


def _answers(database: Database) -> str:
    return "standby" if database.answer(_is_standby, may_lag=True) else "primary"


def test_a_standby_answers_while_it_follows_even_if_nothing_is_written_for_long(
    servers: PrimaryAndStandby, database: Database
) -> None:
    assert database.replica is not None
    database.replica._most_seconds = 0.001
    wait_until(lambda: _answers(database) == "standby", "the standby answers")
    assert database.answer(_is_standby, may_lag=False) is False


def test_a_standby_that_falls_behind_is_not_asked_until_it_has_caught_up(
    servers: PrimaryAndStandby, database: Database
) -> None:
    wait_until(lambda: _answers(database) == "standby", "the standby answers")
    servers.execute("b", "select pg_wal_replay_pause()")
    servers.execute("a", "insert into counted values (1)")
    wait_until(lambda: _answers(database) == "primary", "the primary answers")
    assert database.answer(lambda session: session.scalar(text("select count(*) from counted")), may_lag=True) == 1

    servers.execute("b", "select pg_wal_replay_resume()")
    wait_until(lambda: _answers(database) == "standby", "the standby has caught up")


def test_a_standby_that_is_stopped_and_one_that_was_promoted_harm_nobody(
    servers: PrimaryAndStandby, database: Database
) -> None:
    """It comes last: the pair is no pair any more."""
    wait_until(lambda: _answers(database) == "standby", "the standby answers")
    servers.execute("a", "alter system set synchronous_standby_names = ''")
    servers.execute("a", "select pg_reload_conf()")
    servers.execute("b", "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()")
    assert _answers(database) in ("primary", "standby")
    servers.kill_primary()
    servers.promote()
    assert database.replica is not None
    wait_until(database.replica.is_usable, "the promoted one answers")
    assert _answers(database) == "primary"
