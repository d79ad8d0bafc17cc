"""Events that are handled in sets have the guarantees of those that come alone: once, in time, never lost."""

from collections.abc import Callable
from contextlib import suppress
from uuid import UUID

from opentelemetry.trace import SpanKind
from sqlalchemy.exc import OperationalError

from services.kit.events.envelope import new_message_id
from services.kit.operations.tracing import span, trace_ids
from tests.integration.messaging.probe.contracts import GROUPED
from tests.integration.messaging.world import GROUPED_DEAD, GROUPED_QUEUE, World, event, eventually, records
from tests.tcp_proxy import TcpProxy

SIZE = 10


def send(world: World, *keys: str, behaviour: str = "do") -> list[str]:
    """Publishes events of these keys; returns their ids."""
    return [send_one(world, *event(key, behaviour, GROUPED)) for key in keys]


def send_one(world: World, message_id: str, body: bytes) -> str:
    world.outside.publish("events", GROUPED.type, body, message_id=message_id)
    return message_id


def while_the_first_is_held(world: World, key: str, publish: Callable[[], object]) -> None:
    """Publishes while an event of this key is being handled, so that the others come as one set."""
    with world.gate(f"{key} first"):
        send(world, f"{key} first", behaviour="gate")
        world.wait_until_held()
        publish()
        eventually(lambda: world.outside.size(GROUPED_QUEUE) == 0)
    eventually(world.happened(f"{key} first"))


def test_events_that_have_come_are_handled_together_and_one_alone_does_not_wait(world: World, key: str) -> None:
    keys = [f"{key} {number}" for number in range(SIZE + 3)]
    while_the_first_is_held(world, key, lambda: send(world, *keys))
    eventually(lambda: all(world.done(one) for one in keys))
    assert [world.done(one) for one in keys] == [["10"]] * SIZE + [["3"]] * 3
    assert world.done(f"{key} first") == ["1"]


def test_each_event_of_a_set_has_a_line_in_the_log_with_its_own_ids_and_the_sets(world: World, key: str) -> None:
    with span("request", SpanKind.SERVER, None, new_message_id()):
        traced, body = event(f"{key} traced", contract=GROUPED)
        its_trace = trace_ids()["trace_id"]
    sent: list[str] = []
    while_the_first_is_held(
        world, key, lambda: sent.extend([send_one(world, traced, body), *send(world, f"{key} a", f"{key} b")])
    )
    eventually(lambda: world.done(f"{key} b"))
    said = {one["message_id"]: one for one in records(world.probes[0]) if one["event"] == "message_handled"}
    assert [(said[one]["correlation_id"], said[one]["queue"]) for one in sent] == [(one, GROUPED_QUEUE) for one in sent]
    assert [said[one]["trace_id"] for one in sent] == [its_trace, *(UUID(one).hex for one in sent[1:])]
    [of_set] = {said[one]["set_id"] for one in sent}
    assert of_set not in sent


def test_an_event_that_comes_again_within_a_set_or_later_is_handled_once(world: World, key: str) -> None:
    message_id, body = event(f"{key} a", contract=GROUPED)

    def publish() -> None:
        for _ in range(3):
            send_one(world, message_id, body)
        send(world, f"{key} b")

    while_the_first_is_held(world, key, publish)
    eventually(lambda: world.done(f"{key} b"))
    send_one(world, message_id, body)
    send(world, f"{key} behind")
    eventually(lambda: world.done(f"{key} behind"))
    assert world.done(f"{key} a") == ["2"]


def test_one_that_fails_ends_among_the_dead_letters_and_holds_up_no_other(world: World, key: str) -> None:
    good = [f"{key} a", f"{key} b"]

    def publish() -> None:
        send(world, good[0])
        send(world, f"{key} wrong", behaviour="reject")
        send(world, f"{key} bug", behaviour="bug")
        send(world, good[1])

    while_the_first_is_held(world, key, publish)
    eventually(lambda: all(world.done(one) for one in good))
    eventually(lambda: world.outside.size(GROUPED_DEAD) == 2)
    causes = {one.headers["x-cause"] for one in world.outside.all_of(GROUPED_DEAD)}
    assert causes == {"services.kit.events.failures.Reject", "builtins.ZeroDivisionError"}
    assert [world.done(one) for one in good] == [["1"], ["1"]]


def test_what_is_no_such_event_leaves_the_rest_of_its_set_together(world: World, key: str) -> None:
    body = b"\xff no json"

    def publish() -> None:
        send(world, f"{key} a")
        world.outside.publish("events", GROUPED.type, body)
        send(world, f"{key} b")

    while_the_first_is_held(world, key, publish)
    dead = eventually(lambda: world.outside.get(GROUPED_DEAD))
    assert dead.body == body
    eventually(lambda: world.done(f"{key} b"))
    assert [world.done(f"{key} {one}") for one in "ab"] == [["2"], ["2"]]


