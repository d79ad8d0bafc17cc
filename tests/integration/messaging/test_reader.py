"""Who stops reading leaves the rest of the queue as if nobody had been there."""

import time
from collections.abc import Callable
from typing import Any

import amqp
import pytest

from services.common.messaging.queues import declare_working_queue
from services.common.messaging.reader import QueueReader
from services.common.settings import MessagingSettings, Secret
from tests.integration.messaging.world import Outside

QUEUE = "reader.test"


def declare(channel: amqp.Channel) -> str:
    """A quorum queue."""
    declare_working_queue(channel, QUEUE, f"{QUEUE}.dead")
    return QUEUE


def a_queue_of(amqp_uri: str, messages: int) -> Outside:
    """A client beside the reader's queue, which holds messages with the numbers from 0 on."""
    outside = Outside(amqp_uri)
    declare(outside.channel)
    for number in range(messages):
        outside.publish("", QUEUE, str(number).encode())
    return outside


def a_reader(amqp_uri: str, take: Callable[[amqp.Message], None], prefetch: int = 10) -> QueueReader:
    return QueueReader(QUEUE, MessagingSettings(amqp_uri=Secret(amqp_uri)), declare, take, prefetch=prefetch)


@pytest.mark.parametrize("prefetch", [1, 40])
def test_stopping_right_after_an_ack_makes_the_broker_repeat_nothing(amqp_uri: str, prefetch: int) -> None:
    outside = a_queue_of(amqp_uri, messages=100)
    taken: list[Any] = []

    def take(message: amqp.Message) -> None:
        taken.append(message)
        if not reader.is_stopping:
            reader.ack(message)
            reader.stop()

    def ack_all() -> bool:
        reader.ack(taken[-1], with_all_before=True)
        return True

    reader = a_reader(amqp_uri, take, prefetch)
    reader.is_idle = ack_all
    reader.run()

    left = []
    while (message := outside.get(QUEUE)) is not None:
        left.append(message)
    assert sorted(int(message.body) for message in (*taken, *left)) == list(range(100))
    assert [message.delivery_tag for message in taken] == list(range(1, len(taken) + 1))
    assert [message.body for message in left if message.delivery_info["redelivered"]] == []


def test_a_message_that_cannot_be_taken_in_time_is_delivered_again(amqp_uri: str) -> None:
    a_queue_of(amqp_uri, messages=2)
    taken: list[bytes] = []

    def take(message: amqp.Message) -> None:
        if not taken:
            taken.append(b"none in time")
            raise TimeoutError
        taken.append(message.body)
        if len(taken) == 3:
            reader.stop()

    reader = a_reader(amqp_uri, take)
    reader.run()
    assert taken == [b"none in time", b"0", b"1"]


def test_heartbeats_that_have_been_read_ahead_keep_nobody_from_stopping(amqp_uri: str) -> None:
    heartbeat = b"\x08\x00\x00\x00\x00\x00\x00\xce"
    a_queue_of(amqp_uri, messages=1)

    def take(message: amqp.Message) -> None:
        message.channel.connection.transport._read_buffer += heartbeat
        reader.stop()

    reader = a_reader(amqp_uri, take)
    began = time.monotonic()
    reader.run()
    assert time.monotonic() - began < 30
