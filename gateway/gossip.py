"""Gossip of rate-limit counters: gateway processes exchange counts of requests and open streams four times a second.

Messages are not stored. Counts only grow, so a process that misses one message catches up with the next.
"""

import time
from collections.abc import Callable
from typing import Any

import amqp
import structlog

from gateway.limits import Limits
from services.kit.amqp.connection import BROKER_ERRORS
from services.kit.amqp.publishing import DirectPublisher
from services.kit.amqp.queues import COUNTS_EXCHANGE, bind, declare_counts_exchange, declare_transient_queue
from services.kit.amqp.reader import QueueReader
from services.kit.amqp.transport import Delivery
from services.kit.events.envelope import new_message_id
from services.kit.events.outbox import to_json
from services.kit.settings import MessagingSettings
from services.kit.strict_json import read_json

log = structlog.get_logger()

INTERVAL_SECONDS = 0.25
_REMINDER_SECONDS = 5
"""The open streams are published at this interval even if unchanged, for processes that started meanwhile."""
_SILENT_SECONDS = 20
"""The streams of a process that has been silent for this long count as closed."""


class CounterGossip:
    """One process's part in the gossip; `open_streams()` returns the number of streams open here by account."""

    def __init__(
        self,
        settings: MessagingSettings,
        limits: Limits,
        open_streams: Callable[[], dict[str, int]],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._process = new_message_id()
        self._limits = limits
        self._open_streams = open_streams
        self._now = now
        self._published_streams: dict[str, int] = {}
        self._published_at = -float(_REMINDER_SECONDS)
        self._elsewhere: dict[str, tuple[float, dict[str, int]]] = {}
        self._is_stopping = False
        self._publisher = DirectPublisher(settings.amqp_uri, "gateway counts", seconds=3)
        self.reader = QueueReader("gateway counts", settings, self._declare, self._receive, prefetch=0)

    def run(self) -> None:
        """Publishes changed counts until `stop`."""
        while not self._is_stopping:
            time.sleep(INTERVAL_SECONDS)
            next_message = self.next_message()
            if next_message is None:
                continue
            try:
                self._publisher.publish(to_json(next_message), COUNTS_EXCHANGE, "")
            except BROKER_ERRORS:
                log.info("counts_not_published")

    def stop(self) -> None:
        """Stops publishing and consuming."""
        self._is_stopping = True
        self.reader.stop()
        self._publisher.drop()

    def next_message(self) -> dict[str, Any] | None:
        """Returns the counts that the others do not know yet; None if there are none."""
        counts, streams = self._limits.take_unpublished(), self._open_streams()
        is_reminder = self._now() - self._published_at >= _REMINDER_SECONDS
        if not counts and streams == self._published_streams and not (is_reminder and streams):
            return None
        self._published_streams, self._published_at = streams, self._now()
        return {"process": self._process, "counts": counts, "streams": streams}

    def receive(self, next_message: dict[str, Any]) -> None:
        """Applies the counts of another process; ignores this process's own message."""
        if next_message["process"] == self._process:
            return
        self._limits.apply_counts(next_message["process"], next_message["counts"])
        self._elsewhere[next_message["process"]] = (self._now(), next_message["streams"])

    def streams_elsewhere(self, account: str) -> int:
        """Returns how many streams of an account are open at other processes."""
        seen_since = self._now() - _SILENT_SECONDS
        self._elsewhere = {name: seen for name, seen in self._elsewhere.items() if seen[0] >= seen_since}
        return sum(streams.get(account, 0) for _, streams in self._elsewhere.values())

    def _declare(self, channel: amqp.Channel) -> str:
        declare_counts_exchange(channel)
        queue = declare_transient_queue(channel, f"{COUNTS_EXCHANGE}.{self._process}")
        bind(channel, queue, COUNTS_EXCHANGE)
        return queue

    def _receive(self, message: Delivery) -> None:
        try:
            self.receive(read_json(message.body))
        except (ValueError, KeyError, TypeError, AttributeError):
            log.warning("counts_unreadable")
