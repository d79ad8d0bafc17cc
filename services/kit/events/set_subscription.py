"""The entrypoint behind `subscribes_sets`: events that have come are handled together, in one transaction."""

import time
from collections.abc import Iterator, Sequence

from services.kit.amqp.transport import Delivery
from services.kit.data.database import is_database_unavailable
from services.kit.events.contract import EventContract
from services.kit.events.entrypoints import GONE, MOST_HELD, Subscription
from services.kit.events.envelope import Event
from services.kit.events.failures import Reject


class SetSubscription(Subscription):
    """Takes what is there, without waiting for more.

    Where a set fails, each event of it is handled alone; while the database is away all of it waits. Messages that come
    again are handled alone, each time from the other end of the set: one that ends the process each time is thus
    overtaken by the others before it becomes a dead letter.
    """

    def __init__(self, contracts: Sequence[EventContract], size: int) -> None:
        super().__init__(*contracts)
        self._size = size
        self._held = 0
        self.prefetch = 2 * size

    def setup(self) -> None:
        """Creates the reader, which pauses while we hold much."""
        super().setup()
        self.reader.is_full = lambda: self._held >= MOST_HELD

    def take(self, message: Delivery) -> None:
        """Queues a delivered message for the worker."""
        self._held += len(message.body)
        super().take(message)

    def handle(self, first: Delivery) -> None:
        """Handles the messages that have come, up to their acks."""
        messages: list[Delivery] = self.gather(first, self._size)
        self._handle_all(messages)
        self._held = max(0, self._held - sum(len(message.body) for message in messages))

    def _forget(self) -> None:
        super()._forget()
        self._held = 0

    def _handle_all(self, messages: list[Delivery]) -> None:
        """Settles one message after the other, until one stays unacked or the connection is lost."""
        held_since, backoff, lost = time.monotonic(), self.backoff(), self.connections_lost
        for message, error in self._attempts(messages, held_since, backoff):
            if lost != self.connections_lost or not self.settle(message, error, held_since, backoff):
                return

    def _attempts(
        self, messages: list[Delivery], held_since: float, backoff: Iterator[None]
    ) -> Iterator[tuple[Delivery, Exception | None]]:
        """Yields each message after it was handled for the first time, with its error."""
        read = [(message, self.read(message)) for message in messages if not _deliveries_before(message)]
        good = [(message, event) for message, event in read if isinstance(event, Event)]
        error = self._attempt_together([event for _, event in good], held_since, backoff)
        for message, event in good:
            is_alone = error is not None and len(good) > 1 and not is_database_unavailable(error)
            yield message, self.attempt(event) if is_alone else error
        yield from ((message, reason) for message, reason in read if isinstance(reason, Reject))
        for message in _from_the_other_end([one for one in messages if _deliveries_before(one)]):
            yield message, self.handle_once(message)

    def _attempt_together(self, events: list[Event], held_since: float, backoff: Iterator[None]) -> Exception | None:
        """The error of the set; while the database is away it is tried again, as long as a message may be held."""
        error = self.attempt(events) if events else None
        while (
            error is not None
            and is_database_unavailable(error)
            and time.monotonic() - held_since < self.settings.hold_seconds
            and next(backoff, GONE) is not GONE
        ):
            error = self.attempt(events)
        return error


def _from_the_other_end(messages: list[Delivery]) -> list[Delivery]:
    """The messages in their order, or in the opposite one if they have come an odd number of times before."""
    is_turned = max(map(_deliveries_before, messages), default=0) % 2
    return messages[::-1] if is_turned else messages


def _deliveries_before(message: Delivery) -> int:
    """How often the broker has delivered the message before; the header may come from outside and hold anything."""
    said = (message.headers or {}).get("x-delivery-count", 0)
    return said if isinstance(said, int) and said > 0 else 0
