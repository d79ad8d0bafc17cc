"""The entrypoints behind subscriptions: each message is handled by a worker and settled when the worker has ended."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from typing import Any

import amqp
import structlog
from nameko.extensions import Entrypoint

from services.kit.amqp.broker_users import BrokerUsers
from services.kit.amqp.connection import BROKER_ERRORS, OutgoingMessage
from services.kit.amqp.original_publisher import publisher_headers
from services.kit.amqp.publishing import ConfirmedPublisher
from services.kit.amqp.queues import (
    EVENTS_EXCHANGE,
    QueueChanged,
    bind,
    dead_queue,
    declare_exchange,
    declare_retry_queue,
    declare_subscription,
    declare_transient_queue,
    declare_working_queue,
    delay_exchange,
    events_exchange,
    own_exchange,
    owner_of,
    queue_name,
    rejected_queue,
)
from services.kit.amqp.reader import QueueReader
from services.kit.amqp.transport import Delivery
from services.kit.amqp.watch import BrokerWatch
from services.kit.concurrency import Empty, LightQueue, Semaphore, Signal
from services.kit.events.contract import LIVE, EventContract
from services.kit.events.envelope import Event, NotAnEvent, new_message_id, unwrap, unwrap_one_of
from services.kit.events.failures import (
    MoveToDeadLetters,
    Reject,
    Requeue,
    RetryLater,
    decide,
    failed_properties,
    is_transient,
    reason_of,
)
from services.kit.operations import metrics
from services.kit.operations.logs import class_name, traceback_without_values
from services.kit.settings import MessagingSettings, read_settings

log = structlog.get_logger()


@dataclass
class Message:
    """A message of an external queue: its raw body and headers, and in `data` the result of `decode`."""

    body: bytes
    headers: dict[str, Any]
    message_id: str | None
    received: Delivery
    data: Any = None
    is_fresh: bool = False
    """Whether no handler has used `data` since it was decoded."""
    rejection: Exception | None = None
    is_rejection_lost: bool = False
    """Whether the database could not store the rejection."""

    def reject(self, reason: str) -> None:
        """Sends this message unchanged to the rejected queue, with the reason, in the chunk's transaction."""
        self.rejection = Reject(reason)

    def forget(self) -> None:
        """Releases its data and rejection, which refer back to it: such a cycle stays until garbage is collected."""
        self.data = self.rejection = None


