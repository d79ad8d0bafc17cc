"""The batching service as processes, between membership, validation, the gateway, the bank and its database."""

import base64
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import Any
from uuid import UUID, uuid4

import amqp
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from deploy.local.client import wait_until
from services.batching.seed import seed
from services.contracts.events.batching import (
    BATCH_RELEASED,
    BATCH_SUBMITTED,
    CARDS_ISSUED,
    PENDING_CHANGED,
    VALIDATION_REQUESTED,
)
from services.contracts.events.membership import APPLICATION_CANCELLED, MEMBERS_QUEUED
from services.contracts.events.revocation import REVOCATION_APPROVED
from services.contracts.events.validation import MEMBERS_VALIDATED
from services.contracts.external import bank
from services.contracts.external.protection import SIGNATURE_HEADER, is_signed, sign
from services.contracts.operations import batching as rpc
from services.kit.amqp.connection import open_connection
from services.kit.events.contract import EventContract
from services.kit.events.envelope import Event
from services.kit.rpc.methods import Caller
from tests.databases import DatabaseFactory
from tests.documents import loaded
from tests.integration.batching.desk import CONSENT, CONTACT, KEY, OUTLET, a_feedback
from tests.integration.conftest import ServiceProcess, StartService
from tests.integration.service_environment import ServiceEnvironment, service_environment
from tests.mothers import a_card_number, a_clerk_of, a_queueing, a_union, an_applicant

SUBMISSION: dict[str, Any] = {"channel": "ordinary", **OUTLET, **CONTACT, **CONSENT}
TOLD = (VALIDATION_REQUESTED, BATCH_SUBMITTED, CARDS_ISSUED, BATCH_RELEASED, PENDING_CHANGED)


@dataclass
class Line:
    """The service's environment for all tests: broker, database, and the bank's queues."""

    around: ServiceEnvironment
    channel: amqp.Channel
    database_url: str
    amqp_uri: str

    def start(self, start_service: StartService) -> ServiceProcess:
        environment = {name: os.environ[name] for name in ("PERSONAL_DATA_KEYS", "BLIND_INDEX_KEY")}
        return start_service(
            "services.batching.service", self.database_url, self.amqp_uri, BANK_HMAC_KEY=KEY.decode(), **environment
        )


@dataclass
class Batching:
    """The service as the clerk of one union sees it."""

    line: Line
    union: dict[str, Any]
    clerk: Caller

    def call(self, method: str, request_id: str | None = None, caller: Caller | None = None, **data: Any) -> Any:
        return self.line.around.call(method, caller or self.clerk, data, request_id)

    def queue(self, size: int) -> list[UUID]:
        """Queues members and returns when they are listed."""
        applicants = [an_applicant() for _ in range(size)]
        self.line.around.publish(MEMBERS_QUEUED, a_queueing(*applicants, union=self.union), times=2)
        wait_until(lambda: self.call("list_pending")["result"]["total"] == size, "the members are listed")
        return [applicant["application_id"] for applicant in applicants]

    def pass_check(self, application_ids: list[UUID]) -> None:
        self.call("check_pending")
        results = [{"application_id": one, "check_no": 1, "result": "passed"} for one in application_ids]
        published = {"union_id": self.clerk.union_id, "results": results, "findings": []}
        self.line.around.publish(MEMBERS_VALIDATED, published)
        wait_until(
            lambda: self.call("list_pending")["result"]["counts"]["ordinary"]["passed"] == len(application_ids),
            "the check has passed",
        )

    def a_batch(self, size: int) -> tuple[str, list[UUID]]:
        application_ids = self.queue(size)
        self.pass_check(application_ids)
        return self.call("submit_batch", **SUBMISSION)["result"]["batch_no"], application_ids

    def receive(self, contract: EventContract) -> Event:
        """The next event of this kind that speaks of the union."""
        while True:
            event = self.line.around.receive(contract)
            if self.union["union_id"] in (event.data.get("union_id"), event.data.get("union", {}).get("union_id")):
                return event

    def feed(self, batch_no: str, *results: dict[str, Any]) -> None:
        feedback = a_feedback(batch_no, *results)
        self.send(feedback.body, feedback.headers)

    def send(self, body: bytes, headers: dict[str, Any]) -> None:
        message = amqp.Message(body, application_headers=headers, delivery_mode=2)
        self.line.channel.basic_publish_confirm(message, "", bank.FEEDBACK_QUEUE, mandatory=True)

    def taken_from(self, queue: str) -> amqp.Message:
        return wait_until(lambda: self.line.channel.basic_get(queue, no_ack=True), f"a message in {queue}")

    def sent_to_the_bank(self, batch_no: str) -> amqp.Message:
        """The next message to the bank that speaks of the batch."""
        while batch_no.encode() not in (message := self.taken_from(bank.BATCHES_QUEUE)).body:
            pass
        return message

    def scalar(self, statement: str) -> Any:
        """What the database answers; the statement may name the union's id as `:own`."""
        with create_engine(self.line.database_url).connect() as connection:
            return connection.scalar(text(statement), {"own": self.clerk.union_id})


