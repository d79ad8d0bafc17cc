"""The connection of a simulated outside party to the broker: reads its queues, and sends what it has to say."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from amqp import AMQPError, NotFound
from kombu import Connection, Consumer, Message, Producer, Queue
from kombu.exceptions import KombuError
from kombu.mixins import ConsumerMixin

from deploy.simulators.external_keys import Keys, OutgoingMessage
from services.contracts.external.protection import (
    CONTENT_TYPE,
    SIGNATURE_HEADER,
    AnotherMessage,
    CannotDecrypt,
    is_encrypted,
)

HEARTBEAT_SECONDS = 10
RECONNECT_SECONDS = 0.5
LONGEST_BACKOFF = 5.0
_BROKER_ERRORS = (AMQPError, KombuError, OSError)
Handler = Callable[[dict[str, Any]], None]
_log = logging.getLogger(__name__)


class CannotSend(Exception):
    """The broker did not accept a message in time, or has no queue for it."""


class ExternalReader(ConsumerMixin):
    """Reads the party's queues, each message by the handler of its name; reconnects after the broker was away.

    It may declare no queue: they exist before it connects.
    """

    def __init__(self, amqp_uri: str, keys: Keys, queues: Iterable[str], handlers: Mapping[str, Handler]) -> None:
        self.connection = Connection(amqp_uri, heartbeat=HEARTBEAT_SECONDS)
        self.refused = 0
        self.is_reading = threading.Event()
        self._keys = keys
        self._queues = [Queue(name, no_declare=True) for name in queues]
        self._handlers = handlers

    def run(self, _tokens: int = 1, **options: Any) -> None:
        """Reads for ever; a queue that does not exist yet is a transient error."""
        while not self.should_stop:
            try:
                super().run(_tokens, **options)
            except NotFound:
                time.sleep(RECONNECT_SECONDS)

    def get_consumers(self, new_consumer: Callable[..., Consumer], channel: Any) -> list[Consumer]:
        """Returns one consumer of all queues."""
        return [new_consumer(self._queues, on_message=self._receive, prefetch_count=20)]

    def on_consume_ready(self, *_: object, **__: object) -> None:
        """Marks the party as ready: its consumer is registered."""
        self.is_reading.set()

    def _receive(self, message: Message) -> None:
        """Acknowledges a message once it is handled; rejects one that is unknown or unsigned.

        A signed message that cannot be decrypted stays unacknowledged: a key is missing, and there is no other copy.
        """
        body = message.body.encode() if isinstance(message.body, str) else bytes(message.body)
        name = message.delivery_info["routing_key"]
        handler = self._handlers.get(name)
        try:
            document = self._keys.decrypted(body, name, message.headers.get(SIGNATURE_HEADER))
        except (AnotherMessage, ValueError) as error:
            document = None
            _log.error("cannot read a message for %s: %s", name, error)
        except CannotDecrypt as error:
            _log.critical("cannot decrypt a message for %s, which waits: %s", name, error)
            return
        if handler is None or document is None:
            self.refused += 1
            message.reject()
            return
        handler(document)
        message.ack()


class ExternalSender:
    """Sends with confirms, in order, on its own connection, which is reopened after any error."""

    def __init__(self, amqp_uri: str, exchange: str, routing_key: str) -> None:
        self._amqp_uri = amqp_uri
        self._exchange = exchange
        self._routing_key = routing_key
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self.sent = 0
        self.failed = 0

    def send(self, messages: Iterable[OutgoingMessage], give_up_after: float = 30.0) -> None:
        """Returns when the broker has each message; retries with a growing backoff, raises CannotSend at the end.

        The reader declares the queue; that it does not exist yet counts as a transient error.
        """
        deadline = time.monotonic() + give_up_after
        with self._lock:
            for message in messages:
                self._send_until(deadline, message)

    def _send_until(self, deadline: float, message: OutgoingMessage) -> None:
        backoff = 0.1
        while True:
            try:
                return self._send(message)
            except _BROKER_ERRORS as error:
                self.failed += 1
                self._disconnect()
                if time.monotonic() + backoff > deadline:
                    raise CannotSend(f"{self._exchange}: {type(error).__name__} {error}") from error
                time.sleep(backoff)
                backoff = min(2 * backoff, LONGEST_BACKOFF)

    def _send(self, message: OutgoingMessage) -> None:
        Producer(self._open_connection().default_channel).publish(
            message.body,
            exchange=self._exchange,
            routing_key=self._routing_key,
            headers=message.headers,
            content_type=CONTENT_TYPE if is_encrypted(message.body) else "application/json",
            content_encoding="utf-8",
            delivery_mode=2,
            mandatory=True,
            timeout=10,
            confirm_timeout=10,
        )
        self.sent += 1

    def _open_connection(self) -> Connection:
        if self._connection is None:
            options = {"confirm_publish": True}
            connection = Connection(self._amqp_uri, connect_timeout=5, transport_options=options)
            connection.connect()
            self._connection = connection
        return self._connection

    def _disconnect(self) -> None:
        """Drops the connection without closing it at the broker, which may not answer."""
        if self._connection is not None:
            self._connection.collect()
            self._connection = None
