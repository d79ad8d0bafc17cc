"""The entrypoint behind `subscribes_sets`: events that have come are handled together, in one transaction."""

from collections.abc import Sequence

from services.kit.amqp.transport import Delivery
from services.kit.events.contract import EventContract
from services.kit.events.entrypoints import LARGEST_CHUNK, MOST_HELD, Subscription
from services.kit.events.envelope import Event, NotAnEvent, unwrap_one_of
from services.kit.operations import metrics


class SetSubscription(Subscription):
    """Takes what is there, without waiting for more. Where a set fails, each event of it is handled alone."""

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
        """Handles the events that have come, together or each alone, up to their acks."""
        messages = self._gather(first)
        alone = self._handle_together(messages) if len(messages) > 1 else messages
        for message in alone:
            super().handle(message)
        self._held = max(0, self._held - sum(len(message.body) for message in messages))

    def _forget(self) -> None:
        super()._forget()
        self._held = 0

    def _gather(self, first: Delivery) -> list[Delivery]:
        gathered, size = [first], len(first.body)
        while len(gathered) < self._size and size < LARGEST_CHUNK and (message := self.take_more(0)) is not None:
            gathered.append(message)
            size += len(message.body)
        return gathered

    def _handle_together(self, messages: list[Delivery]) -> list[Delivery]:
        """Handles the good ones in one transaction; returns those that are to be handled alone."""
        read = [(message, self._read(message)) for message in messages]
        good = [(message, event) for message, event in read if event is not None]
        if not good or self.attempt([event for _, event in good]) is not None:
            return messages
        for message, _ in good:
            self.reader.ack(message)
        metrics.messages_handled.labels(self.queue).inc(len(good))
        return [message for message, event in read if event is None]

    def _read(self, message: Delivery) -> Event | None:
        """The event; None for a message that is none, or that its publisher may not publish."""
        contracts, _ = self.published_by_producer(message, self.contracts)
        try:
            return unwrap_one_of(contracts, message.body) if contracts else None
        except NotAnEvent:
            return None
