"""Watches the broker for one process: whether needed queues and exchanges exist and work, and messages are accepted."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import structlog
from kombu import Connection, Producer
from nameko.extensions import SharedExtension

from services.kit.amqp.broker_users import BrokerUsers
from services.kit.amqp.connection import drop, limit_waits, open_connection
from services.kit.amqp.queues import declare_direct_exchange, own_exchange, owner_of, retry_queue, strays_queue
from services.kit.concurrency import Doorbell
from services.kit.events.topology import (
    consumed_queues,
    depths,
    missing_exchanges,
    needed_exchanges,
    needed_queues,
)
from services.kit.operations import metrics
from services.kit.operations.logs import class_name
from services.kit.settings import MessagingSettings, read_settings

log = structlog.get_logger()

RESTORE = "python -m deploy.broker declare"
"""The command that an operator runs, as the broker's administrator, to declare all that is missing."""

_SECONDS_WHILE_MISSING = 1.0
_SECONDS_AFTER_AN_ERROR = 2.0
_SECONDS_BETWEEN_MESSAGES = 5.0
_LEADS_NOWHERE = "watch"
_NOTHING = "application/octet-stream"


class BrokerWatch(SharedExtension):
    """Checks periodically, on connections of its own, what keeps a process's messages from their queues.

    A broker that is short of memory or disk stops reading from connections that publish, and tells only these. So the
    watch periodically publishes an unroutable message. It checks queues on another connection, which the broker still
    answers meanwhile.
    """

    def __init__(self) -> None:
        super().__init__()
        self.on_restored: list[Callable[[], None]] = []
        """Called when a missing exchange exists again, for its bindings are lost."""
        self.depths: Mapping[str, tuple[int, int]] | None = None
        """Ready messages and consumers of each needed queue that exists; None while the broker cannot be asked."""

    def setup(self) -> None:
        """Reads the settings."""
        self._settings = read_settings(MessagingSettings)
        service = self.container.service_name
        self._makes_queues = BrokerUsers.of(self._settings.amqp_uri, service).is_shared
        self._needed = needed_queues(service)
        self._consumed = consumed_queues(service)
        self._needed_exchanges: list[str] = []
        if not self._makes_queues:
            self._needed_exchanges = needed_exchanges(service, self._settings.retry_delays)
        if self._needed and not self._makes_queues:
            self._needed += [retry_queue(service, seconds) for seconds in self._settings.retry_delays]
            self._needed.append(strays_queue(service))
        self._is_stopping = False
        self.missing: tuple[str, ...] = ()
        """Missing queues and exchanges, as `queue <name>` and `exchange <name>`."""
        self.without_leader: tuple[str, ...] = ()
        """Consumed queues that exist but name no consumer, as a quorum queue does while it has no leader.

        Two looks in a row must find it: a leader that does not answer within a quarter of a second counts as none.
        """
        self._suspected: tuple[str, ...] = ()
        self.is_blocked = False

    def start(self) -> None:
        """Starts watching; the broker need not be reachable yet."""
        works = {"publishing": self._watch_publishing, "queues": self._watch_queues}
        self._doorbells = [Doorbell() for _ in works]
        self._threads = [
            self.container.spawn_managed_thread(partial(self._watch, what, work, doorbell))
            for (what, work), doorbell in zip(works.items(), self._doorbells, strict=True)
        ]

    def stop(self) -> None:
        """Stops watching."""
        self._is_stopping = True
        for doorbell in self._doorbells:
            doorbell.ring()
        for thread in self._threads:
            thread.wait()

    def why_not_ready(self) -> list[str]:
        """Each missing queue or exchange with the command that restores it, each queue without a leader, and that the
        broker accepts no messages.
        """
        reasons = [f"the {name} is missing; the administrator restores it: {RESTORE}" for name in self.missing]
        reasons += [f"the queue {name} has no leader or no consumer" for name in self.without_leader]
        if self.is_blocked:
            reasons.append("the broker takes no messages: it is short of memory or disk")
        return reasons

    def _watch(self, what: str, work: Callable[[Connection, Doorbell], None], doorbell: Doorbell) -> None:
        """Does the work on a connection until stopped; after an error on a new one, after an interval."""
        while not self._is_stopping:
            connection = None
            try:
                connection = open_connection(self._settings.amqp_uri, f"{self.container.service_name} watch of {what}")
                limit_waits(connection, self._settings.publish_seconds)
                work(connection, doorbell)
            except Exception as error:
                log.info("watch_interrupted", what=what, error=class_name(error))
                doorbell.wait(None, _SECONDS_AFTER_AN_ERROR)
            finally:
                drop(connection)

    def _watch_queues(self, connection: Connection, doorbell: Doorbell) -> None:
        doorbell.wait(None, _SECONDS_WHILE_MISSING)  # processes that start declare what they may
        try:
            while not self._is_stopping:
                self._check_queues(connection)
                is_well = not self.missing and not self._suspected
                doorbell.wait(None, self._settings.watch_seconds if is_well else _SECONDS_WHILE_MISSING)
        finally:
            self.depths = None

    def _check_queues(self, connection: Connection) -> None:
        found = {queue: (messages, consumers) for queue, messages, consumers in depths(connection, self._needed)}
        self.depths = found
        self._measure(found)
        self._note_without_leader(tuple(queue for queue in self._consumed if found.get(queue, (0, 1))[1] == 0))
        queues = [queue for queue in self._needed if queue not in found]
        exchanges = missing_exchanges(connection, self._needed_exchanges)
        missing = (*(f"queue {name}" for name in queues), *(f"exchange {name}" for name in exchanges))
        restored = sorted({*self.missing} - {*missing})
        if missing != self.missing:
            report: Callable[..., Any] = log.error if missing else log.info
            report("queues_missing", queues=missing, restored=restored, restore=RESTORE)
        self.missing = missing
        metrics.queues_missing.set(len(missing))
        if any(name.startswith("exchange ") for name in restored):
            for renew in self.on_restored:
                renew()

    def _measure(self, found: Mapping[str, tuple[int, int]]) -> None:
        for queue, (messages, consumers) in found.items():
            if owner_of(queue) == self.container.service_name:
                metrics.queue_messages.labels(queue).set(messages)
                metrics.queue_consumers.labels(queue).set(consumers)

    def _note_without_leader(self, queues: tuple[str, ...]) -> None:
        found = tuple(queue for queue in queues if queue in self._suspected)
        if found != self.without_leader:
            log.warning("queues_without_leader", queues=found)
        self.without_leader, self._suspected = found, queues

    def _watch_publishing(self, connection: Connection, doorbell: Doorbell) -> None:
        own = own_exchange(self.container.service_name)
        connection.connection.on_blocked = self._block
        connection.connection.on_unblocked = self._unblock
        try:
            channel = connection.channel()
            if self._makes_queues:
                declare_direct_exchange(channel, own)
            producer = Producer(channel, auto_declare=False)
            while not self._is_stopping:
                if not self.is_blocked:
                    producer.publish(b"", _LEADS_NOWHERE, exchange=own, content_type=_NOTHING, delivery_mode=1)
                self._rest(_SECONDS_BETWEEN_MESSAGES, connection, doorbell)
        finally:
            self.is_blocked = False
            metrics.broker_blocked.set(0)

    def _block(self, _reason: str) -> None:
        self.is_blocked = True
        metrics.broker_blocked.set(1)
        log.error("broker_blocked")

    def _unblock(self) -> None:
        self.is_blocked = False
        metrics.broker_blocked.set(0)
        log.info("broker_unblocked")

    def _rest(self, seconds: float, connection: Connection, doorbell: Doorbell) -> None:
        """Waits, and meanwhile handles what the broker sends on the connection."""
        until = time.monotonic() + seconds
        while not self._is_stopping and (left := until - time.monotonic()) > 0:
            connection.connection.drain_or_wait(doorbell, left)
