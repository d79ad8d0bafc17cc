"""The simulated bank on a real broker: what it accepts, what it sends on request and automatically."""

import base64
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import amqp
import pytest
import requests
from marshmallow import ValidationError

from services.contracts.external import bank as contract
from services.contracts.external.protection import (
    CONTENT_TYPE,
    SIGNATURE_HEADER,
    decrypt,
    encrypt,
    is_encrypted,
    is_signed,
    read_keys,
    sign,
)
from services.kit.amqp.connection import open_connection
from services.kit.key_sets import new_encryption_keys, public_part
from tests.databases import ROOT
from tests.integration.conftest import TEST_SECRETS
from tests.integration.messaging.world import eventually
from tests.listening import listening_url

_SECONDS = 60
KEY = TEST_SECRETS["BANK_HMAC_KEY"].encode()


class BankProcess:
    """The simulator as its operator sees it, and batching's end of the line."""

    def __init__(self, amqp_uri: str, log_file: Path, **settings: str) -> None:
        environment = {"PATH": os.environ["PATH"], "ENVIRONMENT": "test", "AMQP_URI": amqp_uri, "BANK_PORT": "0"}
        with log_file.open("w") as log:
            self.running = subprocess.Popen(
                [sys.executable, "-m", "deploy.simulators.bank"],
                cwd=ROOT,
                env={**environment, **TEST_SECRETS, **settings},
                stdout=log,
            )
        self.connection = open_connection(amqp_uri, "test")
        self.channel = self.connection.channel()
        self.channel.confirm_select()
        self.channel.exchange_declare(contract.EXCHANGE, "topic", durable=True, auto_delete=False)
        self.channel.queue_declare(contract.BATCHES_QUEUE, durable=True, auto_delete=False)
        self.channel.queue_bind(contract.BATCHES_QUEUE, contract.EXCHANGE, contract.BATCH_MESSAGES)
        self.channel.queue_declare(contract.RECEIPTS_QUEUE, durable=True, auto_delete=False)
        self.channel.queue_bind(contract.RECEIPTS_QUEUE, contract.EXCHANGE, contract.RECEIPT)
        self.url = listening_url(log_file, "http", lambda: self.running.poll() is None)
        eventually(lambda: requests.get(f"{self.url}/readyz", timeout=_SECONDS).ok)

    def declare_feedback_queue(self) -> None:
        self.channel.exchange_declare(contract.FEEDBACK_EXCHANGE, "topic", durable=True, auto_delete=False)
        self.channel.queue_declare(contract.FEEDBACK_QUEUE, durable=True, auto_delete=False)
        self.channel.queue_bind(contract.FEEDBACK_QUEUE, contract.FEEDBACK_EXCHANGE, contract.FEEDBACK_QUEUE)

    def submit(self, batch_no: str, count: int) -> list[str]:
        """Sends a signed batch; answers the application ids."""
        ids = [str(uuid4()) for _ in range(count)]
        self.publish(contract.SUBMITTED, {"batch_no": batch_no, "applicants": _applicants(ids)}, KEY)
        eventually(lambda: self.batch(batch_no).get("received") == count)
        return ids

    def publish(self, routing_key: str, document: dict[str, Any], key: bytes) -> None:
        self.publish_bytes(routing_key, json.dumps(document).encode(), key)

    def publish_bytes(self, routing_key: str, body: bytes, key: bytes = KEY) -> None:
        headers = {SIGNATURE_HEADER: sign(body, key)}
        message = amqp.Message(body, application_headers=headers, delivery_mode=2)
        self.channel.basic_publish_confirm(message, contract.EXCHANGE, routing_key, mandatory=True)

    def batch(self, batch_no: str) -> dict[str, Any]:
        answer = requests.get(f"{self.url}/batches/{batch_no}", timeout=_SECONDS)
        return answer.json() if answer.ok else {}

    def order(self, batch_no: str, **order: Any) -> dict[str, Any]:
        answer = requests.post(f"{self.url}/batches/{batch_no}/feedback", json=order, timeout=_SECONDS)
        answer.raise_for_status()
        result: dict[str, Any] = answer.json()
        return result

    def control(self, **changes: Any) -> dict[str, Any]:
        result: dict[str, Any] = requests.put(f"{self.url}/control", json=changes, timeout=_SECONDS).json()
        return result

    def received(self) -> list[amqp.Message]:
        """All messages in the feedback queue now."""
        self.channel.auto_decode = False
        return list(iter(lambda: self.channel.basic_get(contract.FEEDBACK_QUEUE, no_ack=True), None))

    def feedbacks(self) -> list[dict[str, Any]]:
        """All messages in the queue, with verified signatures, loaded by the contract."""
        return [_checked(message) for message in self.received()]

    def stop(self) -> None:
        self.running.terminate()
        self.running.wait(60)
        self.connection.close()


