"""A service's samples of its status: once a minute, by what its relay and its watch know."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from services.kit.amqp.watch import BrokerWatch
from services.kit.data.database import Database
from services.kit.events.contract import EventContract
from services.kit.events.relay import Relay
from services.kit.events.topology import needed_queues
from services.kit.operations import status_samples
from services.kit.operations.status_samples import StatusSamples
from services.kit.settings import ProcessSettings


class Clock:
    """A time that tests advance, in place of the class `datetime`."""

    moment = datetime(2026, 11, 30, 8, 29, 40, tzinfo=UTC)

    @classmethod
    def now(cls, _zone: Any) -> datetime:
        return cls.moment


class Sampling:
    """A service's samples in a process whose relay leads; what is published is kept."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, service: str) -> None:
        self.published: list[tuple[str, dict[str, Any]]] = []
        self.relay, self.database = Relay(), Database()
        monkeypatch.setattr(self.database, "begin", self._transaction)
        monkeypatch.setattr(status_samples, "publish", self._publish)
        monkeypatch.setattr(status_samples, "read_settings", lambda _kind: ProcessSettings(release="r1"))
        monkeypatch.setattr(status_samples, "datetime", Clock)
        monkeypatch.setattr(Clock, "moment", Clock.moment)
        self.samples = StatusSamples()
        self.samples.watch = BrokerWatch()
        self.samples.watch.depths = {}
        self.samples.container = SimpleNamespace(
            service_name=service, dependencies={self.relay, self.database}, started=True, extensions=()
        )
        self.samples.setup()

    def measured(self, messages: int = 0, seconds: float = 0.0) -> None:
        """The relay has measured the outbox, and the thread of the samples wakes."""
        for tell in self.relay.on_measured:
            tell(messages, seconds)
        self.samples.sample(messages, seconds)

    @contextmanager
    def _transaction(self) -> Iterator[str]:
        yield "a session"

    def _publish(self, _session: str, contract: EventContract[Any], data: dict[str, Any]) -> None:
        contract.dump(data)
        self.published.append((contract.type, data))


@pytest.fixture
def batching(monkeypatch: pytest.MonkeyPatch) -> Sampling:
    return Sampling(monkeypatch, "batching")


def test_a_sample_tells_what_waits_and_how_many_processes_take_requests(batching: Sampling) -> None:
    batching.samples.watch.depths = {
        **dict.fromkeys(needed_queues("batching"), (0, 2)),
        "batching.requests": (9, 2),
        "batching.members_queued": (3, 2),
        "batching.revocation_approved": (4, 2),
        "batching.members_queued.dead": (5, 0),
        "bank.feedback.rejected": (1, 0),
        "bank.batches": (6, 0),
        "bank.feedback": (8, 2),
        "revocation.batch_submitted": (100, 1),
    }

    batching.measured(messages=41, seconds=73.5)

    ((event_type, data),) = batching.published
    assert event_type == "batching.status_sampled.v1"
    assert data == {
        "minute": datetime(2026, 11, 30, 8, 29, tzinfo=UTC),
        "release": "r1",
        "reasons": [],
        "processes": 2,
        "waiting": 7,
        "dead": 6,
        "to_outside": 6,
        "from_outside": 8,
        "outbox_messages": 41,
        "outbox_seconds": 73.5,
    }


@pytest.mark.parametrize(
    ("service", "told"), [("batching", (6, 8, 0)), ("membership", (3, 4, 0)), ("validation", (None, None, 0))]
)
def test_of_an_outside_party_only_its_owner_tells(
    monkeypatch: pytest.MonkeyPatch, service: str, told: tuple[int | None, int | None, int]
) -> None:
    sampling = Sampling(monkeypatch, service)
    of_bank, of_society = {"bank.batches": (6, 0), "bank.feedback": (8, 1)}, {"insurer.enrolments": (4, 1)}
    sampling.samples.watch.depths = {**of_bank, **of_society, "insurer.members": (3, 0), "insurer.receipts": (9, 0)}
    sampling.measured()
    ((_, data),) = sampling.published
    assert (data["to_outside"], data["from_outside"], data["waiting"]) == told


def test_while_the_broker_is_away_its_figures_are_unknown(batching: Sampling, monkeypatch: pytest.MonkeyPatch) -> None:
    batching.samples.watch.depths = None
    batching.measured()
    assert batching.published == []  # the watch may not have looked yet
    monkeypatch.setattr(status_samples, "time", SimpleNamespace(monotonic=lambda: math.inf))
    batching.measured()
    ((_, data),) = batching.published
    assert [data[name] for name in ("processes", "waiting", "dead", "to_outside", "from_outside")] == [None] * 5


def test_a_minute_has_one_sample_however_often_the_outbox_is_measured(batching: Sampling) -> None:
    for _ in range(3):
        batching.measured()
    assert len(batching.published) == 1
    Clock.moment += timedelta(seconds=30)
    batching.measured()
    assert [data["minute"].minute for _, data in batching.published] == [29, 30]


def test_a_database_that_takes_no_sample_stops_no_relay(batching: Sampling, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OSError("away")

    monkeypatch.setattr(batching.database, "begin", fail)
    batching.measured()
    assert batching.published == []


def test_the_same_reasons_are_told_in_the_same_order(batching: Sampling, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_samples, "not_ready", lambda _containers: ["the queue b", "the queue a", "the queue b"])
    batching.measured()
    assert [data["reasons"] for _, data in batching.published] == [["the queue a", "the queue b"]]


def test_the_relay_only_notes_what_it_has_measured(batching: Sampling) -> None:
    for tell in batching.relay.on_measured:
        tell(1, 2.0)
    assert batching.published == []
