"""Injects the faults of a plan into processes, nodes and connections, and makes simulators fail."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import amqp
import requests

from deploy.local import nodes, postgres, rabbitmq
from deploy.local.environment import ROOT
from deploy.local.rabbitmq import RabbitMQ
from deploy.local.rabbitmq_cluster import node_folder
from services.contracts.events.all_events import EVENTS
from services.kit.amqp.connection import BROKER_ERRORS, open_connection
from services.kit.amqp.queues import (
    declare_only_subscription,
    events_exchange,
    own_exchange,
    owner_of,
    strays_queue,
)
from services.kit.events.contract import EventContract
from tests.chaos import plan
from tests.chaos.plan import Fault
from tests.primary_and_standby import PrimaryAndStandby
from tests.tcp_proxy import ClusterProxy, TcpProxies, TcpProxy

_DELAY_SECONDS = 0.15
_SLOW_MILLISECONDS = 6000
_SECONDS_TO_EMPTY = 120
_SKEW_SECONDS = {"6 hours ahead": 6 * 3600, "50 seconds behind": -50}
"""The limits of a bank's clock error; times beyond are rejected."""


@dataclass
class BankBehaviour:
    """How the bank's desk currently sends its messages."""

    twice: bool = False
    out_of_order: bool = False
    faults: deque[str] = field(default_factory=deque)
    """Errors for the next messages, one in each."""


@dataclass(frozen=True)
class Targets:
    """The processes, nodes and connections that faults can strike."""

    folder: Path
    """The nodes' folder."""
    pids: Callable[[str], list[int]]
    """Returns the current process ids of a program."""
    proxies: Mapping[str, TcpProxy | TcpProxies | ClusterProxy]
    """The proxies by the connections through them, such as `batching to broker`."""
    simulators: Mapping[str, str] = field(default_factory=dict)
    vhost: str = ""
    brokers: int = 1
    """How many nodes the broker has."""
    environment: Callable[[str], Mapping[str, str]] = lambda _program: {}
    """Returns the environment of a program's processes."""
    behaviour: BankBehaviour = field(default_factory=BankBehaviour)
    servers: PrimaryAndStandby | None = None
    """The database's servers, if it has a standby."""


@dataclass(frozen=True)
class InjectedFault:
    """An injected fault, with its beginning and end by the monotonic clock."""

    fault: Fault
    began: float
    ended: float
    trouble: str = ""
    """Why it could not be injected or ended as planned."""


