"""Samples of a service's status: the process whose relay leads publishes one a minute."""

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import structlog
from nameko.extensions import DependencyProvider

from services.kit.amqp.queues import owner_of, request_queue
from services.kit.amqp.watch import BrokerWatch
from services.kit.concurrency import Doorbell
from services.kit.data.database import Database
from services.kit.events.outbox import publish
from services.kit.events.relay import Relay
from services.kit.events.topology import dead_queues, event_queues
from services.kit.operations.health import not_ready
from services.kit.operations.logs import class_name
from services.kit.settings import ProcessSettings, read_settings
from services.kit.system import LONGEST_REASON, MOST_REASONS, external_of, the_system

log = structlog.get_logger()

_SECONDS_TO_LOOK = 20.0
_SECONDS_TO_WAIT = 3600.0


class StatusSamples(DependencyProvider):
    """Publishes the samples as a dependency that needs no call, in a service that has a database and a relay.

    A thread of its own does, so that a database that answers slowly holds up no relay.
    """

    watch = BrokerWatch()

    def setup(self) -> None:
        """Asks the relay to tell whenever it has measured the outbox."""
        self._release = read_settings(ProcessSettings).release
        self._waits_until = time.monotonic() + _SECONDS_TO_LOOK
        self._sampled: datetime | None = None
        self._outbox: tuple[int, float] | None = None
        self._is_stopping = False
        self._doorbell = Doorbell()
        self._thread: Any = None
        for one in self.container.dependencies:
            if isinstance(one, Relay):
                one.on_measured.append(self._note)

    def start(self) -> None:
        """Starts the work."""
        self._thread = self.container.spawn_managed_thread(self._run)

    def stop(self) -> None:
        """Returns when no sample is being published."""
        self._is_stopping = True
        self._doorbell.ring()
        if self._thread is not None:
            self._thread.wait()

    def _note(self, messages: int, seconds: float) -> None:
        self._outbox = (messages, seconds)
        if _minute() != self._sampled:
            self._doorbell.ring()

    def _run(self) -> None:
        while not self._is_stopping:
            self._doorbell.wait(None, _SECONDS_TO_WAIT)
            if self._outbox is not None and not self._is_stopping:
                self.sample(*self._outbox)
                self._outbox = None

    def sample(self, messages: int, seconds: float) -> None:
        """Publishes a sample, unless this minute has one; `messages` wait in the outbox, the oldest for `seconds`.

        A process that starts waits a while for the first look at the queues. An error is logged.
        """
        minute = _minute()
        is_too_early = self.watch.depths is None and time.monotonic() < self._waits_until
        if minute == self._sampled or is_too_early:
            return
        self._sampled = minute
        try:
            self._publish(minute, {"outbox_messages": messages, "outbox_seconds": seconds})
        except Exception as error:
            log.warning("status_not_sampled", error=class_name(error))

    def _publish(self, minute: datetime, figures: dict[str, Any]) -> None:
        service, system = self.container.service_name, the_system()
        reasons = sorted({reason[:LONGEST_REASON] for reason in not_ready([self.container])})[:MOST_REASONS]
        data = {"minute": minute, "release": self._release, "reasons": reasons, **figures, **self._depths(service)}
        database = next(one for one in self.container.dependencies if isinstance(one, Database))
        with database.begin() as session:
            publish(session, system.status_events[service], data)

    def _depths(self, service: str) -> dict[str, int | None]:
        """What waits in the service's queues, and how many processes take its requests; None where nobody knows."""
        external = list(external_of(service))
        outgoing = {queue for one in external for queue in {*one.needed} - {*one.consumed, one.rejected}}
        incoming = {queue for one in external for queue in one.consumed}
        _, consumers = (self.watch.depths or {}).get(request_queue(service), (0, None))
        return {
            "processes": consumers,
            "waiting": self._messages(queue for queue in event_queues() if owner_of(queue) == service),
            "dead": self._messages(dead_queues(service)),
            "to_outside": self._messages(outgoing) if external else None,
            "from_outside": self._messages(incoming) if external else None,
        }

    def _messages(self, queues: Iterable[str]) -> int | None:
        depths = self.watch.depths
        return None if depths is None else sum(depths.get(queue, (0, 0))[0] for queue in queues)


def _minute() -> datetime:
    return datetime.now(UTC).replace(second=0, microsecond=0)
