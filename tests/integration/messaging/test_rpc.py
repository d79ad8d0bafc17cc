"""Requests are answered in time or not at all, and a repeated command changes nothing twice."""

import hashlib
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests
from sqlalchemy import select

from deploy.local.ports import hold_port
from services.common.persistence import handled_request
from tests.integration.messaging.world import ASKER, World, eventually
from tests.tcp_proxy import TcpProxy

Ask = Callable[..., dict[str, Any]]


def test_a_command_changes_and_a_query_tells(world: World) -> None:
    world.start()
    assert world.outside.ask("knock", {"key": "a", "behaviour": "unheard"})["result"]["key"] == "a"
    assert world.outside.ask("count", {"key": "a"}) == {"result": {"count": 1}}


def test_a_caller_without_the_role_is_refused(world: World) -> None:
    world.start()
    answer = world.outside.ask("knock", {"key": "a"}, caller={"account_id": "r1", "roles": ["reviewer"]})
    assert answer["problem"]["code"] == "forbidden"
    assert world.effects("a") == []


def test_a_request_that_says_nothing_of_its_caller_is_refused(world: World) -> None:
    world.start()
    assert world.outside.ask("knock", {"key": "a"}, caller=None)["problem"]["status"] == 403


def test_wrong_fields_are_named_in_chinese(world: World) -> None:
    world.start()
    problem = world.outside.ask("knock", {"keys": "a"})["problem"]
    assert problem["status"] == 422
    assert {field["field"]: field["reason"] for field in problem["fields"]} == {"key": "必填", "keys": "不支持此项"}


def test_an_unknown_request_is_answered(world: World) -> None:
    world.start()
    assert world.outside.ask("nothing", {})["problem"]["code"] == "unknown_request"


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", b'{"args": [[]]}', b'{"args": [{"deadline": "soon"}]}'])
def test_a_request_that_is_none_is_answered_and_harms_nobody(world: World, body: bytes) -> None:
    world.start()
    for reply_to in ("x" * 200, ""):
        world.outside.publish("nameko-rpc", "probe.count", body, reply_to=reply_to)
    assert world.outside.ask("count", {"key": "a"}) == {"result": {"count": 0}}
    assert world.outside.size("rpc-probe") == 0


def test_a_request_id_seen_before_gets_the_same_answer_and_changes_nothing(world: World) -> None:
    world.start()
    first = world.outside.ask("knock", {"key": "a"}, request_id="r1")
    second = world.outside.ask("knock", {"key": "a"}, request_id="r1")
    assert first == second
    assert world.effects("a").count("a1") == 1


def test_two_requests_with_one_id_at_the_same_time_change_once(world: World) -> None:
    world.start()
    replies = [
        world.outside.request("knock", {"key": "a", "behaviour": "sleep:0.5"}, request_id="r1") for _ in range(3)
    ]
    answers = [world.outside.answer_to(reply) for reply in replies]
    assert answers[0] == answers[1] == answers[2]
    assert world.effects("a").count("a1") == 1


def test_a_request_id_cannot_be_used_for_something_else(world: World) -> None:
    world.start()
    world.outside.ask("knock", {"key": "a"}, request_id="r1")
    assert world.outside.ask("knock", {"key": "b"}, request_id="r1")["problem"]["code"] == "idempotency_key_reused"


def test_what_is_kept_of_a_request_is_found_again_by_nobody_without_the_key(world: World) -> None:
    world.start()
    world.outside.ask("knock", {"key": "a"}, request_id="r1")
    with world.engine.connect() as connection:
        kept = connection.scalar(select(handled_request.c.fingerprint))

    assert kept != hashlib.sha256(json.dumps(["knock", {"key": "a"}]).encode()).digest()


def test_a_request_id_is_its_accounts_own(world: World) -> None:
    world.start()
    for account in ("a1", "a2"):
        world.outside.ask("knock", {"key": "a"}, request_id="r1", caller={"account_id": account, "roles": ["clerk"]})
    assert {"a1", "a2"} <= set(world.effects("a"))


def test_a_problem_undoes_what_the_command_did_and_frees_its_request_id(world: World) -> None:
    world.start()
    refused = world.outside.ask("knock", {"key": "a", "behaviour": "conflict"}, request_id="r1")
    assert refused["problem"] == {"code": "taken", "status": 409, "title": "已被占用", "detail": "请另选。"}
    assert world.effects("a") == []
    assert "result" in world.outside.ask("knock", {"key": "a"}, request_id="r1")


