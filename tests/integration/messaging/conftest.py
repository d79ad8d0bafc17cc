"""A world for each messaging test: fresh database, fresh virtual host, a client outside."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from deploy.local.nodes import Nodes
from services.common.messaging.envelope import causation, correlation
from tests.conftest import _unique_name
from tests.integration.messaging.world import Outside, World, probe_engine


@pytest.fixture
def world(nodes: Nodes, amqp_uri: str, start_service: Callable[..., Any]) -> Iterator[World]:
    """Where probes run. They end before their database goes."""
    for of_this_test in (correlation, causation):
        of_this_test.set(None)
    name = _unique_name("probe")
    nodes.postgres.create_database(name)
    url = nodes.postgres.url(name)
    with probe_engine(url) as engine:
        yield World(engine, url, amqp_uri, Outside(amqp_uri), start_service)
    nodes.postgres.drop_database(name)
