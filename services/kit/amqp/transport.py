"""What our messages need beyond kombu's own transport over py-amqp: whole frames, pipelined writing, no trust.

`Connection(uri, transport=Transport)` is kombu's as ever. Each private attribute of a library that is used here is held
by tests/unit/test_transport.py; what each gains stands in docs/decisions/0052-kombu-carries-the-messages.md.
"""

import contextlib
import struct
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import amqp
from amqp import serialization, spec
from kombu.transport import pyamqp

from services.kit.operations.logs import class_name

UNREADABLE = "x-unreadable"
"""The header that stands for all properties of a message where they cannot be read; it says why."""

_READ_AHEAD = 8192
_WRITTEN_AT_ONCE = 65536
_HEAD = struct.Struct(">BHI")
"""What a frame begins with: kind, channel, size of what follows; one byte ends it."""
_FRAME_END = 0xCE


class Delivery(pyamqp.Message):
    """A message as it came. kombu's would unpack the body of one that its sender calls compressed, however large."""

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
    """A channel whose bodies are bytes, whatever their senders call them."""

    Message = Delivery

    def __init__(self, connection: amqp.Connection, channel_id: int | None = None, **options: Any) -> None:
        super().__init__(connection, channel_id, **{**options, "auto_decode": False})


class Connection(pyamqp.Connection):
    """A connection that takes in the frames that have come whole, some kilobytes at the most, in one go.

    That takes a fifth of the time of py-amqp's reading, which asks for each frame in three parts.
    """

    Channel = Channel

    def connect(self, callback: Callable[[], None] | None = None) -> None:
        """Connects, and fills the buffer that py-amqp reads from: by itself it asks nine times a message."""
        super().connect(callback)
        receive = self.transport._quick_recv
        self.transport._quick_recv = lambda size: receive(max(size, _READ_AHEAD))

    def drain_all(self, timeout: float | None = None) -> None:
        """As `drain_events`, but for all that lies here whole: it may bring several messages, or none."""
        if not self._take_whole_frames():
            self.drain_events(timeout=timeout)
            self._take_whole_frames()

    @contextlib.contextmanager
    def written_together(self) -> Iterator[Callable[[], None]]:
        """Gathers what is written meanwhile into large pieces; what is yielded sends the last and takes in what came.

        By itself py-amqp goes to the network once a message for writing and once for reading, which is half of the time
        that publishing takes. Without that last call the rest is lost.
        """
        transport = self.transport
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

    def _take_whole_frames(self) -> bool:
        """Whether there were any. Raises UnexpectedFrame for what is no frame."""
        transport, has_taken = self._transport, False
        while self._transport is not None:  # until the broker ends the connection
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


class Transport(pyamqp.Transport):
    """kombu's transport with these connections."""

    Connection = Connection


class Content(amqp.Message):
    """Body and properties of a message to publish, whose properties are written once: they are measured, then sent."""

    @cached_property
    def written_properties(self) -> bytes:
        """The properties as they go to the broker; raises whatever py-amqp does for those that it cannot write."""
        return bytes(super()._serialize_properties())

    def _serialize_properties(self) -> bytes:
        return self.written_properties


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
