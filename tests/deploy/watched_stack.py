"""A small system with nodes of its own, watched by Prometheus and Alertmanager whose time passes faster."""

import re
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import requests

from deploy.local import nodes as private_nodes
from deploy.local.client import wait_until
from deploy.local.environment import SERVICES
from deploy.local.nodes import Nodes
from deploy.local.stack import Stack
from deploy.monitoring.servers import CONFIGURATION, Servers, running_servers
from tests.databases import ROOT
from tests.e2e.two_process_stack import start_two_process_stack, vhost_of

SPEED = 30
"""How much shorter the rules' durations are: `for: 2m` is 4 seconds, an hour's window two minutes."""
_KIND = "alerts"
_FOLDER = ROOT / ".local" / "test-monitoring"
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(?<=\[)(\d+)([smhd])(?=\])|(?<=for: )(\d+)([smhd])$", re.MULTILINE)


@dataclass
class Watched:
    """The system, its nodes, and the servers that watch it."""

    stack: Stack
    nodes: Nodes
    servers: Servers
    awaited: set[str] = field(default_factory=set)
    """All alerts that were waited for."""
    _began_at: float = field(default_factory=time.time)

    @property
    def broker_uri(self) -> str:
        """The address of the system's virtual host, as the broker's administrator."""
        return self.nodes.rabbitmq.uri(vhost_of(_KIND))

    def database(self, service: str) -> str:
        """Returns the address of a service's database, as PostgreSQL's administrator."""
        return self.nodes.postgres.url(f"{vhost_of(_KIND)}_{service}").replace("+psycopg", "")

    def alerts(self, *, inhibited: bool = True) -> set[str]:
        """Returns the alerts that Alertmanager has now: name, severity, and the program or queue that it is about.

        Without `inhibited` only those that it tells people of.
        """
        url, asked = f"{self.servers.alertmanager_url}/api/v2/alerts", {"inhibited": str(inhibited).lower()}
        return {_named(one["labels"]) for one in requests.get(url, params=asked, timeout=30).json()}

    def begin(self) -> None:
        """Lets `fired` count from now on."""
        self._began_at = time.time()

    def fired(self) -> set[str]:
        """Returns all alerts that have fired since `begin`."""
        seconds = int(time.time() - self._began_at)
        found = self.query(f'count_over_time(ALERTS{{alertstate="firing"}}[{seconds}s])')
        return {_named(one["metric"]) for one in found}

    def wait_for(self, *expected: str) -> None:
        """Waits until Alertmanager has all these alerts."""
        self.awaited |= set(expected)
        wait_until(lambda: set(expected) <= self.alerts(), f"all of {', '.join(expected)} fire", 120)

    def wait_until_over(self, *expected: str) -> None:
        """Waits until Alertmanager has none of these alerts."""
        wait_until(lambda: not set(expected) & self.alerts(), f"all of {', '.join(expected)} are over", 120)

    def is_reached(self) -> bool:
        """Whether Prometheus reaches every process."""
        return len(self.query('up{program!=""} == 1')) == len(SERVICES) + 1

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Returns what Prometheus answers to an expression; raises ValueError for one that it cannot evaluate."""
        answer = requests.get(
            f"{self.servers.prometheus_url}/api/v1/query", params={"query": expression}, timeout=30
        ).json()
        if answer["status"] != "success":
            raise ValueError(f"{expression}: {answer['error']}")
        result = answer["data"]["result"]
        return result if isinstance(result, list) else [result]


def _named(labels: Mapping[str, str]) -> str:
    return " ".join(filter(None, map(labels.get, ("alertname", "severity", "program", "queue"))))


def faster(rules: str) -> str:
    """Returns the rules with each `for` and each window divided by SPEED; thresholds stay as they are."""

    def shorter(found: re.Match[str]) -> str:
        number, unit = found[1] or found[3], found[2] or found[4]
        return f"{int(number) * _SECONDS[unit] * 1000 // SPEED}ms"

    return _DURATION.sub(shorter, rules)


@contextmanager
def watched_stack() -> Iterator[Watched]:
    """Runs all of it, and removes it at the end; the logs stay."""
    folder = ROOT / ".local" / "test-monitoring-nodes"
    private_nodes.drop(folder)
    nodes = private_nodes.start(folder, durable=False)
    rules = faster((CONFIGURATION / "alerts.yml").read_text("utf-8"))
    try:
        with (
            start_two_process_stack(nodes, _KIND, dict.fromkeys(SERVICES, 1)) as stack,
            running_servers(_FOLDER, stack.folder, rules=rules, interval="2s") as servers,
        ):
            yield Watched(stack, nodes, servers)
    finally:
        private_nodes.drop(folder)
        shutil.rmtree(folder, ignore_errors=True)
