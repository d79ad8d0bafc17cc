"""Rows whose term has passed are deleted: in small sets, by an index, by one process at a time, and none too early."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from importlib import import_module
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
import requests
from psycopg import sql
from sqlalchemy import ARRAY, JSON, Boolean, Column, Date, DateTime, Float, Integer, LargeBinary, Uuid

from deploy import databases_document, retention_document
from deploy.local.client import wait_until
from deploy.local.nodes import Nodes
from deploy.local.postgres import owner_of
from deploy.permissions import SERVICES
from services.kit.data import migrate, months, retention
from services.kit.data.retention import Expiring, Retention, delete_expired, first_id_of, rows_older
from services.kit.settings import read_settings
from tests.databases import DatabaseFactory, unique_name
from tests.integration.conftest import StartService

EXPIRING = [
    (service, one)
    for service in SERVICES
    for one in retention_document.retention_of(service)
    if isinstance(one, Expiring) and (one not in retention.OF_THE_KIT or service == SERVICES[0])
]
NAMES = [f"{service}.{one.table}" for service, one in EXPIRING]
_NOW = datetime.now(UTC)
_FACTS: dict[str, dict[str, Any]] = {
    "application_history": {"state": "issued", "version": 3},
    "sms": {"state": "sent"},
    "signed_in_session": {"account_id": uuid4()},
}
"""What the rows of these tables must be to be deleted, or at all."""

Connection = psycopg.Connection[Any]


@pytest.fixture
def connect(database: DatabaseFactory) -> Iterator[Any]:
    opened: list[Connection] = []

    def connection(service: str) -> Connection:
        opened.append(_connection(database(service)))
        return opened[-1]

    yield connection
    for one in opened:
        one.close()


def _connection(url: str) -> Connection:
    return psycopg.connect(url.replace("+psycopg", ""), autocommit=True)


def a_row(connection: Connection, service: str, table: str, moment: datetime, **values: Any) -> None:
    """Adds a row of a moment, with a value in each column that must have one; references lead nowhere."""
    metadata = databases_document.base_of(service).metadata
    row = {column.name: _value(column, moment) for column in metadata.tables[table].columns if _is_given(column)}
    row |= _FACTS.get(table, {}) | values
    connection.execute("set session_replication_role = replica")
    statement = sql.SQL("insert into {} ({}) values ({})").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, row)),
        sql.SQL(", ").join(sql.Placeholder() for _ in row),
    )
    connection.execute(statement, list(row.values()))
    connection.execute("set session_replication_role = origin")


def _is_given(column: Column[Any]) -> bool:
    is_moment = isinstance(column.type, DateTime)
    return is_moment or not (column.nullable or column.computed is not None or column.identity is not None)


def _value(column: Column[Any], moment: datetime) -> Any:
    of_type = getattr(column.type, "impl", column.type)
    return next((value(column, moment) for kind, value in _VALUES.items() if isinstance(of_type, kind)), uuid4().hex)


def _id(column: Column[Any], moment: datetime) -> UUID:
    return UUID(int=first_id_of(moment).int + uuid4().int % 2**60) if column.primary_key else uuid4()


_VALUES: dict[Any, Callable[[Column[Any], datetime], Any]] = {
    Uuid: _id,
    DateTime: lambda _, moment: moment,
    Date: lambda _, moment: moment.date(),
    Boolean: lambda *_: False,
    Integer: lambda *_: 1,
    Float: lambda *_: 1.0,
    ARRAY: lambda *_: [],
    JSON: lambda *_: "{}",
    LargeBinary: lambda *_: uuid4().bytes,
}


def rows(connection: Connection, table: str) -> int:
    found = connection.execute(sql.SQL("select count(*) from {}").format(sql.Identifier(table))).fetchone()
    return int(found[0]) if found else 0


def with_its_parent(connection: Connection, service: str, one: Expiring, moment: datetime) -> None:
    """Adds a row, and what it belongs to."""
    if one.table == "application_history":
        application_id = uuid4()
        a_row(connection, service, "application", moment, application_id=application_id, state="issued", version=3)
        a_row(connection, service, one.table, moment, application_id=application_id)
    elif one.table == "import_row":
        import_id = UUID(int=first_id_of(moment).int + uuid4().int % 2**60)
        a_row(connection, service, "import_job", moment, import_id=import_id)
        a_row(connection, service, one.table, moment, import_id=import_id)
    else:
        a_row(connection, service, one.table, moment)


@pytest.mark.parametrize(("service", "one"), EXPIRING, ids=NAMES)
def test_a_row_stays_until_its_term_has_passed(connect: Any, service: str, one: Expiring) -> None:
    connection, term, moment = connect(service), timedelta(days=one.days), timedelta(hours=1)
    with_its_parent(connection, service, one, _NOW - term - moment)
    with_its_parent(connection, service, one, _NOW - term + moment)

    assert delete_expired(connection, [one], _NOW) == {one.table: 1}
    assert rows(connection, one.table) == 1
    # The clock that is set forward is not the database's, which lets no younger disclosure go.
    later = delete_expired(connection, [one], _NOW + 3 * moment)
    assert later == {one.table: None if one.table == "disclosure" else 1}


@pytest.mark.parametrize(("service", "one"), EXPIRING, ids=NAMES)
def test_what_is_deleted_is_found_by_an_index(connect: Any, service: str, one: Expiring) -> None:
    connection = connect(service)
    connection.execute("set enable_seqscan = off")
    connection.execute("set enable_sort = off")
    parameters = {"before": _NOW, "before_id": first_id_of(_NOW), "limit": 10}
    (found,) = connection.execute(f"explain (format json) {one.delete}", parameters).fetchone()

    nodes = json.dumps(found)
    assert '"Seq Scan"' not in nodes
    assert '"Sort"' not in nodes


def test_rows_that_are_not_settled_stay_however_old_they_are(connect: Any) -> None:
    long_ago = _NOW - timedelta(days=9999)
    notification, membership = connect("notification"), connect("membership")
    a_row(notification, "notification", "sms", long_ago, state="waiting", topic="a")
    a_row(membership, "membership", "import_job", long_ago, finished_at=None)
    application_id = uuid4()
    a_row(
        membership, "membership", "application", long_ago, application_id=application_id, state="submitted", version=1
    )
    for version, state in enumerate(("queued", "submitted")):
        step = {"application_id": application_id, "version": version, "state": state}
        a_row(membership, "membership", "application_history", long_ago, **step)

    for service, connection in (("notification", notification), ("membership", membership)):
        deleted = delete_expired(connection, retention_document.retention_of(service), _NOW)
        assert set(deleted.values()) == {0}


def test_all_steps_of_an_ended_application_go_together(connect: Any) -> None:
    connection, application_id = connect("membership"), uuid4()
    ended_at = _NOW - timedelta(days=1096)
    a_row(connection, "membership", "application", ended_at, application_id=application_id, state="issued", version=2)
    for version, state in enumerate(("queued", "submitted", "issued")):
        step = {"application_id": application_id, "version": version, "state": state}
        a_row(connection, "membership", "application_history", ended_at + timedelta(hours=version), **step)

    deleted = delete_expired(connection, retention_document.retention_of("membership"), _NOW)
    assert deleted["application_history"] == 3


def test_a_released_application_whose_card_came_later_is_judged_by_its_last_step(connect: Any) -> None:
    connection, application_id = connect("membership"), uuid4()
    a_row(connection, "membership", "application", _NOW, application_id=application_id, state="issued", version=1)
    for version, state, at in ((0, "released", _NOW - timedelta(days=2000)), (1, "issued", _NOW - timedelta(days=9))):
        step = {"application_id": application_id, "version": version, "state": state}
        a_row(connection, "membership", "application_history", at, **step)

    deleted = delete_expired(connection, retention_document.retention_of("membership"), _NOW)
    assert deleted["application_history"] == 0


def test_read_marks_go_with_their_message(connect: Any) -> None:
    connection, message_id = connect("notification"), first_id_of(_NOW - timedelta(days=366))
    a_row(connection, "notification", "inbox_message", _NOW, message_id=message_id)
    a_row(connection, "notification", "read_mark", _NOW, message_id=message_id)

    delete_expired(connection, retention_document.retention_of("notification"), _NOW)
    assert (rows(connection, "inbox_message"), rows(connection, "read_mark")) == (0, 0)


INBOX = next(one for one in retention.OF_THE_KIT if one.table == "inbox")


def test_rows_are_deleted_in_small_sets(connect: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = connect("revocation")
    monkeypatch.setattr(retention, "CHUNK", 10)
    for _ in range(25):
        a_row(connection, "revocation", "inbox", _NOW - timedelta(days=31))
    sets: list[int] = []

    class Counted:
        def execute(self, *arguments: Any) -> Any:
            done = connection.execute(*arguments)
            sets.append(done.rowcount)
            return done

    assert delete_expired(Counted(), [INBOX], _NOW) == {"inbox": 25}  # type: ignore[arg-type]
    assert sets == [10, 10, 5, 0]


def test_a_stopping_process_finishes_its_set_and_no_more(connect: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = connect("revocation")
    monkeypatch.setattr(retention, "CHUNK", 10)
    for _ in range(25):
        a_row(connection, "revocation", "inbox", _NOW - timedelta(days=31))
    is_stopping = iter((False, True))

    assert delete_expired(connection, [INBOX], _NOW, lambda: next(is_stopping)) == {"inbox": 10}


def test_rows_that_somebody_has_locked_are_left_for_the_next_time(database: DatabaseFactory) -> None:
    url = database("revocation")
    with _connection(url) as connection, _connection(url) as other:
        for _ in range(3):
            a_row(connection, "revocation", "inbox", _NOW - timedelta(days=31))
        with other.transaction():
            other.execute("select * from inbox limit 1 for update")
            assert delete_expired(connection, [INBOX], _NOW) == {"inbox": 2}
        assert delete_expired(connection, [INBOX], _NOW) == {"inbox": 1}


def test_a_table_where_it_fails_does_not_stop_the_others(connect: Any) -> None:
    connection = connect("revocation")
    a_row(connection, "revocation", "inbox", _NOW - timedelta(days=31))
    missing = Expiring("missing", 1, "ever", rows_older("missing", "at"), "none")

    assert delete_expired(connection, [missing, INBOX], _NOW) == {"missing": None, "inbox": 1}


def test_the_database_deletes_no_disclosure_younger_than_three_years(connect: Any) -> None:
    connection = connect("membership")
    a_row(connection, "membership", "disclosure", datetime.now(UTC) - timedelta(days=1094))
    with pytest.raises(psycopg.Error, match="A disclosure never changes"):
        connection.execute("delete from disclosure")
    with pytest.raises(psycopg.Error, match="A disclosure never changes"):
        connection.execute("truncate disclosure")


@pytest.fixture
def url(database: DatabaseFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A database of revocation, by which the settings lead to it."""
    url = database("revocation")
    monkeypatch.setenv("DATABASE_URL", url)
    read_settings.cache_clear()
    yield url
    read_settings.cache_clear()


