"""Events are handled once, tried again while trouble passes, and never lost."""

import subprocess
import sys
import threading
import time

import pytest
import requests

from services.common.messaging.queues import declare_subscription
from tests.conftest import ROOT
from tests.integration.conftest import TEST_SECRETS
from tests.integration.messaging.probe.contracts import ANSWERED, PINGED
from tests.integration.messaging.world import PROBE, World, event, eventually
from tests.tcp_proxy import TcpProxy

QUEUE = "probe.pinged"
DEAD = "probe.pinged.dead"


def test_an_event_is_handled_once_however_often_it_comes(world: World) -> None:
    world.start()
    message_id, body = event("a")
    for _ in range(3):
        world.outside.publish("events", PINGED.type, body, message_id=message_id)
    world.outside.knock("b")
    eventually(world.happened("b"))
    assert len(world.done("a")) == 1


def test_what_a_handler_tells_goes_out_and_is_heard_by_listeners(world: World) -> None:
    world.start()
    world.outside.knock("a")
    eventually(lambda: "heard" in world.effects("a"))


def test_an_event_told_while_handling_carries_where_it_came_from(world: World) -> None:
    world.start()
    world.outside.channel.queue_declare("ear", durable=True, auto_delete=False)
    world.outside.channel.queue_bind("ear", "events", ANSWERED.type)
    message_id = world.outside.knock("a")
    answer = eventually(lambda: world.outside.get("ear"))
    document = world.outside.body_of(answer)
    assert document["causationid"] == message_id
    assert document["correlationid"] == message_id
    assert answer.properties["message_id"] == document["id"]
    assert answer.properties["delivery_mode"] == 2


def test_passing_trouble_is_tried_again_until_it_has_passed(world: World) -> None:
    world.start()
    world.outside.knock("a", "retry:7")
    eventually(world.happened("a"))
    assert len(world.effects("attempt at a")) == 8
    assert world.outside.size(DEAD) == 0


def test_a_service_that_cannot_be_reached_counts_as_passing_trouble(world: World) -> None:
    world.start(RETRY_DELAYS="0.1", ATTEMPTS_OF_UNKNOWN_ERRORS="1")
    world.outside.knock("a", "unreachable")
    time.sleep(2)
    assert world.outside.size(DEAD) == 0


def test_a_bug_is_tried_a_few_times_and_then_laid_among_the_dead_letters_with_its_cause(world: World) -> None:
    probe = world.start(RETRY_DELAYS="0.1")
    message_id, body = event("a", "bug")
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
    assert "310101199001011234" not in str(headers) + probe.log
    assert world.done("a") == []


def test_a_message_that_is_wrong_in_itself_is_a_dead_letter_at_once(world: World) -> None:
    world.start(RETRY_DELAYS="60")
    world.outside.knock("a", "reject")
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
    world.start(RETRY_DELAYS="60")
    world.outside.publish("events", PINGED.type, body, **properties)
    dead = eventually(lambda: world.outside.get(DEAD))
    assert dead.body == body
    assert properties.items() <= dead.properties.items()


def test_a_graceful_stop_finishes_and_acks_what_runs_and_leaves_the_rest(world: World) -> None:
    probe = world.start()
    world.outside.knock("slow", "sleep:3")
    world.outside.knock("next")
    eventually(lambda: world.outside.size(QUEUE) == 1)
    time.sleep(0.5)
    assert probe.stop() == 0
    assert len(world.done("slow")) == 1
    assert world.done("next") == []
    assert world.outside.size(QUEUE) == 1
    world.start()
    eventually(world.happened("next"))


def test_a_killed_process_loses_nothing_and_does_nothing_twice(world: World) -> None:
    probe = world.start()
    for number in range(20):
        world.outside.knock(f"k{number}", "sleep:0.05")
    eventually(world.happened("k5"))
    probe.kill()
    successor = world.start()
    eventually(lambda: all(world.done(f"k{number}") for number in range(20)))
    metrics = requests.get(f"{successor.health_url}/metrics", timeout=5).text
    assert f'messages_redelivered_total{{queue="{QUEUE}"}} 1.0' in metrics
    assert [len(world.done(f"k{number}")) for number in range(20)] == [1] * 20


