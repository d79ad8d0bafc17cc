"""A doorbell ends a wait for a socket, in plain threads and in green ones."""

import socket
import subprocess
import sys
from threading import Thread

import pytest

from services.kit.concurrency import Doorbell

GREEN = """
import socket
from services.kit.concurrency import Doorbell, spawn, use_green_threads
use_green_threads()
doorbell, (near, far) = Doorbell(), socket.socketpair()
spawn(doorbell.ring)
assert not doorbell.wait(near, 3600)
spawn(far.send, b"x")
assert doorbell.wait(near, 3600)
"""


@pytest.fixture
def doorbell() -> Doorbell:
    return Doorbell()


@pytest.fixture
def pair() -> tuple[socket.socket, socket.socket]:
    """Two connected sockets."""
    return socket.socketpair()


def test_a_ring_ends_the_wait_of_another_thread(doorbell: Doorbell, pair: tuple[socket.socket, socket.socket]) -> None:
    answers: list[bool] = []
    thread = Thread(target=lambda: answers.append(doorbell.wait(pair[0], 3600)))
    thread.start()
    doorbell.ring()
    thread.join(60)
    assert answers == [False]


def test_a_ring_that_nobody_waited_for_ends_the_next_wait_alone(doorbell: Doorbell) -> None:
    for _ in range(3):
        doorbell.ring()
    assert not doorbell.wait(None, 3600)
    assert not doorbell.wait(None, 0.01)


def test_what_can_be_read_ends_the_wait_though_nobody_rings(
    doorbell: Doorbell, pair: tuple[socket.socket, socket.socket]
) -> None:
    near, far = pair
    far.send(b"x")
    assert doorbell.wait(near, 3600)
    assert not doorbell.wait(None, 0.01)


def test_any_number_of_rings_neither_blocks_nor_fails_and_none_do_after_the_end(doorbell: Doorbell) -> None:
    for _ in range(100_000):
        doorbell.ring()
    doorbell.close()
    doorbell.ring()


def test_green_threads_ring_and_read_while_another_waits() -> None:
    subprocess.run([sys.executable, "-c", GREEN], check=True, timeout=60)
