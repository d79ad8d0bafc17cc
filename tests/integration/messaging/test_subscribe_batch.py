"""Messages of an external queue are handled in chunks; invalid ones are rejected one by one with their reason."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import amqp
import pytest

from tests.integration.messaging.probe.contracts import BATCH_QUEUE
from tests.integration.messaging.world import REJECTED, World, eventually


def test_many_messages_share_a_transaction_and_each_is_handled_once(world: World, key: str) -> None:
    keys = [f"{key} m{number}" for number in range(500)]
    with busy_meanwhile(world, key):
        publish(world, keys)
    eventually(lambda: world.count(key) == 500)
    assert "200" in {world.effects(one)[0] for one in keys}, "the largest set is full"
    assert world.outside.size(BATCH_QUEUE) == 0


def test_one_that_breaks_the_set_is_rejected_alone(world: World, key: str) -> None:
    with busy_meanwhile(world, key):
        publish(world, [f"{key} m1", f"bad {key}", f"{key} m2"])
    rejected = eventually(lambda: world.outside.get(REJECTED))
    assert rejected.body == f"bad {key}".encode()
    assert rejected.headers["x-cause"] == "builtins.ZeroDivisionError"
    assert rejected.headers["x-original-queue"] == BATCH_QUEUE
    assert '"size": 3' in world.log, "they were one set"
    assert (len(world.effects(f"{key} m1")), len(world.effects(f"{key} m2"))) == (1, 1)
    assert f"bad {key}" not in world.log


def test_one_that_the_method_refuses_is_kept_with_the_reason_and_as_it_came(world: World) -> None:
    world.outside.publish(
        "", BATCH_QUEUE, b"refuse \x00me", message_id="theirs", application_headers={"x-signature": "s\x00", "n": 7}
    )
    rejected = eventually(lambda: world.outside.get(REJECTED))
    assert rejected.body == b"refuse \x00me"
    assert rejected.properties["message_id"] == "theirs"
    assert rejected.headers["x-reason"] == "not wanted"
    assert (rejected.headers["x-signature"], rejected.headers["n"]) == ("s\x00", 7)


def test_bytes_that_the_method_cannot_read_are_rejected_byte_for_byte(world: World) -> None:
    world.outside.publish("", BATCH_QUEUE, b"\xff\xfe\x00")
    assert eventually(lambda: world.outside.get(REJECTED)).body == b"\xff\xfe\x00"


def test_one_whose_rejection_cannot_be_written_down_is_moved_past_the_database(own_world: World) -> None:
    world = own_world
    world.start()
    with world.engine.begin() as connection:
        connection.exec_driver_sql("alter table outbox rename to outbox_away")
    publish(world, ["m0", "refuse", "m1"])
    rejected = eventually(lambda: world.outside.get(REJECTED))
    assert (rejected.body, rejected.headers["x-cause"]) == (b"refuse", "sqlalchemy.exc.ProgrammingError")
    eventually(lambda: world.happened("m0")() and world.happened("m1")())
    publish(world, ["behind"])
    eventually(world.happened("behind"))
    assert world.count("m") == 2


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
def test_properties_that_cannot_be_read_cost_neither_message_nor_connection(world: World, key: str, raw: bytes) -> None:
    odd = Raw(f"{key} m1".encode())
    odd.raw = raw
    world.outside.channel.basic_publish(odd, "", BATCH_QUEUE)
    publish(world, [f"{key} m2"])
    eventually(lambda: world.happened(f"{key} m1")() and world.happened(f"{key} m2")())
    assert "broker_lost" not in world.log


@pytest.mark.parametrize(
    "headers",
    [{"x-attempts": "many"}, {"x-first-failed-at": "yesterday"}, {"big": "y" * 120_000}],
    ids=str,
)
def test_headers_that_were_made_up_keep_no_message_from_being_rejected(
    world: World, key: str, headers: dict[str, Any]
) -> None:
    world.outside.publish("", BATCH_QUEUE, b"refuse", application_headers=headers)
    publish(world, [key])
    assert eventually(lambda: world.outside.get(REJECTED)).headers["x-reason"] == "not wanted"
    eventually(world.happened(key))


def test_what_is_too_large_to_be_read_is_rejected_at_once_and_as_it_came(world: World, key: str) -> None:
    world.outside.publish("", BATCH_QUEUE, b"x" * 10_000_000, message_id="large")
    publish(world, [key])
    rejected = eventually(lambda: world.outside.get(REJECTED))
    assert (len(rejected.body), rejected.properties["message_id"]) == (10_000_000, "large")
    assert rejected.headers["x-reason"] == "too_large: 10000000 bytes"
    eventually(world.happened(key))


def test_while_the_database_is_away_nothing_is_rejected_or_lost(own_world: World) -> None:
    probe = own_world.start()
    with own_world.database_away():
        publish(own_world, ["m1", "m2"])
        eventually(lambda: probe.log.count("handling_failed") >= 2)
    eventually(lambda: own_world.count() == 2)
    assert own_world.outside.size(REJECTED) == 0


def test_a_killed_process_loses_no_message(own_world: World) -> None:
    world = own_world
    probe = world.start()
    with world.gate("gate"):
        publish(world, THOUSAND_AND_A_GATE)
        world.wait_until_held()
        probe.kill()
    world.start()
    eventually(lambda: world.count_keys() == 1001)
    eventually(lambda: world.outside.size(BATCH_QUEUE) == 0)


def test_a_graceful_stop_repeats_nothing(own_world: World) -> None:
    world = own_world
    world.start()
    with world.gate("gate"):
        publish(world, THOUSAND_AND_A_GATE)
        world.wait_until_held()
        probe = world.begin_to_stop(BATCH_QUEUE)
    assert probe.stop() == 0
    assert world.count() < 1001, "it stopped in the midst of them"
    world.start()
    eventually(lambda: world.count_keys() == 1001)
    publish(world, ["behind"])
    eventually(world.happened("behind"))
    assert world.count() == 1002
    assert world.metric("messages_redelivered_total", queue=BATCH_QUEUE) == 0


THOUSAND_AND_A_GATE = [*(f"m{number}" for number in range(300)), "gate", *(f"m{number}" for number in range(300, 1000))]


@contextmanager
def busy_meanwhile(world: World, key: str) -> Iterator[None]:
    """All that is published until this ends has reached the probe before it handles any of it."""
    with world.gate(f"gate {key}"):
        publish(world, [f"gate {key}"])
        world.wait_until_held()
        yield
        eventually(lambda: world.outside.size(BATCH_QUEUE) == 0)


def publish(world: World, bodies: list[str]) -> None:
    """Publishes bodies to the foreign queue."""
    world.outside.publish_all(BATCH_QUEUE, bodies)
