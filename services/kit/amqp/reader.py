"""Reads one queue on a connection of its own: reconnects with backoff, keeps the heartbeat, stops gracefully."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import amqp
import structlog
from amqp import spec
from kombu import Connection, Consumer, Queue

from services.kit.amqp.connection import drop, limit_waits, open_connection
from services.kit.amqp.queues import QueueChanged
from services.kit.amqp.transport import Delivery
from services.kit.concurrency import Doorbell, Semaphore, Signal
from services.kit.operations import metrics
from services.kit.settings import MessagingSettings

log = structlog.get_logger()

_IDLE_SECONDS = 2.5
"""How long a reader waits where nothing happens; the heartbeat needs it to turn four times in an interval."""
_ENDING_SECONDS = 0.05
"""How often a reader that stops looks whether all taken messages are handled."""
_FULL_SECONDS = 0.01
_TURN_SECONDS = 0.002
_LONGEST_BACKOFF = 5.0


class NothingToRead(Exception):
    """There is no such queue, and none will be."""


class QueueReader:
    """Passes the messages of a queue to `on_message(message)` as they come; the receiver acks them through the reader.

    `declare(channel)` declares the queue and returns its name; it runs again after each reconnection, and ends the
    reading by raising NothingToRead.
    `prefetch` is how many messages may be unacked at once; 0 reads without acks.
    While `is_full()`, nothing more is read from the connection: prefetch counts messages, not bytes.
    `is_idle()` tells on stopping whether the connection can be closed without losing an ack.
    While the reader stops, one message more than `prefetch` may come, and `on_message` may not ack.
    """

    def __init__(
        self,
        name: str,
        settings: MessagingSettings,
        declare: Callable[[amqp.Channel], str],
        on_message: Callable[[Delivery], None],
        *,
        prefetch: int,
    ) -> None:
        self.name = name
        self.is_idle: Callable[[], bool] = lambda: True
        self.is_full: Callable[[], bool] = lambda: False
        self.on_lost: Callable[[], None] = lambda: None
        self.is_consuming = False
        self._settings = settings
        self._idle_seconds = min(_IDLE_SECONDS, settings.heartbeat_seconds / 4 or _IDLE_SECONDS)
        self._declare = declare
        self._on_message = on_message
        self._prefetch = prefetch
        self._stopping = False
        self._has_ended = False
        self._is_stale = False
        self._unsettled: set[int] = set()
        self._ready = Signal()
        self._doorbell = Doorbell()
        self._writing = Semaphore()

    @property
    def is_stopping(self) -> bool:
        """Whether the reader takes no new messages."""
        return self._stopping

    def why_not_ready(self) -> str | None:
        """Why the queue is not consumed; None where it is."""
        return None if self.is_consuming or self._has_ended else f"{self.name} is not consumed"

    def run(self) -> None:
        """Reads until `stop` and until all taken messages are handled. Raises QueueChanged, which no retry can fix."""
        try:
            self._read_and_reconnect()
        except QueueChanged as error:
            self._announce(error)
            raise
        finally:
            self._announce(None)
            self._doorbell.close()

    def wait_until_ready(self) -> None:
        """Returns when the queue is first consumed, or when reading has ended; raises QueueChanged."""
        self._ready.wait()

    def reconnect(self) -> None:
        """Makes the reader reconnect, and so declare and bind again."""
        self._is_stale = True
        self._doorbell.ring()

    def stop(self) -> None:
        """Takes nothing new; `run` returns when all taken messages are handled."""
        self._stopping = True
        self._doorbell.ring()

    def ack(self, message: Delivery, *, with_all_before: bool = False) -> None:
        """Acks a message; does nothing after a lost connection, for the broker delivers the message again."""
        self._settle(
            message,
            with_all_before,
            lambda _: message.ack(multiple=with_all_before),
        )

    def dead_letter(self, message: Delivery, *, with_all_before: bool = False) -> None:
        """Nacks a message, so that the broker moves it unchanged to the dead-letter queue."""
        self._settle(
            message,
            with_all_before,
            lambda channel: channel.send_method(spec.Basic.Nack, "Lbb", (message.delivery_tag, with_all_before, False)),
        )

    def _read_and_reconnect(self) -> None:
        backoff = 0.1
        while not self._stopping:
            try:
                with self._consuming() as (connection, consumer):
                    backoff = 0.1
                    self._read(connection, lambda: self._stopping, self._idle_seconds)
                    with self._writing:
                        self._cancel(consumer)
                    log.debug("reading_stopped", reader=self.name)
                    self._read(connection, self.is_idle, _ENDING_SECONDS)
            except QueueChanged:
                raise
            except NothingToRead:
                self._has_ended = True
                return
            except Exception as error:
                log.warning("broker_lost", reader=self.name, backoff=backoff, error=f"{type(error).__name__}: {error}")
                self._sleep(backoff)
                backoff = min(backoff * 2, _LONGEST_BACKOFF)

    @contextmanager
    def _consuming(self) -> Iterator[tuple[Connection, Consumer]]:
        connection = open_connection(self._settings.amqp_uri, self.name, heartbeat=self._settings.heartbeat_seconds)
        try:
            limit_waits(connection, self._settings.publish_seconds)
            channel = connection.channel()
            self._is_stale = False
            consumer = Consumer(
                channel,
                Queue(self._declare(channel)),
                on_message=self._take,
                no_ack=not self._prefetch,
                prefetch_count=self._prefetch or None,
                auto_declare=False,
            )
            consumer.consume()
            self.is_consuming = True
            self._announce(None)
            yield connection, consumer
            connection.close()
        finally:
            self.is_consuming = False
            self._unsettled.clear()
            drop(connection)
            self.on_lost()

    def _cancel(self, consumer: Consumer) -> None:
        """Cancels the consumer; nothing may be acked meanwhile.

        A quorum queue assigns us another message for each ack. One that is assigned when the cancel arrives is not
        delivered to anybody until the connection ends, and then counts as redelivered. So where the queue may assign, a
        `get` comes first: it is answered after all acks are processed; the message that it returns is taken as well.
        """
        (queue,) = consumer.queues
        if len(self._unsettled) < self._prefetch and (one_more := queue.get()) is not None:
            self._take(one_more)
        consumer.cancel()

    def _take(self, message: Delivery) -> None:
        if message.delivery_info["redelivered"]:
            metrics.messages_redelivered.labels(self.name).inc()
        if self._prefetch:
            self._unsettled.add(message.delivery_tag)
        try:
            self._on_message(message)
        except TimeoutError as error:
            # A TimeoutError would mean that nothing came, and the message would be neither handled nor returned.
            raise ConnectionError("a message could not be taken in time") from error

    def _read(self, connection: Connection, is_over: Callable[[], bool], idle_seconds: float) -> None:
        beat_at = turn_at = time.monotonic()
        while not is_over():
            if self._is_stale:
                raise ConnectionError("what was bound is to be bound anew")
            beat = connection.heartbeat_check
            if self.is_full():
                # Without reading, the other side's heartbeat cannot be checked, but ours must still be sent.
                beat = connection.connection.send_heartbeat
                time.sleep(_FULL_SECONDS)
            else:
                connection.connection.drain_or_wait(self._doorbell, idle_seconds)
            now = time.monotonic()
            if now - turn_at >= _TURN_SECONDS:
                time.sleep(0)  # yields: reading what has arrived already does not
                turn_at = time.monotonic()
            if now - beat_at >= 1:
                beat_at = now
                with self._writing:
                    beat()

    def _settle(self, message: Delivery, with_all_before: bool, settle: Callable[[amqp.Channel], Any]) -> None:
        channel = message.channel
        if channel is None or channel.connection is None or not self.is_consuming:
            return
        try:
            with self._writing:
                settle(channel)
                settled = message.delivery_tag
                self._unsettled -= {tag for tag in self._unsettled if tag <= settled} if with_all_before else {settled}
        except (amqp.AMQPError, OSError) as error:
            log.warning("ack_lost", reader=self.name, error=type(error).__name__)

    def _announce(self, error: Any) -> None:
        if self._ready.ready():
            return
        if error is None:
            self._ready.send(None)
        else:
            self._ready.send_exception(error)

    def _sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._stopping and time.monotonic() < until:
            time.sleep(min(0.1, seconds))