class QueueEntrypoint(Entrypoint):
    """Runs the method as a worker of the container for the messages of a queue of its own, one worker at a time."""

    prefetch = 1

    def __init__(self) -> None:
        super().__init__()
        self.queue = ""
        self._taken: LightQueue = LightQueue()
        self._reading: Any = None
        self._working: Any = None
        self.connections_lost = 0
        """How often the broker's connection was lost, and with it the messages that were taken."""
        self._busy_since: float | None = None
        self._is_over = False

    def setup(self) -> None:
        """Creates the reader of the queue."""
        self.settings = read_settings(MessagingSettings)
        self.users = BrokerUsers.of(self.settings.amqp_uri, self.container.service_name)
        self.queue = self.name_queue()
        self.reader = QueueReader(self.queue, self.settings, self.declare, self.take, prefetch=self.prefetch)
        self.reader.is_idle = lambda: self._busy_since is None and self._taken.empty()
        self.reader.on_lost = self._forget

    def start(self) -> None:
        """Starts consuming; returns when the broker has confirmed it."""
        self._reading = self.container.spawn_managed_thread(self.reader.run)
        self._working = self.container.spawn_managed_thread(self._run)
        self.reader.wait_until_ready()

    def stop(self) -> None:
        """Takes nothing new and returns when the taken messages are handled; the broker redelivers unacked ones."""
        self.reader.stop()
        if self._reading is not None:
            self._reading.wait()
        self._is_over = True
        self._taken.put(None)
        if self._working is not None:
            self._working.wait()

    def why_not_ready(self) -> str | None:
        """Why the queue is not consumed; None where it is."""
        return self.reader.why_not_ready()

    def name_queue(self) -> str:
        """The queue's name."""
        raise NotImplementedError

    def declare(self, channel: amqp.Channel) -> str:
        """Declares the queue and what belongs to it; returns its name."""
        raise NotImplementedError

    def handle(self, first: Any) -> None:
        """Handles the taken message, with more where they are handled together, up to the ack."""
        raise NotImplementedError

    def take(self, message: Delivery) -> None:
        """Queues a delivered message for the worker."""
        self._taken.put(message)

    def take_more(self, seconds: float) -> Any:
        """The next message that comes within the time; None where none does."""
        try:
            return self._taken.get(timeout=seconds) if seconds > 0 else self._taken.get_nowait()
        except Empty:
            return None

    def gather(self, first: Any, most: int, seconds: float = 0) -> list[Any]:
        """The message with those that come within the time, at most so many, and as many bytes as a chunk may have."""
        gathered, until = [first], time.monotonic() + seconds
        size = len(first.body)
        while len(gathered) < most and size < LARGEST_CHUNK:
            message = self.take_more(until - time.monotonic())
            if message is None:
                break
            gathered.append(message)
            size += len(message.body)
        return gathered

    def published_by_producer(
        self, message: Delivery, contracts: Sequence[EventContract]
    ) -> tuple[list[EventContract], str]:
        """The contracts that the message's publisher may publish, and why if there are none."""
        how: Any = {"queue": self.queue, "accepts_former": self.settings.accepts_former}
        allowed = [one for one in contracts if self.users.refusal(message, one.producer, **how) is None]
        if allowed:
            return allowed, ""
        producers = (contract.producer for contract in contracts)
        reason = self.users.refusal(message, *producers, **how) or ""
        metrics.messages_refused.labels(self.queue).inc()
        log.error("publisher_refused", queue=self.queue, message_id=message.properties.get("message_id"), reason=reason)
        return [], reason

    def attempt(self, argument: Any) -> Exception | None:
        """Runs the method as a worker; returns its error, or None."""
        done = Signal()

        def settle(_context: Any, error: Any, exc_info: Any) -> tuple[Any, Any]:
            done.send(exc_info[1] if exc_info else error)
            return None, exc_info

        with metrics.handler_seconds.labels(self.queue).time():
            self.container.spawn_worker(self, (argument,), {}, handle_result=settle)
            error: Exception | None = done.wait()
        if error is not None:
            metrics.messages_failed.labels(self.queue, class_name(error)).inc()
            log.warning(
                "handling_failed",
                queue=self.queue,
                message_id=getattr(argument, "id", None),
                reason=reason_of(error),
                traceback=traceback_without_values(error),
            )
        return error

    def seconds_in_hand(self) -> float:
        """How long the taken message or chunk is being handled; 0 where there is none."""
        return 0.0 if self._busy_since is None else time.monotonic() - self._busy_since

    def backoff(self) -> Iterator[None]:
        """Yields after growing intervals, until we stop or the connection that brought the messages is lost."""
        return self._pauses(self.connections_lost)

    def _pauses(self, lost: int) -> Iterator[None]:
        pause = 0.1
        while True:
            until = time.monotonic() + pause
            while time.monotonic() < until:
                if self.reader.is_stopping or lost != self.connections_lost:
                    return
                time.sleep(0.05)
            yield
            pause = min(pause * 2, 5)

    def _run(self) -> None:
        while not self._is_over:
            message = self._taken.get()
            if message is None:
                return
            self._busy_since = time.monotonic()
            try:
                self.handle(message)
            finally:
                self._busy_since = None

    def _forget(self) -> None:
        """Drops the messages of a lost connection; the broker delivers them again over the next."""
        self.connections_lost += 1
        while not self._taken.empty():
            self._taken.get_nowait()


