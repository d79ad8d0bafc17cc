"""Live updates: which pages receive which, and when streams end."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway import stream
from gateway.live_updates import STREAMED, live_update_of
from gateway.stream import QUEUE_SIZE, Audience, LiveUpdate, Streams
from services.contracts.events.notification import EVERYWHERE
from services.contracts.examples import readable_example
from services.kit.events.contract import EventContract
from services.kit.events.envelope import Event
from tests.gateway_page import SESSION_ID, SUPERIOR_UNION_ID, UNION_ID, Clock, a_session

UNION = Audience(UNION_ID)


def an_update(*audiences: Audience, count: int = 1) -> LiveUpdate:
    return LiveUpdate("pending_changed", {"count": count}, audiences)


def frames(pieces: Iterator[bytes]) -> list[str]:
    """The types of the events up to the end of the stream."""
    return [piece.decode().partition("\n")[0].removeprefix("event: ") for piece in pieces]


def an_open_stream(streams: Streams, *roles: str, **changes: Any) -> Iterator[bytes]:
    """A stream after its first event."""
    pieces = streams.listen(a_session(roles, **changes))
    assert next(pieces) == b"event: resync\ndata: {}\n\n"
    return pieces


@pytest.fixture
def streams() -> Streams:
    return Streams(now=Clock())


def test_a_page_receives_updates_of_its_union(streams: Streams) -> None:
    page = an_open_stream(streams, "clerk")

    streams.publish(an_update(UNION, count=3))

    assert next(page) == b'event: pending_changed\ndata: {"count": 3}\n\n'


def test_a_page_receives_no_update_of_another_union(streams: Streams) -> None:
    page = an_open_stream(streams, "clerk")

    streams.publish(an_update(Audience(SUPERIOR_UNION_ID)))
    streams.close()

    assert frames(page) == []


def test_only_the_role_that_an_update_is_for_receives_it(streams: Streams) -> None:
    clerk, reviewer = an_open_stream(streams, "clerk"), an_open_stream(streams, "reviewer")

    streams.publish(an_update(Audience(UNION_ID, "reviewer")))
    streams.publish(an_update(Audience(UNION_ID, "clerk")))
    streams.publish(an_update(Audience(UNION_ID, "clerk")))

    assert next(reviewer).startswith(b"event: pending_changed")
    assert next(clerk).startswith(b"event: pending_changed")
    assert next(clerk).startswith(b"event: pending_changed")
    streams.close()
    assert frames(reviewer) == []


def test_a_page_in_two_audiences_receives_an_update_once(streams: Streams) -> None:
    page = an_open_stream(streams, "reviewer")

    streams.publish(an_update(UNION, Audience(UNION_ID, "reviewer"), count=1))
    streams.publish(an_update(UNION, count=2))

    assert b'"count": 1' in next(page)
    assert b'"count": 2' in next(page)


def test_a_silent_stream_beats_so_that_its_end_is_noticed(streams: Streams, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 0.01)
    page = an_open_stream(streams, "clerk")

    assert next(page) == b": heartbeat\n\n"


def test_a_page_that_does_not_take_its_notices_is_cut_off_and_keeps_none(streams: Streams) -> None:
    slow, quick = an_open_stream(streams, "clerk"), an_open_stream(streams, "clerk")

    for count in range(QUEUE_SIZE + 1):
        streams.publish(an_update(UNION, count=count))
        assert b"pending_changed" in next(quick)

    assert frames(slow) == []


def test_a_stream_ends_with_its_session() -> None:
    clock = Clock()
    streams = Streams(now=clock)
    page = an_open_stream(streams, "clerk")

    clock.pass_by(1800)

    assert frames(page) == []


def test_a_stream_ends_when_its_session_is_ended_and_others_go_on(streams: Streams) -> None:
    ended, other = an_open_stream(streams, "clerk"), an_open_stream(streams, "clerk", session_id="another")

    streams.end_sessions([SESSION_ID])
    streams.publish(an_update(UNION))

    assert frames(ended) == []
    assert next(other).startswith(b"event: pending_changed")


def test_a_page_that_goes_away_leaves_nothing_behind(streams: Streams) -> None:
    page = an_open_stream(streams, "clerk")

    page.close()  # type: ignore[attr-defined]  # the iterator is a generator

    assert not streams._listeners


@pytest.mark.parametrize("contract", STREAMED, ids=lambda contract: contract.name)
def test_each_live_update_has_no_personal_data_and_is_read_without_a_key(
    contract: EventContract, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PERSONAL_DATA_KEYS", raising=False)
    data = contract.read(readable_example(contract.type))
    event = Event("1", contract.type, "/", None, datetime.now(UTC), None, None, data)

    update = live_update_of(event)

    assert update.type == contract.name
    assert update.audiences
    assert all(isinstance(value, int | None) or len(str(value)) <= 40 for value in update.facts.values())
    json.dumps(update.facts, default=str)


def test_a_revocation_updates_its_union_and_the_reviewers_of_the_superior() -> None:
    contract = next(contract for contract in STREAMED if contract.name == "revocation_requested")
    data = contract.read(readable_example(contract.type))

    update = live_update_of(Event("1", contract.type, "/", None, datetime.now(UTC), None, None, data))

    assert update.audiences == (
        Audience(str(data.union.union_id)),
        Audience(str(data.reviewer_union_id), "reviewer"),
    )
    assert set(update.facts) == {"revocation_id", "batch_no"}


def test_deputies_and_covering_reviewers_receive_updates_for_the_reviewers_whose_place_they_take(
    streams: Streams,
) -> None:
    covered = {"covered_union_ids": (SUPERIOR_UNION_ID,)}
    page, idle = an_open_stream(streams, "reviewer", **covered), an_open_stream(streams, "reviewer")

    streams.publish(an_update(Audience(SUPERIOR_UNION_ID)))
    streams.publish(an_update(Audience(SUPERIOR_UNION_ID, "reviewer")))
    assert next(page).startswith(b"event: pending_changed")
    assert sum(streams.open_by_account().values()) == 2
    streams.close()

    assert frames(page) == frames(idle) == []


def test_what_is_for_all_operators_reaches_operators_of_every_union_and_nobody_else(streams: Streams) -> None:
    operator = an_open_stream(streams, "operator")
    elsewhere = an_open_stream(streams, "operator", union_id=SUPERIOR_UNION_ID)
    clerk = an_open_stream(streams, "clerk")

    streams.publish(an_update(Audience(str(EVERYWHERE), "operator")))

    assert next(operator).startswith(b"event: pending_changed")
    assert next(elsewhere).startswith(b"event: pending_changed")
    streams.close()
    assert frames(clerk) == []