def a_process() -> Retention:
    process = Retention([INBOX])
    process.container = SimpleNamespace(service_name="revocation")
    process.setup()
    return process


def test_of_several_processes_one_deletes_at_a_time(url: str) -> None:
    with _connection(url) as connection, _connection(url) as leader:
        a_row(connection, "revocation", "inbox", _NOW - timedelta(days=31))
        leader.execute("select pg_advisory_lock(%s)", [retention._LOCK])
        a_process()._take_turn()
        assert rows(connection, "inbox") == 1
        leader.execute("select pg_advisory_unlock_all()")
        a_process()._take_turn()
        assert rows(connection, "inbox") == 0


def test_many_processes_at_once_delete_all_and_each_row_once(url: str) -> None:
    with _connection(url) as connection:
        for _ in range(50):
            a_row(connection, "revocation", "inbox", _NOW - timedelta(days=31))
        with ThreadPoolExecutor(5) as processes:
            for turn in [processes.submit(a_process()._take_turn) for _ in range(5)]:
                turn.result()
        assert rows(connection, "inbox") == 0


def test_a_running_service_deletes_by_itself_and_says_so(
    database: DatabaseFactory, amqp_uri: str, start_service: StartService
) -> None:
    url = database("revocation")
    with _connection(url) as connection:
        for days in (31, 29):
            a_row(connection, "revocation", "inbox", _NOW - timedelta(days=days))
        service = start_service("services.revocation.service", url, amqp_uri, RETENTION_MINUTES="0.01")

        wait_until(lambda: rows(connection, "inbox") == 1, "the old row is deleted")
    wait_until(lambda: '"deleted": {"inbox": 1}' in service.log, "the log says so")
    metrics = requests.get(f"{service.health_url}/metrics", timeout=60).text
    assert 'retention_rows_deleted_total{table="inbox"} 1.0' in metrics
    wait_until(
        lambda: (
            "retention_finished_timestamp_seconds 0.0"
            not in requests.get(f"{service.health_url}/metrics", timeout=60).text
        ),
        "the metric has the time",
    )
    assert service.stop() == 0


