"""The simulated mutual-aid society on a real broker: what it accepts, what it sends on request and by itself."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import amqp
import pytest
import requests
from marshmallow import ValidationError

from services.contracts.external import insurer as contract
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
from services.contracts.external.queues import INSURER_QUEUES
from services.contracts.values.dates import today
from services.kit.amqp.connection import open_connection
from services.kit.key_sets import new_encryption_keys, public_part
from tests.databases import ROOT
from tests.integration.messaging.world import eventually
from tests.listening import listening_url

_SECONDS = 60
KEY = "aW5zdXJlciBobWFjIGtleSBmb3IgdGVzdHMgb25seSE="
THEIRS, OURS = new_encryption_keys("insurer-2026"), new_encryption_keys("enrolment-2026")
SECRETS = {
    "INSURER_HMAC_KEY": KEY,
    "INSURER_PRIVATE_KEYS": THEIRS,
    "ENROLMENT_PUBLIC_KEYS": public_part(OURS),
}


class InsurerProcess:
    """The simulator as its operator sees it, and membership's end of the line."""

    def __init__(self, amqp_uri: str, log_file: Path, **settings: str) -> None:
        self.connection = open_connection(amqp_uri, "test")
        self.channel = self.connection.channel()
        self.channel.confirm_select()
        self.channel.auto_decode = False
        INSURER_QUEUES.declare(self.channel)
        environment = {"PATH": os.environ["PATH"], "ENVIRONMENT": "test", "AMQP_URI": amqp_uri, "INSURER_PORT": "0"}
        with log_file.open("w") as log:
            self.running = subprocess.Popen(
                [sys.executable, "-m", "deploy.simulators.insurer"],
                cwd=ROOT,
                env={**environment, **SECRETS, **settings},
                stdout=log,
            )
        self.url = listening_url(log_file, "http", lambda: self.running.poll() is None)
        eventually(lambda: requests.get(f"{self.url}/readyz", timeout=_SECONDS).ok)

    def tell(self, *member_nos: str) -> None:
        """Tells it of eligible members, and waits until it knows them."""
        member = {"union_code": "51310110MJ0000001D", "eligible_from": "2026-11-24"}
        self.publish(contract.ELIGIBLE, {"members": [{**member, "member_no": one} for one in member_nos]})
        eventually(lambda: {one["member_no"] for one in self.items("members")} >= set(member_nos))

    def publish(self, routing_key: str, document: dict[str, Any], key: str = KEY, name: str | None = None) -> None:
        [public] = read_keys(public_part(THEIRS), private=False)
        body = encrypt(json.dumps(document).encode(), name or routing_key, public)
        headers = {SIGNATURE_HEADER: sign(body, key.encode())}
        message = amqp.Message(body, application_headers=headers, delivery_mode=2)
        self.channel.basic_publish_confirm(message, contract.EXCHANGE, routing_key, mandatory=True)

    def items(self, what: str, **query: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = requests.get(f"{self.url}/{what}", query, timeout=_SECONDS).json()["items"]
        return found

    def order(self, *enrolments: dict[str, Any], **order: Any) -> dict[str, Any]:
        answer = requests.post(f"{self.url}/reports", json={"enrolments": enrolments, **order}, timeout=_SECONDS)
        answer.raise_for_status()
        result: dict[str, Any] = answer.json()
        return result

    def control(self, **changes: Any) -> dict[str, Any]:
        if changes:
            requests.put(f"{self.url}/control", json=changes, timeout=_SECONDS).raise_for_status()
        result: dict[str, Any] = requests.get(f"{self.url}/control", timeout=_SECONDS).json()
        return result

    def received(self) -> list[amqp.Message]:
        """All messages in the queue of enrolments now."""
        return list(iter(lambda: self.channel.basic_get(contract.ENROLMENTS_QUEUE, no_ack=True), None))

    def reports(self) -> list[dict[str, Any]]:
        """All messages in the queue, verified, decrypted, and loaded by the contract."""
        return [_checked(message) for message in self.received()]

    def stop(self) -> None:
        self.running.terminate()
        self.running.wait(60)
        self.connection.close()


@contextmanager
def an_insurer(amqp_uri: str, folder: Path, **settings: str) -> Iterator[InsurerProcess]:
    """A society that waits for orders, unless the settings say otherwise."""
    insurer = InsurerProcess(amqp_uri, folder / "insurer.log", **{"INSURER_MODE": "manual", **settings})
    try:
        yield insurer
    finally:
        insurer.stop()


@pytest.fixture(scope="module")
def shared_insurer(module_amqp_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[InsurerProcess]:
    with an_insurer(module_amqp_uri, tmp_path_factory.mktemp("insurer")) as insurer:
        yield insurer


@pytest.fixture
def insurer(shared_insurer: InsurerProcess) -> InsurerProcess:
    """The one that all tests share, with nothing in its queue of enrolments."""
    shared_insurer.channel.queue_purge(contract.ENROLMENTS_QUEUE)
    return shared_insurer


def test_members_are_enrolled_for_the_rest_of_the_year_by_themselves(amqp_uri: str, tmp_path: Path) -> None:
    with an_insurer(amqp_uri, tmp_path, INSURER_MODE="auto", INSURER_DELAY_MS="0") as insurer:
        insurer.tell("0070000001", "0070000002")
        insurer.tell("0070000001")  # the broker may deliver twice
        eventually(lambda: len(insurer.items("enrolments")) == 2)
        insurer.tell("0070000003")
        eventually(lambda: len(insurer.items("enrolments")) == 3)
        lines = [line for report in insurer.reports() for line in report["enrolments"]]

    tomorrow = today() + timedelta(days=1)
    assert sorted(line["member_no"] for line in lines) == ["0070000001", "0070000002", "0070000003"]
    assert {(line["covers_from"], line["covers_to"].year, line["state"]) for line in lines} == {
        (tomorrow, tomorrow.year, "active")
    }


def test_who_waits_for_orders_enrols_nobody_until_it_is_told(insurer: InsurerProcess) -> None:
    insurer.tell("0070000010")
    assert insurer.items("enrolments", member_no="0070000010") == []

    insurer.control(mode="auto", delay_ms=0)
    eventually(lambda: insurer.items("enrolments", member_no="0070000010"))
    insurer.control(mode="manual")
    assert {"0070000010"} <= {line["member_no"] for one in insurer.reports() for line in one["enrolments"]}


def test_reports_come_in_parts_twice_and_out_of_order_when_told(insurer: InsurerProcess) -> None:
    lines = [{"member_no": f"00700000{number}"} for number in range(20, 24)]

    told = insurer.order(*lines, parts=2, duplicate=True, reorder=True, report_id="r")

    assert told == {"messages": 4, "enrolments": 4}
    reports = insurer.reports()
    assert [one["report_id"] for one in reports] == ["r-2", "r-2", "r-1", "r-1"]
    assert [line["member_no"] for line in reports[2]["enrolments"]] == ["0070000020", "0070000022"]


def test_what_is_ordered_is_sent_as_it_is(insurer: InsurerProcess) -> None:
    end = {"state": "ended", "ended_on": "2026-11-30", "reason": "会员退会"}
    year = {"year": 2026, "way": "collective", "covers_from": "2026-01-01", "covers_to": "2026-12-31"}
    line = {"enrolment_no": "JZ-1", "member_no": "0070000030", "kinds": ["death"], **year, **end}

    insurer.order(line, ahead_seconds=3 * 86400)

    [report] = insurer.reports()
    [sent] = report["enrolments"]
    assert contract.EnrolmentLine().dump(sent).items() >= line.items()
    assert sent["changed_at"] > datetime.now(UTC) + timedelta(days=2)
    assert [one["state"] for one in insurer.items("enrolments", member_no="0070000030")] == ["ended"]


def test_a_faulty_line_is_one_more(insurer: InsurerProcess) -> None:
    insurer.order({"member_no": "0070000040"}, faulty_line="kinds")
    [message] = insurer.received()
    with pytest.raises(ValidationError) as refused:
        contract.EnrolmentReport().load(_decrypted(message))
    assert set(refused.value.messages_dict["enrolments"]) == {1}
    answer = requests.post(f"{insurer.url}/reports", json={"enrolments": [{}], "faulty_line": "x"}, timeout=_SECONDS)
    assert answer.status_code == 422


def test_reports_are_unsigned_malformed_or_in_clear_text_when_told(insurer: InsurerProcess) -> None:
    for how in ("unsigned", "malformed", "clear"):
        insurer.order({"member_no": "0070000050"}, **{how: True})
    unsigned, malformed, clear = insurer.received()
    assert SIGNATURE_HEADER not in unsigned.headers
    assert _decrypted(unsigned)["enrolments"]
    assert is_signed(malformed.body, malformed.headers[SIGNATURE_HEADER], [KEY.encode()])
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        json.loads(malformed.body)
    assert clear.properties["content_type"] == "application/json"
    contract.EnrolmentReport().load(json.loads(clear.body))
    assert insurer.items("enrolments", member_no="0070000050") == []


def test_any_bytes_are_sent_and_a_report_may_come_later(insurer: InsurerProcess) -> None:
    order = {"body": base64.b64encode(b"\x00\xff").decode(), "headers": {"x-signature": "none"}}
    requests.post(f"{insurer.url}/raw", json=order, timeout=_SECONDS).raise_for_status()
    insurer.order({"member_no": "0070000060"}, delay_ms=50)
    received: list[amqp.Message] = []
    while len(received) < 2:
        received += eventually(insurer.received)
    assert (received[0].body, received[0].headers["x-signature"]) == (b"\x00\xff", "none")
    assert _checked(received[1])["enrolments"]


def test_receipts_are_kept(insurer: InsurerProcess) -> None:
    receipt = {"report_id": "r-receipt", "applied": 1}
    insurer.publish(contract.RECEIPT, {"receipts": [receipt, {**receipt, "report_id": "another"}]})
    assert eventually(lambda: insurer.items("receipts", report_id="r-receipt")) == [receipt]


def test_what_is_badly_signed_or_another_message_is_not_taken(insurer: InsurerProcess) -> None:
    before = insurer.control()["refused"]
    member = {"member_no": "0079999999", "union_code": "51310110MJ0000001D", "eligible_from": "2026-11-24"}
    insurer.publish(contract.ELIGIBLE, {"members": [member]}, key="another key")
    insurer.publish(contract.ELIGIBLE, {"members": [member]}, name=contract.RECEIPT)
    eventually(lambda: insurer.control()["refused"] == before + 2)
    assert "0079999999" not in {one["member_no"] for one in insurer.items("members")}


def _decrypted(message: amqp.Message) -> dict[str, Any]:
    body = decrypt(message.body, contract.ENROLMENTS_QUEUE, read_keys(OURS, private=True))
    document: dict[str, Any] = json.loads(body)
    return document


def _checked(message: amqp.Message) -> dict[str, Any]:
    """A sound report, as the contract reads it."""
    assert is_encrypted(message.body)
    assert message.properties["content_type"] == CONTENT_TYPE
    assert is_signed(message.body, message.headers[SIGNATURE_HEADER], [KEY.encode()])
    loaded: dict[str, Any] = contract.EnrolmentReport().load(_decrypted(message))
    return loaded
