"""A whole stack with its own nodes, whose connections all pass through proxies that can disturb them."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import LiteralString

import psycopg

from deploy.invariants import System
from deploy.local import nodes
from deploy.local.addresses import passing_addresses
from deploy.local.captcha_solver import learn_secret
from deploy.local.environment import SERVICES, Addresses
from deploy.local.nodes import Nodes
from deploy.local.processes import read_plan, read_record
from deploy.local.stack import Say, Stack, running_stack
from services.kit.amqp.connection import open_connection
from tests.chaos.faults import Targets
from tests.tcp_proxy import ClusterProxy, TcpProxy
from tests.unlimited import UNLIMITED

_VHOST = "chaos"
_QUICKER = {
    "BANK_MODE": "manual",
    "RETRY_DELAYS": "1,5",
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
        return waiting

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
def hurt_world(folder: Path, scale: Mapping[str, int], durable: bool, say: Say, *, brokers: int = 1) -> Iterator[World]:
    """Runs a fresh stack behind proxies, on a broker of so many nodes; only its logs remain afterwards."""
    nodes.drop(folder)
    try:
        on = nodes.start(folder, durable, brokers=brokers)
        with ExitStack() as proxies, passing_addresses(on, _VHOST) as direct:
            to_broker = {name: proxies.enter_context(ClusterProxy(uri)) for name, uri in direct.amqp_uris.items()}
            administrator = proxies.enter_context(ClusterProxy(on.rabbitmq.uri(_VHOST)))
            to_database = {name: proxies.enter_context(TcpProxy(url)) for name, url in direct.database_urls.items()}
            addresses = Addresses(
                {name: proxy.url for name, proxy in to_broker.items()},
                {name: proxy.url for name, proxy in to_database.items()},
                direct.owner_urls,
            )
            with running_stack(folder / "stack", addresses, scale, {**_QUICKER, **UNLIMITED}, say) as stack:
                learn_secret(folder / "stack")
                to_broker["administrator"] = administrator
                yield World(
                    stack, on, direct, replace(_targets(folder, stack, to_broker, to_database), brokers=brokers)
                )
    finally:
        nodes.drop(folder)


def _targets(
    folder: Path, stack: Stack, to_broker: Mapping[str, ClusterProxy], to_database: Mapping[str, TcpProxy]
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
    )
