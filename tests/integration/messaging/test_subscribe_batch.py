"""Messages of a foreign queue are handled in sets; what is wrong is set aside alone, with its reason."""

import time

from tests.integration.messaging.probe.service import BATCH_QUEUE
from tests.integration.messaging.world import World, eventually

REJECTED = f"{BATCH_QUEUE}.rejected"


def test_many_messages_share_a_transaction_and_each_is_handled_once(world: World) -> None:
    world.start().stop()
    publish(world, [f"m{number}" for number in range(500)])
    world.start()
    eventually(lambda: world.count() == 500)
    assert {world.effects(f"m{number}")[0] for number in range(100)} == {"200"}
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


def test_one_whose_rejection_cannot_be_written_down_is_moved_by_the_broker(world: World) -> None:
    world.start()
    with world.engine.begin() as connection:
        connection.exec_driver_sql("alter table outbox rename to outbox_away")
    publish(world, ["refuse"])
    assert eventually(lambda: world.outside.get(REJECTED)).body == b"refuse"
    publish(world, ["m1"])
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
    world.start()
    eventually(lambda: world.count_keys() == 2000)
    assert world.count() == 2000


def publish(world: World, bodies: list[str]) -> None:
    """Publishes bodies to the foreign queue, fast."""
    for body in bodies:
        world.outside.publish_unconfirmed("", BATCH_QUEUE, body.encode())
