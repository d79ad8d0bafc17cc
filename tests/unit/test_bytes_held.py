"""The bytes of a queue that a process holds at once are bounded, and so is its memory."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from services.kit.events import entrypoints
from services.kit.events.entrypoints import BatchSubscription, QueueEntrypoint, Subscription
from services.kit.events.envelope import Event
from services.kit.events.set_subscription import SetSubscription
from tests.integration.messaging.probe.contracts import PINGED

MEGABYTE = 1 << 20
LARGEST_MESSAGE, MOST_HELD, LARGEST_SET = 2 * MEGABYTE, 8 * MEGABYTE, 4 * MEGABYTE


class Reader:
    """Counts acked messages."""

    is_stopping = False

    def __init__(self) -> None:
        self.acked = 0

    def is_full(self) -> bool:
        raise NotImplementedError("the subscription says so")

    def ack(self, message: Any, *, with_all_before: bool = False) -> None:
        self.acked += 1


@pytest.fixture
def subscription(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A subscription that handles its chunks at once, into `sets`; rejected messages are in `rejected`."""
    made: Any = BatchSubscription("bank.test", 200, 0, lambda message: None)
    made.reader, made.settings = Reader(), SimpleNamespace(amqp_uri="", publish_seconds=1)
    made.sets, made.rejected = [], []
    monkeypatch.setattr(QueueEntrypoint, "setup", lambda self: None)
    monkeypatch.setattr(entrypoints, "ConfirmedPublisher", lambda *_: None)
    made.setup()
    made.attempt = lambda messages: made.sets.append([len(one.body) for one in messages])
    made._reject = lambda message, rejection: made.rejected.append(str(rejection))
    made._reject_lost = lambda messages: True
    return made


def test_of_a_pile_of_large_messages_a_few_are_held_at_once(subscription: Any) -> None:
    most = most_held_of_a_pile(subscription)

    assert most <= MOST_HELD
    assert max(map(sum, subscription.sets)) <= LARGEST_SET
    assert sum(map(len, subscription.sets)) == 100


def test_of_what_is_too_large_nothing_is_held(subscription: Any) -> None:
    for _ in range(100):
        subscription.take(SimpleNamespace(body=b"x" * (LARGEST_MESSAGE + 1), headers={}, properties={}))

    assert held(subscription) == 0
    assert (len(subscription.rejected), subscription.reader.acked) == (100, 100)


def test_no_more_messages_come_than_three_sets(subscription: Any) -> None:
    assert subscription.prefetch == 3 * 200


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A subscription of events in sets, which are handled at once, into `sets`."""
    made: Any = SetSubscription([PINGED], 100)
    made.reader, made.sets = Reader(), []
    monkeypatch.setattr(Subscription, "setup", lambda self: None)
    made.setup()
    made.settings = SimpleNamespace(hold_seconds=60)
    made.read = lambda message: Event("", "", "", None, datetime.now(UTC), None, None, message.body)
    made.attempt = lambda messages: made.sets.append([len(one.data) for one in messages])
    return made


def test_of_a_pile_of_large_events_a_few_are_held_at_once(events: Any) -> None:
    most = most_held_of_a_pile(events)

    assert most <= MOST_HELD
    assert max(map(sum, events.sets)) <= LARGEST_SET
    assert sum(map(len, events.sets)) == 100
    assert held(events) == 0


def test_a_lost_connection_empties_the_hands(events: Any) -> None:
    for _ in range(3):
        events.take(SimpleNamespace(body=b"x" * LARGEST_MESSAGE))
    events._forget()
    assert (held(events), events.take_more(0)) == (0, None)


def most_held_of_a_pile(subscription: Any) -> int:
    """Takes a hundred messages of the largest size, handling some when it is full; returns the most bytes held."""
    most = 0
    for _ in range(100):
        while subscription.reader.is_full():
            subscription.handle(subscription.take_more(0))
        subscription.take(SimpleNamespace(body=b"x" * LARGEST_MESSAGE, headers={}, properties={}))
        most = max(most, held(subscription))
    while message := subscription.take_more(0):
        subscription.handle(message)
    return most


def held(subscription: Any) -> int:
    count: int = subscription._held
    return count
