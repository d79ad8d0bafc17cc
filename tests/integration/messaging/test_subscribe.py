"""Events are handled once, retried while errors are transient, and never lost."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deploy.local.fork_server import RUNNER, ForkServer
from services.kit.amqp.queues import declare_subscription, is_queue
from tests.integration.conftest import TEST_SECRETS
from tests.integration.messaging.probe.contracts import ANSWERED, PINGED
from tests.integration.messaging.world import DEAD, PROBE, QUEUE, Outside, World, event, eventually, reasons
from tests.tcp_proxy import TcpProxy


def test_an_event_is_handled_once_however_often_it_comes(world: World, key: str) -> None:
    message_id, body = event(key)
    for _ in range(3):
        world.outside.publish("events", PINGED.type, body, message_id=message_id)
    world.outside.knock(f"{key} behind")
    eventually(world.happened(f"{key} behind"))
    assert len(world.done(key)) == 1


def test_a_missing_queue_of_dead_letters_is_made_again_by_its_consumer(world: World, key: str) -> None:
    world.outside.channel.queue_delete(DEAD)
    world.outside.knock(key, "reject")
    eventually(lambda: is_queue(world.outside.channel, DEAD) and world.outside.size(DEAD) == 1)


def test_events_of_a_handler_are_published_and_received_by_listeners(world: World, key: str) -> None:
    world.outside.knock(key)
    eventually(lambda: "heard" in world.effects(key))


def test_an_event_published_while_handling_has_correlation_and_causation(world: World, key: str) -> None:
    subscribe = world.outside.subscribe(ANSWERED)
    message_id = world.outside.knock(key)
    while (document := world.outside.body_of(answer := eventually(lambda: world.outside.get(subscribe))))["data"][
        "key"
    ] != key:
        pass  # an answer to an earlier test
    assert document["causationid"] == message_id
    assert document["correlationid"] == message_id
    assert answer.properties["message_id"] == document["id"]
    assert answer.properties["delivery_mode"] == 2


def test_a_transient_error_is_retried_until_it_has_passed(world: World, key: str) -> None:
    world.outside.knock(key, "retry:7")
    eventually(world.happened(key))
    assert len(world.effects(f"attempt at {key}")) == 8
    assert world.outside.size(DEAD) == 0


def test_a_service_that_cannot_be_reached_is_a_transient_error(world: World, key: str) -> None:
    """It is tried more often than an unknown error would be."""
    world.outside.knock(key, "unreachable:7")
    eventually(world.happened(key))
    assert len(world.effects(f"attempt at {key}")) == 8
    assert world.outside.size(DEAD) == 0


def test_a_bug_is_tried_a_few_times_and_then_laid_among_the_dead_letters_with_its_cause(world: World, key: str) -> None:
    message_id, body = event(key, "bug")
    world.outside.publish("events", PINGED.type, body, message_id=message_id, application_headers={"theirs": 1})
    dead = eventually(lambda: world.outside.get(DEAD))
    assert dead.body == body
    assert dead.properties["message_id"] == message_id
    headers = dead.headers
    assert headers["x-attempts"] == 6
    assert headers["x-cause"] == "builtins.ZeroDivisionError"
    assert headers["x-consumer"] == "probe"
    assert headers["x-original-queue"] == QUEUE
    assert headers["x-first-failed-at"] < headers["x-last-failed-at"]
    assert "in on_pinged" in headers["x-traceback"]
    assert headers["theirs"] == 1
    assert "310101199001011234" not in str(headers) + world.log
    assert world.done(key) == []


def test_a_message_that_is_wrong_in_itself_is_a_dead_letter_at_once(world: World, key: str) -> None:
    world.outside.knock(key, "reject")
    dead = eventually(lambda: world.outside.get(DEAD))
    assert dead.headers["x-attempts"] == 1
    assert dead.headers["x-reason"] == "wrong in itself"


@pytest.mark.parametrize(
    ("body", "properties"),
    [
        (b"\xff\x00 no json", {}),
        (b'{"specversion": "1.0"}', {"content_type": "application/json"}),
        (b"[]", {"content_type": "application/x-python-serialize"}),
        ("中文".encode("gbk"), {"content_encoding": "gbk", "content_type": "text/plain"}),
        (event("a")[1].replace(b"probe.pinged", b"probe.other!"), {}),
        (event("a")[1].replace(b'"key"', b'"yek"'), {}),
    ],
)
def test_what_is_no_such_event_is_kept_byte_for_byte(world: World, body: bytes, properties: dict[str, str]) -> None:
    world.outside.publish("events", PINGED.type, body, **properties)
    dead = eventually(lambda: world.outside.get(DEAD))
    assert dead.body == body
    assert properties.items() <= dead.properties.items()
    assert dead.headers["x-attempts"] == 1


def test_a_graceful_stop_finishes_and_acks_what_runs_and_leaves_the_rest(own_world: World) -> None:
    world = own_world
    world.start()
    with world.gate("running"):
        world.outside.knock("running", "gate")
        world.outside.knock("next")
        world.wait_until_held()
        probe = world.begin_to_stop(QUEUE)
    assert probe.stop() == 0
    assert len(world.done("running")) == 1
    assert world.done("next") == []
    assert world.outside.size(QUEUE) == 1
    world.start()
    eventually(world.happened("next"))


def test_a_killed_process_loses_nothing_and_does_nothing_twice(own_world: World) -> None:
    world = own_world
    keys = [f"k{number}" for number in range(20)]
    probe = world.start()
    with world.gate("k10"):
        for key in keys:
            world.outside.knock(key, "gate")
        world.wait_until_held()
        probe.kill()
    world.start()
    eventually(lambda: all(world.done(key) for key in keys))
    assert world.metric("messages_redelivered_total", queue=QUEUE) == 1
    assert [len(world.done(key)) for key in keys] == [1] * 20


def test_a_message_that_kills_its_process_ends_among_the_dead_letters(amqp_uri: str) -> None:
    """The broker counts deliveries without an ack; here someone else takes it twenty times, and does not ack."""
    with Outside(amqp_uri) as outside:
        declare_subscription(outside.channel, QUEUE, PINGED)
        outside.knock("a")
        for _ in range(21):
            message = eventually(lambda: outside.channel.basic_get(QUEUE))
            outside.channel.basic_reject(message.delivery_tag, requeue=True)
        eventually(lambda: outside.size(DEAD) == 1)


def test_a_queue_with_other_arguments_stops_the_start_with_a_clear_message(
    world: World, amqp_uri: str, fork_server: ForkServer, tmp_path: Path
) -> None:
    with Outside(amqp_uri) as outside:
        outside.channel.queue_declare(QUEUE, durable=True, auto_delete=False)
    addresses = {"AMQP_URI": amqp_uri, "DATABASE_URL": world.database_url}
    ended = fork_server.start(RUNNER, [PROBE], {"ENVIRONMENT": "test", **TEST_SECRETS, **addresses}, tmp_path / "log")
    assert ended.wait() == 1
    assert f"The queue {QUEUE} exists with other arguments" in (tmp_path / "log").read_text()


def test_while_the_database_is_away_messages_wait_where_they_are(own_world: World) -> None:
    probe = own_world.start(RETRY_DELAYS="600")
    with own_world.database_away():
        own_world.outside.knock("a")
        eventually(lambda: probe.log.count("handling_failed") >= 2)
    eventually(own_world.happened("a"))


def test_a_service_that_starts_without_a_broker_begins_when_it_comes(own_world: World) -> None:
    with TcpProxy(own_world.amqp_uri) as proxy, ThreadPoolExecutor() as besides:
        proxy.refuse()
        starting = besides.submit(own_world.start, AMQP_URI=proxy.url)
        eventually(lambda: proxy.refused >= 2)
        proxy.welcome()
        starting.result()
        own_world.outside.knock("a")
        eventually(own_world.happened("a"))


def test_a_service_that_waits_for_the_broker_can_be_stopped(
    world: World, fork_server: ForkServer, tmp_path: Path
) -> None:
    addresses = {"AMQP_URI": "amqp://guest:guest@127.0.0.1:9//", "DATABASE_URL": world.database_url}
    waiting = fork_server.start(RUNNER, [PROBE], {"ENVIRONMENT": "test", **TEST_SECRETS, **addresses}, tmp_path / "log")
    eventually(lambda: (tmp_path / "log").exists() and "broker_lost" in (tmp_path / "log").read_text())
    waiting.terminate()
    assert waiting.wait() == 0


def test_a_cut_connection_is_opened_again(own_world: World) -> None:
    with TcpProxy(own_world.amqp_uri) as proxy:
        own_world.start(AMQP_URI=proxy.url)
        for key in ("a0", "a1", "a2"):
            proxy.cut()
            own_world.outside.knock(key)
            eventually(own_world.happened(key))
        own_world.outside.knock("behind")
        eventually(own_world.happened("behind"))
        assert [len(own_world.done(key)) for key in ("a0", "a1", "a2")] == [1, 1, 1]


def test_a_frozen_broker_is_noticed_by_the_heartbeat(own_world: World) -> None:
    with TcpProxy(own_world.amqp_uri) as proxy:
        probe = own_world.start(AMQP_URI=proxy.url, HEARTBEAT_SECONDS="2")
        proxy.freeze()
        eventually(lambda: f"{QUEUE} is not consumed" in reasons(probe))
        proxy.cut()
        proxy.thaw()
        own_world.outside.knock("a")
        eventually(own_world.happened("a"))


def test_an_ack_that_was_lost_with_the_connection_does_nothing_twice(own_world: World) -> None:
    world = own_world
    with TcpProxy(world.amqp_uri) as proxy:
        world.start(AMQP_URI=proxy.url)
        with world.gate("a"):
            world.outside.knock("a", "gate")
            world.wait_until_held()
            proxy.cut()
            eventually(lambda: world.metric("messages_redelivered_total", queue=QUEUE) == 1)
        world.outside.knock("behind")
        eventually(world.happened("behind"))
        assert len(world.done("a")) == 1
