"""A service's database is migrated to the newest revision, once, and never by older code."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Engine, create_engine, inspect, text
from sqlalchemy.exc import OperationalError

from deploy.local.client import wait_until
from deploy.local.environment import SERVICES
from deploy.local.nodes import Nodes
from services.kit.data import migrate
from services.kit.data.schema.online_steps import sort_indexes_of_moments, swap_indexes_of_moments
from services.kit.data.schema.versions import head_revision, why_not_served
from tests.databases import ROOT

ENV = """
from sqlalchemy import Column, Integer, MetaData, Table
from services.kit.data.migrate import run_migrations
metadata = MetaData()
Table("cards", metadata, Column("id", Integer, primary_key=True))
run_migrations(metadata)
"""
FIRST_VERSION = """
from alembic import op
import sqlalchemy as sa
revision, down_revision = "0001", None
def upgrade():
    op.create_table("cards", sa.Column("id", sa.Integer, primary_key=True))
"""
PREPARED_VERSION = """
from alembic import op
from sqlalchemy import text
from services.kit.data.schema.online_steps import add_index
revision, down_revision = "0002", "0001"
def prepare(connection):
    connection.execute(text("insert into cards default values"))
    add_index(connection, "ix_cards_id", "cards (id)")
    if connection.scalar(text("select count(*) from cards")) < 2:
        raise InterruptedError
def upgrade():
    op.execute("alter table cards add column name text")
"""
SECOND_VERSION = """
from alembic import op
import sqlalchemy as sa
revision, down_revision = "0002", "0001"
def upgrade():
    op.add_column("cards", sa.Column("name", sa.Text))
"""


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_waits_for_the_version_that_its_migrations_lead_to(service: str) -> None:
    folder = ROOT / "services" / service
    assert [head_revision(folder)] == ScriptDirectory(folder / "migrations").get_heads()


def test_who_has_no_migrations_waits_for_none(tmp_path: Path) -> None:
    assert head_revision(tmp_path) is None


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A service of one table, `library`, in a services folder of its own."""
    versions = tmp_path / "library" / "migrations" / "versions"
    versions.mkdir(parents=True)
    (versions.parent / "env.py").write_text(ENV)
    (versions / "v0001.py").write_text(FIRST_VERSION)
    monkeypatch.setattr(migrate, "SERVICES_FOLDER", tmp_path)
    return versions


@pytest.fixture
def database_url(nodes: Nodes) -> Iterator[str]:
    nodes.postgres.drop_database("library")
    nodes.postgres.create_database("library")
    yield nodes.postgres.url("library")
    nodes.postgres.drop_database("library")


def test_an_empty_database_gets_the_tables_of_the_service(library: Path, database_url: str) -> None:
    migrate.upgrade("library", database_url)

    assert "cards" in inspect(create_engine(database_url)).get_table_names()
    migrate.check("library", database_url)


def test_processes_that_migrate_at_the_same_time_migrate_once(library: Path, database_url: str) -> None:
    # Alembic keeps its context in the process, so only the lock is tried here: the second finds the work done.
    with ThreadPoolExecutor(1) as other, create_engine(database_url).begin() as connection:
        connection.execute(text("select pg_advisory_xact_lock(hashtext('migrations'))"))
        upgrading = other.submit(migrate.upgrade, "library", database_url)
        _wait_until_blocked(create_engine(database_url), "locktype = 'advisory'")
        assert not upgrading.done()
        connection.commit()
        upgrading.result(timeout=60)
    migrate.upgrade("library", database_url)


def test_a_migration_that_waits_for_a_table_does_not_block_others(library: Path, database_url: str) -> None:
    migrate.upgrade("library", database_url)
    (library / "v0002.py").write_text(SECOND_VERSION)
    engine = create_engine(database_url)
    with ThreadPoolExecutor(1) as other, engine.connect() as long_transaction, engine.connect() as clerk:
        long_transaction.execute(text("select * from cards"))
        upgrading = other.submit(migrate.upgrade, "library", database_url)
        _wait_until_blocked(engine, "relation = 'cards'::regclass")
        clerk.execute(text("set statement_timeout = '60s'"))
        clerk.execute(text("select * from cards")).all()
        clerk.commit()
        assert not upgrading.done()
        long_transaction.commit()
        upgrading.result(timeout=60)
    assert [column["name"] for column in inspect(engine).get_columns("cards")] == ["id", "name"]


def test_a_migration_that_never_gets_its_lock_changes_nothing_and_says_so(library: Path, database_url: str) -> None:
    migrate.upgrade("library", database_url)
    (library / "v0002.py").write_text(SECOND_VERSION)
    engine = create_engine(database_url)
    with engine.connect() as long_transaction:
        long_transaction.execute(text("select * from cards"))
        with pytest.raises(OperationalError, match="lock timeout"):
            migrate.upgrade("library", database_url, wait_seconds=0)
    assert [column["name"] for column in inspect(engine).get_columns("cards")] == ["id"]