class Subscription(QueueEntrypoint):
    """The entrypoint behind `subscribes`; several contracts are one event that several producers publish."""

    def __init__(self, *contracts: EventContract) -> None:
        super().__init__()
        self.contracts = contracts

    def setup(self) -> None:
        """Creates the reader, and the dead-letter publisher, which moves failed messages."""
        super().setup()
        metrics.begin_series_of_queue(self.queue, self.seconds_in_hand)
        self._dead_letter_publisher = ConfirmedPublisher(
            self.settings.amqp_uri, f"{self.queue} failures", self.settings.publish_seconds
        )

    def stop(self) -> None:
        """Stops reading, then closes the dead-letter publisher's connection."""
        super().stop()
        self._dead_letter_publisher.drop()

    def name_queue(self) -> str:
        """`<service>.<event name>`, which does not depend on the method."""
        return queue_name(self.container.service_name, self.contracts[0].name)

    def declare(self, channel: amqp.Channel) -> str:
        """Declares, where one user is shared, the queue bound to the event and its dead-letter queue."""
        for contract in self.contracts if self.users.is_shared else ():
            declare_subscription(channel, self.queue, contract)
        return self.queue

    def handle(self, first: Delivery) -> None:
        """Handles one event, or moves it to a retry or dead-letter queue, and acks."""
        self.settle(first, self.handle_once(first), time.monotonic(), self.backoff())

    def settle(self, message: Delivery, error: Exception | None, held_since: float, backoff: Iterator[None]) -> bool:
        """Acks a message that was handled or, after an error, is handled at last or moved to another queue.

        Returns False where it stays unacked, since `backoff` ended meanwhile.
        """
        is_handled = error is None
        while error is not None:
            verdict = decide(error, message.headers or {}, held_since, self.settings)
            if not isinstance(verdict, Requeue):
                if not self._move(message, error, verdict):
                    return False
                break
            if next(backoff, GONE) is GONE:
                return False
            error = self.handle_once(message)
            is_handled = error is None
        self.reader.ack(message)
        if is_handled:
            metrics.messages_handled.labels(self.queue).inc()
        return True

    def read(self, message: Delivery) -> Event | Reject:
        """The event; or why the message is none, or not its publisher's to publish."""
        contracts, refusal = self.published_by_producer(message, self.contracts)
        if refusal:
            return Reject(refusal)
        try:
            return unwrap_one_of(contracts, message.body)
        except NotAnEvent as error:
            return Reject(str(error))

    def handle_once(self, message: Delivery) -> Exception | None:
        """Reads the message and runs the method with its event; returns the error, or None."""
        event = self.read(message)
        return event if isinstance(event, Reject) else self.attempt(event)

    def _move(self, message: Delivery, error: Exception, verdict: RetryLater | MoveToDeadLetters) -> bool:
        """Publishes the message to a retry or the dead-letter queue; False where it is to stay unacked."""
        properties = failed_properties(
            message, error, self.queue, publisher_headers(message, self.users.own, self.queue)
        )
        exchange, routing_key = self._address(verdict)
        for _ in chain([None], self.backoff()):
            try:
                self._dead_letter_publisher.declare(lambda channel: self._declare_target(channel, verdict))
                refused = self._dead_letter_publisher.publish(
                    [OutgoingMessage(exchange, routing_key, message.body, properties)]
                )
            except BROKER_ERRORS as broker_error:
                log.warning("move_failed", queue=self.queue, error=class_name(broker_error))
                continue
            if not refused:
                counter = metrics.messages_dead if isinstance(verdict, MoveToDeadLetters) else metrics.messages_retried
                counter.labels(self.queue).inc()
                log.warning("message_moved", queue=self.queue, to=exchange, by=routing_key, reason=reason_of(error))
                return True
            log.warning("move_refused", queue=self.queue, to=exchange, by=routing_key, reason=refused[0])
            with suppress(QueueChanged, *BROKER_ERRORS):
                self._dead_letter_publisher.declare(self.declare)  # our own dead-letter queue may be missing
        return False

    def _address(self, verdict: RetryLater | MoveToDeadLetters) -> tuple[str, str]:
        """The exchange and routing key of the retry queue or the dead-letter queue."""
        service = self.container.service_name
        if isinstance(verdict, MoveToDeadLetters):
            return own_exchange(service), dead_queue(self.queue)
        return delay_exchange(service, verdict.seconds), self.queue

    def _declare_target(self, channel: amqp.Channel, verdict: RetryLater | MoveToDeadLetters) -> None:
        """Declares a retry queue when it is first needed, where one user is shared."""
        if isinstance(verdict, RetryLater) and self.users.is_shared:
            declare_retry_queue(channel, self.container.service_name, verdict.seconds)


