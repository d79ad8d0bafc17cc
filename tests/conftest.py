"""Real nodes for the tests: one PostgreSQL and one RabbitMQ for a session, a fresh database and virtual host for a
test, and a whole stack for the tests that use the system from outside.

`TEST_NODES=keep` keeps the nodes running for the next session, which then starts at once. Several sessions may run
at the same time: names of databases and virtual hosts carry the process id.
"""

import fcntl
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import hypothesis
import pytest

from deploy.broker import definitions
from deploy.local import nodes as private_nodes
from deploy.local.nodes import Nodes
from deploy.local.private_files import make_private, open_private
from deploy.local.stack import Stack
from tests.databases import NODES_FOLDER, ROOT, DatabaseFactory, drop_idle_databases, fresh_databases, unique_name
from tests.shared_stack import shared_stack

REPORTS_FOLDER = ROOT / ".local" / "reports"
STACK_FOLDER = ROOT / ".local" / "test-stack"
os.environ.setdefault("ENVIRONMENT", "test")
os.environ["SMS_QUIET_HOURS"] = "0-0"  # at whatever hour the tests run
os.environ.setdefault("PERSONAL_DATA_KEYS", "tests:dGhlIHRlc3RzIG93biBrZXkgaXMgMzIgYnl0ZXMuLi4=")
os.environ.setdefault("BLIND_INDEX_KEY", "dGhlIHRlc3RzIG93biBrZXkgaXMgMzIgYnl0ZXMuLi4=")
os.environ.setdefault("AUDIT_KEYS", "tests:dGhlIHRlc3RzIG93biBrZXkgaXMgMzIgYnl0ZXMuLi4=")
# No deadline for examples, since the machine may be busy.
hypothesis.settings.register_profile("patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("patient")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Stores how long each test took, the longest first. pytest calls it, but not in workers."""
    seconds: defaultdict[str, float] = defaultdict(float)
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.getreports(outcome):
            seconds[report.nodeid] += getattr(report, "duration", 0.0)
    for report in terminalreporter.getreports(""):  # of setups and teardowns that went well
        seconds[report.nodeid] += report.duration
    make_private(REPORTS_FOLDER)
    longest_first = sorted(seconds.items(), key=lambda item: -item[1])
    lines = [f"{duration:.2f}\t{test}\n" for test, duration in longest_first]
    (REPORTS_FOLDER / "durations.tsv").write_text("".join(lines))


@pytest.fixture(scope="session")
def nodes() -> Iterator[Nodes]:
    """Both nodes, shared with all test sessions that run now."""
    make_private(NODES_FOLDER)
    with open_private(NODES_FOLDER / "sessions.lock", "w") as sessions:
        fcntl.flock(sessions, fcntl.LOCK_SH)
        nodes = private_nodes.start(NODES_FOLDER, durable=False)
        yield nodes
        drop_idle_databases(nodes)
        if os.environ.get("TEST_NODES") != "keep":
            _drop_unless_used(sessions.fileno())


@pytest.fixture
def database(nodes: Nodes) -> Iterator[DatabaseFactory]:
    """`database("membership")` is the URL of a fresh, migrated, empty database, dropped after the test."""
    with fresh_databases(nodes) as create:
        yield create


@pytest.fixture(scope="module")
def module_database(nodes: Nodes) -> Iterator[DatabaseFactory]:
    """As `database`, kept for all tests of the module."""
    with fresh_databases(nodes) as create:
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
    """The running system of this test run, shared by its workers; each test has its own union there.

    A test that kills, restarts or misconfigures a program must start its own system.
    """
    with shared_stack(nodes, STACK_FOLDER) as running:
        yield running


@pytest.fixture
def queue_depths(nodes: Nodes) -> Callable[[str], dict[str, int]]:
    """`queue_depths(amqp_uri)` returns the messages, ready and unacknowledged, in each queue of that virtual host."""
    return lambda uri: nodes.rabbitmq.queue_depths(uri.rpartition("/")[2])


def _drop_unless_used(sessions_lock: int) -> None:
    """Drop the nodes when no other session holds the lock."""
    try:
        fcntl.flock(sessions_lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    private_nodes.drop(NODES_FOLDER)


@contextmanager
def _fresh_vhost(nodes: Nodes) -> Iterator[str]:
    name = unique_name("vhost")
    nodes.rabbitmq.create_vhost(name)
    nodes.rabbitmq.import_definitions(definitions(name, users={}))
    yield nodes.rabbitmq.uri(name)
    nodes.rabbitmq.delete_vhost(name)
