"""How many connections to the database the processes of a service take, with a pooler in between and without."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import psycopg
import pytest

from deploy.local.environment import ROOT
from deploy.local.nodes import Nodes
from tests.databases import unique_name
from tests.deploy.pgbouncer import PgBouncer, pgbouncer

pytestmark = [
    pytest.mark.deploy("twenty processes, with PgBouncer and without"),
    pytest.mark.alone("takes all connections of the server that other tests use too"),
]

_POOL_SIZE = 20
_PROCESSES = (1, 5, 20)
_PER_PROCESS = 16 + 4 + 1
"""A connection for each worker, four more at need, and one for the relay."""
_COUNT = "select count(*) from pg_stat_activity where usename = %s and backend_type = 'client backend'"


@dataclass(frozen=True)
class Seen:
    """The connections of the server while all wait, and how many workers and relays were answered and refused."""

    connections: int
    answered: int
    refused: int


@pytest.fixture(scope="module")
def role(nodes: Nodes) -> Iterator[str]:
    """A database with its role, whose password is the same word."""
    name = unique_name("busy")
    nodes.postgres.prepare_private_database(name, name, name)
    yield name
    nodes.postgres.drop_private_database(name)


@pytest.fixture(scope="module")
def pooler(nodes: Nodes, role: str) -> Iterator[PgBouncer]:
    with pgbouncer(nodes.postgres, [role]) as running:
        yield running


def seen_with(processes: int, environment: Mapping[str, str], nodes: Nodes, role: str) -> Seen:
    """Runs so many busy processes and counts the server's connections of their role."""
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "tests.deploy.busy_processes", str(processes)],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "busy\n"
        with psycopg.connect(nodes.postgres.url().replace("+psycopg", ""), autocommit=True) as administrator:
            (connections,) = administrator.execute(_COUNT, [role]).fetchone() or (0,)
        answered, refused = map(int, running.communicate()[0].split())
    return Seen(connections, answered, refused)


def test_a_pooler_bounds_the_connections_of_any_number_of_processes(nodes: Nodes, role: str, pooler: PgBouncer) -> None:
    direct = f"{nodes.postgres.url(role, role, role)}?connect_timeout=60"  # all begin at once, on a busy machine
    pooled = {"DATABASE_URL": pooler.through(direct), "DATABASE_DIRECT_URL": direct}
    without = {number: seen_with(number, {"DATABASE_URL": direct}, nodes, role) for number in _PROCESSES}
    behind = {number: seen_with(number, pooled, nodes, role) for number in _PROCESSES}
    print("\nprocesses | a process may take | without: connections, refused | with PgBouncer: connections, refused")
    for number in _PROCESSES:
        one, other = without[number], behind[number]
        print(
            f"{number:9} | {number * _PER_PROCESS:18} | {one.connections:12} {one.refused:16} "
            f"| {other.connections:12} {other.refused:23}"
        )

    for number in _PROCESSES:
        assert behind[number].connections <= _POOL_SIZE + number
        assert behind[number].refused == 0
        assert behind[number].answered == number * _PER_PROCESS
    assert without[1].connections == _PER_PROCESS
    assert without[_PROCESSES[-1]].refused > 0, "so many connections were none too many: the comparison shows nothing"
