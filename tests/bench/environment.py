"""The environment of measurements: durable nodes, fresh databases, processes of the product and of its peers."""

import base64
import itertools
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import requests

from deploy.local import nodes
from deploy.local.environment import ROOT
from deploy.local.nodes import Nodes
from deploy.local.ports import LOOPBACK, hold_port
from services.kit.data import migrate

FOLDER = ROOT / ".local" / "bench"
_SECONDS_TO_START = 60
_SECONDS_TO_STOP = 60
_numbers = itertools.count(1)
_AS_PEERS = {"BANK_CLEAR_TEXT": "all", "ENVIRONMENT": "test"}
"""Messages of the bank are in clear text, and one broker user serves all, as with the peers."""


@dataclass(frozen=True)
class Process:
    """A started process; its output is in `log`."""

    running: "subprocess.Popen[bytes]"
    log: Path

    @property
    def pid(self) -> int:
        return self.running.pid

    def cpu_seconds(self) -> float:
        """Returns its processor time so far."""
        return float(sum(psutil.Process(self.pid).cpu_times()[:2]))

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """Suspends the process meanwhile."""
        self.running.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.running.send_signal(signal.SIGCONT)


@dataclass(frozen=True)
class Options:
    """The options of a run: small numbers only, the members of the largest list, whether to keep its nodes."""

    quick: bool = False
    members: int = 10_000_000
    keep: bool = False


def set_secrets(keep: bool) -> dict[str, str]:
    """Sets the run's secrets in this process and returns them for others; they are new unless kept."""
    kept = FOLDER / "secrets.json"
    if keep and kept.exists():
        made = json.loads(kept.read_text())
    else:
        names = ("BLIND_INDEX_KEY", "SESSION_SECRET", "BANK_HMAC_KEY")
        keys = {name: f"k1:{_random_key()}" for name in ("PERSONAL_DATA_KEYS", "AUDIT_KEYS")}
        made = {**keys, **{name: _random_key() for name in names}}
    if keep:
        FOLDER.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(made))
    os.environ.update(made, BANK_CLEAR_TEXT=_AS_PEERS["BANK_CLEAR_TEXT"])
    return dict(made)


@contextmanager
def running_nodes(keep: bool) -> Iterator[Nodes]:
    """Runs PostgreSQL and RabbitMQ as durable as in production; drops or stops them at the end."""
    if not keep:
        nodes.drop(FOLDER)
    try:
        yield nodes.start(FOLDER, durable=True)
    finally:
        (nodes.stop if keep else nodes.drop)(FOLDER)


@contextmanager
def fresh_database(on: Nodes, service: str) -> Iterator[str]:
    """Yields the URL of a migrated, empty database of a service."""
    with _dropped_after(on, service) as name:
        on.postgres.create_database(name)
        migrate.upgrade(service, on.postgres.url(name))
        yield on.postgres.url(name)


@contextmanager
def kept_database(on: Nodes, service: str, name: str, fill: Callable[[str], None]) -> Iterator[str]:
    """Yields the URL of a database that is filled once, by this or an earlier run that kept its nodes."""
    if not on.postgres.has_database(name):
        with fresh_database(on, service) as database_url:
            fill(database_url)
            on.postgres.rename_database(database_url.rpartition("/")[2], name)
    migrate.upgrade(service, on.postgres.url(name))
    yield on.postgres.url(name)


@contextmanager
def copied_database(on: Nodes, original: str) -> Iterator[str]:
    """Yields the URL of a copy of a database; the original may have no connections."""
    with _dropped_after(on, "copy") as name:
        on.postgres.create_database(name, template=original.rpartition("/")[2])
        yield on.postgres.url(name)


@contextmanager
def fresh_vhost(on: Nodes) -> Iterator[str]:
    """Yields the AMQP address of an empty virtual host."""
    name = f"bench_{next(_numbers)}"
    on.rabbitmq.create_vhost(name)
    try:
        yield on.rabbitmq.uri(name)
    finally:
        on.rabbitmq.delete_vhost(name)


@contextmanager
def running_service(module: str, environment: Mapping[str, str]) -> Iterator[Process]:
    """Runs a process of the product, and waits until it is ready."""
    port = hold_port()
    command = ("services.kit.operations.runner", module)
    with _started(command, {**_AS_PEERS, **environment, "HEALTH_PORT": str(port)}) as process:
        _wait_until(process, lambda: _answers(f"http://{LOOPBACK}:{port}/readyz"))
        yield process


@contextmanager
def running_program(module: str, environment: Mapping[str, str], url: str) -> Iterator[Process]:
    """Runs a process, and waits until it answers at the URL."""
    with _started((module,), environment) as process:
        _wait_until(process, lambda: _answers(url))
        yield process


@contextmanager
def running_peer(module: str, environment: Mapping[str, str]) -> Iterator[Process]:
    """Runs a peer's process, and waits until it has printed `ready`."""
    with _started((module,), environment) as process:
        _wait_until(process, lambda: b"ready" in process.log.read_bytes())
        yield process


def plain_url(database_url: str) -> str:
    """Returns the URL in psycopg's own form."""
    return database_url.replace("+psycopg", "")


@contextmanager
def _dropped_after(on: Nodes, kind: str) -> Iterator[str]:
    name = f"bench_{kind}_{next(_numbers)}"
    try:
        yield name
    finally:
        on.postgres.drop_database(name)


@contextmanager
def _started(command: tuple[str, ...], environment: Mapping[str, str]) -> Iterator[Process]:
    log = FOLDER / "logs" / f"{command[-1]}-{next(_numbers)}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        running = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1", **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Process(running, log)
    finally:
        running.terminate()
        try:
            running.wait(_SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


def _wait_until(process: Process, is_ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _SECONDS_TO_START
    while time.monotonic() < deadline and process.running.poll() is None:
        if is_ready():
            return
        time.sleep(0.05)
    raise RuntimeError(f"The process is not ready:\n{process.log.read_text()[-3000:]}")


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).ok
    except requests.RequestException:
        return False


def _random_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()