def test_a_message_that_kills_its_process_ends_among_the_dead_letters(world: World) -> None:
    """The broker counts deliveries without an ack; here someone else takes it twenty times, and does not ack."""
    connection = world.outside.connection
    channel = connection.channel()
    declare_subscription(channel, QUEUE, PINGED.type)
    world.outside.knock("a")
    for _ in range(21):
        message = eventually(lambda: channel.basic_get(QUEUE))
        channel.basic_reject(message.delivery_tag, requeue=True)
    eventually(lambda: world.outside.size(DEAD) == 1)


def test_a_queue_with_other_arguments_stops_the_start_with_a_clear_word(world: World) -> None:
    world.outside.channel.queue_declare(QUEUE, durable=True, auto_delete=False)
    ended = subprocess.run(
        [sys.executable, "-m", "services.common.runner", PROBE],
        cwd=ROOT,
        env={"ENVIRONMENT": "test", **TEST_SECRETS, "AMQP_URI": world.amqp_uri, "DATABASE_URL": world.database_url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert f"The queue {QUEUE} exists with other arguments" in ended.stdout


def test_while_the_database_is_away_messages_wait_where_they_are(world: World) -> None:
    world.start(RETRY_DELAYS="600")
    with world.database_away():
        world.outside.knock("a")
        time.sleep(2)
    eventually(world.happened("a"))


def test_a_service_that_starts_without_a_broker_begins_when_it_comes(world: World) -> None:
    with TcpProxy(world.amqp_uri) as proxy:
        proxy.refuse()
        threading.Timer(2, proxy.welcome).start()
        world.start(AMQP_URI=proxy.url)
        world.outside.knock("a")
        eventually(world.happened("a"))


def test_a_service_that_waits_for_the_broker_can_be_stopped(world: World) -> None:
    waiting = subprocess.Popen(
        [sys.executable, "-m", "services.common.runner", PROBE],
        cwd=ROOT,
        env={
            "ENVIRONMENT": "test",
            **TEST_SECRETS,
            "AMQP_URI": "amqp://guest:guest@127.0.0.1:9//",
            "DATABASE_URL": world.database_url,
        },
        stdout=subprocess.PIPE,
        text=True,
    )
    assert waiting.stdout is not None
    assert any("broker_lost" in line for line in waiting.stdout)
    waiting.terminate()
    assert waiting.wait(60) == 0


def test_a_cut_connection_is_opened_again(world: World) -> None:
    with TcpProxy(world.amqp_uri) as proxy:
        world.start(AMQP_URI=proxy.url)
        for number in range(3):
            proxy.cut()
            world.outside.knock(f"a{number}", "sleep:0.1")
            eventually(world.happened(f"a{number}"))
        assert [len(world.done(f"a{number}")) for number in range(3)] == [1, 1, 1]


def test_a_frozen_broker_is_noticed_by_the_heartbeat(world: World) -> None:
    with TcpProxy(world.amqp_uri) as proxy:
        probe = world.start(AMQP_URI=proxy.url, HEARTBEAT_SECONDS="2")
        proxy.freeze()
        eventually(lambda: "probe.pinged is not consumed" in _reasons(probe.health_url))
        proxy.cut()
        proxy.thaw()
        world.outside.knock("a")
        eventually(world.happened("a"))


def test_an_ack_that_was_lost_with_the_connection_does_nothing_twice(world: World) -> None:
    with TcpProxy(world.amqp_uri) as proxy:
        world.start(AMQP_URI=proxy.url)
        world.outside.knock("a", "sleep:1")
        time.sleep(0.5)
        proxy.cut()
        eventually(world.happened("a"))
        time.sleep(2)
        assert len(world.done("a")) == 1


def _reasons(health_url: str) -> list[str]:
    return list(requests.get(f"{health_url}/readyz", timeout=5).json()["reasons"])
