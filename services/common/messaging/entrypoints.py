"""The entrypoints behind subscriptions: what a queue brings is run as a worker, settled when the worker has ended."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

import amqp
import structlog
from amqp.basic_message import Message as AmqpMessage
from eventlet.event import Event as Signal
from eventlet.queue import Empty, LightQueue
from nameko.extensions import Entrypoint

from services.common import metrics
from services.common.contracts.event import EventContract
from services.common.logs import class_name, traceback_without_values
from services.common.messaging.connection import BROKER_ERRORS, Outgoing, to_bytes
from services.common.messaging.envelope import NotAnEvent, new_message_id, unwrap
from services.common.messaging.failures import (
    Bury,
    Delay,
    Hold,
    Reject,
    decide,
    failed_properties,
    is_passing,
    reason_of,
)
from services.common.messaging.publishing import ConfirmedPublisher
from services.common.messaging.queues import (
    EVENTS_EXCHANGE,
    dead_queue,
    declare_exchange,
    declare_passing_queue,
    declare_retry_queue,
    declare_subscription,
    declare_working_queue,
    queue_name,
    rejected_queue,
)
from services.common.messaging.reader import QueueReader
from services.common.settings import MessagingSettings, read_settings

log = structlog.get_logger()


@dataclass
class Message:
    """A message of a foreign queue: its raw body and headers, and in `data` what `decode` made of them."""

    body: bytes
    headers: dict[str, Any]
    message_id: str | None
    received: AmqpMessage
    data: Any = None
    rejection: Exception | None = None

    def reject(self, reason: str) -> None:
        """Sends this one to the rejected queue, as it is, with the reason; in the batch's transaction."""
        self.rejection = Reject(reason)


class QueueEntrypoint(Entrypoint):
    """Runs the method as a worker of the container for what a queue of its own brings; one worker at a time."""

    prefetch = 1

    def __init__(self) -> None:
        super().__init__()
        self.queue = ""
        self._taken: LightQueue = LightQueue()
        self._threads: list[Any] = []
        self._connections_lost = 0
        self._is_busy = False

    def setup(self) -> None:
        """Makes the reader of the queue."""
        self.settings = read_settings(MessagingSettings)
        self.queue = self.name_queue()
        self.reader = QueueReader(self.queue, self.settings, self.declare, self._taken.put, prefetch=self.prefetch)
        self.reader.is_idle = lambda: not self._is_busy
        self.reader.on_lost = self._forget

    def start(self) -> None:
        """Consumes; returns when the broker has said so."""
        self._threads = [self.container.spawn_managed_thread(run) for run in (self.reader.run, self._run)]
        self.reader.wait_until_ready()

    def stop(self) -> None:
        """Takes nothing new and returns when what runs is done and acked."""
        self.reader.stop()
        self._taken.put(None)
        for thread in self._threads:
            thread.wait()

    def why_not_ready(self) -> str | None:
        """What keeps messages from coming."""
        return self.reader.why_not_ready()

    def name_queue(self) -> str:
        """The queue's name."""
        raise NotImplementedError

    def declare(self, channel: amqp.Channel) -> str:
        """Declares the queue and what belongs to it; answers its name."""
        raise NotImplementedError

    def handle(self, first: AmqpMessage) -> None:
        """Does all that a message needs, up to its ack."""
        raise NotImplementedError

    def take_more(self, seconds: float) -> AmqpMessage | None:
        """The next message that comes within the time."""
        try:
            return self._taken.get(timeout=seconds) if seconds > 0 else self._taken.get_nowait()
        except Empty:
            return None

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

    def patience(self) -> Iterator[None]:
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
        while True:
            message = self._taken.get()
            if self.reader.is_stopping:
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
    """The entrypoint behind `subscribe`."""

    def __init__(self, contract: EventContract) -> None:
        super().__init__()
        self.contract = contract

    def setup(self) -> None:
        """Makes the reader, and the publisher that moves failed messages on."""
        super().setup()
        self._mover = ConfirmedPublisher(
            self.settings.amqp_uri, f"{self.queue} failures", self.settings.publish_seconds
        )

    def stop(self) -> None:
        """Stops reading, then closes the connection of failures."""
        super().stop()
        self._mover.drop()

    def name_queue(self) -> str:
        """`<service>.<event name>`: it does not depend on the method."""
        return queue_name(self.container.service_name, self.contract.name)

    def declare(self, channel: amqp.Channel) -> str:
        """The queue bound to the event, with its dead letters."""
        declare_subscription(channel, self.queue, self.contract.routing_key)
        return self.queue

    def handle(self, first: AmqpMessage) -> None:
        """Handles one event, or moves it on, and acks."""
        held_since = time.monotonic()
        error = self._handle_once(first)
        patience = self.patience()
        while error is not None:
            verdict = decide(error, first.headers or {}, held_since, self.settings)
            if not isinstance(verdict, Hold):
                if self._move(first, error, verdict):
                    self.reader.ack(first)
                return
            if next(patience, _GONE) is _GONE:
                return
            error = self._handle_once(first)
        self.reader.ack(first)
        metrics.messages_handled.labels(self.queue).inc()

    def _handle_once(self, message: AmqpMessage) -> Exception | None:
        try:
            event = unwrap(self.contract, to_bytes(message.body))
        except NotAnEvent as error:
            return Reject(str(error))
        return self.attempt(event)

    def _move(self, message: AmqpMessage, error: Exception, verdict: Delay | Bury) -> bool:
        """Publishes the message to where it waits or rests; False where it is to be left to the broker unacked."""
        properties = failed_properties(message, error, self.queue)
        for _ in chain([None], self.patience()):
            try:
                target = self._declared_target(verdict)
                refused = self._mover.publish([Outgoing("", target, to_bytes(message.body), properties)])
            except BROKER_ERRORS as trouble:
                log.warning("move_failed", queue=self.queue, error=class_name(trouble))
                continue
            if not refused:
                counter = metrics.messages_dead if isinstance(verdict, Bury) else metrics.messages_retried
                counter.labels(self.queue).inc()
                log.warning("message_moved", queue=self.queue, to=target, reason=reason_of(error))
                return True
            log.warning("move_refused", queue=self.queue, to=target, reason=refused[0])
        return False

    def _declared_target(self, verdict: Delay | Bury) -> str:
        """The queue to move to; retry queues are made when they are first needed, for most never are."""
        if isinstance(verdict, Bury):
            return dead_queue(self.queue)
        return str(self._mover.declare(partial(declare_retry_queue, queue=self.queue, seconds=verdict.seconds)))