class BatchSubscription(QueueEntrypoint):
    """The entrypoint behind `subscribe_batch`.

    Small messages are decoded as they come: while one chunk waits for the database, the next is prepared.
    """

    def __init__(self, queue: str, size: int, wait_seconds: float, read: Callable[[Message], None]) -> None:
        super().__init__()
        self._read = read
        self._external_queue = queue
        self._size = size
        self._wait_seconds = wait_seconds
        self._held = 0
        self._leaves_rest = False
        self._has_abandoned = False
        self.prefetch = 3 * size

    def setup(self) -> None:
        """Creates the reader, which pauses while we hold much, and the publisher of rejections past the database."""
        super().setup()
        metrics.begin_series_of_queue(self.queue, self.seconds_in_hand)
        self.reader.is_full = lambda: self._held >= MOST_HELD
        self._dead_letter_publisher = ConfirmedPublisher(
            self.settings.amqp_uri, f"{self.queue} rejections", self.settings.publish_seconds
        )
        self._moving = Semaphore()

    def stop(self) -> None:
        """Stops reading, then closes the publisher's connection."""
        super().stop()
        self._dead_letter_publisher.drop()

    def name_queue(self) -> str:
        """The external queue's name."""
        return self._external_queue

    def declare(self, channel: amqp.Channel) -> str:
        """Declares, where one user is shared, the queue and the queue of rejected messages."""
        if self.users.is_shared:
            declare_working_queue(channel, self.queue, rejected_queue(self.queue))
        return self.queue

    def take(self, message: Delivery) -> None:
        """Takes a message; one that is too large to be read is rejected unchanged. Raises one of BROKER_ERRORS."""
        size = len(message.body)
        # An ack covers all messages before it, so after one that stays with the broker all others stay too.
        self._leaves_rest |= self.reader.is_stopping and (size > LARGEST_MESSAGE or self.reader.is_full())
        if self._leaves_rest:
            return
        if size > LARGEST_MESSAGE:
            self._reject(message, Reject(f"too_large: {size} bytes"))
            self.reader.ack(message)
            return
        self._held += size
        taken = Message(message.body, message.headers or {}, message.properties.get("message_id"), message)
        if self._held <= _MOST_READ_AHEAD:
            with suppress(Exception):  # the handler decodes it again and meets the error
                self._read(taken)
        self._taken.put(taken)

    def handle(self, first: Message) -> None:
        """Handles a chunk, with retries, until it is done, and acks it as a whole.

        After a chunk that stays unacked when we stop, no other is handled: an ack would cover the earlier one too.
        """
        messages: list[Message] = self.gather(first, self._size, self._wait_seconds)
        if not self._has_abandoned:
            self._has_abandoned = not self._handle_chunk(messages) and self.reader.is_stopping
        self._held = max(0, self._held - sum(len(one.body) for one in messages))
        for message in messages:
            message.forget()

    def _forget(self) -> None:
        super()._forget()
        self._held = 0

    def _handle_chunk(self, messages: list[Message]) -> bool:
        """Handles a chunk; returns whether it is acked or dead-lettered."""
        last = messages[-1].received
        for _ in chain([None], self.backoff()):
            error = self.attempt(messages)
            if error is None:
                if not self._reject_lost(messages):
                    return False
                self.reader.ack(last, with_all_before=True)
                metrics.messages_handled.labels(self.queue).inc(len(messages))
                return True
            if not is_transient(error):
                # Not even the rejection could be stored: the broker moves the chunk to the rejected queue.
                self.reader.dead_letter(last, with_all_before=True)
                metrics.messages_dead.labels(self.queue).inc(len(messages))
                return True
        return False

    def _reject_lost(self, messages: list[Message]) -> bool:
        """Publishes rejections that the database could not store; False where the chunk is to stay unacked."""
        lost = [message for message in messages if message.is_rejection_lost]
        for _ in chain([None], self.backoff()):
            try:
                while lost:
                    self._reject(lost[-1].received, lost[-1].rejection or Reject("unknown"))
                    lost.pop()
            except BROKER_ERRORS as error:
                log.warning("rejection_failed", queue=self.queue, error=class_name(error))
                continue
            return True
        return False

    def _reject(self, message: Delivery, rejection: Exception) -> None:
        """Publishes a message with its reason to the rejected queue. Raises one of BROKER_ERRORS."""
        properties, own = failed_properties(message, rejection, self.queue), own_exchange(owner_of(self.queue))
        outgoing = OutgoingMessage(own, rejected_queue(self.queue), message.body, properties)
        with self._moving:
            refused = self._dead_letter_publisher.publish([outgoing])
        if refused:
            raise OSError(f"The broker did not take a rejected message: {refused[0]}")
        metrics.messages_dead.labels(self.queue).inc()
        log.warning("message_rejected", queue=self.queue, reason=reason_of(rejection))


