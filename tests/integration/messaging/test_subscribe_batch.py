"""Messages of a foreign queue are handled in sets; what is wrong is set aside alone, with its reason."""

import time
from typing import Any

import amqp
import pytest
import requests

from tests.integration.messaging.probe.contracts import BATCH_QUEUE
from tests.integration.messaging.world import World, eventually

REJECTED = f"{BATCH_QUEUE}.rejected"


def test_many_messages_share_a_transaction_and_each_is_handled_once(world: World) -> None:
    world.start().stop()
    publish(world, [f"m{number}" for number in range(500)])
    world.start()
    eventually(lambda: world.count() == 500)
    assert "200" in {world.effects(f"m{number}")[0] for number in range(500)}, "the largest set is full"
    assert world.outside.size(BATCH_QUEUE) == 0


def test_one_that_breaks_the_set_is_rejected_alone(world: World) -> None:
    world.start().stop()
    publish(world, ["m1", "bad", "m2"])
    probe = world.start()
    rejected = eventually(lambda: world.outside.get(REJECTED))
    assert rejected.body == b"bad"
    assert rejected.headers["x-cause"] == "builtins.ZeroDivisionError"
    assert rejected.headers["x-original-queue"] == BATCH_QUEUE
    assert (len(world.effects("m1")), len(world.effects("m2"))) == (1, 1)
    assert "bad" not in probe.log


def test_one_that_the_method_refuses_is_kept_with_the_reason_and_as_it_came(world: World) -> None:
    world.start()
    world.outside.publish(
        "", BATCH_QUEUE, b"refuse \x00me", message_id="theirs", application_headers={"x-signature": "s\x00", "n": 7}
    )
    rejected = eventually(lambda: world.outside.get(REJECTED))
    assert rejected.body == b"refuse \x00me"
    assert rejected.properties["message_id"] == "theirs"
    assert rejected.headers["x-reason"] == "not wanted"
    assert (rejected.headers["x-signature"], rejected.headers["n"]) == ("s\x00", 7)


def test_bytes_that_the_method_cannot_read_are_rejected_byte_for_byte(world: World) -> None:
    world.start()
    world.outside.publish("", BATCH_QUEUE, b"\xff\xfe\x00")
    assert eventually(lambda: world.outside.get(REJECTED)).body == b"\xff\xfe\x00"


def test_one_whose_rejection_cannot_be_written_down_is_moved_past_the_database(world: World) -> None:
    world.start()
    with world.engine.begin() as connection:
        connection.exec_driver_sql("alter table outbox rename to outbox_away")
    publish(world, ["m0", "refuse", "m1"])
    rejected = eventually(lambda: world.outside.get(REJECTED))
    assert (rejected.body, rejected.headers["x-cause"]) == (b"refuse", "sqlalchemy.exc.ProgrammingError")
    eventually(lambda: world.happened("m0")() and world.happened("m1")())
    assert world.count() == 2


class Raw(amqp.Message):
    """A message whose properties are these bytes on the wire."""

    raw = b""

    def _serialize_properties(self) -> bytes:
        return self.raw


@pytest.mark.parametrize(
    "raw",
    [
        b"\x80\x00" + b"\x02\xff\xfe",  # a content type that is no UTF-8
        b"\x20\x00"
        + b"\x00\x00\x00\x0b"
        + b"\x01tT"
        + b"\x00\x00\x01\x9a"
        + b"\x00" * 4,  # a header of the year 50,000
    ],
)
def test_properties_that_cannot_be_read_cost_neither_message_nor_connection(world: World, raw: bytes) -> None:
    probe = world.start()
    odd = Raw(b"m1")
    odd.raw = raw
    world.outside.channel.basic_publish(odd, "", BATCH_QUEUE)
    publish(world, ["m2"])
    eventually(lambda: world.happened("m1")() and world.happened("m2")())
    assert "broker_lost" not in probe.log


@pytest.mark.parametrize(
    "headers",
    [{"x-attempts": "many"}, {"x-first-failed-at": "yesterday"}, {"big": "y" * 120_000}],
    ids=str,
)
def test_headers_that_were_made_up_keep_no_message_from_being_rejected(world: World, headers: dict[str, Any]) -> None:
    world.start()
    world.outside.publish("", BATCH_QUEUE, b"refuse", application_headers=headers)
    publish(world, ["m1"])
    assert eventually(lambda: world.outside.get(REJECTED)).headers["x-reason"] == "not wanted"
    eventually(world.happened("m1"))


def test_what_is_too_large_to_be_read_is_rejected_at_once_and_as_it_came(world: World) -> None:
    world.start()
    world.outside.publish("", BATCH_QUEUE, b"x" * 10_000_000, message_id="large")
    publish(world, ["m1"])
    rejected = eventually(lambda: world.outside.get(REJECTED))
    assert (len(rejected.body), rejected.properties["message_id"]) == (10_000_000, "large")
    assert rejected.headers["x-reason"] == "too_large: 10000000 bytes"
    eventually(world.happened("m1"))


def test_while_the_database_is_away_nothing_is_rejected_or_lost(world: World) -> None:
    world.start()
    with world.database_away():
        publish(world, ["m1", "m2"])
        time.sleep(2)
    eventually(lambda: world.count() == 2)
    assert world.outside.size(REJECTED) == 0


def test_a_killed_process_loses_no_message(world: World) -> None:
    probe = world.start()
    publish(world, [f"m{number}" for number in range(2000)])
    eventually(world.happened("m0"))
    probe.kill()
    world.start()
    eventually(lambda: all(world.effects(f"m{number}") for number in (0, 999, 1999)))
    eventually(lambda: world.outside.size(BATCH_QUEUE) == 0)
    assert world.count_keys() == 2000


def test_a_graceful_stop_repeats_nothing(world: World) -> None:
    probe = world.start()
    publish(world, [f"m{number}" for number in range(2000)])
    eventually(world.happened("m0"))
    assert probe.stop() == 0
    successor = world.start()
    eventually(lambda: world.count_keys() == 2000)
    assert world.count() == 2000
    metrics = requests.get(f"{successor.health_url}/metrics", timeout=5).text
    assert f'messages_redelivered_total{{queue="{BATCH_QUEUE}"}}' not in metrics


def publish(world: World, bodies: list[str]) -> None:
    """Publishes bodies to the foreign queue, fast."""
    for body in bodies:
        world.outside.publish_unconfirmed("", BATCH_QUEUE, body.encode())