@pytest.fixture(scope="module")
def line(module_start_service: StartService, module_database: DatabaseFactory, module_amqp_uri: str) -> Iterator[Line]:
    """One process of the service with everything around it."""
    database_url = module_database("batching")
    with Session(create_engine(database_url)) as session, session.begin():
        seed(session)
    with service_environment("batching", module_amqp_uri) as environment:
        for contract in TOLD:
            environment.subscribe(contract)
        with open_connection(module_amqp_uri, "bank") as connection:
            channel = connection.channel()
            channel.auto_decode = False
            channel.confirm_select()
            line = Line(environment, channel, database_url, module_amqp_uri)
            line.start(module_start_service)
            yield line


@pytest.fixture
def batching(line: Line) -> Batching:
    """The process that all tests share, each with a union of its own."""
    union = a_union()
    return Batching(line, union, a_clerk_of(union))


def test_members_go_from_the_queue_to_their_cards(batching: Batching) -> None:
    application_ids = batching.queue(3)
    page = loaded(rpc.ListPendingAnswer, batching.call("list_pending")["result"])
    assert {item["application_id"] for item in page["items"]} == set(application_ids)

    batching.pass_check(application_ids)
    asked = batching.receive(VALIDATION_REQUESTED).data
    assert {one["application_id"] for one in asked["applications"]} == set(application_ids)
    batch = loaded(rpc.SubmitBatchAnswer, batching.call("submit_batch", **SUBMISSION)["result"])
    batch_no = batch["batch_no"]
    assert batching.receive(BATCH_SUBMITTED).data["batch_no"] == batch_no
    sent = batching.sent_to_the_bank(batch_no)
    assert is_signed(sent.body, sent.headers[SIGNATURE_HEADER], [KEY])

    register = loaded(rpc.RegisterAnswer, batching.call("get_register", batch_no=batch_no)["result"])
    assert base64.b64decode(register["content"]).startswith(b"%PDF")
    assert register["register_hash"] == batch["register_hash"]
    assert base64.b64decode(batching.call("get_attachments", batch_no=batch_no)["result"]["content"])[:2] == b"PK"

    card = a_card_number()
    batching.feed(batch_no, {"application_id": application_ids[0], "outcome": "issued", "card_no": card})
    published = batching.receive(CARDS_ISSUED).data
    assert published["cards"] == [{"application_id": application_ids[0], "card_no": card}]
    detail = loaded(rpc.BatchDetailAnswer, batching.call("get_batch", batch_no=batch_no)["result"])
    assert (detail["state"], detail["issued"], detail["register_state"]) == ("partly_decided", 1, "printed")
    members = loaded(rpc.ListBatchMembersAnswer, batching.call("list_batch_members", batch_no=batch_no)["result"])
    assert {member["application_id"]: member["card_no"] for member in members["items"]} == {
        application_ids[0]: f"{card[:6]}******{card[-4:]}", application_ids[1]: None, application_ids[2]: None,
    }  # fmt: skip

    loaded(rpc.ListBatchesAnswer, batching.call("list_batches", batch_no=batch_no[:10])["result"])
    loaded(rpc.BatchSummaryAnswer, batching.call("get_batch_summary")["result"])
    loaded(rpc.ListBranchesAnswer, batching.call("list_branches")["result"])
    outlets = loaded(rpc.ListOutletsAnswer, batching.call("list_outlets", q="杨浦区")["result"])
    assert "上海市杨浦区闸殷路1555号国华广场102室" in {outlet["address"] for outlet in outlets["items"]}


def test_a_clerk_completes_and_removes_entries(batching: Batching) -> None:
    first, second = batching.queue(2)
    item = batching.call("update_pending", application_id=str(first), document_expiry="2041-02-03")["result"]
    assert loaded(rpc.PendingAnswer, item)["document_expiry"].isoformat() == "2041-02-03"
    assert batching.call("remove_pending", application_id=str(first))["result"] == {"removed": 1}
    assert batching.call("remove_pending", application_id=str(first))["problem"]["status"] == 404
    assert batching.call("remove_pending_many", which="not_passed")["result"] == {"removed": 1}
    refusal = batching.call("remove_pending_many", which="not_passed", application_ids=[str(second)])["problem"]
    assert refusal["status"] == 422


