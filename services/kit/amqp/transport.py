"""kombu's transport over py-amqp, extended: reads whole frames, writes pipelined, and trusts no sender.

Use it as `kombu.Connection(uri, transport=Transport)`. tests/unit/test_transport.py checks each private attribute of a
library that is used here; docs/decisions/0052-kombu-carries-the-messages.md says what each is for.
"""

import contextlib
import struct
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import amqp
from amqp import serialization, spec
from kombu.transport import pyamqp

from services.kit.concurrency import Doorbell
from services.kit.operations.logs import class_name

UNREADABLE = "x-unreadable"
"""The header that replaces all properties of a message where they cannot be read; it holds the reason."""

_READ_AHEAD = 8192
_WRITTEN_AT_ONCE = 65536
_SECONDS_FOR_A_FRAME = 0.5
"""How long the rest of a frame may take that has arrived in part."""
_HEAD = struct.Struct(">BHI")
"""What a frame begins with: kind, channel, size of what follows; one byte ends it."""
_FRAME_END = 0xCE


class Delivery(pyamqp.Message):
    """A received message. Unlike kombu's it never decompresses a body, which could become arbitrarily large."""

    def __init__(self, message: amqp.Message, channel: "Channel | None" = None, **options: Any) -> None:
        super(pyamqp.Message, self).__init__(
            body=message.body or b"",
            channel=channel,
            delivery_tag=message.delivery_tag,
            delivery_info=message.delivery_info,
            properties=message.properties,
            **options,
        )
        self.headers = message.headers or {}


class Channel(pyamqp.Channel):
    """A channel whose message bodies are bytes, whatever encoding their senders name."""

    Message = Delivery

    def __init__(self, connection: amqp.Connection, channel_id: int | None = None, **options: Any) -> None:
        super().__init__(connection, channel_id, **{**options, "auto_decode": False})


class Connection(pyamqp.Connection):
    """A connection that reads all complete frames that have arrived, up to some kilobytes, at once.

    That takes a fifth of the time of py-amqp's reading, which reads each frame in three parts.
    """

    Channel = Channel

    def connect(self, callback: Callable[[], None] | None = None) -> None:
        """Connects, and gives py-amqp a buffer to read from; without it py-amqp reads nine times a message."""
        super().connect(callback)
        receive = self.transport._quick_recv
        self.transport._quick_recv = lambda size: receive(max(size, _READ_AHEAD))

    def drain_all(self, timeout: float | None = None) -> None:
        """As `drain_events`, for all complete frames that have arrived: it may bring several messages, or none."""
        if not self.drain_buffer():
            self.drain_events(timeout=timeout)
            self.drain_buffer()

    def drain_or_wait(self, doorbell: Doorbell, seconds: float) -> None:
        """Handles what has arrived; where that is nothing, waits for it so long, or until the doorbell rings."""
        if not self.drain_buffer() and doorbell.wait(self.sock, seconds):
            with contextlib.suppress(TimeoutError):
                self.drain_all(timeout=_SECONDS_FOR_A_FRAME)

    def drain_buffer(self) -> bool:
        """Handles the complete frames that are read already; returns whether there were any.

        Raises UnexpectedFrame for anything but a frame.
        """
        transport, has_taken = self._transport, False
        while self._transport is not None:  # None once the broker has ended the connection
            ahead = transport._read_buffer
            if len(ahead) < _HEAD.size:
                break
            kind, channel, size = _HEAD.unpack_from(ahead)
            end = _HEAD.size + size
            if len(ahead) <= end:
                break
            if ahead[end] != _FRAME_END:
                raise amqp.UnexpectedFrame("A frame does not end where it says.")
            transport._read_buffer = ahead[end + 1 :]
            self.on_inbound_frame((kind, channel, ahead[_HEAD.size : end]))
            has_taken = True
        return has_taken

    @contextlib.contextmanager
    def written_together(self) -> Iterator[Callable[[], None]]:
        """Gathers writes within the `with` into large pieces; yields a function that sends the rest and reads replies.

        Without it py-amqp writes to and reads from the network once a message, which is half of the time of publishing.
        The yielded function must be called at the end, or the last piece is lost.
        """
        transport = self.transport
        send, gathered = transport._write, bytearray()

        def flush() -> None:
            if gathered:
                piece = bytes(gathered)
                gathered.clear()
                send(piece)
            # What py-amqp sends on its own, as when the broker closes a channel, has to go out at once.
            transport._write = send
            try:
                with contextlib.suppress(TimeoutError):
                    self.drain_all(timeout=0)
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


class Transport(pyamqp.Transport):
    """kombu's transport with the Connection of this module."""

    Connection = Connection


class Content(amqp.Message):
    """Body and properties of a message to publish; the properties are serialized once, to be measured and then sent."""

    @cached_property
    def written_properties(self) -> bytes:
        """The serialized properties; raises whatever py-amqp does for properties that it cannot write."""
        return bytes(super()._serialize_properties())

    def _serialize_properties(self) -> bytes:
        return self.written_properties


def _read_properties(frame: bytes, offset: int) -> tuple[dict[str, Any], int]:
    """The properties that py-amqp reads; where it fails, the header UNREADABLE alone.

    An outsider's properties (a time in the year 50,000, bytes that are not UTF-8) can make py-amqp fail. That must not
    break the connection, for each unacked message on it would lose a delivery attempt.
    """
    try:
        properties, end = serialization.decode_properties_basic(frame, offset)
    except Exception as error:
        return {"application_headers": {UNREADABLE: class_name(error)}}, len(frame)
    return properties, end


serialization.PROPERTY_CLASSES[spec.Basic.CLASS_ID] = _read_properties