class Faults:
    """Executes a plan. Faults may overlap, but those of one node or simulator wait for one another."""

    def __init__(self, targets: Targets, faults: Sequence[Fault], seed: int) -> None:
        self.injected: list[InjectedFault] = []
        self._targets = targets
        self._faults = faults
        self._dice = random.Random(seed)
        self._locks = {name: threading.Lock() for name in ("broker", "database", "registry", "sms", "bank")}
        self._strikes: dict[str, Callable[[Fault], None]] = {
            plan.KILL.name: self._kill,
            plan.TERMINATE.name: self._terminate,
            plan.CUT.name: self._cut,
            plan.DELAY.name: self._delay,
            plan.RESTART_DATABASE.name: self._restart_database,
            plan.FAIL_OVER.name: self._fail_over,
            plan.RESTART_BROKER.name: self._restart_broker,
            plan.FREEZE_BROKER.name: self._freeze_broker,
            plan.KILL_NODE.name: self._kill_node,
            plan.REGISTRY.name: lambda fault: self._misbehave("registry", fault),
            plan.SMS.name: lambda fault: self._misbehave("sms", fault),
            plan.TWICE.name: lambda fault: self._change_behaviour("twice", fault),
            plan.DISORDER.name: lambda fault: self._change_behaviour("out_of_order", fault),
            plan.WRONG.name: self._send_wrong,
            plan.FAULTY.name: lambda fault: self._targets.behaviour.faults.append(fault.target),
            plan.CLOCK.name: self._skew_clock,
            plan.UNBIND.name: self._unbind,
            plan.DELETE.name: self._delete_queue,
        }

    def inject_all(self) -> None:
        """Returns when the last fault has ended."""
        begin = time.monotonic()
        threads = []
        for fault in self._faults:
            time.sleep(max(0.0, begin + fault.at - time.monotonic()))
            threads.append(threading.Thread(target=self._inject, args=(fault,), name=str(fault)))
            threads[-1].start()
        for thread in threads:
            thread.join()

    def _inject(self, fault: Fault) -> None:
        began, trouble = time.monotonic(), ""
        try:
            self._strikes[fault.kind](fault)
        except Exception as error:
            trouble = f"{type(error).__name__}: {error}"
        self.injected.append(InjectedFault(fault, began, time.monotonic(), trouble))

    def _kill(self, fault: Fault) -> None:
        self._signal(fault.target, signal.SIGKILL)

    def _terminate(self, fault: Fault) -> None:
        """Terminates a process; the fault lasts until it has finished its work and ended."""
        pid = self._signal(fault.target, signal.SIGTERM)
        while pid is not None and pid in self._targets.pids(fault.target):
            time.sleep(0.05)

    def _signal(self, program: str, number: signal.Signals) -> int | None:
        """Signals one of the program's processes; returns None if all are dead."""
        pids = self._targets.pids(program)
        if not pids:
            return None
        pid = self._dice.choice(pids)
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return None
        return pid

    def _cut(self, fault: Fault) -> None:
        self._targets.proxies[fault.target].cut()

    def _delay(self, fault: Fault) -> None:
        proxy = self._targets.proxies[fault.target]
        proxy.delay(_DELAY_SECONDS)
        time.sleep(fault.seconds)
        proxy.delay(0)

    def _restart_database(self, fault: Fault) -> None:
        with self._locks["database"]:
            if self._targets.servers is not None:
                self._targets.servers.restart_primary(fault.seconds)
                return
            postgres.stop(self._targets.folder)
            time.sleep(fault.seconds)
            started = nodes.start_postgres(self._targets.folder)
            for name, proxy in self._targets.proxies.items():
                if name.endswith(" to database") and isinstance(proxy, TcpProxy):
                    proxy.target = (proxy.target[0], started.port)

    def _fail_over(self, fault: Fault) -> None:
        """Kills the primary and promotes its standby; the fault lasts until the former primary is a standby again."""
        servers = self._targets.servers
        if servers is None:
            raise LookupError("the database has no standby")
        with self._locks["database"]:
            servers.kill_primary()
            time.sleep(fault.seconds)
            servers.promote()
            servers.rejoin()

    def _restart_broker(self, fault: Fault) -> None:
        with self._locks["broker"]:
            rabbitmq.stop(self._a_node())
            time.sleep(fault.seconds)
            self._start_broker()

    def _kill_node(self, fault: Fault) -> None:
        with self._locks["broker"]:
            rabbitmq.kill(node_folder(self._targets.folder, int(fault.target.removeprefix("node "))))
            time.sleep(fault.seconds)
            self._start_broker()

    def _freeze_broker(self, fault: Fault) -> None:
        with self._locks["broker"]:
            pid = rabbitmq.pid(self._a_node())
            if pid is None:
                raise ProcessLookupError("the broker does not run")
            os.kill(pid, signal.SIGSTOP)
            time.sleep(fault.seconds)
            os.kill(pid, signal.SIGCONT)

    def _a_node(self) -> Path:
        """The folder of one of the broker's nodes."""
        folder, count = self._targets.folder, self._targets.brokers
        return folder if count == 1 else node_folder(folder, self._dice.randint(1, count))

    def _start_broker(self) -> RabbitMQ:
        """Starts what does not run of the broker, and directs the proxies to its ports, in case old ones were taken."""
        started = nodes.start_rabbitmq(self._targets.folder, self._targets.brokers)
        for proxy in self._targets.proxies.values():
            if isinstance(proxy, ClusterProxy):
                for through, node in zip(proxy.nodes, started.nodes, strict=True):
                    through.target = (through.target[0], node.port)
        return started

    def _misbehave(self, simulator: str, fault: Fault) -> None:
        latency = {"latency_ms": _SLOW_MILLISECONDS} if fault.target == "slow" else {}
        with self._locks[simulator]:
            self._control(simulator, {"mode": fault.target, **latency})
            time.sleep(fault.seconds)
            self._control(simulator, {"mode": "normal"})

    def _skew_clock(self, fault: Fault) -> None:
        with self._locks["bank"]:
            self._control("bank", {"skew_seconds": _SKEW_SECONDS[fault.target]})
            time.sleep(fault.seconds)
            self._control("bank", {"skew_seconds": 0})

    def _unbind(self, fault: Fault) -> None:
        """Unbinds a queue, so that copies for it cannot be routed, as if it were missing; its messages stay."""
        self._on_broker(lambda channel: _unbind_from_events(channel, fault.target))
        time.sleep(fault.seconds)
        self._on_broker(lambda channel: declare_only_subscription(channel, fault.target, _contract_of(fault.target)))

    def _delete_queue(self, fault: Fault) -> None:
        """Deletes an empty queue without messages on their way; new copies wait in the outboxes."""
        service = owner_of(fault.target)

        def cut_off(channel: amqp.Channel) -> None:
            _unbind_from_events(channel, fault.target)
            channel.queue_unbind(fault.target, own_exchange(service), fault.target)

        try:
            deadline = time.monotonic() + _SECONDS_TO_EMPTY
            while not self._cut_off_and_delete(fault.target, cut_off):
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{fault.target} was not empty for {_SECONDS_TO_EMPTY} s")
                time.sleep(1)
            time.sleep(fault.seconds)
        finally:
            self._declare_all()
            self._replay_strays(service)

    def _cut_off_and_delete(self, queue: str, cut_off: Callable[[amqp.Channel], None]) -> bool:
        """Returns False if the queue is not empty yet."""
        self._on_broker(cut_off)
        with self._locks["broker"]:
            return self._start_broker().delete_if_empty(self._targets.vhost, queue)

    def _declare_all(self) -> None:
        """Restores missing exchanges and queues, as an operator does."""
        command = [sys.executable, "-m", "deploy.broker", "declare"]
        with self._locks["broker"]:
            uri = self._start_broker().uri(self._targets.vhost)
            subprocess.run(command, cwd=ROOT, env=os.environ | {"AMQP_URI": uri}, check=True, capture_output=True)

    def _replay_strays(self, service: str) -> None:
        """Replays the dead letters of messages that were returned to the missing queue, as an operator does."""
        queue = strays_queue(service)
        replay = [sys.executable, "-m", "deploy.dead_letters", "replay", queue, "--all"]
        left: list[int] = []

        def count(channel: amqp.Channel) -> None:
            left[:] = [int(channel.queue_declare(queue, passive=True).message_count)]

        self._on_broker(count)
        while left != [0]:
            subprocess.run(replay, cwd=ROOT, env=self._targets.environment(service), check=False, capture_output=True)
            time.sleep(1)
            self._on_broker(count)

    def _on_broker(self, change: Callable[[amqp.Channel], None]) -> None:
        """Retries as the administrator until the broker, which a fault may affect, has applied the change."""
        while True:
            try:
                with open_connection(self._targets.proxies["administrator to broker"].url, "chaos") as connection:
                    change(connection.channel())
                return
            except BROKER_ERRORS:
                time.sleep(1)

    def _control(self, simulator: str, orders: dict[str, Any]) -> None:
        url = f"{self._targets.simulators[simulator]}/control"
        requests.put(url, json=orders, timeout=10).raise_for_status()

    def _change_behaviour(self, name: str, fault: Fault) -> None:
        setattr(self._targets.behaviour, name, True)
        time.sleep(fault.seconds)
        setattr(self._targets.behaviour, name, False)

    def _send_wrong(self, fault: Fault) -> None:
        """Sends an invalid message, retrying until the broker has it."""
        how = {} if fault.target == "unknown batch" else {fault.target: True}
        result = {"application_id": str(uuid4()), "outcome": "issued"}
        url = f"{self._targets.simulators['bank']}/batches/wrong-{uuid4()}/feedback"
        while not requests.post(url, json={"results": [result], **how}, timeout=60).ok:
            time.sleep(1)


def _contract_of(queue: str) -> EventContract:
    return next(one for one in EVENTS.values() if queue.endswith(f".{one.name}"))


def _unbind_from_events(channel: amqp.Channel, queue: str) -> None:
    contract = _contract_of(queue)
    channel.queue_unbind(queue, events_exchange(contract.producer), contract.key_for(owner_of(queue)))