class BatchSubscription(QueueEntrypoint):
    """The entrypoint behind `subscribe_batch`."""

    def __init__(self, queue: str, size: int, linger: float) -> None:
        super().__init__()
        self._foreign_queue = queue
        self._size = size
        self._linger = linger
        self.prefetch = 2 * size

    def name_queue(self) -> str:
        """The foreign queue."""
        return self._foreign_queue

    def declare(self, channel: amqp.Channel) -> str:
        """The queue, and the one that takes what is rejected."""
        declare_working_queue(channel, self.queue, rejected_queue(self.queue))
        return self.queue

    def handle(self, first: AmqpMessage) -> None:
        """Handles a set in place until it is done, and acks it at once."""
        received = self._gather(first)
        messages = [
            Message(to_bytes(one.body), one.headers or {}, one.properties.get("message_id"), one) for one in received
        ]
        for _ in chain([None], self.patience()):
            error = self.attempt(messages)
            if error is None:
                self.reader.ack(received[-1], with_all_before=True)
                metrics.messages_handled.labels(self.queue).inc(len(messages))
                return
            if not is_passing(error):
                # Not even the rejection could be written down: the broker moves the set to the rejected queue.
                self.reader.bury(received[-1], with_all_before=True)
                metrics.messages_dead.labels(self.queue).inc(len(messages))
                return

    def _gather(self, first: AmqpMessage) -> list[AmqpMessage]:
        gathered, until = [first], time.monotonic() + self._linger
        while len(gathered) < self._size:
            message = self.take_more(until - time.monotonic())
            if message is None:
                break
            gathered.append(message)
        return gathered


class Listener(QueueEntrypoint):
    """The entrypoint behind `listen`."""

    prefetch = 0

    def __init__(self, *contracts: EventContract) -> None:
        super().__init__()
        self._contracts = {contract.type: contract for contract in contracts}

    def name_queue(self) -> str:
        """A name of this process alone."""
        return f"{self.container.service_name}.listen.{new_message_id()}"

    def declare(self, channel: amqp.Channel) -> str:
        """A queue that goes with the connection, bound to the events."""
        declare_exchange(channel, EVENTS_EXCHANGE)
        declare_passing_queue(channel, self.queue)
        for contract in self._contracts.values():
            channel.queue_bind(self.queue, EVENTS_EXCHANGE, contract.routing_key)
        return self.queue

    def handle(self, first: AmqpMessage) -> None:
        """Hands the event on; what is wrong with it is the affair of those who keep it."""
        try:
            event = unwrap(self._contracts[first.delivery_info["routing_key"]], to_bytes(first.body))
        except (NotAnEvent, KeyError):
            return
        self.attempt(event)


_GONE = object()
