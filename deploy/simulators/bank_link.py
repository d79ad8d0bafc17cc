"""The simulated bank's connection to the broker: receives batches, recalls and receipts, sends feedback."""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from amqp import AMQPError, NotFound
from kombu import Connection, Consumer, Message, Producer, Queue
from kombu.exceptions import KombuError
from kombu.mixins import ConsumerMixin

from deploy.simulators.bank_keys import Keys, OutgoingMessage
from deploy.simulators.bank_ledger import Ledger
from services.contracts import bank as contract
from services.contracts.external_messages import (
    CONTENT_TYPE,
    SIGNATURE_HEADER,
    AnotherMessage,
    CannotDecrypt,
    is_encrypted,
)

QUEUES = [Queue(name, no_declare=True) for name in (contract.BATCHES_QUEUE, contract.RECEIPTS_QUEUE)]
"""The bank may declare no queue: its queues exist before it connects."""
HEARTBEAT_SECONDS = 10
RECONNECT_SECONDS = 0.5
LONGEST_BACKOFF = 5.0
_BROKER_ERRORS = (AMQPError, KombuError, OSError)
_log = logging.getLogger(__name__)


class CannotSend(Exception):
    """The broker did not accept a message in time, or has no queue for it."""


class BatchReader(ConsumerMixin):
    """Reads `bank.batches` and `bank.receipts` into the ledger; reconnects after the broker was away."""

    def __init__(self, amqp_uri: str, keys: Keys, ledger: Ledger) -> None:
        self.connection = Connection(amqp_uri, heartbeat=HEARTBEAT_SECONDS)
        self.refused = 0
        self.is_reading = threading.Event()
        self._keys = keys
        self._handlers = {
            contract.SUBMITTED: ledger.store_batch,
            contract.RECALLED: ledger.store_recall,
            contract.RECEIPT: ledger.store_receipts,
        }

    def run(self, _tokens: int = 1, **options: Any) -> None:
        """Reads for ever; a queue that does not exist yet is a transient error."""
        while not self.should_stop:
            try:
                super().run(_tokens, **options)
            except NotFound:
                time.sleep(RECONNECT_SECONDS)

    def get_consumers(self, new_consumer: Callable[..., Consumer], channel: Any) -> list[Consumer]:
        """Returns one consumer of both queues."""
        return [new_consumer(QUEUES, on_message=self._receive, prefetch_count=20)]

    def on_consume_ready(self, *_: object, **__: object) -> None:
        """Marks the bank as ready: its consumer is registered."""
        self.is_reading.set()

    def _receive(self, message: Message) -> None:
        """Acknowledges a message once it is in the ledger; rejects one that is unknown or unsigned.

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


class FeedbackSender:
    """Sends with confirms, in order, on its own connection, which is reopened after any error."""

    def __init__(self, amqp_uri: str) -> None:
        self._amqp_uri = amqp_uri
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
                    raise CannotSend(f"{contract.FEEDBACK_EXCHANGE}: {type(error).__name__} {error}") from error
                time.sleep(backoff)
                backoff = min(2 * backoff, LONGEST_BACKOFF)

    def _send(self, message: OutgoingMessage) -> None:
        Producer(self._open_connection().default_channel).publish(
            message.body,
            exchange=contract.FEEDBACK_EXCHANGE,
            routing_key=contract.FEEDBACK_QUEUE,
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
