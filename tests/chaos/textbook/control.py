"""Injects the product's faults into the textbook services, and counts what they lose and duplicate."""

import itertools
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import psycopg
import requests
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from deploy.local.client import wait_until
from deploy.local.environment import ROOT
from deploy.local.nodes import Nodes
from deploy.local.ports import LOOPBACK, hold_port
from deploy.local.processes import Plan, Process, read_record, write_plan
from tests.chaos import plan
from tests.chaos.faults import Faults, Targets
from tests.chaos.plan import Kind
from tests.chaos.promises import Verdict
from tests.chaos.textbook.services import Base
from tests.tcp_proxy import ClusterProxy, TcpProxy

_CLIENTS = 8
_NAME = "textbook"
_PROGRAMS = ("queueing", "listing")
_CONNECTIONS = tuple(f"{program} to {node}" for program in _PROGRAMS for node in ("broker", "database"))
CHEAP_KINDS: tuple[Kind, ...] = (
    replace(plan.KILL, targets=_PROGRAMS),
    replace(plan.CUT, targets=_CONNECTIONS),
)
ALL_KINDS: tuple[Kind, ...] = (*CHEAP_KINDS, plan.RESTART_BROKER)


@dataclass(frozen=True)
class Textbook:
    """The two running services."""

    url: str
    database_url: str
    targets: Targets

    def rows(self, query: str) -> list[str]:
        """Returns the first column of a query."""
        with psycopg.connect(self.database_url) as connection:
            return [row[0] for row in connection.execute(query)]


@dataclass
class Promises:
    """The answers that clients got."""

    queued: list[str] = field(default_factory=list)
    """The members whose application was answered with 201."""
    retries: int = 0


@contextmanager
def running_textbook(on: Nodes, folder: Path) -> Iterator[Textbook]:
    """Runs the services on these nodes, behind proxies, under the supervisor of the local stack."""
    on.rabbitmq.create_vhost(_NAME)
    on.postgres.drop_database(_NAME)
    on.postgres.create_database(_NAME)
    ports = {program: hold_port() for program in _PROGRAMS}
    database_url = on.postgres.url(_NAME)
    with ExitStack() as proxies:
        behind: dict[str, TcpProxy | ClusterProxy] = {
            name: proxies.enter_context(ClusterProxy(on.rabbitmq.uri(_NAME)))
            if name.endswith("broker")
            else proxies.enter_context(TcpProxy(database_url))
            for name in _CONNECTIONS
        }
        Base.metadata.create_all(create_engine(database_url, poolclass=NullPool))
        processes = [_process(program, ports[program], behind) for program in _PROGRAMS]
        with _supervised(folder, processes):
            for process in processes:
                wait_until(lambda url=process.ready_url: _answers(url), f"{process.name} is ready")  # type: ignore[misc]
            targets = Targets(on.rabbitmq.folder, lambda program: _pids(folder, program), behind)
            yield Textbook(f"http://{LOOPBACK}:{ports['queueing']}", database_url.replace("+psycopg", ""), targets)
    on.postgres.drop_database(_NAME)
    on.rabbitmq.delete_vhost(_NAME)


def inject_faults(textbook: Textbook, faults: Faults) -> tuple[Verdict, Promises]:
    """Lets clients queue applications of different members while faults are injected; then counts the results."""
    promises, is_over = Promises(), threading.Event()
    numbers = itertools.count()
    clients = [
        threading.Thread(target=_queue_on_and_on, args=(textbook.url, numbers, promises, is_over))
        for _ in range(_CLIENTS)
    ]
    for client in clients:
        client.start()
    faults.inject_all()
    is_over.set()
    for client in clients:
        client.join()
    _come_to_rest(textbook)
    return verify(textbook, promises), promises


def verify(textbook: Textbook, promises: Promises) -> Verdict:
    """Verifies that each answered member has one application, and each application is listed once."""
    verdict = Verdict()
    queued = Counter(textbook.rows("select member from application"))
    for member in promises.queued:
        verdict.compare("applications queued", 1, queued[member], f"member {member}")
    listed = Counter(textbook.rows("select application_id from entry"))
    for application_id in textbook.rows("select application_id from application"):
        verdict.compare("applications listed", 1, listed[application_id], application_id)
    return verdict


def _queue_on_and_on(url: str, numbers: Iterator[int], promises: Promises, is_over: threading.Event) -> None:
    http = requests.Session()
    while not is_over.is_set():
        member = f"m{next(numbers)}"
        while not _is_queued(http, url, member):
            promises.retries += 1
            time.sleep(0.2)
        promises.queued.append(member)
        time.sleep(0.01)


def _is_queued(http: requests.Session, url: str, member: str) -> bool:
    try:
        return http.post(f"{url}/applications", json={"member": member}, timeout=10).status_code == 201
    except requests.RequestException:
        return False


def _come_to_rest(textbook: Textbook, seconds: float = 60) -> None:
    """Returns when the number of entries has not changed for three seconds."""
    until, last, since = time.monotonic() + seconds, -1, time.monotonic()
    while time.monotonic() < until and time.monotonic() < since + 3:
        count = len(textbook.rows("select entry_id from entry"))
        if count != last:
            last, since = count, time.monotonic()
        time.sleep(0.3)


def _process(program: str, port: int, behind: Mapping[str, TcpProxy | ClusterProxy]) -> Process:
    return Process(
        name=f"{program}-1",
        command=(sys.executable, "-m", "tests.chaos.textbook", f"{program.capitalize()}Service"),
        environment={
            "PATH": os.environ["PATH"],
            "PYTHONUNBUFFERED": "1",
            "PSYCOPG_WAIT_FUNC": "wait_select",
            "AMQP_URI": behind[f"{program} to broker"].url,
            "DATABASE_URL": behind[f"{program} to database"].url,
            "HTTP_PORT": str(port),
        },
        ready_url=f"http://{LOOPBACK}:{port}/readyz",
        version="1",
    )


@contextmanager
def _supervised(folder: Path, processes: Sequence[Process]) -> Iterator[None]:
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    write_plan(folder, Plan(tuple(processes)))
    supervisor = subprocess.Popen([sys.executable, "-m", "deploy.local.supervisor", str(folder)], cwd=ROOT)
    try:
        yield
    finally:
        supervisor.terminate()
        supervisor.wait(60)


def _pids(folder: Path, program: str) -> list[int]:
    records = read_record(folder).processes.items()
    return [record.pid for name, record in records if name == f"{program}-1" and record.pid]


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).ok
    except requests.RequestException:
        return False
