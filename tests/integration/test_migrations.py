"""Each service's migrations create the tables that its models declare, and build indexes while others write."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic import command
from sqlalchemy import create_engine, text

from deploy.local.client import wait_until
from deploy.local.environment import SERVICES
from services.kit.data import migrate
from tests.databases import DatabaseFactory

_WAITING = text("select count(*) from pg_locks where not granted and locktype = 'virtualxid'")


@pytest.mark.parametrize("service", SERVICES)
def test_the_migrated_database_is_what_the_models_say(database: DatabaseFactory, service: str) -> None:
    migrate.check(service, database(service))


@pytest.mark.parametrize(
    ("service", "before", "table"),
    [
        ("membership", "0022", "member"),
        ("membership", "0023", "member"),
        ("batching", "0013", "application"),
        ("batching", "0013", "batch"),
    ],
)
def test_people_write_a_large_table_while_its_new_indexes_are_built(
    database: DatabaseFactory, service: str, before: str, table: str
) -> None:
    url = database(service)
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    config = migrate._configuration(service)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, before)
    writing = text(f"lock table {table} in row exclusive mode nowait")
    with ThreadPoolExecutor(1) as other, engine.connect() as first, engine.connect() as second:
        first.execute(writing)
        upgrading = other.submit(migrate.upgrade, service, url)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as watching:
            wait_until(lambda: watching.scalar(_WAITING), "the building of an index waits for the first writer")
        second.execute(writing)
        second.commit()
        assert not upgrading.done()
        first.commit()
        upgrading.result(timeout=60)
    migrate.check(service, url)
    engine.dispose()