@contextmanager
def a_bank(amqp_uri: str, folder: Path, **settings: str) -> Iterator[BankProcess]:
    """A bank that waits for orders, unless the settings say otherwise."""
    bank = BankProcess(amqp_uri, folder / "bank.log", **{"BANK_MODE": "manual", **settings})
    try:
        yield bank
    finally:
        bank.stop()


@pytest.fixture(scope="module")
def shared_bank(module_amqp_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BankProcess]:
    with a_bank(module_amqp_uri, tmp_path_factory.mktemp("bank")) as bank:
        bank.declare_feedback_queue()
        yield bank


@pytest.fixture
def bank(shared_bank: BankProcess) -> BankProcess:
    """The one that all tests share, each with a batch of its own, and nothing in its feedback queue."""
    shared_bank.channel.queue_purge(contract.FEEDBACK_QUEUE)
    return shared_bank


def test_the_bank_issues_in_parts_as_it_is_told(bank: BankProcess) -> None:
    ids = bank.submit("parts", 10)

    assert bank.order("parts", outcome="issued", count=7, parts=3) == {"messages": 3, "results": 7}

    feedbacks = bank.feedbacks()
    assert sorted(result["application_id"] for one in feedbacks for result in one["results"]) == sorted(ids[:7])
    assert len({one["feedback_id"] for one in feedbacks}) == 3
    assert bank.batch("parts")["outcomes"]["issued"] == 7
    assert bank.order("parts", outcome="refused")["results"] == 3


def test_the_bank_repeats_and_reorders_when_told(bank: BankProcess) -> None:
    bank.submit("repeated", 4)
    bank.order("repeated", parts=2, duplicate=True, reorder=True, feedback_id="f")
    assert [one["feedback_id"] for one in bank.feedbacks()] == ["f-2", "f-2", "f-1", "f-1"]


def test_the_bank_can_write_a_faulty_line_and_be_ahead_of_its_time(bank: BankProcess) -> None:
    bank.submit("faulty", 2)
    wrong = {"card_no": "card_no", "outcome": "outcome", "missing": "outcome", "member_no": "member_no"}
    for how, reason in wrong.items():
        bank.order("faulty", outcome="accepted", faulty_line=how)
        [message] = bank.received()
        with pytest.raises(ValidationError) as refused:
            contract.BankFeedback().load(json.loads(message.body))
        assert [*refused.value.messages["results"]] == [2]  # type: ignore[call-overload]
        assert reason in refused.value.messages["results"][2]  # type: ignore[call-overload]
    bank.order("faulty", outcome="accepted", ahead_seconds=3 * 86400, feedback_id="f-ahead")
    [ahead] = bank.feedbacks()
    assert datetime.fromisoformat(ahead["processed_at"]) > datetime.now(UTC) + timedelta(days=2)
    bank.order("faulty", outcome="accepted", upper_case_signature=True)
    [shouted] = bank.received()
    assert shouted.headers[SIGNATURE_HEADER] == sign(shouted.body, KEY).upper()


