"""The revocation service as a process, between batching, the gateway and its database."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from deploy.local.client import wait_until
from services.contracts.events.batching import BATCH_SUBMITTED, CARDS_ISSUED, CARDS_REFUSED
from services.contracts.events.revocation import (
    REVOCATION_APPROVED,
    REVOCATION_CLOSED,
    REVOCATION_REJECTED,
    REVOCATION_REQUESTED,
)
from services.contracts.examples import wire_example
from services.contracts.operations.revocation import RevocationAnswer, RevocationsAnswer
from services.kit.events.contract import EventContract
from services.kit.rpc.methods import Caller
from tests.databases import DatabaseFactory
from tests.documents import event_data, loaded
from tests.integration.conftest import StartService
from tests.integration.service_environment import ServiceEnvironment, service_environment

EXAMPLE = event_data(BATCH_SUBMITTED, wire_example(BATCH_SUBMITTED))


@dataclass
class Case:
    """The service, which all tests share, and a batch of the test's own with its union's clerk."""

    revocation: ServiceEnvironment
    submitted: dict[str, Any]

    @property
    def union(self) -> dict[str, Any]:
        union: dict[str, Any] = self.submitted["union"]
        return union

    @property
    def clerk(self) -> Caller:
        return Caller(account_id=str(uuid4()), roles=frozenset({"clerk"}), union_id=str(self.union["union_id"]))

    @property
    def reviewer(self) -> Caller:
        superior = str(self.union["superior_union_id"])
        return Caller(account_id=str(uuid4()), roles=frozenset({"reviewer"}), union_id=superior)

    def ask_for_revocation(self, caller: Caller, request_id: str | None = None) -> dict[str, Any]:
        """The clerk's question, as it is answered."""
        asked = {
            "batch_no": self.submitted["batch_no"],
            "applicant_name": "王芳",
            "applicant_phone": "13800000000",
            "reason_code": "information",
            "reason": "3 人的证件到期日填错",
        }
        answer: dict[str, Any] = self.revocation.call("request_revocation", caller, asked, request_id)
        return answer

    def requested(self, caller: Caller, request_id: str | None = None) -> dict[str, Any]:
        """A request for the batch, made once the service has handled its event."""
        answer = wait_until(
            lambda: self.ask_for_revocation(caller, request_id).get("result"), "the service knows the batch"
        )
        return loaded(RevocationAnswer, answer)

    def bank_decides(self) -> None:
        """Publishes one issued and one refused card, each event twice."""
        issued, refused = self.submitted["applications"]
        facts = {"batch_no": self.submitted["batch_no"], "union_id": self.union["union_id"]}
        issue = {**issued, "version": 9, "issued_at": self.submitted["submitted_at"]}
        card = {"application_id": issued["application_id"], "card_no": "6224781234567891"}
        refusal = {**refused, "version": 9, "reason_code": "photo_unclear", "reason": "照片不清晰"}
        self.revocation.publish(CARDS_ISSUED, {**facts, "applications": [issue], "cards": [card]}, times=2)
        self.revocation.publish(CARDS_REFUSED, {**facts, "applications": [refusal]}, times=2)

    def receive(self, contract: EventContract) -> dict[str, Any]:
        """The next event of this kind that speaks of the batch."""
        while (published := self.revocation.receive(contract).data)["batch_no"] != self.submitted["batch_no"]:
            pass
        return published


@pytest.fixture(scope="module")
def revocation(
    module_start_service: StartService, module_database: DatabaseFactory, module_amqp_uri: str
) -> Iterator[ServiceEnvironment]:
    with service_environment("revocation", module_amqp_uri) as environment:
        for contract in (REVOCATION_REQUESTED, REVOCATION_APPROVED, REVOCATION_REJECTED, REVOCATION_CLOSED):
            environment.subscribe(contract)
        keys = os.environ["PERSONAL_DATA_KEYS"]
        database_url = module_database("revocation")
        module_start_service("services.revocation.service", database_url, module_amqp_uri, PERSONAL_DATA_KEYS=keys)
        yield environment