def test_a_bug_is_answered_with_the_correlation_id_and_its_values_stay_out_of_the_log(world: World) -> None:
    probe = world.start()
    answer = world.outside.ask("knock", {"key": "a", "behaviour": "bug"}, correlation_id="c-77")
    assert answer["problem"]["code"] == "internal_error"
    assert "c-77" in answer["problem"]["detail"]
    assert "ZeroDivisionError" in probe.log
    assert "c-77" in probe.log
    assert "310101199001011234" not in probe.log


def test_a_query_cannot_write(world: World) -> None:
    world.start()
    assert world.outside.ask("count", {"key": "a", "behaviour": "write"})["problem"]["status"] == 500
    assert world.effects("a") == []


def test_a_request_that_nobody_waits_for_any_more_is_dropped(world: World) -> None:
    world.start()
    world.outside.request("knock", {"key": "late"}, deadline=time.time() - 10)
    world.outside.ask("knock", {"key": "in time"}, deadline=time.time() + 10)
    assert world.effects("late") == []


def test_a_stop_answers_what_was_asked_before(world: World) -> None:
    probe = world.start()
    reply = world.outside.request("knock", {"key": "a", "behaviour": "sleep:3"})
    eventually(lambda: world.outside.size("rpc-probe") == 0)
    time.sleep(0.5)
    assert probe.stop() == 0
    assert "result" in world.outside.answer_to(reply)
    assert world.effects("a").count("a1") == 1
    assert world.outside.size("rpc-probe") == 0


@pytest.mark.parametrize("request_id", [None, "r1"])
def test_a_command_that_the_broker_delivers_again_changes_once(world: World, request_id: str | None) -> None:
    with TcpProxy(world.amqp_uri) as proxy:
        world.start(AMQP_URI=proxy.url)
        data = {"key": "a", "behaviour": "sleep:1"}
        world.outside.request("knock", data, request_id=request_id)
        time.sleep(0.5)
        proxy.cut()
        time.sleep(3)
        assert world.effects("a").count("a1") == 1


def test_while_the_database_is_away_the_answer_says_when_to_ask_again(world: World) -> None:
    world.start()
    with world.database_away():
        problem = world.outside.ask("count", {"key": "a"})["problem"]
    assert (problem["status"], problem["retry_after"]) == (503, 5)
    assert world.outside.ask("count", {"key": "a"}) == {"result": {"count": 0}}


def test_answers_and_problems_come_through_the_client(world: World) -> None:
    world.start()
    ask = asker(world)
    assert ask("count", {"key": "a"})["result"] == {"count": 0}
    assert ask("knock", {"key": "a", "behaviour": "conflict"})["problem"]["detail"] == "请另选。"


def test_past_the_deadline_the_client_says_so_and_keeps_nothing(world: World) -> None:
    world.start()
    answer = asker(world)("knock", {"key": "a", "behaviour": "sleep:4"})
    assert answer["problem"]["status"] == 503
    assert answer["problem"]["retry_after"] > 0
    assert 2 <= answer["seconds"] < 4
    assert answer["waiting"] == 0


def test_a_request_to_a_service_that_is_not_there_ends_at_its_deadline(world: World) -> None:
    answer = asker(world)("knock", {"key": "a"})
    assert answer["problem"]["status"] == 503
    assert answer["waiting"] == 0


def test_without_a_broker_the_client_answers_at_once_and_recovers(world: World) -> None:
    world.start()
    with TcpProxy(world.amqp_uri) as proxy:
        ask = asker(world, AMQP_URI=proxy.url)
        proxy.refuse()
        time.sleep(0.5)
        answer = ask("count", {"key": "a"})
        assert answer["problem"]["status"] == 503
        assert answer["seconds"] < 2
        proxy.welcome()
        eventually(lambda: "result" in ask("count", {"key": "a"}))


@pytest.mark.parametrize("trouble", ["cut", "freeze"])
def test_a_connection_that_breaks_within_a_call_ends_it_in_time(world: World, trouble: str) -> None:
    world.start()
    with TcpProxy(world.amqp_uri) as proxy:
        ask = asker(world, AMQP_URI=proxy.url, HEARTBEAT_SECONDS="2")
        ask("count", {"key": "a"})
        getattr(proxy, trouble)()
        assert ask("count", {"key": "a"})["seconds"] < 10
        proxy.cut()
        proxy.thaw()
        eventually(lambda: "result" in ask("count", {"key": "a"}))


def asker(world: World, **settings: str) -> Ask:
    """A running asker: `ask(name, data)`."""
    port = hold_port()
    world.start_service(ASKER, "", settings.pop("AMQP_URI", world.amqp_uri), GATEWAY_PORT=str(port), **settings)
    return lambda name, data: dict(requests.post(f"http://127.0.0.1:{port}/{name}", json=data, timeout=10).json())
