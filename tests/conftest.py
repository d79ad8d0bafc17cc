"""Real nodes for the tests: one PostgreSQL and one RabbitMQ a session, a fresh database and virtual host a test; and a
whole stack for the session, for the tests that look at the system from outside.

`TEST_NODES=keep` leaves the nodes running for the next session, which then starts at once. Several sessions may run
at the same time: names of databases and virtual hosts carry the process id.
"""

import fcntl
import hashlib
import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from xdist.scheduler import LoadScopeScheduling

from deploy.local import nodes as private_nodes
from deploy.local.addresses import passing_addresses
from deploy.local.captcha_solver import learn_secret
from deploy.local.nodes import Nodes
from deploy.local.stack import Stack, running_stack, status
from services.common import migrate
from tests.unlimited import UNLIMITED

ROOT = Path(__file__).parents[1]
NODES_FOLDER = ROOT / ".local" / "test"
STACK_FOLDER = ROOT / ".local" / f"test-stack{os.environ.get('PYTEST_XDIST_WORKER', '')}"
os.environ.setdefault("ENVIRONMENT", "test")
os.environ.setdefault("PERSONAL_DATA_KEYS", "tests:dGhlIHRlc3RzIG93biBrZXkgaXMgMzIgYnl0ZXMuLi4=")
os.environ.setdefault("BLIND_INDEX_KEY", "dGhlIHRlc3RzIG93biBrZXkgaXMgMzIgYnl0ZXMuLi4=")
os.environ.setdefault("AUDIT_KEYS", "tests:dGhlIHRlc3RzIG93biBrZXkgaXMgMzIgYnl0ZXMuLi4=")
# How long an example takes is the machine's affair, which does other things besides.
hypothesis.settings.register_profile("patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("patient")
_WITH_STACKS_OF_THEIR_OWN = ("tests/e2e/test_operated.py",)
_numbers = itertools.count(1)

DatabaseFactory = Callable[[str], str]


class SharedStacks(LoadScopeScheduling):
    """Of several workers (`-n 2`) one has all pages' tests, one all others on a shared stack; else files stay whole."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        folder = file.rpartition("/")[0]
        return folder if folder in ("tests/browser", "tests/e2e") and file not in _WITH_STACKS_OF_THEIR_OWN else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> SharedStacks:
    """Called by pytest-xdist."""
    return SharedStacks(config, log)


@pytest.fixture(scope="session")
def nodes() -> Iterator[Nodes]:
    """Both nodes, shared with every other test session that runs at this moment."""
    NODES_FOLDER.mkdir(parents=True, exist_ok=True)
    with (NODES_FOLDER / "sessions.lock").open("w") as sessions:
        fcntl.flock(sessions, fcntl.LOCK_SH)
        yield private_nodes.start(NODES_FOLDER, durable=False)
        if os.environ.get("TEST_NODES") != "keep":
            _drop_unless_used(sessions.fileno())


@pytest.fixture
def database(nodes: Nodes) -> Iterator[DatabaseFactory]:
    """`database("membership")` is the URL of a fresh, migrated, empty database, dropped after the test."""
    with _fresh_databases(nodes) as create:
        yield create


@pytest.fixture(scope="module")
def module_database(nodes: Nodes) -> Iterator[DatabaseFactory]:
    """As `database`, kept for all tests of the module."""
    with _fresh_databases(nodes) as create:
        yield create


@pytest.fixture
def amqp_uri(nodes: Nodes) -> Iterator[str]:
    """The address of a fresh virtual host, deleted after the test."""
    with _fresh_vhost(nodes) as uri:
        yield uri


@pytest.fixture(scope="module")
def module_amqp_uri(nodes: Nodes) -> Iterator[str]:
    """As `amqp_uri`, kept for all tests of the module."""
    with _fresh_vhost(nodes) as uri:
        yield uri


@pytest.fixture(scope="session")
def stack(nodes: Nodes) -> Iterator[Stack]:
    """A running system of this worker with fresh seeded databases; the bank decides only when a test tells it to.

    All tests come from one address: how much of it is too much is tried apart.

    It tells addresses and rules over processes: see `Stack`. No process had to be started twice.
    """
    settings = {"BANK_MODE": "manual", "LOG_LEVEL": "DEBUG", **UNLIMITED}
    with (
        passing_addresses(nodes, f"stack_{os.getpid()}") as addresses,
        running_stack(STACK_FOLDER, addresses, settings=settings) as running,
    ):
        learn_secret(STACK_FOLDER)
        assert [process.name for process in status(STACK_FOLDER) if process.record.restarts] == []
        yield running


@pytest.fixture
def queue_depths(nodes: Nodes) -> Callable[[str], dict[str, int]]:
    """`queue_depths(amqp_uri)` tells the messages, ready and unacknowledged, in each queue behind that address."""
    return lambda uri: nodes.rabbitmq.queue_depths(uri.rpartition("/")[2])


def _drop_unless_used(sessions_lock: int) -> None:
    """Drop the nodes when no other session holds the lock."""
    try:
        fcntl.flock(sessions_lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    private_nodes.drop(NODES_FOLDER)


@contextmanager
def _fresh_databases(nodes: Nodes) -> Iterator[DatabaseFactory]:
    with ExitStack() as after:

        def create(service: str) -> str:
            name = _unique_name(service)
            nodes.postgres.create_database(name, template=_template(nodes, service))
            after.callback(nodes.postgres.drop_database, name)
            return nodes.postgres.url(name)

        yield create


@contextmanager
def _fresh_vhost(nodes: Nodes) -> Iterator[str]:
    name = _unique_name("vhost")
    nodes.rabbitmq.create_vhost(name)
    yield nodes.rabbitmq.uri(name)
    nodes.rabbitmq.delete_vhost(name)


def _unique_name(kind: str) -> str:
    return f"{kind}_{os.getpid()}_{next(_numbers)}"


def _template(nodes: Nodes, service: str) -> str:
    """A migrated database of the service to copy from; made anew when its tables or migrations have changed."""
    name = f"template_{service}_{_fingerprint(service)}"
    with (NODES_FOLDER / f"{service}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not nodes.postgres.has_database(name):
            in_making = f"{name}_in_making"
            nodes.postgres.drop_database(in_making)
            nodes.postgres.create_database(in_making)
            migrate.upgrade(service, nodes.postgres.url(in_making))
            nodes.postgres.rename_database(in_making, name)
    return name


def _fingerprint(service: str) -> str:
    sources = sorted((ROOT / "services" / service / "migrations").rglob("*.py"))
    shared = sorted((ROOT / "services" / "common").glob("*.py"))
    content = b"".join(path.read_bytes() for path in [*sources, *shared])
    return hashlib.sha256(content).hexdigest()[:12]