@pytest.fixture
def case(revocation: ServiceEnvironment) -> Case:
    superior_id = uuid4()
    union = EXAMPLE["union"] | {
        "union_id": uuid4(), "superior_union_id": superior_id, "superior_ids": [superior_id, uuid4()],
    }  # fmt: skip
    applications = [{**one, "application_id": uuid4()} for one in EXAMPLE["applications"]]
    batch_no = f"cbc{uuid4().int:039}"[:24]
    return Case(revocation, {**EXAMPLE, "batch_no": batch_no, "union": union, "applications": applications})


def test_a_request_is_made_reviewed_and_published(case: Case) -> None:
    case.revocation.publish(BATCH_SUBMITTED, case.submitted)
    made = case.requested(case.clerk)
    published = case.receive(REVOCATION_REQUESTED)
    assert published["applicant"] == {"name": "王芳", "phone": "13800000000"}
    assert published["reviewer_union_id"] == case.union["superior_union_id"]

    reviewer, call = case.reviewer, case.revocation.call
    page = loaded(RevocationsAnswer, call("list_revocations", reviewer, {"state": "requested"})["result"])
    assert [item["revocation_id"] for item in page["items"]] == [made["revocation_id"]]
    decision = {"revocation_id": str(made["revocation_id"])}
    refused = call("reject_revocation", reviewer, decision)["problem"]
    assert [(field["field"], field["code"]) for field in refused["fields"]] == [("remark", "required")]
    approved = call("approve_revocation", reviewer, decision)["result"]
    assert approved["state"] == "approved"
    assert case.receive(REVOCATION_APPROVED)["revocation_id"] == made["revocation_id"]


def test_asking_twice_with_one_request_id_makes_one_request(case: Case) -> None:
    case.revocation.publish(BATCH_SUBMITTED, case.submitted)
    clerk = case.clerk
    first = case.requested(clerk, "request-1")
    assert case.requested(clerk, "request-1") == first
    assert case.ask_for_revocation(clerk)["problem"]["code"] == "revocation_open"


def test_of_several_reviewers_at_once_one_decides(case: Case) -> None:
    case.revocation.publish(BATCH_SUBMITTED, case.submitted)
    decision = {"revocation_id": str(case.requested(case.clerk)["revocation_id"]), "remark": "意见"}

    def decide(method: str) -> str:
        answer = case.revocation.call(method, case.reviewer, decision)
        return "decided" if "result" in answer else str(answer["problem"]["code"])

    with ThreadPoolExecutor(4) as reviewers:
        outcomes = list(reviewers.map(decide, ["approve_revocation", "reject_revocation"] * 2))
    assert sorted(outcomes) == ["already_decided"] * 3 + ["decided"]


def test_a_clerk_cannot_review(case: Case) -> None:
    decision = {"revocation_id": str(uuid4())}
    assert case.revocation.call("approve_revocation", case.clerk, decision)["problem"]["code"] == "forbidden"


def test_a_request_is_closed_automatically_when_the_bank_has_decided_on_all(case: Case) -> None:
    case.revocation.publish(BATCH_SUBMITTED, case.submitted)
    made = case.requested(case.clerk)
    case.bank_decides()

    published = case.receive(REVOCATION_CLOSED)
    assert published["revocation_id"] == made["revocation_id"]
    assert published["applicant"] == {"name": "王芳", "phone": "13800000000"}
    decision = {"revocation_id": str(made["revocation_id"])}
    assert case.revocation.call("approve_revocation", case.reviewer, decision)["problem"]["code"] == "already_decided"


def test_decisions_of_the_bank_that_come_before_the_batch_count(case: Case) -> None:
    revocation = case.revocation
    case.bank_decides()
    revocation.publish(BATCH_SUBMITTED, case.submitted, times=2)

    def is_decided() -> bool:
        return bool(case.ask_for_revocation(case.clerk).get("problem", {}).get("code") == "batch_decided")

    # The three events have queues of their own: a request may come after the batch and before all decisions, which
    # close it then.
    wait_until(is_decided, "the batch is known as decided")
