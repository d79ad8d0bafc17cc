"""A reader that stops leaves the rest of the queue unchanged."""

from collections.abc import Callable, Iterator
from threading import Thread
from typing import Any

import amqp
import pytest

from deploy.local.client import wait_until
from services.kit.amqp.queues import declare_working_queue
from services.kit.amqp.reader import QueueReader
from services.kit.settings import MessagingSettings, Secret
from tests.integration.messaging.world import Outside


class Desk:
    """A quorum queue of the test, a client that fills it, and readers."""

    def __init__(self, amqp_uri: str, queue: str) -> None:
        self.outside = Outside(amqp_uri)
        self.queue = queue
        self.declare(self.outside.channel)

    def declare(self, channel: amqp.Channel) -> str:
        """Declares the queue; answers its name."""
        declare_working_queue(channel, self.queue, f"{self.queue}.dead")
        return self.queue

    def fill(self, messages: int) -> None:
        """Lays messages with the numbers from 0 on into the queue."""
        for number in range(messages):
            self.outside.publish("", self.queue, str(number).encode())

    def reader(self, take: Callable[[amqp.Message], None], prefetch: int = 10, **settings: float) -> QueueReader:
        """A reader that hands what comes to `take`."""
        known = MessagingSettings(amqp_uri=Secret(self.outside.amqp_uri), **settings)  # type: ignore[arg-type]
        return QueueReader(self.queue, known, self.declare, take, prefetch=prefetch)


@pytest.fixture
def desk(module_amqp_uri: str, key: str) -> Iterator[Desk]:
    desk = Desk(module_amqp_uri, f"reader.{key}")
    yield desk
    desk.outside.close()


@pytest.mark.parametrize("prefetch", [1, 40])
def test_stopping_right_after_an_ack_makes_the_broker_repeat_nothing(desk: Desk, prefetch: int) -> None:
    desk.fill(100)
    taken: list[Any] = []

    def take(message: amqp.Message) -> None:
        taken.append(message)
        if not reader.is_stopping:
            reader.ack(message)
            reader.stop()

    def ack_all() -> bool:
        reader.ack(taken[-1], with_all_before=True)
        return True

    reader = desk.reader(take, prefetch)
    reader.is_idle = ack_all
    reader.run()

    left = []
    while (message := desk.outside.get(desk.queue)) is not None:
        left.append(message)
    assert sorted(int(message.body) for message in (*taken, *left)) == list(range(100))
    assert [message.delivery_tag for message in taken] == list(range(1, len(taken) + 1))
    assert [message.body for message in left if message.delivery_info["redelivered"]] == []


def test_a_message_that_cannot_be_taken_in_time_is_delivered_again(desk: Desk) -> None:
    desk.fill(2)
    taken: list[bytes] = []

    def take(message: amqp.Message) -> None:
        if not taken:
            taken.append(b"none in time")
            raise TimeoutError
        taken.append(message.body)
        if len(taken) == 3:
            reader.stop()

    reader = desk.reader(take)
    reader.run()
    assert taken == [b"none in time", b"0", b"1"]


def test_heartbeats_that_have_been_read_ahead_keep_nobody_from_stopping(desk: Desk) -> None:
    """A reader that waits for what follows them waits for ever: nothing else comes, and no wait has an end."""
    heartbeat = b"\x08\x00\x00\x00\x00\x00\x00\xce"
    desk.fill(1)

    def take(message: amqp.Message) -> None:
        message.channel.connection.transport._read_buffer += heartbeat
        reader.stop()

    reader = desk.reader(take, heartbeat_seconds=0, publish_seconds=3600)
    reader.run()
    assert not reader.is_consuming


def test_a_reader_that_is_full_takes_nothing_until_there_is_room(desk: Desk) -> None:
    desk.fill(20)
    taken: list[bytes] = []
    seen_while_full: list[int] = []

    def take(message: amqp.Message) -> None:
        taken.append(message.body)
        reader.ack(message)
        if len(taken) == 20:
            reader.stop()

    def is_full() -> bool:
        if len(taken) < 5 or len(seen_while_full) == 10:
            return False
        seen_while_full.append(len(taken))
        return True

    reader = desk.reader(take)
    reader.is_full = is_full
    reader.run()
    assert seen_while_full == [seen_while_full[0]] * 10
    assert len(taken) == 20


@pytest.fixture
def waiting(desk: Desk) -> Iterator[tuple[QueueReader, Thread, list[str]]]:
    """A reader that would wait an hour for a message, its thread, and the queues that it has declared."""
    reader, declared = desk.reader(lambda _: None, heartbeat_seconds=14_400), list[str]()
    reader._idle_seconds = 3600

    def declare(channel: amqp.Channel) -> str:
        declared.append(desk.queue)
        return desk.declare(channel)

    reader._declare = declare
    thread = Thread(target=reader.run)
    thread.start()
    wait_until(lambda: reader.is_consuming, "the reader consumes")
    yield reader, thread, declared
    reader.stop()
    thread.join(60)


def test_a_reader_that_waits_for_messages_is_woken_to_stop(waiting: tuple[QueueReader, Thread, list[str]]) -> None:
    reader, thread, declared = waiting
    reader.stop()
    thread.join(60)
    assert (thread.is_alive(), len(declared)) == (False, 1)


def test_a_reader_that_waits_for_messages_is_woken_to_reconnect(
    waiting: tuple[QueueReader, Thread, list[str]],
) -> None:
    reader, _, declared = waiting
    reader.reconnect()
    wait_until(lambda: len(declared) == 2, "the queue is declared anew")