class Listener(QueueEntrypoint):
    """The entrypoint behind `listen`."""

    watch = BrokerWatch()
    prefetch = 0

    def __init__(self, *contracts: EventContract) -> None:
        super().__init__()
        self.contracts = {contract.type: contract for contract in contracts}

    def setup(self) -> None:
        """Creates the reader, which binds its queue again after an exchange was missing."""
        super().setup()
        self.watch.on_restored.append(self.reader.reconnect)

    def name_queue(self) -> str:
        """A queue name that only this process uses."""
        return f"{self.container.service_name}.listen.{new_message_id()}"

    def declare(self, channel: amqp.Channel) -> str:
        """Declares a queue that is deleted with the connection, bound to the live pages' copies of the events.

        It is also bound to the exchange that producers of the previous release publish to.
        """
        declare_transient_queue(channel, self.queue)
        for contract in self.contracts.values():
            exchange = events_exchange(contract.producer)
            if self.users.is_shared:
                declare_exchange(channel, exchange)
            bind(channel, self.queue, exchange, contract.key_for(LIVE))
        if self.users.is_shared or self.settings.accepts_former:
            self._bind_to_former(channel)
        return self.queue

    def _bind_to_former(self, channel: amqp.Channel) -> None:
        """Binds to the previous release's exchange; without the permissions of an upgrade it does nothing."""
        with suppress(amqp.AccessRefused, amqp.NotFound), channel.connection.channel() as former:
            if self.users.is_shared:
                declare_exchange(former, EVENTS_EXCHANGE)
            for contract in self.contracts.values():
                for key in (contract.key_for(LIVE), contract.routing_key):
                    bind(former, self.queue, EVENTS_EXCHANGE, key)

    def handle(self, first: Delivery) -> None:
        """Passes the event to the method; an invalid event is ignored, for its consumers dead-letter it."""
        contract = self.contracts.get(first.delivery_info["routing_key"].removesuffix(f".{LIVE}"))
        if contract is None or self.published_by_producer(first, [contract])[1]:
            return
        with suppress(NotAnEvent):
            self.attempt(unwrap(contract, first.body))


GONE = object()
LARGEST_MESSAGE = 2 << 20
"""Bytes of the largest message that is read: its content is at most 1 MiB, and a third more when encrypted."""
LARGEST_CHUNK = 4 << 20
"""Bytes of messages at which a chunk, handled in one transaction, takes no more."""
MOST_HELD = 8 << 20
"""Bytes of messages held at which no more are read from the connection."""
_MOST_READ_AHEAD = 2 << 20
"""Bytes of messages held up to which they are decoded ahead: decoded, they take twenty times the memory."""
