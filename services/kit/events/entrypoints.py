"""The entrypoints behind subscriptions: what a queue brings is run as a worker, settled when the worker has ended."""

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
from services.kit.amqp.connection import BROKER_ERRORS, Outgoing
from services.kit.amqp.kept_publisher import kept_publisher
from services.kit.amqp.publishing import ConfirmedPublisher
from services.kit.amqp.queues import (
    EVENTS_EXCHANGE,
    QueueChanged,
    bind,
    dead_queue,
    declare_exchange,
    declare_passing_queue,
    declare_retry_queue,
    declare_subscription,
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
from services.kit.events.envelope import NotAnEvent, new_message_id, unwrap, unwrap_one_of
from services.kit.events.failures import (
    DeadLetterIt,
    Reject,
    Requeue,
    RetryLater,
    decide,
    failed_properties,
    is_passing,
    reason_of,
)
from services.kit.operations import metrics
from services.kit.operations.logs import class_name, traceback_without_values
from services.kit.settings import MessagingSettings, read_settings

log = structlog.get_logger()


@dataclass
class Message:
    """A message of a foreign queue: its raw body and headers, and in `data` what `decode` made of them."""

    body: bytes
    headers: dict[str, Any]
    message_id: str | None
    received: Delivery
    data: Any = None
    is_fresh: bool = False
    """Whether nobody has used `data` since it was made."""
    rejection: Exception | None = None
    is_rejection_lost: bool = False
    """Whether the database would not take the rejection down."""

    def reject(self, reason: str) -> None:
        """Sends this one to the rejected queue, as it is, with the reason; in the batch's transaction."""
        self.rejection = Reject(reason)

    def forget(self) -> None:
        """Lets go what was made of it, which refers back to it: it would stay until garbage is looked for."""
        self.data = self.rejection = None


class QueueEntrypoint(Entrypoint):
    """Runs the method as a worker of the container for what a queue of its own brings; one worker at a time."""

    prefetch = 1

    def __init__(self) -> None:
        super().__init__()
        self.queue = ""
        self._taken: LightQueue = LightQueue()
        self._reading: Any = None
        self._working: Any = None
        self._connections_lost = 0
        self._is_busy = False
        self._is_over = False

    def setup(self) -> None:
        """Makes the reader of the queue."""
        self.settings = read_settings(MessagingSettings)
        self.users = BrokerUsers.of(self.settings.amqp_uri, self.container.service_name)
        self.queue = self.name_queue()
        self.reader = QueueReader(self.queue, self.settings, self.declare, self.take, prefetch=self.prefetch)
        self.reader.is_idle = lambda: not self._is_busy and self._taken.empty()
        self.reader.on_lost = self._forget

    def start(self) -> None:
        """Consumes; returns when the broker has said so."""
        self._reading = self.container.spawn_managed_thread(self.reader.run)
        self._working = self.container.spawn_managed_thread(self._run)
        self.reader.wait_until_ready()

    def stop(self) -> None:
        """Takes nothing new and returns when what was taken is done and acked: the broker repeats what is left."""
        self.reader.stop()
        if self._reading is not None:
            self._reading.wait()
        self._is_over = True
        self._taken.put(None)
        if self._working is not None:
            self._working.wait()

    def why_not_ready(self) -> str | None:
        """What keeps messages from coming."""
        return self.reader.why_not_ready()

    def name_queue(self) -> str:
        """The queue's name."""
        raise NotImplementedError

    def declare(self, channel: amqp.Channel) -> str:
        """Declares the queue and what belongs to it; answers its name."""
        raise NotImplementedError

    def handle(self, first: Any) -> None:
        """Does all that needs to be done with what was taken, up to its ack."""
        raise NotImplementedError

    def take(self, message: Delivery) -> None:
        """Takes what the broker delivers."""
        self._taken.put(message)

    def take_more(self, seconds: float) -> Any:
        """The next that is taken within the time; None where nothing is."""
        try:
            return self._taken.get(timeout=seconds) if seconds > 0 else self._taken.get_nowait()
        except Empty:
            return None

    def published_by_producer(
        self, message: Delivery, contracts: Sequence[EventContract]
    ) -> tuple[list[EventContract], str]:
        """The contracts of whose events the message can be one, by who published it; where of none, also why."""
        how: Any = {"queue": self.queue, "is_former_taken": self.settings.takes_former}
        able = [contract for contract in contracts if self.users.refusal(message, contract.producer, **how) is None]
        if able:
            return able, ""
        producers = (contract.producer for contract in contracts)
        reason = self.users.refusal(message, *producers, **how) or ""
        metrics.messages_refused.labels(self.queue).inc()
        log.error("publisher_refused", queue=self.queue, message_id=message.properties.get("message_id"), reason=reason)
        return [], reason

    def attempt(self, argument: Any) -> Exception | None:
        """Runs the method as a worker; answers its error."""
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

    def backoff(self) -> Iterator[None]:
        """Yields after growing pauses, while the messages at hand are still ours: not stopping, connection not lost."""
        lost, pause = self._connections_lost, 0.1
        while True:
            until = time.monotonic() + pause
            while time.monotonic() < until:
                if self.reader.is_stopping or lost != self._connections_lost:
                    return
                time.sleep(0.05)
            yield
            pause = min(pause * 2, 5)

    def _run(self) -> None:
        while not self._is_over:
            message = self._taken.get()
            if message is None:
                return
            self._is_busy = True
            try:
                self.handle(message)
            finally:
                self._is_busy = False

    def _forget(self) -> None:
        """What was taken over a lost connection comes again over the next."""
        self._connections_lost += 1
        while not self._taken.empty():
            self._taken.get_nowait()


class Subscription(QueueEntrypoint):
    """The entrypoint behind `subscribe`; several contracts are one event that several producers tell."""

    def __init__(self, *contracts: EventContract) -> None:
        super().__init__()
        self.contracts = contracts

    def setup(self) -> None:
        """Makes the reader, and the publisher that moves failed messages on."""
        super().setup()
        self._dead_letter_publisher = ConfirmedPublisher(
            self.settings.amqp_uri, f"{self.queue} failures", self.settings.publish_seconds
        )

    def stop(self) -> None:
        """Stops reading, then closes the connection of failures."""
        super().stop()
        self._dead_letter_publisher.drop()

    def name_queue(self) -> str:
        """`<service>.<event name>`: it does not depend on the method."""
        return queue_name(self.container.service_name, self.contracts[0].name)

    def declare(self, channel: amqp.Channel) -> str:
        """The queue bound to the event, with its dead letters; made here where one user is shared."""
        for contract in self.contracts if self.users.is_shared else ():
            declare_subscription(channel, self.queue, contract)
        return self.queue

    def handle(self, first: Delivery) -> None:
        """Handles one event, or moves it on, and acks."""
        held_since = time.monotonic()
        error = self._handle_once(first)
        backoff = self.backoff()
        while error is not None:
            verdict = decide(error, first.headers or {}, held_since, self.settings)
            if not isinstance(verdict, Requeue):
                if self._move(first, error, verdict):
                    self.reader.ack(first)
                return
            if next(backoff, _GONE) is _GONE:
                return
            error = self._handle_once(first)
        self.reader.ack(first)
        metrics.messages_handled.labels(self.queue).inc()

    def _handle_once(self, message: Delivery) -> Exception | None:
        contracts, refusal = self.published_by_producer(message, self.contracts)
        if refusal:
            return Reject(refusal)
        try:
            event = unwrap_one_of(contracts, message.body)
        except NotAnEvent as error:
            return Reject(str(error))
        return self.attempt(event)

    def _move(self, message: Delivery, error: Exception, verdict: RetryLater | DeadLetterIt) -> bool:
        """Publishes the message to where it waits or rests; False where it is to be left to the broker unacked."""
        properties = failed_properties(message, error, self.queue, kept_publisher(message, self.users.own, self.queue))
        exchange, routing_key = self._address(verdict)
        for _ in chain([None], self.backoff()):
            try:
                self._dead_letter_publisher.declare(lambda channel: self._declare_target(channel, verdict))
                refused = self._dead_letter_publisher.publish(
                    [Outgoing(exchange, routing_key, message.body, properties)]
                )
            except BROKER_ERRORS as trouble:
                log.warning("move_failed", queue=self.queue, error=class_name(trouble))
                continue
            if not refused:
                counter = metrics.messages_dead if isinstance(verdict, DeadLetterIt) else metrics.messages_retried
                counter.labels(self.queue).inc()
                log.warning("message_moved", queue=self.queue, to=exchange, by=routing_key, reason=reason_of(error))
                return True
            log.warning("move_refused", queue=self.queue, to=exchange, by=routing_key, reason=refused[0])
            with suppress(QueueChanged, *BROKER_ERRORS):
                self._dead_letter_publisher.declare(self.declare)  # our own queue of dead letters may be missing
        return False

    def _address(self, verdict: RetryLater | DeadLetterIt) -> tuple[str, str]:
        """The exchange and the routing key by which a message goes to where it waits or rests."""
        service = self.container.service_name
        if isinstance(verdict, DeadLetterIt):
            return own_exchange(service), dead_queue(self.queue)
        return delay_exchange(service, verdict.seconds), self.queue

    def _declare_target(self, channel: amqp.Channel, verdict: RetryLater | DeadLetterIt) -> None:
        """Makes a retry queue when it is first needed, where nobody has made it before."""
        if isinstance(verdict, RetryLater) and self.users.is_shared:
            declare_retry_queue(channel, self.container.service_name, verdict.seconds)


class BatchSubscription(QueueEntrypoint):
    """The entrypoint behind `subscribe_batch`.

    Small messages are read as they come: while a set waits for the database, the next one is made ready.
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
        """Makes the reader, which pauses while we hold much, and the publisher of what the database never sees."""
        super().setup()
        self.reader.is_full = lambda: self._held >= _MOST_HELD
        self._dead_letter_publisher = ConfirmedPublisher(
            self.settings.amqp_uri, f"{self.queue} rejections", self.settings.publish_seconds
        )
        self._moving = Semaphore()

    def stop(self) -> None:
        """Stops reading, then closes the connection of rejections."""
        super().stop()
        self._dead_letter_publisher.drop()

    def name_queue(self) -> str:
        """The foreign queue."""
        return self._external_queue

    def declare(self, channel: amqp.Channel) -> str:
        """The queue, and the one that takes what is rejected; made here where one user is shared."""
        if self.users.is_shared:
            declare_working_queue(channel, self.queue, rejected_queue(self.queue))
        return self.queue

    def take(self, message: Delivery) -> None:
        """Takes a message; one that is too large to be read is rejected as it is. Raises one of BROKER_ERRORS."""
        size = len(message.body)
        # What is acked is acked with all before it, so after one that is left to the broker all are.
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
            with suppress(Exception):  # whoever handles it meets the error again
                self._read(taken)
        self._taken.put(taken)

    def handle(self, first: Message) -> None:
        """Handles a set in place until it is done, and acks it at once.

        After a set that is left unacked when we stop, no other is handled: its ack would be theirs too.
        """
        messages = self._gather(first)
        if not self._has_abandoned:
            self._has_abandoned = not self._handle_set(messages) and self.reader.is_stopping
        self._held = max(0, self._held - sum(len(one.body) for one in messages))
        for message in messages:
            message.forget()

    def _forget(self) -> None:
        super()._forget()
        self._held = 0

    def _handle_set(self, messages: list[Message]) -> bool:
        """Whether the set is acked or buried."""
        last = messages[-1].received
        for _ in chain([None], self.backoff()):
            error = self.attempt(messages)
            if error is None:
                if not self._reject_lost(messages):
                    return False
                self.reader.ack(last, with_all_before=True)
                metrics.messages_handled.labels(self.queue).inc(len(messages))
                return True
            if not is_passing(error):
                # Not even the rejection could be written down: the broker moves the set to the rejected queue.
                self.reader.bury(last, with_all_before=True)
                metrics.messages_dead.labels(self.queue).inc(len(messages))
                return True
        return False

    def _gather(self, first: Message) -> list[Message]:
        gathered, until = [first], time.monotonic() + self._wait_seconds
        size = len(first.body)
        while len(gathered) < self._size and size < _LARGEST_SET:
            message = self.take_more(until - time.monotonic())
            if message is None:
                break
            gathered.append(message)
            size += len(message.body)
        return gathered

    def _reject_lost(self, messages: list[Message]) -> bool:
        """Rejects past the database what it would not take down; False where the set is to be left unacked."""
        lost = [message for message in messages if message.is_rejection_lost]
        for _ in chain([None], self.backoff()):
            try:
                while lost:
                    self._reject(lost[-1].received, lost[-1].rejection or Reject("unknown"))
                    lost.pop()
            except BROKER_ERRORS as trouble:
                log.warning("rejection_failed", queue=self.queue, error=class_name(trouble))
                continue
            return True
        return False

    def _reject(self, message: Delivery, rejection: Exception) -> None:
        """Publishes a message with its reason where the rejected lie. Raises one of BROKER_ERRORS."""
        properties, own = failed_properties(message, rejection, self.queue), own_exchange(owner_of(self.queue))
        outgoing = Outgoing(own, rejected_queue(self.queue), message.body, properties)
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
        """Makes the reader, which binds anew what was bound to an exchange that was away."""
        super().setup()
        self.watch.on_restored.append(self.reader.renew)

    def name_queue(self) -> str:
        """A name of this process alone."""
        return f"{self.container.service_name}.listen.{new_message_id()}"

    def declare(self, channel: amqp.Channel) -> str:
        """A queue that goes with the connection, bound to what pages hear of the events.

        By the former exchange producers of the release before send.
        """
        declare_passing_queue(channel, self.queue)
        for contract in self.contracts.values():
            exchange = events_exchange(contract.producer)
            if self.users.is_shared:
                declare_exchange(channel, exchange)
            bind(channel, self.queue, exchange, contract.key_for(LIVE))
        if self.users.is_shared or self.settings.takes_former:
            self._bind_to_former(channel)
        return self.queue

    def _bind_to_former(self, channel: amqp.Channel) -> None:
        """Without the permissions of an upgrade nothing of the release before is heard."""
        with suppress(amqp.AccessRefused, amqp.NotFound), channel.connection.channel() as former:
            if self.users.is_shared:
                declare_exchange(former, EVENTS_EXCHANGE)
            for contract in self.contracts.values():
                for key in (contract.key_for(LIVE), contract.routing_key):
                    bind(former, self.queue, EVENTS_EXCHANGE, key)

    def handle(self, first: Delivery) -> None:
        """Hands the event on; what is wrong with it is the affair of those who keep it."""
        contract = self.contracts.get(first.delivery_info["routing_key"].removesuffix(f".{LIVE}"))
        if contract is None or self.published_by_producer(first, [contract])[1]:
            return
        with suppress(NotAnEvent):
            self.attempt(unwrap(contract, first.body))


_GONE = object()
LARGEST_MESSAGE = 2 << 20
"""Bytes of a message that is read at all: what it says is up to 1 MiB, and a third more where it is encrypted."""
_LARGEST_SET = 4 << 20
"""Bytes of the messages that are handled in one transaction."""
_MOST_HELD = 8 << 20
"""Bytes of the messages that are taken off the connection ahead of their turn."""
_MOST_READ_AHEAD = 2 << 20
"""Bytes of the messages up to which they are read ahead of their turn: what is read takes twenty times as much."""
