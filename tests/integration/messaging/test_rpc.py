"""Requests are answered before their deadline or not at all, and a repeated command changes nothing twice."""

import hashlib
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
import requests
from sqlalchemy import select

from services.kit.amqp.queues import RPC_EXCHANGE, replies_exchange
from services.kit.data.database import handled_request
from services.kit.events.outbox import to_json
from tests.integration.messaging.world import PROBE_CLIENT, REQUESTS, World, eventually, reasons, records
from tests.tcp_proxy import TcpProxy


class ProbeClient:
    """A process that asks as the gateway does."""

    def __init__(self, process: Any) -> None:
        self.process = process
        self._url = process.http_url

    def call(self, name: str, data: dict[str, Any], service: str = "probe", deadline: float = 60) -> dict[str, Any]:
        """The answer that its client got."""
        url = f"{self._url}/{service}/{name}"
        return dict(requests.post(url, params={"deadline": deadline}, json=data, timeout=120).json())

    def why_no_answer(self) -> Any:
        """The error for which its client gave up last."""
        return [record for record in records(self.process) if record["event"] == "no_answer"][-1]["error"]


def test_a_command_changes_and_a_query_tells(world: World, key: str) -> None:
    assert world.outside.call("knock", {"key": key, "behaviour": "unheard"})["result"]["key"] == key
    assert world.outside.call("count", {"key": key}) == {"result": {"count": 1}}


def test_a_caller_without_the_role_is_refused(world: World, key: str) -> None:
    answer = world.outside.call("knock", {"key": key}, caller={"account_id": "r1", "roles": ["reviewer"]})
    assert answer["problem"]["code"] == "forbidden"
    assert world.effects(key) == []


def test_a_request_that_says_nothing_of_its_caller_is_refused(world: World, key: str) -> None:
    assert world.outside.call("knock", {"key": key}, caller=None)["problem"]["status"] == 403


def test_wrong_fields_are_named_in_chinese(world: World) -> None:
    problem = world.outside.call("knock", {"keys": "a"})["problem"]
    assert problem["status"] == 422
    assert {field["field"]: field["reason"] for field in problem["fields"]} == {"key": "必填", "keys": "不支持此项"}


def test_an_unknown_request_is_answered(world: World) -> None:
    assert world.outside.call("nothing", {})["problem"]["code"] == "unknown_request"


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", b'{"args": [[]]}', b'{"args": [{"deadline": "soon"}]}'])
def test_a_request_that_is_none_is_answered_and_harms_nobody(world: World, key: str, body: bytes) -> None:
    for reply_to in ("x" * 200, ""):
        world.outside.publish("nameko-rpc", "probe.count", body, reply_to=reply_to)
    assert world.outside.call("count", {"key": key}) == {"result": {"count": 0}}
    assert world.outside.size(REQUESTS) == 0


def test_a_request_id_seen_before_gets_the_same_answer_and_changes_nothing(world: World, key: str) -> None:
    first = world.outside.call("knock", {"key": key}, request_id=key)
    second = world.outside.call("knock", {"key": key}, request_id=key)
    assert first == second
    assert world.effects(key).count("a1") == 1


def test_two_requests_with_one_id_at_the_same_time_change_once(world: World, key: str) -> None:
    with world.gate(key):
        replies = [world.outside.request("knock", {"key": key, "behaviour": "gate"}, request_id=key) for _ in range(3)]
        world.wait_until_held(3)
    answers = [world.outside.answer_to(reply) for reply in replies]
    assert answers[0] == answers[1] == answers[2]
    assert world.effects(key).count("a1") == 1


def test_a_request_id_cannot_be_used_for_something_else(world: World, key: str) -> None:
    world.outside.call("knock", {"key": key}, request_id=key)
    assert (
        world.outside.call("knock", {"key": f"{key} other"}, request_id=key)["problem"]["code"]
        == "idempotency_key_reused"
    )


