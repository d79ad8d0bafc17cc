"""Runs the repairs, each in a process of its service with only that service's database."""

import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from deploy.invariants import System, Violation, check
from deploy.invariants.messages import queue_depths
from deploy.invariants.system import snapshots_of
from deploy.local import stack
from deploy.local.environment import ROOT
from deploy.permissions import SERVICES
from deploy.repair.plan import Remedy, Task, plan
from services.kit.dead_letters.letters import DeadLetters
from services.kit.events.topology import dead_queues
from services.kit.settings import value_of

_SECONDS_BETWEEN_LOOKS = 2.0
_OUTBOX = "select distinct routing_key from outbox"
_OF_SECRETS = ("AUDIT_KEYS", "AUDIT_PUBLIC_KEYS", "BLIND_INDEX_KEY", "DATABASE_URL", "PERSONAL_DATA_KEYS")


class RepairError(Exception):
    """A service's repair failed; the message says why."""


def runner_of(older_than: timedelta) -> "Runner":
    """Returns a runner for the named system or the local stack. Raises SettingsError, StackError."""
    if value_of("DATABASE_URL_MEMBERSHIP"):
        system = System.from_environment()
        urls, plain = system.database_urls, {name: os.environ[name] for name in os.environ if name[-5:] != "_FILE"}
        named = {one: {**plain, **system.keys, "DATABASE_URL": urls[one]} for one in SERVICES}
        return Runner(system, named, older_than)
    running = stack.find(ROOT / ".local")
    return Runner(System.of_stack(running), {one: running.environment(one) for one in SERVICES}, older_than)


@dataclass(frozen=True)
class Runner:
    """A system, the environment of each service's processes, and the minimum age of what is ended or freed."""

    system: System
    environments: Mapping[str, Mapping[str, str]]
    older_than: timedelta = timedelta(minutes=10)

    def find_tasks(self, settle_seconds: float) -> tuple[list[Task], list[str]]:
        """Returns tasks, and lines about the rest; only violations that two checks find are repaired."""
        first = {(one.invariant, one.offender, one.detail) for one in check(self.system, settle_seconds=settle_seconds)}
        on_their_way = self._carried()
        if first:
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        second: list[Violation] = check(self.system)
        stayed = [one for one in second if (one.invariant, one.offender, one.detail) in first]
        moving = [f"{one}  (not repaired: it has just changed)" for one in second if one not in stayed]
        still_on_their_way = self._carried()
        tasks, left = plan(stayed, lambda remedy: on_their_way(remedy) or still_on_their_way(remedy), self._letters())
        return tasks, [*left, *moving]

    def operator(self, account_name: str) -> dict[str, Any]:
        """Returns the operator in whose name repairs are recorded; raises RepairError for another account."""
        caller: dict[str, Any] = self.ask("membership", {"operator": account_name})
        return caller

    def carry_out(self, task: Task, caller: dict[str, Any] | None) -> list[str]:
        """Repairs and returns the repaired ids; without a caller those that would be repaired. Raises RepairError."""
        before = datetime.now(UTC) - self.older_than
        order = {"name": task.remedy.name, "ids": task.ids, "before": before.isoformat(), "caller": caller}
        repaired: list[str] = self.ask(task.remedy.service, order)
        return repaired

    def ask(self, service: str, order: dict[str, Any]) -> Any:
        """Has a service's process carry out an order, and returns its answer. Raises RepairError."""
        return self.run(service, "services.kit.data.repair", service, given=json.dumps(order))

    def run(self, service: str, module: str, *arguments: str, given: str = "") -> Any:
        """Runs a module in the service's environment; returns the JSON that it prints. Raises RepairError."""
        command = [sys.executable, "-W", "ignore", "-m", module, *arguments]
        ours = {name: value for name, value in os.environ.items() if not name.startswith(_OF_SECRETS)}
        ran = subprocess.run(
            command,
            input=given,
            env={**ours, **self.environments[service]},
            capture_output=True,
            text=True,
            check=False,
        )
        if ran.returncode:
            raise RepairError((ran.stderr.strip().splitlines() or ["no word"])[-1])
        return json.loads(ran.stdout)

    def _carried(self) -> Callable[[Remedy], bool]:
        """Returns a test whether one of a remedy's events is in a queue or an outbox now."""
        depths = queue_depths(self.system)
        with snapshots_of(self.system) as snapshots:
            waiting = {row["routing_key"] for service in SERVICES for row in snapshots.rows(service, _OUTBOX)}
        delays = self.system.retry_delays

        def is_carried(remedy: Remedy) -> bool:
            in_queues = any(depths.get(queue) for queue in remedy.queues(delays))
            return in_queues or any(event.routing_key in waiting for event in remedy.events)

        return is_carried

    def _letters(self) -> dict[str, Sequence[bytes]]:
        found: defaultdict[str, list[bytes]] = defaultdict(list)
        for service in SERVICES:
            for letter in DeadLetters(self.system.amqp_uris[service]).iterate(dead_queues(service)):
                found[letter.queue].append(letter.body)
        return dict(found)
