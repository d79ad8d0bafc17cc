"""The revocation service as a process, between batching, the gateway and its database."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest

from deploy.local.client import wait_until
from services.common.contracts.batching import BATCH_SUBMITTED, CARDS_ISSUED, CARDS_REFUSED
from services.common.contracts.examples import wire_example
from services.common.contracts.revocation import REVOCATION_APPROVED, REVOCATION_REJECTED, REVOCATION_REQUESTED
from services.common.contracts.rpc.revocation import RevocationAnswer, RevocationsAnswer
from services.common.messaging.rpc import Caller
from tests.integration.conftest import StartService
from tests.integration.surroundings import Surroundings, surroundings_of

SUBMITTED = BATCH_SUBMITTED.load(wire_example(BATCH_SUBMITTED))
UNION = SUBMITTED["union"]
CLERK = Caller(account_id=str(uuid4()), roles=frozenset({"clerk"}), union_id=str(UNION["union_id"]))
ASKED = {"batch_no": SUBMITTED["batch_no"], "applicant_name": "王芳", "applicant_phone": "13800000000"}


@pytest.fixture
def revocation(start_service: StartService, database: Callable[[str], str], amqp_uri: str) -> Iterator[Surroundings]:
    with surroundings_of("revocation", amqp_uri) as surroundings:
        for contract in (REVOCATION_REQUESTED, REVOCATION_APPROVED, REVOCATION_REJECTED):
            surroundings.hear(contract)
        keys = os.environ["PERSONAL_DATA_KEYS"]
        start_service("services.revocation.service", database("revocation"), amqp_uri, PERSONAL_DATA_KEYS=keys)
        yield surroundings


def a_reviewer() -> Caller:
    superior = str(UNION["superior_union_id"])
    return Caller(account_id=str(uuid4()), roles=frozenset({"reviewer"}), union_id=superior)


def requested(revocation: Surroundings, request_id: str | None = None) -> dict[str, Any]:
    """A request for the batch, made once the service has heard of it."""
    answer = wait_until(
        lambda: revocation.ask("request_revocation", CLERK, ASKED, request_id).get("result"), "the batch is known"
    )
    return RevocationAnswer().load(answer)


def test_a_request_is_made_reviewed_and_told(revocation: Surroundings) -> None:
    revocation.tell(BATCH_SUBMITTED, SUBMITTED)
    made = requested(revocation)
    told = revocation.heard(REVOCATION_REQUESTED).data
    assert told["applicant"] == {"name": "王芳", "phone": "13800000000"}
    assert told["reviewer_union_id"] == UNION["superior_union_id"]

    reviewer = a_reviewer()
    page = RevocationsAnswer().load(revocation.ask("list_revocations", reviewer, {"state": "requested"})["result"])
    assert [item["revocation_id"] for item in page["items"]] == [made["revocation_id"]]
    decision = {"revocation_id": str(made["revocation_id"])}
    refused = revocation.ask("reject_revocation", reviewer, decision)["problem"]
    assert [(field["field"], field["code"]) for field in refused["fields"]] == [("remark", "required")]
    approved = revocation.ask("approve_revocation", reviewer, decision)["result"]
    assert approved["state"] == "approved"
    assert revocation.heard(REVOCATION_APPROVED).data["revocation_id"] == made["revocation_id"]


def test_asking_twice_with_one_request_id_makes_one_request(revocation: Surroundings) -> None:
    revocation.tell(BATCH_SUBMITTED, SUBMITTED)
    first = requested(revocation, "request-1")
    assert requested(revocation, "request-1") == first
    assert revocation.ask("request_revocation", CLERK, ASKED)["problem"]["code"] == "revocation_open"


def test_of_several_reviewers_at_once_one_decides(revocation: Surroundings) -> None:
    revocation.tell(BATCH_SUBMITTED, SUBMITTED)
    decision = {"revocation_id": str(requested(revocation)["revocation_id"]), "remark": "意见"}

    def decide(method: str) -> str:
        answer = revocation.ask(method, a_reviewer(), decision)
        return "decided" if "result" in answer else str(answer["problem"]["code"])

    with ThreadPoolExecutor(4) as reviewers:
        outcomes = list(reviewers.map(decide, ["approve_revocation", "reject_revocation"] * 2))
    assert sorted(outcomes) == ["already_decided"] * 3 + ["decided"]


def test_a_clerk_cannot_review(revocation: Surroundings) -> None:
    decision = {"revocation_id": str(uuid4())}
    assert revocation.ask("approve_revocation", CLERK, decision)["problem"]["code"] == "forbidden"


def test_decisions_of_the_bank_that_come_before_the_batch_count(revocation: Surroundings) -> None:
    issued, refused = SUBMITTED["applications"]
    facts = {"batch_no": SUBMITTED["batch_no"], "union_id": UNION["union_id"]}
    issue = {**issued, "version": 9, "issued_at": SUBMITTED["submitted_at"]}
    card = {"application_id": issued["application_id"], "card_no": "6224781234567891"}
    refusal = {**refused, "version": 9, "reason_code": "photo_unclear", "reason": "照片不清晰"}
    revocation.tell(CARDS_ISSUED, {**facts, "applications": [issue], "cards": [card]}, times=2)
    revocation.tell(CARDS_REFUSED, {**facts, "applications": [refusal]}, times=2)
    revocation.tell(BATCH_SUBMITTED, SUBMITTED, times=2)

    def is_decided() -> bool:
        problem = revocation.ask("request_revocation", CLERK, ASKED).get("problem", {})
        assert problem.get("code") in ("not_found", "batch_decided")
        return bool(problem["code"] == "batch_decided")

    # The three events have queues of their own: the batch may be known a moment before the bank's decisions are.
    wait_until(is_decided, "the batch is known as decided")
