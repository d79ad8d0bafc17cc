"""Publishers with a connection of their own: with pipelined confirms, or at once and unconfirmed for requests."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any
from weakref import WeakValueDictionary

import amqp
import structlog
from amqp import spec
from kombu import Connection, Producer
from kombu.entity import TRANSIENT_DELIVERY_MODE

from services.kit.amqp.connection import (
    BROKER_ERRORS,
    OutgoingMessage,
    drop,
    limit_waits,
    open_connection,
    user_of,
)
from services.kit.concurrency import Semaphore
from services.kit.operations.logs import class_name

log = structlog.get_logger()

WINDOW = 500
"""How many messages may be unconfirmed at a time."""


_REFUSALS_OF_ONE_MESSAGE = (amqp.AccessRefused, amqp.PreconditionFailed)
"""Errors by which the broker closes the channel because one message is not allowed."""
_FRAME_OVERHEAD = 64
_LONGEST_NAME = 255
"""Bytes of the name of an exchange or of a routing key."""


class NotConfirmed(OSError):
    """The broker did not confirm in time: whether it has the messages is unknown, so they are to be published again."""


class ConfirmedPublisher:
    """Publishes persistent messages under the user's name and reports for each whether the broker confirmed it.

    Not safe for concurrent workers. Every error drops the connection; the next call opens a new one.
    """

    def __init__(self, amqp_uri: str, name: str, seconds: float) -> None:
        self._amqp_uri = amqp_uri
        self._user = user_of(amqp_uri)
        self._name = name
        self._seconds = seconds
        self._connection: Connection | None = None
        self._channel: amqp.Channel | None = None
        self._confirms = _Confirms()
        self._exchanges: set[str] = {""}

    def publish(self, messages: Sequence[OutgoingMessage]) -> dict[int, str]:
        """Publishes the messages; returns by position why the broker refused some. The others are confirmed.

        Raises one of BROKER_ERRORS when the outcome is unknown: the broker may have taken any of them.
        """
        self._connect()  # a user who may not connect at all is not a refusal of one message
        try:
            return self._publish_together(messages)
        except _REFUSALS_OF_ONE_MESSAGE:
            return self._publish_each(messages)

    def declare(self, declaration: Callable[[amqp.Channel], Any]) -> Any:
        """Runs a declaration on this publisher's connection and returns its result; raises as `publish`."""
        try:
            return declaration(self._connect()[1])
        except BaseException:
            self.drop()
            raise

    def drop(self) -> None:
        """Closes the connection without waiting."""
        drop(self._connection)
        self._connection = self._channel = None

    def _publish_together(self, messages: Sequence[OutgoingMessage]) -> dict[int, str]:
        """Why the broker refused some, by position; raises one of _REFUSALS_OF_ONE_MESSAGE where one is not allowed."""
        try:
            sent, refused = self._send(messages)
        except BaseException:
            self.drop()
            raise
        nacked, returned = self._confirms.take_refused()
        if nacked:
            self.drop()  # as DirectPublisher says, a channel may be refused for as long as a node is away
        for tag, position in sent.items():
            address = (messages[position].exchange, messages[position].routing_key)
            if tag in nacked:
                refused[position] = "the broker refused it"
            elif address in returned:
                refused[position] = f"unroutable: {returned[address]}"
        return refused

    def _publish_each(self, messages: Sequence[OutgoingMessage]) -> dict[int, str]:
        """Publishes one by one, after a message that is not allowed has closed the channel for all."""
        refused: dict[int, str] = {}
        for position, message in enumerate(messages):
            self._connect()
            try:
                if reason := self._publish_together([message]).get(0):
                    refused[position] = reason
            except _REFUSALS_OF_ONE_MESSAGE as error:
                refused[position] = f"not allowed: {error.reply_text}"
        return refused

    def _send(self, messages: Sequence[OutgoingMessage]) -> tuple[dict[int, int], dict[int, str]]:
        """The positions of the sent messages by delivery tag, and by position why the others could not be sent."""
        deadline = time.monotonic() + self._seconds
        connection, channel = self._connect()
        sent: dict[int, int] = {}
        for message in messages:
            message.name_publisher(self._user)
        reasons = ((position, self._why_unsendable(connection, message)) for position, message in enumerate(messages))
        refused = {position: reason for position, reason in reasons if reason}
        with connection.connection.written_together() as flush:
            for position, message in enumerate(messages):
                if position in refused:
                    continue
                sent[self._confirms.expect()] = position
                address = (0, message.exchange, message.routing_key, message.mandatory, False)
                channel.send_method(spec.Basic.Publish, "Bssbb", address, message.content)
                if len(self._confirms.open) >= WINDOW:
                    flush()
                    self._wait_for_confirms(connection, deadline, WINDOW // 2)
            flush()
        self._wait_for_confirms(connection, deadline, 0)
        return sent, refused

    def _why_unsendable(self, connection: Connection, message: OutgoingMessage) -> str | None:
        """Why a message cannot be sent, found before it can block the others; None where it can."""
        if not self._exists(connection, message.exchange):
            return "no such exchange"
        try:
            if len(message.content.written_properties) > connection.connection.frame_max - _FRAME_OVERHEAD:
                return "not publishable: headers too large"
            if max(len(message.exchange.encode()), len(message.routing_key.encode())) > _LONGEST_NAME:
                return "not publishable: address too long"
        except Exception as error:
            return f"not publishable: {class_name(error)}"
        return None

    def _connect(self) -> tuple[Connection, amqp.Channel]:
        if self._connection is None or self._channel is None:
            try:
                self._connection, self._channel = self._open()
            except BaseException:
                self.drop()
                raise
        return self._connection, self._channel

    def _open(self) -> tuple[Connection, amqp.Channel]:
        self._connection = connection = open_connection(self._amqp_uri, self._name)
        limit_waits(connection, self._seconds)
        channel = connection.channel()
        channel.confirm_select()
        self._confirms = _Confirms()
        self._confirms.watch(channel)
        self._exchanges = {""}
        return connection, channel

    def _exists(self, connection: Connection, exchange: str) -> bool:
        """Checked first, because publishing to a missing exchange closes the channel with all unconfirmed messages."""
        if exchange in self._exchanges:
            return True
        try:
            with connection.channel() as probe:
                probe.exchange_declare(exchange, "topic", passive=True)
        except amqp.NotFound:
            return False
        self._exchanges.add(exchange)
        return True

    def _wait_for_confirms(self, connection: Connection, deadline: float, left: int) -> None:
        while len(self._confirms.open) > left:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise NotConfirmed(f"{len(self._confirms.open)} messages unconfirmed after {self._seconds} s")
            connection.connection.drain_all(timeout=remaining)


class Publication:
    """A message that was published; it is refused when the broker says that no queue has taken it."""

    is_refused = False


class DirectPublisher:
    """Publishes requests and replies at once, under the user's name, and does not wait for confirms.

    They are asked for nevertheless, since the broker repeats only a message to be confirmed while a quorum queue has no
    leader. A broken connection is opened anew. After a refusal another channel is opened: RabbitMQ before 3.12.5 keeps
    for each channel which node led a queue when the channel first published to it; if that node was just lost, the
    broker refuses everything from this channel to that queue until the node is back.
    """

    def __init__(self, amqp_uri: str, name: str, seconds: float) -> None:
        self._amqp_uri = amqp_uri
        self._user = user_of(amqp_uri)
        self._name = name
        self._seconds = seconds
        self._connection: Connection | None = None
        self._channels: list[_DirectChannel] = []
        """The last one is published to; the others wait for their last confirms."""
        self._publishing = Semaphore()

    def publish(self, document: bytes, exchange: str, routing_key: str, **properties: Any) -> Publication:
        """Publishes one JSON document, with properties as kombu's `Producer.publish` takes them; they may name another
        type of content.

        Raises one of BROKER_ERRORS where the broker is unreachable. Safe for concurrent workers.
        """
        with self._publishing:
            try:
                return self._publish(document, exchange, routing_key, properties)
            except BROKER_ERRORS:
                self.drop()
                return self._publish(document, exchange, routing_key, properties)
            except BaseException:
                self.drop()
                raise

    def was_refused(self, publication: Publication) -> bool:
        """Whether the broker has said by now that no queue has taken the message, so that it may be published again."""
        with self._publishing:
            try:
                self._read()
            except BROKER_ERRORS:
                self.drop()
            return publication.is_refused

    def close(self) -> None:
        """Closes the connection after the broker has received all that was published; `drop` may lose some of it."""
        connection, self._connection, self._channels = self._connection, None, []
        with suppress(*BROKER_ERRORS):
            if connection is not None:
                connection.close()
        drop(connection)

    def drop(self) -> None:
        """Closes the connection without waiting."""
        drop(self._connection)
        self._connection, self._channels = None, []

    def _publish(self, document: bytes, exchange: str, routing_key: str, properties: dict[str, Any]) -> Publication:
        """Publishes with kombu's Producer, which adds the properties to those of the document.

        What is written to a connection whose broker has ended is lost without an error, so it is read from before.
        """
        self._read()
        if self._connection is None:
            self._connection = open_connection(self._amqp_uri, self._name, connect_timeout=self._seconds)
            limit_waits(self._connection, self._seconds)
        if not self._channels or self._channels[-1].has_refused:
            self._channels.append(_DirectChannel(self._connection))
        return self._channels[-1].publish(
            document,
            routing_key,
            exchange=exchange,
            delivery_mode=TRANSIENT_DELIVERY_MODE,
            user_id=self._user,
            **{"content_type": "application/json", "content_encoding": "utf-8", **properties},
        )

    def _read(self) -> None:
        """Reads what the broker has sent, and closes channels that were replaced and have their last confirms."""
        if self._connection is None:
            return
        with suppress(TimeoutError):
            self._connection.connection.drain_all(timeout=0)
        for channel in self._channels:
            channel.note_refusals()
        for channel in self._channels[:-1]:
            if channel.is_settled:
                self._channels.remove(channel)
                channel.close()


class _DirectChannel:
    """A channel with its producer, and what was published there and somebody still asks for."""

    def __init__(self, connection: Connection) -> None:
        self._channel = connection.channel()
        self._channel.confirm_select()
        self._producer = Producer(self._channel, auto_declare=False)
        self._confirms = _Confirms()
        self._confirms.watch(self._channel)
        self._published: WeakValueDictionary[int, Publication] = WeakValueDictionary()
        self.has_refused = False

    @property
    def is_settled(self) -> bool:
        """Whether the broker has confirmed or refused all that was published."""
        return not self._confirms.open

    def publish(self, document: bytes, routing_key: str, **properties: Any) -> Publication:
        """Publishes one document, with properties as kombu's `Producer.publish` takes them."""
        publication = Publication()
        self._published[self._confirms.expect()] = publication
        self._producer.publish(document, routing_key, **properties)
        return publication

    def close(self) -> None:
        self._channel.close()

    def note_refusals(self) -> None:
        """Marks what the broker has refused."""
        refused, _ = self._confirms.take_refused()
        self.has_refused = self.has_refused or bool(refused)
        for tag in refused:
            if publication := self._published.get(tag):
                publication.is_refused = True


class _Confirms:
    """The broker's confirms and returns on one channel; delivery tags count from 1."""

    def __init__(self) -> None:
        self.open: dict[int, None] = {}
        self._last = 0
        self._nacked: set[int] = set()
        self._returned: dict[tuple[str, str], str] = {}

    def watch(self, channel: amqp.Channel) -> None:
        channel.events["basic_ack"].add(self._settle)
        channel.events["basic_nack"].add(self._refuse)
        channel.events["basic_return"].add(self._return)

    def expect(self) -> int:
        """Registers the next message; returns its delivery tag."""
        self._last += 1
        self.open[self._last] = None
        return self._last

    def take_refused(self) -> tuple[set[int], dict[tuple[str, str], str]]:
        """Returns and clears the nacked tags, and the reasons of unroutable addresses (exchange, routing key)."""
        refused = self._nacked, self._returned
        self._nacked, self._returned = set(), {}
        return refused

    def _settle(self, tag: int, multiple: bool) -> None:
        for settled in self._tags(tag, multiple):
            self.open.pop(settled, None)

    def _refuse(self, tag: int, multiple: bool) -> None:
        for refused in self._tags(tag, multiple):
            if self.open.pop(refused, 0) is None:
                self._nacked.add(refused)

    def _return(self, error: Exception, exchange: str, routing_key: str, _message: Any) -> None:
        """Keeps the address: a return names no delivery tag, and routing depends on the address alone."""
        self._returned[exchange, routing_key] = str(error)

    def _tags(self, tag: int, multiple: bool) -> list[int]:
        if not multiple:
            return [tag]
        up_to = []
        for waiting in self.open:
            if waiting > tag:
                break
            up_to.append(waiting)
        return up_to