def test_what_is_kept_of_a_request_is_found_again_by_nobody_without_the_key(world: World, key: str) -> None:
    world.outside.call("knock", {"key": key}, request_id=key)
    with world.engine.connect() as connection:
        kept = connection.scalar(select(handled_request.c.fingerprint).where(handled_request.c.request_id == key))

    assert kept != hashlib.sha256(json.dumps(["knock", {"key": key}]).encode()).digest()


def test_a_request_id_is_its_accounts_own(world: World, key: str) -> None:
    for account in ("a1", "a2"):
        world.outside.call("knock", {"key": key}, request_id=key, caller={"account_id": account, "roles": ["clerk"]})
    assert {"a1", "a2"} <= set(world.effects(key))


def test_a_problem_undoes_what_the_command_did_and_frees_its_request_id(world: World, key: str) -> None:
    refused = world.outside.call("knock", {"key": key, "behaviour": "conflict"}, request_id=key)
    assert refused["problem"] == {"code": "taken", "status": 409, "title": "已被占用", "detail": "请另选。"}
    assert world.effects(key) == []
    assert "result" in world.outside.call("knock", {"key": key}, request_id=key)


def test_a_bug_is_answered_with_the_correlation_id_and_its_values_stay_out_of_the_log(world: World, key: str) -> None:
    answer = world.outside.call("knock", {"key": key, "behaviour": "bug"}, correlation_id=f"c-{key}")
    assert answer["problem"]["code"] == "internal_error"
    assert f"c-{key}" in answer["problem"]["detail"]
    assert "ZeroDivisionError" in world.log
    assert f"c-{key}" in world.log
    assert "310101199001011234" not in world.log


def test_a_query_cannot_write(world: World, key: str) -> None:
    assert world.outside.call("count", {"key": key, "behaviour": "write"})["problem"]["status"] == 500
    assert world.effects(key) == []


def test_a_request_that_nobody_waits_for_any_more_is_dropped(world: World, key: str) -> None:
    expired = world.metric("rpc_expired_total", service="probe")
    world.outside.request("knock", {"key": f"{key} late"}, deadline=time.time() - 10)
    world.outside.call("knock", {"key": f"{key} in time"}, deadline=time.time() + 600)
    eventually(lambda: world.metric("rpc_expired_total", service="probe") == expired + 1)
    assert world.effects(f"{key} late") == []


def test_a_stop_answers_what_was_asked_before(own_world: World) -> None:
    world = own_world
    world.start()
    with world.gate("a"):
        reply = world.outside.request("knock", {"key": "a", "behaviour": "gate"})
        world.wait_until_held()
        probe = world.begin_to_stop("probe requests")
    assert probe.stop() == 0
    assert "result" in world.outside.answer_to(reply)
    assert world.effects("a").count("a1") == 1
    assert world.outside.size(REQUESTS) == 0


@pytest.mark.parametrize(("request_id", "transactions"), [(None, 1), ("r1", 2)])
def test_a_command_that_the_broker_delivers_again_changes_once(
    own_world: World, request_id: str | None, transactions: int
) -> None:
    """Without a request id the second delivery is refused; with one it waits for what the first does."""
    world = own_world
    with TcpProxy(world.amqp_uri) as proxy:
        world.start(AMQP_URI=proxy.url)
        with world.gate("a"):
            reply = world.outside.request("knock", {"key": "a", "behaviour": "gate"}, request_id=request_id)
            world.wait_until_held()
            proxy.cut()
            eventually(lambda: world.metric("messages_redelivered_total", queue="probe requests") == 1)
            world.wait_until_held(transactions)
        answers = [world.outside.answer_to(reply) for _ in range(2)]
        assert world.effects("a").count("a1") == 1
        assert all("result" in answer for answer in answers) == (request_id is not None)


def test_while_the_database_is_away_the_answer_says_when_to_ask_again(own_world: World) -> None:
    own_world.start()
    with own_world.database_away():
        problem = own_world.outside.call("count", {"key": "a"})["problem"]
    assert (problem["status"], problem["retry_after"]) == (503, 5)
    assert own_world.outside.call("count", {"key": "a"}) == {"result": {"count": 0}}


