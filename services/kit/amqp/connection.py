"""Connections to the broker that are our own: opened in bounded time, dropped without waiting for the other side."""

import contextlib
import socket
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import amqp
from amqp import serialization, spec
from amqp.basic_message import Message as AmqpMessage
from kombu.utils.url import parse_url

from services.kit.operations.logs import class_name

BROKER_ERRORS = (amqp.AMQPError, OSError)
"""What py-amqp raises when the broker is away or says no; timeouts are OSErrors."""

PERSISTENT = 2
_READ_AHEAD = 8192
_WRITTEN_AT_ONCE = 65536
_HEAD = struct.Struct(">BHI")
"""What a frame begins with: kind, channel, size of what follows; one byte ends it."""
_FRAME_END = 0xCE
UNREADABLE = "x-unreadable"
"""The header that stands for all properties of a message where they cannot be read; it says why."""


@dataclass(frozen=True)
class Outgoing:
    """A message to publish: the body's bytes, and AMQP properties (`application_headers` holds the headers).

    The broker gives back a mandatory one that no queue takes; another vanishes then.
    """

    exchange: str
    routing_key: str
    body: bytes
    properties: dict[str, Any] = field(default_factory=dict)
    mandatory: bool = True

    @cached_property
    def content(self) -> AmqpMessage:
        """Body and properties as py-amqp publishes them."""
        return _Content(self.body, **self.properties)

    def name_publisher(self, user: str) -> None:
        """Writes down who publishes it, which the broker checks; before it is published for the first time."""
        self.content.properties["user_id"] = user

    def copy_for(self, routing_key: str, mandatory: bool) -> "Outgoing":
        """The same content under another routing key, prepared once for all copies."""
        copy = replace(self, routing_key=routing_key, mandatory=mandatory)
        vars(copy)["content"] = self.content
        return copy


class _Content(AmqpMessage):
    """Writes its properties once: they are looked at before they are sent, and sent once a copy."""

    @cached_property
    def _written_properties(self) -> bytes:
        return bytes(super()._serialize_properties())

    def _serialize_properties(self) -> bytes:
        return self._written_properties


def open_connection(amqp_uri: str, name: str, *, heartbeat: int = 0, connect_timeout: float = 5) -> amqp.Connection:
    """A connected connection that the broker lists by `name`; raises one of BROKER_ERRORS.

    By `amqps://` the broker's certificate must be for its name and of a trusted authority: one of the system's, or of
    the file that SSL_CERT_FILE names.
    """
    address = parse_url(amqp_uri)
    is_secure = address["transport"] == "amqps"
    connection = amqp.Connection(
        host=f"{address['hostname']}:{address['port'] or (5671 if is_secure else 5672)}",
        userid=address["userid"] or "guest",
        password=address["password"] or "guest",
        virtual_host=address["virtual_host"] or "/",
        # With the name, py-amqp checks not only that somebody vouches for the certificate but that it is this host's.
        ssl={"server_hostname": address["hostname"]} if is_secure else False,
        heartbeat=heartbeat,
        connect_timeout=connect_timeout,
        client_properties={"connection_name": name},
    )
    connection.connect()
    _read_ahead(connection.transport)
    return connection


def user_of(amqp_uri: str) -> str:
    """The user by which an address connects."""
    return str(parse_url(amqp_uri)["userid"] or "guest")


def bound_waits(connection: amqp.Connection, seconds: float) -> None:
    """No read or write of this connection takes longer: a frozen broker shows as an error."""
    connection.transport.sock.settimeout(seconds)


def _read_ahead(transport: Any) -> None:
    """Fills the buffer that py-amqp reads from: by itself it asks for parts of frames, nine times a message."""
    receive = transport._quick_recv
    transport._quick_recv = lambda size: receive(max(size, _READ_AHEAD))


def read_whole_frames(connection: amqp.Connection) -> bool:
    """Takes in the frames that have come whole, some kilobytes at the most; False where there is none.

    It takes a fifth of the time of py-amqp's reading, which asks for each frame in three parts. Raises UnexpectedFrame
    for what is no frame.
    """
    transport, has_read = connection.transport, False
    while True:
        ahead = transport._read_buffer
        if len(ahead) < _HEAD.size:
            return has_read
        kind, channel, size = _HEAD.unpack_from(ahead)
        end = _HEAD.size + size
        if len(ahead) <= end:
            return has_read
        if ahead[end] != _FRAME_END:
            raise amqp.UnexpectedFrame("A frame does not end where it says.")
        transport._read_buffer = ahead[end + 1 :]
        connection.on_inbound_frame((kind, channel, ahead[_HEAD.size : end]))
        has_read = True


@contextlib.contextmanager
def written_together(connection: amqp.Connection) -> Iterator[Callable[[], None]]:
    """Gathers what is written meanwhile into large pieces; what is yielded sends the last one, and takes in what came.

    By itself py-amqp goes to the network once a message for writing and once for reading, which is half of the time
    that publishing takes. Without that last call the rest is lost.
    """
    transport = connection.transport
    send, gathered = transport._write, bytearray()

    def flush() -> None:
        if gathered:
            piece = bytes(gathered)
            gathered.clear()
            send(piece)
        # What py-amqp answers by itself, as to a channel that the broker closes, has to go out at once.
        transport._write = send
        try:
            with contextlib.suppress(TimeoutError):
                connection.drain_events(timeout=0)
                read_whole_frames(connection)
        finally:
            transport._write = gather

    def gather(part: bytes | memoryview) -> None:
        gathered.extend(part)
        if len(gathered) >= _WRITTEN_AT_ONCE:
            flush()

    transport._write = gather
    try:
        yield flush
    finally:
        transport._write = send


def to_bytes(body: str | bytes) -> bytes:
    """The bytes of a body, which py-amqp may have decoded."""
    return body.encode() if isinstance(body, str) else body


def _read_properties(frame: bytes, offset: int) -> tuple[dict[str, Any], int]:
    """What py-amqp reads, where it can.

    A stranger's properties (a time in the year 50,000, letters of another alphabet) break its reading. That must not
    cost the connection, and with it an attempt of each message that came over it.
    """
    try:
        properties, end = serialization.decode_properties_basic(frame, offset)
    except Exception as error:
        return {"application_headers": {UNREADABLE: class_name(error)}}, len(frame)
    return properties, end


serialization.PROPERTY_CLASSES[spec.Basic.CLASS_ID] = _read_properties


def drop(connection: amqp.Connection | None) -> None:
    """Ends a connection that may be broken: closes its socket and waits for nobody."""
    # py-amqp's `transport` would connect anew where the connection has ended.
    if connection is None or connection._transport is None:
        return
    transport = connection._transport
    with contextlib.suppress(Exception):
        transport.sock.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(Exception):
        transport.sock.close()
    with contextlib.suppress(Exception):
        connection.collect()