@pytest.mark.parametrize("service", SERVICES)
def test_the_role_of_a_service_has_the_rights_that_its_retention_needs(nodes: Nodes, service: str) -> None:
    """It owns no table, and adds and drops months by functions alone."""
    name = unique_name(f"private_{service}")
    nodes.postgres.prepare_private_database(name, "role", "owner")
    try:
        migrate.upgrade(service, nodes.postgres.url(name, owner_of(name), "owner"))
        process = import_module(f"services.{service}.service")
        (declared,) = [one for one in vars(_class_of(process, service)).values() if isinstance(one, Retention)]
        with _connection(nodes.postgres.url(name, name, "role")) as connection:
            assert None not in delete_expired(connection, declared._tables, _NOW).values()
            if declared._months is not None:
                declared._months(connection, datetime.now(UTC) + timedelta(days=40))
            for partition in months.partitions_of(connection, "audit_entry" if service == "membership" else "past_sms"):
                assert rows(connection, partition.name) == 0
                with pytest.raises(psycopg.Error, match="must be owner"):
                    connection.execute(f"drop table {partition.name}")
            with pytest.raises(psycopg.Error, match="must be owner"):
                connection.execute("drop table inbox")
    finally:
        nodes.postgres.drop_private_database(name)


def _class_of(module: Any, service: str) -> type:
    (found,) = [one for one in vars(module).values() if getattr(one, "name", None) == service]
    return found
