"""The batching service as processes, between membership, validation, the gateway, the bank and its database."""

import base64
import os
from collections.abc import Callable, Iterator
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
from services.common.contracts import bank
from services.common.contracts.batching import (
    BATCH_RELEASED,
    BATCH_SUBMITTED,
    CARDS_ISSUED,
    PENDING_CHANGED,
    VALIDATION_REQUESTED,
)
from services.common.contracts.membership import APPLICATION_CANCELLED, MEMBERS_QUEUED
from services.common.contracts.revocation import REVOCATION_APPROVED
from services.common.contracts.rpc import batching as rpc
from services.common.contracts.validation import MEMBERS_VALIDATED
from services.common.messaging.connection import open_connection, to_bytes
from services.common.messaging.rpc import Caller
from tests.integration.batching_desk import CONSENT, CONTACT, KEY, OUTLET, a_feedback
from tests.integration.conftest import ServiceProcess, StartService
from tests.integration.surroundings import Surroundings, surroundings_of
from tests.mothers import a_card_number, a_queueing, a_union, an_applicant

UNION = a_union()
CLERK = Caller(
    account_id=str(uuid4()),
    roles=frozenset({"clerk"}),
    union_id=str(UNION["union_id"]),
    union_code=UNION["code"],
    union_name=UNION["name"],
    superior_union_id=str(UNION["superior_union_id"]),
    superior_ids=tuple(str(superior) for superior in UNION["superior_ids"]),
)
SUBMISSION: dict[str, Any] = {"channel": "ordinary", **OUTLET, **CONTACT, **CONSENT}


@dataclass
class Batching:
    """The service with everything around it."""

    start: Callable[[], ServiceProcess]
    around: Surroundings
    channel: amqp.Channel
    database_url: str

    def ask(self, method: str, request_id: str | None = None, caller: Caller = CLERK, **data: Any) -> Any:
        return self.around.ask(method, caller, data, request_id)

    def queue(self, size: int) -> list[UUID]:
        """Queues members and returns when they are listed."""
        applicants = [an_applicant() for _ in range(size)]
        self.around.tell(MEMBERS_QUEUED, a_queueing(*applicants, union=UNION), times=2)
        wait_until(lambda: self.ask("list_pending")["result"]["total"] == size, "the members are listed")
        return [applicant["application_id"] for applicant in applicants]

    def pass_check(self, application_ids: list[UUID]) -> None:
        self.ask("check_pending")
        results = [{"application_id": one, "check_no": 1, "result": "passed"} for one in application_ids]
        self.around.tell(MEMBERS_VALIDATED, {"union_id": CLERK.union_id, "results": results, "findings": []})
        wait_until(
            lambda: self.ask("list_pending")["result"]["counts"]["ordinary"]["passed"] == len(application_ids),
            "the check has passed",
        )

    def a_batch(self, size: int) -> tuple[str, list[UUID]]:
        application_ids = self.queue(size)
        self.pass_check(application_ids)
        return self.ask("submit_batch", **SUBMISSION)["result"]["batch_no"], application_ids

    def feed(self, batch_no: str, *results: dict[str, Any]) -> None:
        feedback = a_feedback(batch_no, *results)
        self.send(feedback.body, feedback.headers)

    def send(self, body: bytes, headers: dict[str, Any]) -> None:
        message = amqp.Message(body, application_headers=headers, delivery_mode=2)
        self.channel.basic_publish_confirm(message, "", bank.FEEDBACK_QUEUE, mandatory=True)

    def taken_from(self, queue: str) -> amqp.Message:
        return wait_until(lambda: self.channel.basic_get(queue, no_ack=True), f"a message in {queue}")

    def scalar(self, statement: str) -> Any:
        with create_engine(self.database_url).connect() as connection:
            return connection.scalar(text(statement))


@pytest.fixture
def batching(start_service: StartService, database: Callable[[str], str], amqp_uri: str) -> Iterator[Batching]:
    database_url = database("batching")
    with Session(create_engine(database_url)) as session, session.begin():
        seed(session)
    environment = {name: os.environ[name] for name in ("PERSONAL_DATA_KEYS", "BLIND_INDEX_KEY")}

    def start() -> ServiceProcess:
        return start_service(
            "services.batching.service", database_url, amqp_uri, BANK_HMAC_KEY=KEY.decode(), **environment
        )

    with surroundings_of("batching", amqp_uri) as surroundings:
        for contract in (VALIDATION_REQUESTED, BATCH_SUBMITTED, CARDS_ISSUED, BATCH_RELEASED, PENDING_CHANGED):
            surroundings.hear(contract)
        connection = open_connection(amqp_uri, "bank")
        channel = connection.channel()
        channel.auto_decode = False
        channel.confirm_select()
        yield Batching(start, surroundings, channel, database_url)
        connection.close()