def test_a_transient_error_is_retried_until_it_has_passed(world: World, key: str) -> None:
    def publish() -> None:
        send(world, f"{key} a")
        send(world, f"{key} b", behaviour="retry:4")

    while_the_first_is_held(world, key, publish)
    eventually(lambda: world.done(f"{key} b"))
    assert [len(world.done(f"{key} {one}")) for one in "ab"] == [1, 1]
    assert world.outside.size(GROUPED_DEAD) == 0


def test_a_killed_process_loses_nothing_and_does_nothing_twice(own_world: World) -> None:
    world = own_world
    keys = [f"k{number}" for number in range(3 * SIZE)]
    probe = world.start()
    with world.gate("k15"):
        send(world, *keys, behaviour="gate")
        world.wait_until_held()
        probe.kill()
    world.start()
    eventually(lambda: all(world.done(one) for one in keys))
    assert [len(world.done(one)) for one in keys] == [1] * len(keys)


def test_a_stop_finishes_what_was_taken_and_leaves_the_rest(own_world: World) -> None:
    world = own_world
    world.start()
    with world.gate("running"):
        send(world, "running", behaviour="gate")
        world.wait_until_held()
        send(world, "taken")
        eventually(lambda: world.outside.size(GROUPED_QUEUE) == 0)
        probe = world.begin_to_stop(GROUPED_QUEUE)
        send(world, "left")
    assert probe.stop() == 0
    assert [len(world.done(one)) for one in ("running", "taken", "left")] == [1, 1, 0]
    assert world.outside.size(GROUPED_QUEUE) == 1


def test_an_ack_that_was_lost_with_the_connection_does_nothing_twice(own_world: World) -> None:
    world = own_world
    with TcpProxy(world.amqp_uri) as proxy:
        world.start(AMQP_URI=proxy.url)
        with world.gate("a"):
            send(world, "a", behaviour="gate")
            world.wait_until_held()
            send(world, "b", "c")
            eventually(lambda: world.outside.size(GROUPED_QUEUE) == 0)
            proxy.cut()
            eventually(lambda: world.metric("messages_redelivered_total", queue=GROUPED_QUEUE) == 3)
        send(world, "behind")
        eventually(world.happened("behind"))
        eventually(lambda: all(world.done(one) for one in "abc"))
    assert [len(world.done(one)) for one in "abc"] == [1, 1, 1]


def test_while_the_database_is_away_a_set_waits_as_one(own_world: World) -> None:
    world = own_world
    probe = world.start(RETRY_DELAYS="600")
    keys = [f"k{number}" for number in range(SIZE)]

    def publish() -> None:
        send(world, keys[0], behaviour="gate")
        send(world, *keys[1:])

    # The gate's connection is one of those that end with the database's.
    with suppress(OperationalError), world.gate(keys[0]):
        while_the_first_is_held(world, "", publish)
        world.wait_until_held()
        with world.database_away():
            eventually(lambda: probe.log.count("handling_failed") >= 2)
    eventually(lambda: all(world.done(one) for one in keys))
    assert [world.done(one) for one in keys] == [["10"]] * SIZE
    assert world.metric("messages_retried_total", queue=GROUPED_QUEUE) == 0


def test_past_the_time_to_hold_a_set_waits_in_the_retry_queue(own_world: World) -> None:
    world = own_world
    world.start(HOLD_SECONDS="0.5", RETRY_DELAYS="1")
    with world.database_away():
        send(world, *"abc")
        eventually(lambda: world.metric("messages_retried_total", queue=GROUPED_QUEUE) >= 3)
    eventually(lambda: all(world.done(one) for one in "abc"))
    assert [len(world.done(one)) for one in "abc"] == [1, 1, 1]


def test_a_stop_while_the_database_is_away_leaves_all_to_the_broker(own_world: World) -> None:
    world = own_world
    probe = world.start()
    with world.database_away():
        send(world, *(f"k{number}" for number in range(SIZE)))
        eventually(lambda: probe.log.count("handling_failed") >= 2)
        assert probe.stop() == 0
        assert world.outside.size(GROUPED_QUEUE) == SIZE


def test_one_that_ends_its_process_each_time_is_overtaken_by_the_others(own_world: World) -> None:
    world = own_world
    keys = [f"k{number}" for number in range(2 * SIZE)]
    world.start().stop()
    for number, key in enumerate(keys):
        send(world, key, behaviour="die" if number == 5 else "do")
    good = [key for key in keys if key != "k5"]
    for _ in range(8):
        with world.gate("k5"):
            probe = world.start()
            world.wait_until_held()
        probe.running.wait()
    assert [len(world.done(one)) for one in good] == [1] * len(good)
    assert world.done("k5") == []
    assert world.outside.size(GROUPED_DEAD) == 0