def test_only_clerks_submit(batching: Batching) -> None:
    reviewer = Caller(account_id="r", roles=frozenset({"reviewer"}), union_id=batching.clerk.union_id)
    assert batching.call("submit_batch", caller=reviewer, **SUBMISSION)["problem"]["code"] == "forbidden"
    [wrong] = batching.call("submit_batch", **{**SUBMISSION, "contact_phone": "1"})["problem"]["fields"]
    assert wrong["field"] == "contact_phone"


def test_two_clerks_at_two_processes_make_one_batch(batching: Batching, start_service: StartService) -> None:
    batching.line.start(start_service)
    batching.pass_check(batching.queue(300))

    with ThreadPoolExecutor(4) as clerks:
        answers = list(clerks.map(lambda _: batching.call("submit_batch", **SUBMISSION), range(4)))

    assert sum("result" in answer for answer in answers) == 1
    assert {answer["problem"]["code"] for answer in answers if "problem" in answer} == {"pending_empty"}
    assert batching.scalar("select count(*) from batch where union_id = :own") == 1


def test_a_submission_repeated_with_its_request_id_answers_the_same(batching: Batching) -> None:
    batching.pass_check(batching.queue(1))
    first = batching.call("submit_batch", "request-1", **SUBMISSION)
    assert batching.call("submit_batch", "request-1", **SUBMISSION) == first


def test_an_unsigned_bank_message_is_rejected_unchanged(batching: Batching) -> None:
    batch_no, [application_id] = batching.a_batch(1)
    forged = a_feedback(batch_no, {"application_id": application_id, "outcome": "accepted"}, key=b"forged")
    for body, headers, reason in (
        (forged.body, forged.headers, "bad_signature"),
        (
            b"\xff no json",
            {SIGNATURE_HEADER: sign(b"\xff no json", KEY)},
            "not_json",
        ),
    ):
        batching.send(body, headers)
        rejected = batching.taken_from(bank.REJECTED_QUEUE)
        assert rejected.body == body
        assert rejected.headers["x-reason"] == reason


def test_feedback_is_applied_once_though_a_process_is_killed_over_it(
    batching: Batching, start_service: StartService
) -> None:
    batch_no, application_ids = batching.a_batch(400)
    doomed = batching.line.start(start_service)
    for application_id in application_ids:
        result = {"application_id": application_id, "outcome": "issued", "card_no": a_card_number()}
        batching.feed(batch_no, result)
        if application_id == application_ids[200]:
            doomed.kill()

    wait_until(
        lambda: batching.scalar("select count(*) from application where union_id = :own and state = 'issued'") == 400,
        "all cards are issued",
    )
    assert batching.scalar("select issued from batch where union_id = :own") == 400
    of_the_batch = "select sum(applied) from bank_feedback join batch using (batch_no) where union_id = :own"
    assert batching.scalar(of_the_batch) == 400
    published: dict[str, list[UUID]] = {}  # by event: the relay of a killed process may have told one that comes again
    while sum(map(len, published.values())) < 400:
        event = batching.receive(CARDS_ISSUED)
        published[event.id] = [one["application_id"] for one in event.data["applications"]]
    assert sorted(chain.from_iterable(published.values())) == sorted(application_ids)


def test_an_approved_revocation_releases_and_recalls(batching: Batching) -> None:
    batch_no, application_ids = batching.a_batch(2)
    batching.sent_to_the_bank(batch_no)

    batching.line.around.publish(
        REVOCATION_APPROVED,
        {
            "revocation_id": uuid4(),
            "batch_no": batch_no,
            "union_id": batching.clerk.union_id,
            "reviewer_union_id": batching.clerk.superior_union_id,
            "decided_by": uuid4(),
            "decided_at": datetime.now(UTC),
            "applicant": {"name": "王芳", "phone": "13800000000"},
        },
        times=2,
    )

    published = batching.receive(BATCH_RELEASED).data
    assert {one["application_id"] for one in published["applications"]} == set(application_ids)
    assert b'"applicants"' in batching.sent_to_the_bank(batch_no).body
    assert batching.call("get_batch", batch_no=batch_no)["result"]["state"] == "revoked"


def test_a_cancellation_that_comes_before_the_queueing_takes_effect_after_it(batching: Batching) -> None:
    applicant = an_applicant()
    queueing = a_queueing(applicant, union=batching.union)
    cancellation = {
        "union_id": batching.union["union_id"],
        "application_id": applicant["application_id"],
        "member_id": queueing["applications"][0]["member_id"],
        "reason": "already_issued",
        "issued_application_id": uuid4(),
        "issued_union_id": uuid4(),
        "member_no": queueing["applications"][0]["member_no"],
    }
    batching.line.around.publish(APPLICATION_CANCELLED, cancellation)
    batching.line.around.publish(MEMBERS_QUEUED, queueing)
    state = "select state from application where union_id = :own"
    wait_until(lambda: batching.scalar(state) == "removed", "the application is removed")
