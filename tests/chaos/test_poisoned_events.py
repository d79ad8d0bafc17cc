"""Invalid messages on the queue of each event become dead letters with their cause; valid ones are handled."""

import json
import time
from collections.abc import Collection, Iterable
from typing import Any

import amqp
import pytest

from services.contracts.events.all_events import EVENTS
from services.contracts.examples import wire_example
from services.kit.amqp.connection import open_connection
from services.kit.amqp.queues import dead_queue, queue_name
from services.kit.events.contract import EventContract
from services.kit.events.envelope import wrap
from tests.databases import DatabaseFactory
from tests.documents import event_data
from tests.integration.conftest import StartService, fork_server, start_service

__all__ = ["fork_server", "start_service"]

CONSUMERS: dict[str, dict[str, EventContract]] = {}
for _contract in EVENTS.values():
    for _consumer in _contract.consumers:
        CONSUMERS.setdefault(_consumer, {})[queue_name(_consumer, _contract.name)] = _contract
ONE_SERVICE, ONE_QUEUE = "notification", "notification.cards_issued"
_NOWHERE = "http://127.0.0.1:9"
_SETTINGS = {"REGISTRY_URL": _NOWHERE, "SMS_URL": _NOWHERE, "PUBLIC_URL": _NOWHERE}
_SECONDS = 90
_PERSON = "310101199003078814"


def test_rubbish_for_a_consumer_is_a_dead_letter_at_once(
    database: DatabaseFactory, amqp_uri: str, start_service: StartService
) -> None:
    see_rubbish_put_aside(ONE_SERVICE, [ONE_QUEUE], database, amqp_uri, start_service)


@pytest.mark.long("every consumer of each service")
@pytest.mark.parametrize("service", CONSUMERS)
def test_rubbish_for_any_consumer_is_a_dead_letter_at_once(
    service: str, database: DatabaseFactory, amqp_uri: str, start_service: StartService
) -> None:
    see_rubbish_put_aside(service, CONSUMERS[service], database, amqp_uri, start_service)


def see_rubbish_put_aside(
    service: str, queues: Iterable[str], database: DatabaseFactory, amqp_uri: str, start_service: StartService
) -> None:
    """Invalid messages of every kind on each of the service's queues."""
    process = start_service(f"services.{service}.service", database(service), amqp_uri, **_SETTINGS)
    connection = open_connection(amqp_uri, "test")
    channel = connection.channel()
    channel.auto_decode = False
    sent = {queue: _rubbish(CONSUMERS[service][queue]) for queue in queues}
    for queue, bodies in sent.items():
        for body in bodies:
            channel.basic_publish(amqp.Message(body, delivery_mode=2, message_id="rubbish"), "", queue)

    for queue, bodies in sent.items():
        letters = _letters(channel, dead_queue(queue), bodies)
        assert letters.keys() == set(bodies)
        for letter in letters.values():
            assert letter.headers["x-cause"]
            assert 0 < len(letter.headers["x-reason"]) <= 1000
            assert _PERSON not in json.dumps(letter.headers, default=str)
        assert channel.queue_declare(queue, passive=True).message_count == 0
    assert _PERSON not in process.log
    connection.close()


def _letters(channel: amqp.Channel, queue: str, bodies: Collection[bytes]) -> dict[bytes, amqp.Message]:
    """A letter for each body; one comes twice where a confirmation came too late, and then is the same."""
    letters: dict[bytes, amqp.Message] = {}
    deadline = time.monotonic() + _SECONDS
    while lacking := set(bodies) - letters.keys():
        letter = channel.basic_get(queue, no_ack=True)
        if letter is not None:
            letters[letter.body.encode() if isinstance(letter.body, str) else letter.body] = letter
            continue
        assert time.monotonic() < deadline, f"{len(lacking)} of {len(bodies)} are not in {queue}"
        time.sleep(0.02)
    return letters


def _rubbish(contract: EventContract) -> list[bytes]:
    event = wrap(contract, event_data(contract, wire_example(contract)), None)
    changes: list[dict[str, Any]] = [
        {"type": "another.event.v1"},
        {"specversion": "7"},
        {"id": None},
        {"id": "x" * 10_000},
        {"id": {"a": 1}},
        {"correlationid": "x" * 10_000},
        {"time": _PERSON},
        {"time": 10**400},
        {"data": None},
        {"data": []},
        {"data": {}},
        {"data": _PERSON},
        {"data": {**event["data"], "note": "\0"}},
        {"data": {**event["data"], "note": "\ud800"}},
        {"data": {name: {"odd": _PERSON} for name in event["data"]}},
        {"data": {name: [None, _PERSON] for name in event["data"]}},
    ]
    return [
        b"",
        b"\xff\x00",
        b"7",
        b"null",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"\0" * 10_000_000,
        json.dumps(event).encode()[:-1] + b', "id": "another"}',
        *(json.dumps({**event, **change}).encode() for change in changes),
    ]