def test_the_bank_reports_on_cards_as_it_is_told_and_with_errors(bank: BankProcess) -> None:
    cards = [{"card_no": "6224781234567891", "step": step} for step in ("collected", "activated")]
    order = {"cards": cards, "parts": 2, "duplicate": True, "reorder": True, "feedback_id": "c"}
    told = requests.post(f"{bank.url}/cards/feedback", json=order, timeout=_SECONDS).json()
    assert told == {"messages": 4, "cards": 2}
    received = [json.loads(message.body) for message in bank.received()]
    assert [one["feedback_id"] for one in received] == ["c-2", "c-2", "c-1", "c-1"]
    for one in received:
        contract.CardFeedback().load(one)
    for how, field in {"card_no": "card_no", "step": "step"}.items():
        requests.post(f"{bank.url}/cards/feedback", json={"cards": cards, "faulty_line": how}, timeout=_SECONDS)
        [message] = bank.received()
        with pytest.raises(ValidationError) as refused:
            contract.CardFeedback().load(json.loads(message.body))
        assert [*refused.value.messages["cards"]] == [2]  # type: ignore[call-overload]
        assert field in refused.value.messages["cards"][2]  # type: ignore[call-overload]


def test_the_bank_keeps_the_receipts_that_it_is_sent(bank: BankProcess) -> None:
    receipt = {"feedback_id": "f-receipt", "applied": 1}
    bank.publish(contract.RECEIPT, {"receipts": [receipt, {**receipt, "feedback_id": "another"}]}, KEY)
    query = f"{bank.url}/receipts?feedback_id=f-receipt"
    assert eventually(lambda: requests.get(query, timeout=_SECONDS).json()["items"]) == [receipt]


def test_results_sent_unsigned_or_malformed_can_be_sent_again(bank: BankProcess) -> None:
    bank.submit("odd", 2)
    bank.order("odd", unsigned=True)
    bank.order("odd", malformed=True)
    unsigned, malformed = bank.received()
    assert SIGNATURE_HEADER not in unsigned.headers
    assert is_signed(malformed.body, malformed.headers[SIGNATURE_HEADER], [KEY])
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        json.loads(malformed.body)
    assert bank.order("odd")["results"] == 2


def test_the_bank_sends_any_bytes_and_speaks_of_batches_it_never_had(bank: BankProcess) -> None:
    order = {"body": base64.b64encode(b"\x00\xff").decode(), "headers": {"x-signature": "none"}}
    requests.post(f"{bank.url}/raw", json=order, timeout=_SECONDS).raise_for_status()
    bank.order("never", results=[{"member_no": "1", "outcome": "issued", "card_no": "1"}], delay_ms=50)
    received: list[amqp.Message] = []
    while len(received) < 2:
        received += eventually(bank.received)
    raw, late = received
    assert (raw.body, raw.headers["x-signature"]) == (b"\x00\xff", "none")
    assert json.loads(late.body)["batch_no"] == "never"
    assert requests.post(f"{bank.url}/batches/never/feedback", json={}, timeout=_SECONDS).status_code == 404


def test_what_our_key_did_not_sign_is_not_taken(bank: BankProcess) -> None:
    bank.publish(contract.SUBMITTED, {"batch_no": "forged", "applicants": _applicants(["a"])}, b"another key")
    eventually(lambda: requests.get(f"{bank.url}/control", timeout=_SECONDS).json()["refused"] == 1)
    assert bank.batch("forged") == {}


def test_in_auto_mode_everybody_is_decided_step_by_step_but_for_the_recalled(amqp_uri: str, tmp_path: Path) -> None:
    with a_bank(amqp_uri, tmp_path) as bank:
        bank.declare_feedback_queue()
        ids = bank.submit("cbc1", 60)
        bank.publish(contract.RECALLED, {"batch_no": "cbc1", "applicants": _applicants(ids[:5])}, KEY)
        eventually(lambda: bank.batch("cbc1")["recalled"])
        bank.control(mode="auto", delay_ms=50, refuse_every=4)

        eventually(lambda: decided(bank, "cbc1") == 55)
        bank.submit("cbc2", 1)
        eventually(lambda: decided(bank, "cbc2") == 1)

        published = [result for one in bank.feedbacks() if one["batch_no"] == "cbc1" for result in one["results"]]
    assert not {result["application_id"] for result in published} & set(ids[:5])
    outcomes = Counter(result["outcome"] for result in published)
    assert outcomes["accepted"] == outcomes["made"] == outcomes["issued"] + outcomes["refused"] == 55
    assert outcomes["refused"] > 0