def test_members_go_from_the_queue_to_their_cards(batching: Batching) -> None:
    batching.start()
    application_ids = batching.queue(3)
    page = rpc.ListPendingAnswer().load(batching.ask("list_pending")["result"])
    assert {item["application_id"] for item in page["items"]} == set(application_ids)

    batching.pass_check(application_ids)
    assert {one["application_id"] for one in batching.around.heard(VALIDATION_REQUESTED).data["applications"]} == set(
        application_ids
    )
    batch = rpc.SubmitBatchAnswer().load(batching.ask("submit_batch", **SUBMISSION)["result"])
    batch_no = batch["batch_no"]
    assert batching.around.heard(BATCH_SUBMITTED).data["batch_no"] == batch_no
    sent = batching.taken_from("bank.batches")
    assert bank.is_signed(to_bytes(sent.body), sent.headers[bank.SIGNATURE_HEADER], KEY)

    register = rpc.RegisterAnswer().load(batching.ask("get_register", batch_no=batch_no)["result"])
    assert base64.b64decode(register["content"]).startswith(b"%PDF")
    assert register["register_hash"] == batch["register_hash"]
    assert base64.b64decode(batching.ask("get_attachments", batch_no=batch_no)["result"]["content"])[:2] == b"PK"

    card = a_card_number()
    batching.feed(batch_no, {"application_id": application_ids[0], "outcome": "issued", "card_no": card})
    told = batching.around.heard(CARDS_ISSUED).data
    assert told["cards"] == [{"application_id": application_ids[0], "card_no": card}]
    detail = rpc.BatchDetailAnswer().load(batching.ask("get_batch", batch_no=batch_no)["result"])
    assert (detail["state"], detail["issued"], detail["register_state"]) == ("partly_decided", 1, "printed")
    members = rpc.ListBatchMembersAnswer().load(batching.ask("list_batch_members", batch_no=batch_no)["result"])
    assert {member["application_id"]: member["card_no"] for member in members["items"]} == {
        application_ids[0]: f"{card[:6]}******{card[-4:]}", application_ids[1]: None, application_ids[2]: None,
    }  # fmt: skip

    rpc.ListBatchesAnswer().load(batching.ask("list_batches", batch_no=batch_no[:10])["result"])
    rpc.BatchSummaryAnswer().load(batching.ask("get_batch_summary")["result"])
    rpc.ListBranchesAnswer().load(batching.ask("list_branches")["result"])
    outlets = rpc.ListOutletsAnswer().load(batching.ask("list_outlets", q="杨浦区")["result"])
    assert "上海市杨浦区闸殷路1555号国华广场102室" in {outlet["address"] for outlet in outlets["items"]}


def test_a_clerk_completes_and_removes_entries(batching: Batching) -> None:
    batching.start()
    first, second = batching.queue(2)
    item = batching.ask("update_pending", application_id=str(first), document_expiry="2041-02-03")["result"]
    assert rpc.PendingAnswer().load(item)["document_expiry"].isoformat() == "2041-02-03"
    assert batching.ask("remove_pending", application_id=str(first))["result"] == {"removed": 1}
    assert batching.ask("remove_pending", application_id=str(first))["problem"]["status"] == 404
    assert batching.ask("remove_pending_many", which="not_passed")["result"] == {"removed": 1}
    refusal = batching.ask("remove_pending_many", which="not_passed", application_ids=[str(second)])["problem"]
    assert refusal["status"] == 422


def test_only_clerks_submit(batching: Batching) -> None:
    batching.start()
    reviewer = Caller(account_id="r", roles=frozenset({"reviewer"}), union_id=CLERK.union_id)
    assert batching.ask("submit_batch", caller=reviewer, **SUBMISSION)["problem"]["code"] == "forbidden"
    [wrong] = batching.ask("submit_batch", **{**SUBMISSION, "contact_phone": "1"})["problem"]["fields"]
    assert wrong["field"] == "contact_phone"