def test_answers_and_problems_come_through_the_client(client: ProbeClient, key: str) -> None:
    assert client.call("count", {"key": key})["result"] == {"count": 0}
    assert client.call("knock", {"key": key, "behaviour": "conflict"})["problem"]["detail"] == "请另选。"


def test_past_the_deadline_the_client_says_so_and_keeps_nothing(world: World, client: ProbeClient, key: str) -> None:
    with world.gate(key):
        answer = client.call("knock", {"key": key, "behaviour": "gate"}, deadline=0.5)
    assert answer["problem"]["status"] == 503
    assert answer["problem"]["retry_after"] > 0
    assert answer["waiting"] == 0
    assert client.why_no_answer() == "services.kit.rpc.client._DeadlinePassed"
    assert "result" in client.call("count", {"key": key})


def test_a_request_to_a_service_that_is_not_there_ends_at_its_deadline(client: ProbeClient, key: str) -> None:
    answer = client.call("knock", {"key": key}, service="nobody", deadline=0.5)
    assert answer["problem"]["status"] == 503
    assert answer["waiting"] == 0
    assert client.why_no_answer() == "services.kit.rpc.client._DeadlinePassed"


def test_a_request_that_no_queue_took_is_published_again(world: World, client: ProbeClient, key: str) -> None:
    outside = world.outside
    queue = outside.queue_for_one()
    outside.channel.queue_bind(queue, RPC_EXCHANGE, "nobody.#")
    outside.publish("", queue, b"in the way")
    with ThreadPoolExecutor() as besides:
        call = besides.submit(client.call, "knock", {"key": key}, service="nobody")
        eventually(lambda: "request_published_again" in client.process.log)
        outside.get(queue)
        request = eventually(lambda: outside.get(queue))
        whose = {"correlation_id": request.correlation_id}
        answer = to_json({"result": {"result": {"key": key}}})
        outside.publish(replies_exchange("nobody"), request.reply_to, answer, **whose)
        assert call.result() == {"result": {"key": key}, "waiting": 0}


def test_without_a_broker_the_client_answers_before_the_deadline_and_recovers(world: World, key: str) -> None:
    with TcpProxy(world.amqp_uri) as proxy, new_client(world, AMQP_URI=proxy.url) as client:
        proxy.refuse()
        eventually(lambda: "client replies is not consumed" in reasons(client.process))
        assert client.call("count", {"key": key}, deadline=3600)["problem"]["status"] == 503
        proxy.welcome()
        eventually(lambda: "result" in client.call("count", {"key": key}, deadline=2))


@pytest.mark.parametrize(
    "trouble",
    ["cut", pytest.param("freeze", marks=pytest.mark.long("another error, which the heartbeat detects"))],
)
def test_a_connection_that_breaks_within_a_call_ends_it_before_its_deadline(
    world: World, key: str, trouble: str
) -> None:
    with (
        TcpProxy(world.amqp_uri) as proxy,
        new_client(world, AMQP_URI=proxy.url, HEARTBEAT_SECONDS="2") as client,
        ThreadPoolExecutor() as besides,
    ):
        with world.gate(key):
            call = besides.submit(client.call, "knock", {"key": key, "behaviour": "gate"}, deadline=3600)
            world.wait_until_held()
            getattr(proxy, trouble)()
            client.call("count", {"key": key}, deadline=2)  # who asks in the midst of it gets some answer too
            answer = call.result()
        assert (answer["problem"]["status"], answer["waiting"]) == (503, 0)
        proxy.cut()
        proxy.thaw()
        eventually(lambda: "result" in client.call("count", {"key": key}, deadline=2))


@pytest.fixture(scope="module")
def client(shared_world: World) -> Iterator[ProbeClient]:
    """A client of the module's probe."""
    with new_client(shared_world) as client:
        yield client


@contextmanager
def new_client(world: World, **settings: str) -> Iterator[ProbeClient]:
    """A client that runs until this ends."""
    process = world.start_service(PROBE_CLIENT, "", settings.pop("AMQP_URI", world.amqp_uri), **settings)
    yield ProbeClient(process)
    process.kill()
