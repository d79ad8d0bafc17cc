"""Operators see how services and queues do and look after dead letters, and see nobody's data."""

import base64
import json
from typing import Any

import amqp
import pytest
import requests

from deploy.local.client import ApiClient, ApiProblem, wait_until
from deploy.local.environment import SERVICES
from deploy.local.stack import Stack
from services.common.contracts import bank
from services.common.contracts.revocation import REVOCATION_APPROVED
from services.common.messaging.connection import open_connection
from services.common.messaging.queues import EVENTS_EXCHANGE
from services.membership.seed import demo_password

DEAD = "batching.revocation_approved.dead"
CARD = "6222021234567890128"


@pytest.fixture(scope="module")
def operator(stack: Stack) -> ApiClient:
    return ApiClient(stack.gateway_url).sign_in("ops", demo_password())


def send_feedback(stack: Stack, **feedback: Any) -> None:
    """The bank sends what nobody signed."""
    order = {"body": base64.b64encode(json.dumps(feedback).encode()).decode(), "headers": {}}
    requests.post(f"{stack.simulator_urls['bank']}/raw", json=order, timeout=10).raise_for_status()


def tell_nonsense(stack: Stack, message_id: str) -> None:
    """revocation tells an event that breaks its contract."""
    connection = open_connection(stack.addresses.amqp_uris["revocation"], "test")
    channel = connection.channel()
    channel.confirm_select()
    document = {"specversion": "1.0", "id": message_id, "type": REVOCATION_APPROVED.type, "data": {"batch_no": CARD}}
    message = amqp.Message(json.dumps(document), message_id=message_id, type=REVOCATION_APPROVED.type, delivery_mode=2)
    channel.basic_publish_confirm(message, EVENTS_EXCHANGE, REVOCATION_APPROVED.type, mandatory=True)
    connection.close()


def letters(operator: ApiClient, queue: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = operator.get("operations/dead-letters", queue=queue, size=200)["items"]
    return items


def rejected(operator: ApiClient) -> set[str]:
    """The ids of what the bank sent in vain."""
    return {letter["id"] for letter in letters(operator, bank.REJECTED_QUEUE)}


def find(operator: ApiClient, queue: str, **with_: str) -> dict[str, Any] | None:
    return next((one for one in letters(operator, queue) if with_.items() <= one.items()), None)


def test_each_service_answers_with_its_version_and_processes(operator: ApiClient) -> None:
    services = operator.get("operations/services")["items"]
    assert [one["service"] for one in services] == list(SERVICES)
    assert all(one["answers"] and one["processes"] == 1 and one["status"]["reasons"] == [] for one in services)
    assert len({one["status"]["release"] for one in services} - {"unknown"}) == 1


def test_each_queue_tells_its_depth_and_consumers(operator: ApiClient) -> None:
    queues = {one["queue"]: one for one in operator.get("operations/queues")["items"]}
    assert (queues["rpc-membership"]["kind"], queues["rpc-membership"]["consumers"]) == ("requests", 1)
    assert (queues[bank.FEEDBACK_QUEUE]["service"], queues[bank.BATCHES_QUEUE]["kind"]) == ("batching", "to_bank")
    assert (queues[DEAD]["kind"], queues[DEAD]["consumers"]) == ("dead", 0)


def test_what_the_bank_said_of_a_person_is_not_shown(stack: Stack, operator: ApiClient) -> None:
    application_id = "019301a0-7b00-7c00-8000-00000000000a"
    result = {"application_id": application_id, "outcome": "issued", "card_no": CARD}
    before = rejected(operator)
    send_feedback(stack, feedback_id="unsigned-1", batch_no="cbc1", results=[result])
    (letter_id,) = wait_until(lambda: rejected(operator) - before, "the feedback is rejected")

    detail = operator.get(f"operations/dead-letters/{bank.REJECTED_QUEUE}/{letter_id}")

    assert detail["reason"]
    assert detail["content"]["application_ids"] == [application_id]
    assert CARD not in json.dumps(detail)


def test_a_dead_event_is_found_replayed_and_discarded_with_a_reason(stack: Stack, operator: ApiClient) -> None:
    tell_nonsense(stack, "broken-1")
    wait_until(lambda: find(operator, DEAD, id="broken-1"), "the event is among the dead letters")
    detail = operator.get(f"operations/dead-letters/{DEAD}/broken-1")
    assert detail["type"] == REVOCATION_APPROVED.type
    assert CARD not in json.dumps(detail)

    assert operator.post(f"operations/dead-letters/{DEAD}/replay", {"ids": ["broken-1"]}) == {"ids": ["broken-1"]}
    wait_until(lambda: find(operator, DEAD, id="broken-1"), "it is wrong still and back again")
    discarded = operator.post(f"operations/dead-letters/{DEAD}/discard", {"ids": ["broken-1"], "reason": "测试数据"})

    assert discarded == {"ids": ["broken-1"]}
    assert find(operator, DEAD, id="broken-1") is None


def test_without_a_service_the_others_are_told_of(stack: Stack, operator: ApiClient) -> None:
    answer = operator.get("operations/dead-letters")
    assert answer["unanswered"] == []
    assert answer["total"] >= len(answer["items"])


@pytest.mark.parametrize("queue", ["members", "batching.nothing.dead", "batching.members_queued"])
def test_what_is_no_queue_of_dead_letters_is_not_there(operator: ApiClient, queue: str) -> None:
    with pytest.raises(ApiProblem) as problem:
        operator.get(f"operations/dead-letters/{queue}/1")
    assert problem.value.status == 404


def test_a_discard_needs_ids_and_a_reason(operator: ApiClient) -> None:
    for body in ({"ids": ["a"]}, {"ids": ["a"], "reason": "  "}, {"ids": [], "reason": "测试"}, {"reason": "测试"}):
        with pytest.raises(ApiProblem) as problem:
            operator.post(f"operations/dead-letters/{DEAD}/discard", body)
        assert problem.value.status == 422
    with pytest.raises(ApiProblem) as problem:
        operator.post(f"operations/dead-letters/{DEAD}/replay", {})
    assert problem.value.status == 422


def test_nobody_but_operators_is_let_in(stack: Stack) -> None:
    clerk = ApiClient(stack.gateway_url).sign_in("guohua", demo_password())
    for path in ("services", "queues", "dead-letters", f"dead-letters/{DEAD}/1"):
        with pytest.raises(ApiProblem) as problem:
            clerk.get(f"operations/{path}")
        assert problem.value.status == 403
