"""The databases of the tests: a reused one is like a new one."""

import psycopg
import pytest

from deploy.local.nodes import Nodes
from services.kit.data import migrate
from tests.databases import fresh_databases


def _connect(url: str) -> psycopg.Connection:
    return psycopg.connect(url.replace("+psycopg", ""), autocommit=True)


@pytest.fixture
def used(nodes: Nodes) -> str:
    """A database that was given back and is the next one to be handed out."""
    return _next_database(nodes)


def _next_database(nodes: Nodes) -> str:
    with fresh_databases(nodes) as create:
        return create("revocation")


def test_a_used_database_is_handed_out_empty_and_with_its_sequences_at_their_start(nodes: Nodes, used: str) -> None:
    with fresh_databases(nodes) as create:
        assert create("revocation") == used
        with _connect(used) as connection:
            connection.execute("insert into audit_head select 7, 'x', now() from generate_series(1, 1)")
            connection.execute("select nextval('outbox_id_seq'), nextval('outbox_id_seq')")

    with fresh_databases(nodes) as create:
        assert create("revocation") == used
        with _connect(used) as connection:
            assert connection.execute("select count(*) from audit_head").fetchone() == (0,)
            assert connection.execute("select nextval('outbox_id_seq')").fetchone() == (1,)
            assert connection.execute("select count(*) from alembic_version").fetchone() == (1,)


def test_a_connection_that_a_test_left_open_keeps_no_database_from_the_next_test(nodes: Nodes, used: str) -> None:
    with fresh_databases(nodes) as create:
        left_open = _connect(create("revocation"))
        left_open.execute("begin")
        left_open.execute("lock table outbox in access exclusive mode")

    assert _next_database(nodes) == used
    with pytest.raises(psycopg.OperationalError):
        left_open.execute("select 1")


@pytest.mark.parametrize(
    "change",
    [
        "alter table audit_head disable trigger keep_audit_head",
        "drop trigger keep_audit_head on audit_head",
        "create or replace function stay() returns trigger language plpgsql as 'begin return new; end'",
        "alter table outbox add column more text",
        "alter table outbox alter column id type integer",
        "create index more on outbox (id)",
        "grant select on outbox to public",
        "create table more ()",
        "create schema more",
        "update alembic_version set version_num = '0001'",
        "do $$ begin execute format('alter database %I set statement_timeout = 5', current_database()); end $$",
        "do $$ begin execute format('alter database %I connection limit 5', current_database()); end $$",
    ],
)
def test_a_database_that_a_test_changed_is_not_used_again(nodes: Nodes, used: str, change: str) -> None:
    with fresh_databases(nodes) as create, _connect(create("revocation")) as connection:
        connection.execute(change)

    assert _next_database(nodes) != used
    assert not nodes.postgres.has_database(used.rpartition("/")[2])


def test_a_database_that_a_test_migrated_to_and_fro_is_as_migrated_or_gone(nodes: Nodes, used: str) -> None:
    with fresh_databases(nodes) as create:
        migrate.upgrade("revocation", create("revocation"))

    assert _next_database(nodes) == used