def test_the_banks_clock_can_be_wrong(bank: BankProcess) -> None:
    bank.submit("skewed", 1)
    bank.control(skew_seconds=-6 * 3600)
    before = datetime.now(UTC)
    bank.order("skewed", outcome="issued")
    after = datetime.now(UTC)
    bank.control(skew_seconds=0)
    (feedback,) = eventually(bank.feedbacks)
    published = datetime.fromisoformat(feedback["processed_at"]) + timedelta(hours=6)
    assert before.replace(microsecond=0) <= published <= after


def test_feedback_waits_for_the_queue_that_is_not_there_yet(amqp_uri: str, tmp_path: Path) -> None:
    with a_bank(amqp_uri, tmp_path, BANK_MODE="auto", BANK_DELAY_MS="0", BANK_REFUSE_EVERY="0") as bank:
        bank.submit("cbc1", 3)
        eventually(lambda: requests.get(f"{bank.url}/control", timeout=_SECONDS).json()["failed"] > 1)
        assert bank.batch("cbc1")["outcomes"]["undecided"] == 3
        bank.declare_feedback_queue()
        eventually(lambda: bank.batch("cbc1")["outcomes"]["issued"] == 3)
        assert sum(len(one["results"]) for one in bank.feedbacks()) == 9


def decided(bank: BankProcess, batch_no: str) -> int:
    outcomes = bank.batch(batch_no)["outcomes"]
    return int(outcomes["issued"] + outcomes["refused"])


def _applicants(ids: list[str]) -> list[dict[str, str]]:
    return [{"application_id": one, "member_no": f"007{number:07}"} for number, one in enumerate(ids)]


def _checked(message: amqp.Message) -> dict[str, Any]:
    assert is_signed(message.body, message.headers[SIGNATURE_HEADER], [KEY])
    document: dict[str, Any] = json.loads(message.body)
    contract.BankFeedback().load(document)
    return document


def test_a_bank_with_keys_reads_and_writes_what_is_encrypted(amqp_uri: str, tmp_path: Path) -> None:
    theirs, ours = new_encryption_keys("bank-2026"), new_encryption_keys("union-2026")
    with a_bank(amqp_uri, tmp_path, BANK_PRIVATE_KEYS=theirs, UNION_PUBLIC_KEYS=public_part(ours)) as bank:
        bank.declare_feedback_queue()
        [application_id] = bank.submit("former", 1)  # from before: in clear text
        document = {"batch_no": "now", "applicants": _applicants([str(uuid4())])}
        [key] = read_keys(public_part(theirs), private=False)
        bank.publish_bytes(contract.SUBMITTED, encrypt(json.dumps(document).encode(), contract.SUBMITTED, key))
        bank.publish_bytes(contract.RECALLED, encrypt(json.dumps(document).encode(), contract.SUBMITTED, key))
        eventually(lambda: bank.batch("now").get("received") == 1)
        eventually(lambda: requests.get(f"{bank.url}/control", timeout=_SECONDS).json()["refused"] == 1)
        assert bank.batch("now")["recalled"] == [], "a batch that comes as a recall is none"

        bank.order("former", outcome="issued")

        [sent] = bank.received()
        assert is_encrypted(sent.body)
        assert sent.properties["content_type"] == CONTENT_TYPE
        assert is_signed(sent.body, sent.headers[SIGNATURE_HEADER], [KEY])
        published = json.loads(decrypt(sent.body, contract.FEEDBACK_QUEUE, read_keys(ours, private=True)))
        assert [result["application_id"] for result in published["results"]] == [application_id]
