"""Requests a second, and their times, at 1, 16 and 64 connections, beside a plain Nameko gateway with a constant."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from statistics import median, quantiles

from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from deploy.local.environment import ROOT
from deploy.local.nodes import Nodes
from deploy.local.ports import LOOPBACK, hold_port
from services.contracts.operations.membership.members import RegisterMemberRequest
from services.membership.members.members import register_members
from tests.bench.clerks import Clerk, add_clerk
from tests.bench.environment import (
    Options,
    fresh_database,
    fresh_vhost,
    running_peer,
    running_program,
    running_service,
)
from tests.bench.people import make_people
from tests.bench.report import Report, Row
from tests.unlimited import UNLIMITED

TITLE = "The gateway"
CONNECTIONS = (1, 16, 64)
RUNS = 3
SECONDS = 4
_PLAIN, _FLOOR, _STATIC = "plain Nameko, a constant by RPC", "plain Nameko, a constant without RPC", "static"
_OURS = {"who is signed in": "me", "a page of 20 members": "members?size=20"}


@dataclass(frozen=True)
class Target:
    """The URL to request, with a cookie."""

    url: str
    cookie: str = ""


@dataclass(frozen=True)
class Load:
    """The result: requests a second, and the 50th, 95th and 99th percentile of their milliseconds."""

    speed: float
    p50: float
    p95: float
    p99: float

    def show(self) -> str:
        """Returns text such as `412 a second; 38, 45, 60 ms`."""
        return f"{self.speed:,.0f} a second; {self.p50:.1f}, {self.p95:.1f}, {self.p99:.1f} ms"


def measure(on: Nodes, secrets: dict[str, str], options: Options) -> Report:
    """Measures all targets in turn, at each number of connections."""
    runs, seconds = (1, 1.0) if options.quick else (RUNS, SECONDS)
    rows = []
    with ExitStack() as after:
        targets = {**after.enter_context(_peers(on)), **after.enter_context(_ours(on, secrets))}
        ceilings = {}
        for connections in CONNECTIONS:
            loads: dict[str, list[Load]] = {name: [] for name in targets}
            for _ in range(runs):
                for name, target in targets.items():
                    loads[name].append(_load(target, connections, seconds))
            found = {name: _middle(measured) for name, measured in loads.items()}
            ceilings[connections] = found.pop(_STATIC)
            rows += [_row(connections, f"gateway, {name}", found[_PLAIN], _PLAIN, found[name]) for name in _OURS]
            rows.append(
                _row(connections, "gateway, who is signed in", found[_FLOOR], _FLOOR, found["who is signed in"])
            )
    ceiling = ", ".join(f"{connections} connections {load.speed:,.0f}" for connections, load in ceilings.items())
    return Report("gateway", TITLE, rows, _HOW.format(runs=runs, seconds=seconds, ceiling=ceiling))


@contextmanager
def _peers(on: Nodes) -> Iterator[Mapping[str, Target]]:
    with ExitStack() as after:
        amqp_uri = after.enter_context(fresh_vhost(on))
        port, static_port = hold_port(), hold_port()
        after.enter_context(running_peer("tests.bench.nameko_gateway", {"AMQP_URI": amqp_uri, "PART": "service"}))
        gateway = {"AMQP_URI": amqp_uri, "PART": "gateway", "PORT": str(port)}
        url = f"http://{LOOPBACK}:{port}"
        after.enter_context(running_program("tests.bench.nameko_gateway", gateway, f"{url}/constant"))
        static = after.enter_context(_static(static_port))
        yield {_PLAIN: Target(f"{url}/constant"), _FLOOR: Target(f"{url}/floor"), _STATIC: Target(static)}


@contextmanager
def _static(port: int) -> Iterator[str]:
    command = [sys.executable, "-m", "tests.bench.load", "static", str(port)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        try:
            if process.stdout is None or process.stdout.readline() != b"ready\n":
                raise RuntimeError("The static answer is not ready.")
            yield f"http://{LOOPBACK}:{port}/"
        finally:
            process.terminate()


@contextmanager
def _ours(on: Nodes, secrets: dict[str, str]) -> Iterator[Mapping[str, Target]]:
    with fresh_database(on, "membership") as database_url, fresh_vhost(on) as amqp_uri:
        clerk = _registered(database_url)
        port = hold_port()
        environment = {**secrets, **UNLIMITED, "AMQP_URI": amqp_uri, "ENVIRONMENT": "demo"}
        with (
            running_service("services.membership.service", {**environment, "DATABASE_URL": database_url}),
            running_service("gateway.service", {**environment, "GATEWAY_PORT": str(port)}),
        ):
            url = f"http://{LOOPBACK}:{port}"
            cookies = clerk.sign_in(url).http.cookies
            cookie = "; ".join(f"{name}={value}" for name, value in cookies.items())
            yield {name: Target(f"{url}/api/v1/{path}", cookie) for name, path in _OURS.items()}


def _registered(database_url: str) -> Clerk:
    engine = create_engine(database_url)
    with Session(engine) as session, session.begin():
        clerk = add_clerk(session, 1)
        forms = [RegisterMemberRequest(**person) for person in make_people(0, 1000)]
        register_members(session, clerk.union_id, forms)
    engine.dispose()
    return clerk


def _load(target: Target, connections: int, seconds: float) -> Load:
    command = [sys.executable, "-m", "tests.bench.load", target.url, str(connections), str(seconds), target.cookie]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=seconds + 60)
    answer = json.loads(done.stdout)
    if answer["failed"] or len(answer["took"]) < 2:
        raise RuntimeError(f"{answer['failed']} of {len(answer['took'])} requests failed.")
    hundredths = [part * 1000 for part in quantiles(answer["took"], n=100)]
    return Load(len(answer["took"]) / seconds, hundredths[49], hundredths[94], hundredths[98])


def _middle(loads: Sequence[Load]) -> Load:
    return Load(*(median(getattr(load, name) for load in loads) for name in ("speed", "p50", "p95", "p99")))


def _row(connections: int, what: str, theirs: Load, whom: str, ours: Load) -> Row:
    return Row(
        f"{connections} connections: {what}" if connections > 1 else f"1 connection: {what}",
        f"{whom}: {theirs.show()}",
        ours.show(),
        f"{ours.speed / theirs.speed:.2f} times",
        "–",
        None,
    )


_HOW = """
So many connections ask one URL again and again, each when its answer has come, for {seconds} s after a warming;
requests a second, and what half, 95 and 99 of a hundred took at most. Medians of {runs} runs in turn, figure by
figure.

- **Ours** is a gateway and a membership service, one process each: `GET /api/v1/me` and `GET /api/v1/members?size=20`
  with a clerk's cookie, which is verified and looked up; limits, policy, schema, security headers, metrics, an RPC
  with a deadline, and queries to PostgreSQL. There are 1,000 members and no rate limits.
- **Plain Nameko** (`tests/bench/nameko_gateway.py`) is a gateway as a tutorial writes it, `@http` and `RpcProxy`, and
  a service that answers a constant, one process each, with the default settings; and the same gateway answering
  itself.
- **The client** (`tests/bench/load.py`) is a separate program. What it can do itself, requests a second against a
  static answer: {ceiling}.

What bounds the figures: two processes of Python that compute for each request, on two cores that the client, the
broker and the database share. With one connection the time is that of the round trip through the broker.
"""
