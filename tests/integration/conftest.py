"""Fixtures that run a service as a separate process, with a real database and broker."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from sqlalchemy import Engine, create_engine

from deploy.local.environment import NO_RESOLVER
from deploy.local.fork_server import PASSED_ON, RUNNER, Forked, ForkServer
from tests.databases import DatabaseFactory
from tests.listening import listening_url

_SECONDS_TO_BE_READY = 90
_SECONDS_TO_STOP = 90
TEST_SECRETS = {
    # The test process's keys: test and service read what the other writes.
    "PERSONAL_DATA_KEYS": os.environ["PERSONAL_DATA_KEYS"],
    "BLIND_INDEX_KEY": os.environ["BLIND_INDEX_KEY"],
    "AUDIT_KEYS": "k1:YXVkaXQga2V5IG9mIHRoZSB0ZXN0cyBvbmx5ISEhISE=",
    "SESSION_SECRET": "c2Vzc2lvbiBzZWNyZXQgZm9yIHRlc3RzIG9ubHkhISE=",
    "BANK_HMAC_KEY": "YmFuayBobWFjIGtleSBmb3IgdGVzdHMgb25seSEhISE=",
}


_SURROUNDINGS = {
    **PASSED_ON,
    "PYTHONUNBUFFERED": "1",
    "ENVIRONMENT": "test",
    "SERVE_PAGES": "no",  # nobody may have built them
    "WATCH_SECONDS": "1",
    **NO_RESOLVER,
}


@dataclass(frozen=True)
class ServiceProcess:
    """A service that is ready for work."""

    running: Forked
    health_url: str
    log_file: Path

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    @property
    def http_url(self) -> str:
        """The URL of a gateway or another process with HTTP entrypoints that was started with GATEWAY_PORT 0."""
        return listening_url(self.log_file, "http", self.is_running)

    def is_running(self) -> bool:
        return self.running.poll() is None

    def stop(self) -> int:
        """Stop it gracefully, and return its exit code."""
        self.running.terminate()
        return self.running.wait(_SECONDS_TO_STOP)

    def kill(self) -> None:
        self.running.kill()
        self.running.wait()


StartService = Callable[..., ServiceProcess]


@pytest.fixture(scope="session")
def fork_server() -> Iterator[ForkServer]:
    """The fork server, which starts services quickly."""
    fork_server = ForkServer()
    yield fork_server
    fork_server.close()


@pytest.fixture
def start_service(
    tmp_path: Path, fork_server: ForkServer, database: DatabaseFactory, amqp_uri: str
) -> Iterator[StartService]:
    """`start_service("services.batching.service", database_url, amqp_uri, SETTING="value")`: ended after the test.

    Further keywords are environment variables. Several may run at once. They end before the database and the virtual
    host of the test are dropped: a broker stops working if a virtual host in use is deleted.
    """
    with _services(fork_server, tmp_path) as start:
        yield start


@pytest.fixture(scope="module")
def module_start_service(
    tmp_path_factory: pytest.TempPathFactory,
    fork_server: ForkServer,
    module_database: DatabaseFactory,
    module_amqp_uri: str,
) -> Iterator[StartService]:
    """As `start_service`, for processes that all tests of a module share."""
    with _services(fork_server, tmp_path_factory.mktemp("services")) as start:
        yield start


@contextmanager
def _services(fork_server: ForkServer, logs: Path) -> Iterator[StartService]:
    started: list[Forked] = []

    def start(module: str, database_url: str, amqp_uri: str, **settings: str) -> ServiceProcess:
        log_file = logs / f"{module}-{len(started)}.log"
        addresses = {"DATABASE_URL": database_url, "AMQP_URI": amqp_uri, "HEALTH_PORT": "0"}
        environment = {**_SURROUNDINGS, **TEST_SECRETS, **addresses, **settings}
        running = fork_server.start(RUNNER, [module], environment, log_file)
        started.append(running)
        health_url = listening_url(log_file, "health", lambda: running.poll() is None)
        process = ServiceProcess(running, health_url, log_file)
        _wait_until_ready(process)
        return process

    yield start
    for running in started:
        running.terminate()
    for running in started:
        running.wait(_SECONDS_TO_STOP)


def _wait_until_ready(process: ServiceProcess) -> None:
    deadline = time.monotonic() + _SECONDS_TO_BE_READY
    while time.monotonic() < deadline and process.running.poll() is None:
        try:
            if requests.get(f"{process.health_url}/readyz", timeout=2).ok:
                return
        except requests.RequestException:
            pass
        time.sleep(0.1)
    process.kill()
    pytest.fail(f"the service was not ready in {_SECONDS_TO_BE_READY} s:\n{process.log}")


@pytest.fixture
def notification_engine(database: DatabaseFactory) -> Iterator[Engine]:
    """A database of notification."""
    engine = create_engine(database("notification").replace("postgresql://", "postgresql+psycopg://"))
    yield engine
    engine.dispose()