def test_a_revision_prepares_without_a_transaction_and_again_after_an_interruption(
    library: Path, database_url: str
) -> None:
    (library / "v0001.py").write_text(FIRST_VERSION.replace("primary_key", "autoincrement=True, primary_key"))
    (library / "v0002.py").write_text(PREPARED_VERSION)
    with pytest.raises(InterruptedError):
        migrate.upgrade("library", database_url)
    engine = create_engine(database_url)
    assert [column["name"] for column in inspect(engine).get_columns("cards")] == ["id"]
    with engine.begin() as connection:
        connection.execute(text("update pg_index set indisvalid = false where indexrelid = 'ix_cards_id'::regclass"))

    migrate.upgrade("library", database_url)
    migrate.upgrade("library", database_url)

    with engine.connect() as connection:
        assert connection.scalar(text("select count(*) from cards")) == 2
        valid = "select indisvalid from pg_index where indexrelid = 'ix_cards_id'::regclass"
        assert connection.scalar(text(valid))
        assert connection.scalar(text("select version_num from alembic_version")) == "0002"


def test_block_ranges_of_moments_become_sorted_indexes(database_url: str) -> None:
    engine = create_engine(database_url)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table, moment in (("inbox", "handled_at"), ("handled_request", "at")):
            connection.execute(text(f"create table {table} (id int, {moment} timestamptz not null default now())"))
            connection.execute(text(f"create index ix_{table}_{moment} on {table} using brin ({moment})"))
        for _ in range(2):
            sort_indexes_of_moments(connection)
        for _ in range(2):
            swap_indexes_of_moments(connection)
        methods = connection.scalars(
            text(
                "select am.amname from pg_class c join pg_am am on am.oid = c.relam"
                " where relname in ('ix_inbox_handled_at', 'ix_handled_request_at')"
            )
        )
        assert methods.all() == ["btree", "btree"]


def test_models_that_say_other_than_the_migrations_are_found(library: Path, database_url: str) -> None:
    migrate.upgrade("library", database_url)
    (library.parent / "env.py").write_text(ENV.replace('"cards"', '"members"'))

    with pytest.raises(CommandError, match="New upgrade operations detected"):
        migrate.check("library", database_url)


def test_a_database_of_a_newer_version_is_refused(library: Path, database_url: str) -> None:
    migrate.upgrade("library", database_url)
    with create_engine(database_url).begin() as connection:
        connection.execute(text("update alembic_version set version_num = '0002'"))

    with pytest.raises(migrate.DatabaseIsNewer, match="library is at version 0002"):
        migrate.upgrade("library", database_url)


def test_code_that_a_newer_database_serves_leaves_it_as_it_is(library: Path, database_url: str) -> None:
    migrate.upgrade("library", database_url)
    (library / "v0002.py").write_text(SECOND_VERSION)
    migrate.upgrade("library", database_url)
    (library / "v0002.py").unlink()

    migrate.upgrade("library", database_url)

    engine = create_engine(database_url)
    assert [column["name"] for column in inspect(engine).get_columns("cards")] == ["id", "name"]
    with engine.connect() as connection:
        assert why_not_served(connection, "0001") is None


def test_code_that_a_newer_database_no_longer_serves_is_refused(library: Path, database_url: str) -> None:
    migrate.upgrade("library", database_url)
    (library / "v0002.py").write_text(SECOND_VERSION + 'serves_from = "0002"\n')
    migrate.upgrade("library", database_url)
    (library / "v0002.py").unlink()

    with pytest.raises(migrate.DatabaseIsNewer, match="library is at version 0002"):
        migrate.upgrade("library", database_url)
    with create_engine(database_url).connect() as connection:
        assert why_not_served(connection, "0001") == "the database is at 0002, the code at 0001"
        assert why_not_served(connection, "0002") is None


def test_a_database_that_takes_no_changes_and_lacks_nothing_stays_as_it_is(library: Path, database_url: str) -> None:
    migrate.upgrade("library", database_url)
    engine = create_engine(database_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("alter database library set default_transaction_read_only = on"))
    engine.dispose()
    migrate.upgrade("library", database_url)


def test_code_that_is_newer_than_the_database_is_not_served(library: Path, database_url: str) -> None:
    migrate.upgrade("library", database_url)
    with create_engine(database_url).connect() as connection:
        assert why_not_served(connection, "0002") == "the database is at 0001, the code at 0002"


def test_a_service_without_migrations_is_named(library: Path, database_url: str) -> None:
    with pytest.raises(ValueError, match="no service 'archive'"):
        migrate.upgrade("archive", database_url)


def _wait_until_blocked(engine: Engine, lock: str) -> None:
    waiting = text(f"select count(*) from pg_locks where not granted and {lock}")
    with engine.connect() as connection:
        wait_until(lambda: connection.scalar(waiting), "the migration waits for its lock")
