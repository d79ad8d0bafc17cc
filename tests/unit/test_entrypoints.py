"""A chunk that is held while its reader stops is acked as a whole, without gaps."""

from types import SimpleNamespace
from typing import Any

import pytest

from services.kit.events.entrypoints import LARGEST_MESSAGE, BatchSubscription

LARGE = b"x" * (LARGEST_MESSAGE + 1)


class StoppingReader:
    """A reader that cancels: it cannot ack meanwhile."""

    is_stopping = True
    fills = False

    def __init__(self) -> None:
        self.acked: list[Any] = []

    def is_full(self) -> bool:
        return self.fills

    def ack(self, message: Any, *, with_all_before: bool = False) -> None:
        self.acked.append(message)


@pytest.fixture
def reader() -> StoppingReader:
    return StoppingReader()


@pytest.fixture
def subscription(reader: StoppingReader) -> Any:
    made: Any = BatchSubscription("bank.test", 200, 0.02, lambda message: None)
    made.reader = reader
    return made


def take(subscription: Any, *bodies: bytes) -> list[bytes]:
    """What it has taken of these."""
    for body in bodies:
        subscription.take(SimpleNamespace(body=body, headers={}, properties={}))
    taken = []
    while (message := subscription.take_more(0)) is not None:
        taken.append(message.body)
    return taken


def test_after_a_message_that_is_too_large_all_are_left_to_the_broker(subscription: Any) -> None:
    assert take(subscription, b"one", LARGE, b"three") == [b"one"]
    assert subscription.reader.acked == []


def test_after_a_message_without_room_for_it_all_are_left_to_the_broker(
    subscription: Any, reader: StoppingReader
) -> None:
    assert take(subscription, b"one") == [b"one"]
    reader.fills = True
    assert take(subscription, b"two") == []
    reader.fills = False
    assert take(subscription, b"three") == []


def test_after_a_set_that_fails_while_stopping_no_other_is_handled(subscription: Any, reader: StoppingReader) -> None:
    errors = [ConnectionError("the database is away"), None]
    subscription.attempt = lambda messages: errors.pop(0)
    subscription.container = SimpleNamespace(service_name="batching")
    for body in (b"one", b"two"):
        subscription.take(SimpleNamespace(body=body, headers={}, properties={}))
        subscription.handle(subscription.take_more(0))
    assert reader.acked == []
