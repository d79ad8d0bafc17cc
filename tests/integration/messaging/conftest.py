"""Worlds for the messaging tests: one for the harmless tests of a module, and a separate one for each other test.

A module may name settings of its shared probe in `PROBE_SETTINGS`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from deploy.local.nodes import Nodes
from services.kit.events.envelope import causation, correlation
from tests.databases import unique_name
from tests.integration.messaging.world import Outside, World, probe_engine


@pytest.fixture
def key() -> str:
    """The key, or prefix of keys, under which the effects of this test are recorded."""
    return f"key-{uuid4().hex[:12]}"


@pytest.fixture(scope="module")
def shared_world(
    request: pytest.FixtureRequest, nodes: Nodes, module_amqp_uri: str, module_start_service: Callable[..., Any]
) -> Iterator[World]:
    """A running probe for all tests of the module."""
    with _new_world(nodes, module_amqp_uri, module_start_service) as world:
        world.start(**getattr(request.module, "PROBE_SETTINGS", {}))
        yield world


@pytest.fixture
def world(shared_world: World) -> Iterator[World]:
    """The module's world with a new client, an empty outbox and no dead letters."""
    _forget_context()
    outside = Outside(shared_world.amqp_uri)
    shared_world.clear(outside)
    yield replace(shared_world, outside=outside, log_begins_at=len(shared_world.probes[0].log))
    outside.close()


@pytest.fixture
def own_world(nodes: Nodes, amqp_uri: str, start_service: Callable[..., Any]) -> Iterator[World]:
    """A world without probes, for a test that starts, ends, restarts or configures them itself."""
    _forget_context()
    with _new_world(nodes, amqp_uri, start_service) as world:
        yield world


@contextmanager
def _new_world(nodes: Nodes, amqp_uri: str, start_service: Callable[..., Any]) -> Iterator[World]:
    name = unique_name("probe")
    nodes.postgres.create_database(name)
    url = nodes.postgres.url(name)
    with probe_engine(url) as engine:
        world = World(engine, url, amqp_uri, Outside(amqp_uri), start_service)
        yield world
        world.outside.close()
        world.kill_probes()
    nodes.postgres.drop_database(name)


def _forget_context() -> None:
    for of_this_test in (correlation, causation):
        of_this_test.set(None)
