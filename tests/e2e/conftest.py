"""One whole stack for the session, on the test nodes: five services, gateway, simulators."""

import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from deploy.local.environment import SERVICES, Addresses
from deploy.local.nodes import Nodes
from deploy.local.stack import Stack, running_stack, status
from tests.conftest import ROOT

FOLDER = ROOT / ".local" / "test-stack"


@pytest.fixture(scope="session")
def stack(nodes: Nodes) -> Iterator[Stack]:
    """A running system with fresh seeded databases; the bank decides only when a test tells it to.

    It tells addresses and rules over processes: see `Stack`. No process had to be started twice.
    """
    name = f"stack_{os.getpid()}"
    with ExitStack() as after:
        urls = {}
        for service in SERVICES:
            database = f"{name}_{service}"
            nodes.postgres.create_database(database)
            after.callback(nodes.postgres.drop_database, database)
            urls[service] = nodes.postgres.url(database)
        nodes.rabbitmq.create_vhost(name)
        after.callback(nodes.rabbitmq.delete_vhost, name)
        addresses = Addresses(nodes.rabbitmq.uri(name), urls)
        running = after.enter_context(running_stack(FOLDER, addresses, settings={"BANK_MODE": "manual"}))
        assert [process.name for process in status(FOLDER) if process.record.restarts] == []
        yield running
