"""Operators over the API of a whole stack: status of services and queues, dead letters, no personal data."""

import json
from typing import Any
from uuid import uuid4

import pytest
import requests

from deploy.local.client import ApiClient, ApiProblem, wait_until
from deploy.local.environment import SERVICES, keep_secrets
from deploy.local.stack import Stack
from services.contracts.events.revocation import REVOCATION_APPROVED
from services.contracts.external import bank
from services.membership.seed import demo_password
from tests.dead_letters import CARD, DEAD, letter_in, publish_nonsense, send_unsigned, settle
from tests.desks import once_found


@pytest.fixture(scope="module")
def operator(stack: Stack) -> ApiClient:
    return ApiClient(stack.gateway_url).sign_in("ops", demo_password())


def detail_of(operator: ApiClient, queue: str, letter_id: str) -> dict[str, Any]:
    """The letter with its content, as soon as it is there."""
    wait_until(lambda: letter_in(operator, queue, letter_id), "the message is among the dead letters")
    return once_found(
        lambda: operator.get(f"operations/dead-letters/{queue}/{letter_id}"), "nobody else has it in hand"
    )


def test_each_service_answers_with_its_version_and_processes(operator: ApiClient) -> None:
    services = operator.get("operations/services")["items"]
    assert [one["service"] for one in services] == [*SERVICES, "gateway"]
    assert all(one["answers"] and one["status"]["reasons"] == [] for one in services)
    assert [one["processes"] for one in services] == [*[1] * len(SERVICES), None]
    assert len({one["status"]["release"] for one in services} - {"unknown"}) == 1


def test_each_queue_tells_its_depth_and_consumers(operator: ApiClient) -> None:
    answer = operator.get("operations/queues")
    queues = {one["queue"]: one for one in answer["items"]}
    assert [name for name, one in queues.items() if one["is_missing"]] == []
    assert answer["restore_command"] == "python -m deploy.broker declare"
    assert (queues["membership.requests"]["kind"], queues["membership.requests"]["consumers"]) == ("requests", 1)
    assert (queues[bank.FEEDBACK_QUEUE]["service"], queues[bank.BATCHES_QUEUE]["kind"]) == ("batching", "to_bank")
    assert (queues[DEAD]["kind"], queues[DEAD]["consumers"]) == ("dead", 0)


def test_each_service_tells_how_it_does_every_minute(operator: ApiClient) -> None:
    def known() -> dict[str, dict[str, Any]]:
        samples = operator.get("operations/overview")["samples"]
        return {sample["service"]: sample for sample in samples if sample["waiting"] is not None}

    wait_until(lambda: {*known()} == {*SERVICES}, "each service has published a sample with what the broker has", 90)
    assert all(sample["dead"] >= 0 for sample in known().values())
    of_bank = {service: sample["from_bank"] is not None for service, sample in known().items()}
    assert [service for service, is_told in of_bank.items() if is_told] == ["batching"]


def test_monitoring_tells_operators_of_an_alert_until_it_is_over(stack: Stack, operator: ApiClient) -> None:
    fingerprint = uuid4().hex
    alert = {
        "status": "firing",
        "labels": {"alertname": "QueueGrows", "severity": "ticket", "queue": f"batching.{fingerprint}"},
        "annotations": {"notice": "该队列持续积压。"},
        "startsAt": "2026-11-30T08:29:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": fingerprint,
    }

    def tell(**changes: str) -> int:
        token = keep_secrets(stack.folder)["ALERTS_TOKEN"]
        headers = {"Authorization": f"Bearer {token}"}
        body = {"version": "4", "alerts": [alert | changes]}
        return requests.post(
            f"{stack.gateway_url}/api/v1/operations/alerts", json=body, headers=headers, timeout=60
        ).status_code

    def told() -> list[tuple[str, bool]]:
        messages = operator.get("messages?size=100")["items"]
        return [(one["title"], one["read"]) for one in messages if fingerprint in one["body"]]

    assert tell() == 204
    assert told() == [("系统告警（一般）", False)]
    assert tell(status="resolved", endsAt="2026-11-30T08:40:00Z") == 204
    assert told() == [("系统告警已恢复", True)]


@pytest.mark.parametrize("token", ["", "Bearer another", "Bearer "])
def test_an_alert_without_the_right_token_is_refused(stack: Stack, token: str) -> None:
    url = f"{stack.gateway_url}/api/v1/operations/alerts"
    answer = requests.post(url, json={"alerts": []}, headers={"Authorization": token}, timeout=60)
    assert (answer.status_code, answer.json()["code"]) == (403, "wrong_token")


def test_what_the_bank_said_of_a_person_is_not_shown(stack: Stack, operator: ApiClient) -> None:
    application_id = str(uuid4())

    detail = detail_of(operator, bank.REJECTED_QUEUE, send_unsigned(stack, application_id))

    assert detail["reason"]
    assert detail["content"]["application_ids"] == [application_id]
    assert CARD not in json.dumps(detail)


def test_a_dead_event_is_found_replayed_and_discarded_with_a_reason(stack: Stack, operator: ApiClient) -> None:
    broken = f"broken-{uuid4()}"
    publish_nonsense(stack, broken)
    detail = detail_of(operator, DEAD, broken)
    assert detail["type"] == REVOCATION_APPROVED.type
    assert CARD not in json.dumps(detail)

    assert settle(operator, DEAD, "replay", ids=[broken]) == [broken]
    detail_of(operator, DEAD, broken)  # it is wrong still and back again

    assert settle(operator, DEAD, "discard", ids=[broken], reason="测试数据") == [broken]
    assert letter_in(operator, DEAD, broken) is None

    def last() -> dict[str, Any] | None:
        acts = operator.get("operations/interventions")["items"]
        return next((act for act in acts if broken in [record["id"] for record in act["records"]]), None)

    act = wait_until(last, "the next shift can read it")
    assert (act["label"], act["new"]["reason"], act["display_name"]) == ("丢弃死信", "测试数据", None)


def test_dead_letters_are_listed_with_the_services_that_did_not_answer(stack: Stack, operator: ApiClient) -> None:
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


def test_only_operators_are_allowed(stack: Stack) -> None:
    clerk = ApiClient(stack.gateway_url).sign_in("guohua", demo_password())
    for path in ("services", "queues", "dead-letters", f"dead-letters/{DEAD}/1"):
        with pytest.raises(ApiProblem) as problem:
            clerk.get(f"operations/{path}")
        assert problem.value.status == 403
