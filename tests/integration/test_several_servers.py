"""An address of several servers leads to the primary; roles have limits, also where sessions cannot ask for them."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from deploy.local.nodes import Nodes
from deploy.local.ports import LOOPBACK, hold_port
from services.kit.data.database import engine_for, is_database_unavailable
from services.kit.data.primary import FormerPrimary, primary_of
from services.kit.secret_values import Secret
from services.kit.settings import DatabaseSettings
from tests.databases import unique_name


@pytest.fixture
def role(nodes: Nodes) -> Iterator[str]:
    """A database with its role, whose password is the same word."""
    name = unique_name("several")
    nodes.postgres.prepare_private_database(name, name, name)
    yield name
    nodes.postgres.drop_private_database(name)


@pytest.fixture
def settings(nodes: Nodes, role: str) -> DatabaseSettings:
    """The settings of a service whose database has two servers, the first of which is away."""
    servers = f"host={LOOPBACK},{LOOPBACK}&port={hold_port()},{nodes.postgres.port}"
    return DatabaseSettings(Secret(f"postgresql+psycopg://{role}:{role}@/{role}?{servers}"))


def test_the_engine_finds_the_server_that_is_there(nodes: Nodes, settings: DatabaseSettings) -> None:
    engine = engine_for(settings, "several")
    with engine.connect() as connection:
        assert connection.scalar(text("select inet_server_port()")) == nodes.postgres.port
        assert connection.scalar(text("show application_name")) == "several"
    engine.dispose()


def test_pooled_connections_to_a_former_primary_are_dropped_and_new_ones_refused(settings: DatabaseSettings) -> None:
    engine, primary = engine_for(settings, "several"), primary_of(settings.database_url)
    with engine.connect() as connection:
        former = connection.scalar(text("select pg_backend_pid()"))
    with engine.connect() as connection:
        assert connection.scalar(text("select pg_backend_pid()")) == former
    timeline = primary.timeline
    primary.timeline = timeline + 1  # as after a connection to another server, which was promoted meanwhile
    with pytest.raises(OperationalError) as refusal, engine.connect():
        pass
    assert isinstance(refusal.value.orig, FormerPrimary)
    assert is_database_unavailable(refusal.value)
    primary.timeline = timeline
    with engine.connect() as connection:
        assert connection.scalar(text("select pg_backend_pid()")) != former
    engine.dispose()


def test_a_role_has_limits_and_nothing_is_prepared_where_a_pooler_is_in_between(nodes: Nodes, role: str) -> None:
    direct = Secret(nodes.postgres.url(role, role, role))
    engine = engine_for(DatabaseSettings(direct, direct, statement_timeout_seconds=7), "pooled")
    with engine.connect() as connection:
        for name, value in DatabaseSettings(Secret()).session_limits.items():
            assert (
                connection.scalar(text("select setting from pg_settings where name = :name"), {"name": name}) == value
            )
        for _ in range(20):
            connection.execute(text("select :number"), {"number": 1})
        assert connection.scalar(text("select count(*) from pg_prepared_statements")) == 0
    engine.dispose()


def test_a_service_asks_for_its_own_limits_where_no_pooler_is_in_between(nodes: Nodes, role: str) -> None:
    address = Secret(nodes.postgres.url(role, role, role))
    engine = engine_for(DatabaseSettings(address, statement_timeout_seconds=7), "direct")
    with engine.connect() as connection:
        assert connection.scalar(text("show statement_timeout")) == "7s"
    engine.dispose()
