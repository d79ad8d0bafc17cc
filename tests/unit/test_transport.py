"""The private attributes of py-amqp and kombu that our transport uses still exist and work."""

import struct
import zlib
from types import SimpleNamespace
from typing import Any

import amqp
import pytest
from amqp import serialization, spec
from amqp.method_framing import frame_writer
from amqp.transport import SSLTransport, TCPTransport
from kombu.transport import pyamqp

from services.kit.amqp.transport import UNREADABLE, Channel, Connection, Content, Delivery, Transport

HEARTBEAT = struct.pack(">BHIB", 8, 0, 0, 0xCE)


class Heard(Connection):
    """A connection to nowhere that notes the frames that it takes in."""

    def __init__(self, lying_here: bytes) -> None:
        super().__init__("nowhere")
        self.frames: list[tuple[int, int, bytes]] = []
        self._transport: Any = SimpleNamespace(_read_buffer=lying_here, connected=True)

    def on_inbound_frame(self, frame: tuple[int, int, bytes]) -> None:
        self.frames.append(frame)


def delivered(message: amqp.Message) -> amqp.Message:
    """As a channel hands it on."""
    message.delivery_info = {"delivery_tag": 1, "redelivered": False}
    return message


@pytest.mark.parametrize("kind", [TCPTransport, SSLTransport])
def test_quick_recv_fills_the_read_buffer_that_py_amqp_reads_frames_from(kind: type[Any]) -> None:
    transport = kind("nowhere")
    sizes: list[int] = []

    def receive(size: int) -> bytes:
        sizes.append(size)
        return HEARTBEAT + b"more"

    transport._quick_recv = receive
    transport.connected, transport._read_buffer = True, b""
    assert transport.read_frame() == (8, 0, b"")
    assert (sizes[0] < len(HEARTBEAT), transport._read_buffer) == (True, b"more")


@pytest.mark.parametrize("kind", [TCPTransport, SSLTransport])
def test_write_goes_by_the_private_write_that_gathers(kind: type[Any]) -> None:
    transport, gathered = kind("nowhere"), bytearray()
    transport._write = gathered.extend
    transport.write(b"one")
    transport.write(memoryview(b"two"))
    assert gathered == b"onetwo"


def test_a_frame_is_written_with_the_properties_that_serialize_properties_gives() -> None:
    content, written = Content(b"body", message_id="42"), bytearray()
    write_frame = frame_writer(SimpleNamespace(frame_max=131072, bytes_sent=0), SimpleNamespace(write=written.extend))
    write_frame(1, 1, spec.Basic.Publish, b"", content)
    assert content._serialize_properties() is content.written_properties
    assert content.written_properties in written


def test_a_connection_without_a_transport_is_not_connected_and_takes_in_nothing() -> None:
    connection = Connection("nowhere")
    assert connection._transport is None
    assert not connection.connected
    assert connection.drain_buffer() is False


def test_whole_frames_are_taken_in_and_the_rest_is_left() -> None:
    body = struct.pack(">BHI", 3, 5, 4) + b"body" + b"\xce"
    connection = Heard(HEARTBEAT + body + HEARTBEAT[:5])
    connection.drain_all()
    assert connection.frames == [(8, 0, b""), (3, 5, b"body")]
    assert connection._transport._read_buffer == HEARTBEAT[:5]


def test_what_is_no_frame_ends_the_connection() -> None:
    with pytest.raises(amqp.UnexpectedFrame):
        Heard(HEARTBEAT[:-1] + b"\x00" + HEARTBEAT).drain_all()


def test_nothing_more_is_taken_in_of_a_connection_that_a_frame_has_ended() -> None:
    class Ended(Heard):
        def on_inbound_frame(self, frame: tuple[int, int, bytes]) -> None:
            super().on_inbound_frame(frame)
            self._transport = None

    connection = Ended(HEARTBEAT * 3)
    connection.drain_all()
    assert len(connection.frames) == 1


def test_py_amqp_reads_a_deliverys_properties_by_our_reader() -> None:
    message = amqp.Message()
    nonsense = struct.pack(">HHQ", spec.Basic.CLASS_ID, 0, 4) + b"\xff\xff\xff\xff"
    message.inbound_header(nonsense)
    assert list(message.properties["application_headers"]) == [UNREADABLE]
    assert spec.Basic.CLASS_ID in serialization.PROPERTY_CLASSES


def test_a_body_that_its_sender_calls_compressed_is_not_unpacked() -> None:
    body = zlib.compress(b"0" * 1_000_000)
    sent = delivered(amqp.Message(body, application_headers={"compression": "application/x-gzip"}))
    assert pyamqp.Message(sent).body != body, "kombu unpacks it: the reason why we have a class of our own"
    taken = Delivery(sent)
    assert (taken.body, taken.errors) == (body, [])
    assert taken.headers == {"compression": "application/x-gzip"}


def test_a_delivery_without_a_body_or_headers_has_empty_ones() -> None:
    taken = Delivery(delivered(amqp.Message()))
    assert (taken.body, taken.headers) == (b"", {})


def test_kombus_connections_have_our_channels_and_deliveries() -> None:
    assert Transport.Connection is Connection
    assert Connection.Channel is Channel
    assert Channel.Message is Delivery