def test_two_clerks_at_two_processes_make_one_batch(batching: Batching) -> None:
    batching.start()
    batching.start()
    batching.pass_check(batching.queue(300))

    with ThreadPoolExecutor(4) as clerks:
        answers = list(clerks.map(lambda _: batching.ask("submit_batch", **SUBMISSION), range(4)))

    assert sum("result" in answer for answer in answers) == 1
    assert {answer["problem"]["code"] for answer in answers if "problem" in answer} == {"pending_empty"}
    assert batching.scalar("select count(*) from batch") == 1


def test_a_submission_repeated_with_its_request_id_answers_the_same(batching: Batching) -> None:
    batching.start()
    batching.pass_check(batching.queue(1))
    first = batching.ask("submit_batch", "request-1", **SUBMISSION)
    assert batching.ask("submit_batch", "request-1", **SUBMISSION) == first


def test_what_the_bank_did_not_sign_lies_among_the_rejected_as_it_came(batching: Batching) -> None:
    batching.start()
    batch_no, [application_id] = batching.a_batch(1)
    forged = a_feedback(batch_no, {"application_id": application_id, "outcome": "accepted"}, key=b"forged")
    for body, headers, reason in (
        (forged.body, forged.headers, "bad_signature"),
        (b"\xff no json", {bank.SIGNATURE_HEADER: bank.sign(b"\xff no json", KEY)}, "not_json"),
    ):
        batching.send(body, headers)
        rejected = batching.taken_from(bank.REJECTED_QUEUE)
        assert to_bytes(rejected.body) == body
        assert rejected.headers["x-reason"] == reason


def test_feedback_is_applied_once_though_a_process_is_killed_over_it(batching: Batching) -> None:
    doomed = batching.start()
    batch_no, application_ids = batching.a_batch(400)
    batching.start()
    for application_id in application_ids:
        result = {"application_id": application_id, "outcome": "issued", "card_no": a_card_number()}
        batching.feed(batch_no, result)
        if application_id == application_ids[200]:
            doomed.kill()

    wait_until(
        lambda: batching.scalar("select count(*) from application where state = 'issued'") == 400,
        "all cards are issued",
    )
    assert batching.scalar("select issued from batch") == 400
    assert batching.scalar("select sum(applied) from bank_feedback") == 400
    told: dict[str, list[UUID]] = {}  # by event: the relay of a killed process may have told one that comes again
    while sum(map(len, told.values())) < 400:
        event = batching.around.heard(CARDS_ISSUED)
        told[event.id] = [one["application_id"] for one in event.data["applications"]]
    assert sorted(chain.from_iterable(told.values())) == sorted(application_ids)


def test_an_approved_revocation_releases_and_recalls(batching: Batching) -> None:
    batching.start()
    batch_no, application_ids = batching.a_batch(2)
    batching.taken_from("bank.batches")

    batching.around.tell(
        REVOCATION_APPROVED,
        {
            "revocation_id": uuid4(),
            "batch_no": batch_no,
            "union_id": CLERK.union_id,
            "reviewer_union_id": CLERK.superior_union_id,
            "decided_by": uuid4(),
            "decided_at": datetime.now(UTC),
            "applicant": {"name": "王芳", "phone": "13800000000"},
        },
        times=2,
    )

    told = batching.around.heard(BATCH_RELEASED).data
    assert {one["application_id"] for one in told["applications"]} == set(application_ids)
    assert b'"applicants"' in to_bytes(batching.taken_from("bank.batches").body)
    assert batching.ask("get_batch", batch_no=batch_no)["result"]["state"] == "revoked"


def test_a_cancellation_that_comes_before_the_queueing_takes_effect_after_it(batching: Batching) -> None:
    batching.start()
    applicant = an_applicant()
    queueing = a_queueing(applicant, union=UNION)
    cancellation = {
        "union_id": UNION["union_id"],
        "application_id": applicant["application_id"],
        "member_id": queueing["applications"][0]["member_id"],
        "reason": "already_issued",
        "issued_application_id": uuid4(),
        "issued_union_id": uuid4(),
        "member_no": queueing["applications"][0]["member_no"],
    }
    batching.around.tell(APPLICATION_CANCELLED, cancellation)
    batching.around.tell(MEMBERS_QUEUED, queueing)
    wait_until(lambda: batching.scalar("select state from application") == "removed", "the application is removed")
