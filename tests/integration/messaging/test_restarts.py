"""After a restart of the broker or of the database all work resumes without help."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy.orm import Session

from deploy.local import nodes as private_nodes
from deploy.local import postgres, rabbitmq
from services.kit.events.outbox import publish
from tests.databases import ROOT
from tests.integration.messaging.probe.contracts import PINGED
from tests.integration.messaging.world import Outside, World, eventually, probe_engine

pytestmark = pytest.mark.long("restarts nodes of its own")
FOLDER = ROOT / ".local" / "test-restarts"


@pytest.fixture
def world(start_service: Callable[..., Any]) -> Iterator[World]:
    """On nodes of its own, which may be stopped without disturbing other tests."""
    private_nodes.drop(FOLDER)
    nodes = private_nodes.start(FOLDER, durable=False)
    nodes.postgres.create_database("probe")
    nodes.rabbitmq.create_vhost("probe")
    url, amqp_uri = nodes.postgres.url("probe"), nodes.rabbitmq.uri("probe")
    with probe_engine(url) as engine:
        world = World(engine, url, amqp_uri, Outside(amqp_uri), start_service)
        yield world
        world.stop_probes()
    private_nodes.drop(FOLDER)


def test_work_resumes_after_restarts_of_the_broker_and_the_database(world: World) -> None:
    probe = world.start(HEARTBEAT_SECONDS="2")
    world.outside.knock("before")
    eventually(lambda: "heard" in world.effects("before"))

    world.outside.knock("over the broker's restart", "sleep:0.5")
    rabbitmq.stop(FOLDER)
    with Session(world.engine) as session, session.begin():
        publish(session, PINGED, {"key": "told without a broker"})
    rabbitmq.start(FOLDER)
    eventually(lambda: "heard" in world.effects("told without a broker"))
    eventually(world.happened("over the broker's restart"))
    world.outside = Outside(world.amqp_uri)
    assert "result" in world.outside.call("count", {"key": "before"})

    world.engine.dispose()
    postgres.stop(FOLDER)
    world.outside.knock("told without a database")
    postgres.start(FOLDER, durable=False)
    eventually(lambda: "heard" in world.effects("told without a database"))
    assert "result" in world.outside.call("count", {"key": "before"})
    assert [len(world.done(key)) for key in ("before", "told without a broker", "told without a database")] == [1, 1, 1]
    assert probe.running.poll() is None
