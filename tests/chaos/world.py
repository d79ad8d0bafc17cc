"""A whole stack with its own nodes, whose connections all pass through proxies that can disturb them."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import requests

from deploy.invariants import System
from deploy.local import nodes
from deploy.local.addresses import make_addresses, temporary_addresses
from deploy.local.captcha_solver import use_secret_of
from deploy.local.environment import SERVICES, Addresses
from deploy.local.nodes import Nodes
from deploy.local.processes import read_plan, read_record
from deploy.local.stack import Say, Stack, running_stack
from services.kit.amqp.connection import open_connection
from tests.chaos.faults import Targets
from tests.primary_and_standby import PrimaryAndStandby, primary_and_standby
from tests.tcp_proxy import ClusterProxy, TcpProxies, TcpProxy
from tests.unlimited import UNLIMITED

_VHOST = "chaos"
_QUICKER = {
    "BANK_MODE": "manual",
    "INSURER_DELAY_MS": "500",
    "RETRY_DELAYS": "1,5",
    "WATCH_SECONDS": "2",
    "SMS_GATHER_SECONDS": "2",
    "SMS_PAUSES": ",".join(["1", "2", *["5"] * 200]),
    "REGISTRY_PAUSES": "1,2,5",
    "SMS_CODES_AN_HOUR": "1000",
    "SMS_CODES_A_DAY": "1000",
}
"""Shorter intervals: those of minutes would only make the run longer."""


@dataclass(frozen=True)
class World:
    """The system under faults, with direct addresses for inspecting it past the proxies."""

    stack: Stack
    nodes: Nodes
    direct: Addresses
    targets: Targets

    @property
    def ready_urls(self) -> dict[str, str]:
        """Returns the address of each process's readiness check."""
        return {process.name: process.ready_url for process in read_plan(self.stack.folder).processes}

    def restarts(self) -> Counter[str]:
        """Returns how often the supervisor restarted the processes of each program."""
        counted: Counter[str] = Counter()
        for name, record in read_record(self.stack.folder).processes.items():
            counted[name.rpartition("-")[0]] += record.restarts
        return counted

    @property
    def system(self) -> System:
        """Returns the system for the invariants checker, past the proxies."""
        return System.of_stack(replace(self.stack, addresses=self.direct))

    def versions(self) -> dict[str, str]:
        """Returns the versions of the two nodes."""
        return node_versions(self.direct.database_urls["batching"], self.direct.amqp_uris["batching"])

    def unfinished(self) -> dict[str, int]:
        """Returns the messages that are on their way, by queue, outbox and list of text messages."""
        depths = self.nodes.rabbitmq.queue_depths(_VHOST)
        waiting = {name: depth for name, depth in depths.items() if depth and not name.endswith((".dead", ".rejected"))}
        for service in SERVICES:
            if count := self._count(service, "select count(*) from outbox"):
                waiting[f"outbox of {service}"] = count
        if count := self._count("notification", "select count(*) from sms where state in ('waiting', 'sending')"):
            waiting["text messages"] = count
        if count := sum(not member["enrolled"] for member in self._of_society("members")):
            waiting["members to be enrolled"] = count
        return waiting

    def enrolments(self) -> list[dict[str, Any]]:
        """Returns the enrolments that the mutual-aid society has reported."""
        return self._of_society("enrolments")

    def _of_society(self, what: str) -> list[dict[str, Any]]:
        answer = requests.get(f"{self.stack.simulator_urls['insurer']}/{what}", timeout=30)
        answer.raise_for_status()
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    def _count(self, service: str, query: LiteralString) -> int:
        with psycopg.connect(self.direct.database_urls[service].replace("+psycopg", "")) as connection:
            (count,) = connection.execute(query).fetchone() or (0,)
            return int(count)


def node_versions(database_url: str, amqp_uri: str) -> dict[str, str]:
    """Returns the versions of PostgreSQL and RabbitMQ at these addresses."""
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        database = str(connection.info.parameter_status("server_version")).split()[0]
    with open_connection(amqp_uri, "chaos") as broker:
        return {"PostgreSQL": database, "RabbitMQ": str(broker.connection.server_properties["version"])}


@contextmanager
def start_world(
    folder: Path, scale: Mapping[str, int], durable: bool, say: Say, *, has_standby: bool = False, brokers: int = 1
) -> Iterator[World]:
    """Runs a fresh stack behind proxies; only its logs remain afterwards.

    Its broker has so many nodes, its database a standby or none.
    """
    nodes.drop(folder)
    try:
        with ExitStack() as running:
            on, direct, servers = _nodes(running, folder, durable, has_standby, brokers)
            to_broker = {name: running.enter_context(ClusterProxy(uri)) for name, uri in direct.amqp_uris.items()}
            administrator = running.enter_context(ClusterProxy(on.rabbitmq.uri(_VHOST)))
            to_database = {
                name: _proxy_to_database(running, url, servers) for name, url in direct.database_urls.items()
            }
            addresses = Addresses(
                {name: proxy.url for name, proxy in to_broker.items()},
                {name: proxy.url for name, proxy in to_database.items()},
                direct.owner_urls,
            )
            with running_stack(folder / "stack", addresses, scale, {**_QUICKER, **UNLIMITED}, say) as stack:
                use_secret_of(folder / "stack")
                to_broker["administrator"] = administrator
                targets = _targets(folder, stack, to_broker, to_database, servers)
                yield World(stack, on, direct, replace(targets, brokers=brokers))
    finally:
        nodes.drop(folder)


def _nodes(
    running: ExitStack, folder: Path, durable: bool, has_standby: bool, brokers: int
) -> tuple[Nodes, Addresses, PrimaryAndStandby | None]:
    """Starts the nodes and makes a stack's addresses on them; servers that may change roles are dropped as a whole."""
    if not has_standby:
        on = nodes.start(folder, durable, brokers=brokers)
        return on, running.enter_context(temporary_addresses(on, _VHOST)), None
    servers = running.enter_context(primary_and_standby(folder))
    on = Nodes(folder.resolve(), servers.as_one, nodes.start_rabbitmq(folder, brokers))
    return on, make_addresses(on, _VHOST), servers


def _proxy_to_database(running: ExitStack, url: str, servers: PrimaryAndStandby | None) -> TcpProxy | TcpProxies:
    if servers is None:
        return running.enter_context(TcpProxy(url))
    return running.enter_context(TcpProxies(url, [node.port for node in servers.servers.values()]))


def _targets(
    folder: Path,
    stack: Stack,
    to_broker: Mapping[str, ClusterProxy],
    to_database: Mapping[str, TcpProxy | TcpProxies],
    servers: PrimaryAndStandby | None,
) -> Targets:
    return Targets(
        folder=folder,
        pids=stack.pids,
        environment=stack.environment,
        proxies={
            **{f"{name} to broker": proxy for name, proxy in to_broker.items()},
            **{f"{name} to database": proxy for name, proxy in to_database.items()},
        },
        simulators=stack.simulator_urls,
        vhost=_VHOST,
        servers=servers,
    )
