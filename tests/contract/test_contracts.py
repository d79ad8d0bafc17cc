"""Each message is held to its schema and its committed example."""

import hashlib
import hmac
import json
import re

import pytest
from marshmallow import ValidationError

from deploy.documents import DOCS
from services.common.contracts import bank
from services.common.contracts.all_events import EVENTS
from services.common.contracts.event import EventContract, Sealed
from services.common.contracts.examples import FOLDER, opened, readable_example, wire_example
from tests.conftest import ROOT

every_event = pytest.mark.parametrize("contract", EVENTS.values(), ids=EVENTS.keys())
every_bank_message = pytest.mark.parametrize("name", bank.MESSAGES)


@every_event
def test_the_example_of_an_event_survives_the_way_through_its_schema(contract: EventContract) -> None:
    loaded = contract.load(wire_example(contract))
    assert opened(contract.dump(loaded)) == readable_example(contract.type)


@every_event
def test_a_consumer_ignores_fields_that_it_does_not_know(contract: EventContract) -> None:
    assert contract.load(wire_example(contract) | {"added_later": 1}) == contract.load(wire_example(contract))


@every_event
def test_a_producer_cannot_leave_out_what_is_required(contract: EventContract) -> None:
    loaded = contract.load(wire_example(contract))
    for name, field in contract.schema().fields.items():
        if field.required:
            with pytest.raises(ValidationError):
                contract.dump({key: value for key, value in loaded.items() if key != name})


@every_event
def test_personal_data_is_not_readable_on_the_wire(contract: EventContract) -> None:
    wire = json.dumps(wire_example(contract), ensure_ascii=False)
    for secret in ("31010119750308002X", "韩梅", "13800000000", "6224781234567891", "493027"):
        assert secret not in wire


@every_event
def test_sealed_fields_are_strings_on_the_wire(contract: EventContract) -> None:
    wire = wire_example(contract)
    for name, field in contract.schema().fields.items():
        if isinstance(field, Sealed) and wire.get(name) is not None:
            assert wire[name].startswith("v1.")


def test_every_example_file_belongs_to_a_message() -> None:
    bank_examples = {name if name.startswith("bank.") else f"bank.{name}" for name in bank.MESSAGES}
    assert {path.stem for path in FOLDER.glob("*.json")} == set(EVENTS) | bank_examples


@every_bank_message
def test_the_example_of_a_bank_message_survives_the_way_through_its_schema(name: str) -> None:
    example = readable_example(name if name.startswith("bank.") else f"bank.{name}")
    schema = bank.MESSAGES[name]()
    assert schema.dump(schema.load(example)) == example


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"card_no": "6224781234567892"}, "card_no"),
        ({"card_no": None}, "card_no"),
        ({"outcome": "refused"}, "reason_code"),
        ({"application_id": None}, "application_id"),
        ({"outcome": "lost"}, "outcome"),
    ],
)
def test_a_result_that_makes_no_sense_is_refused(change: dict[str, object], field: str) -> None:
    example = readable_example("bank.feedback")
    example["results"][0] |= change
    with pytest.raises(ValidationError) as refused:
        bank.BankFeedback().load(example)
    assert field in refused.value.messages["results"][0]  # type: ignore[call-overload]


def test_a_signature_holds_for_its_body_and_key_only() -> None:
    signature = bank.sign(b"body", b"key")
    assert bank.is_signed(b"body", signature, [b"key"])
    assert not bank.is_signed(b"Body", signature, [b"key"])
    assert not bank.is_signed(b"body", signature, [b"other"])
    assert not bank.is_signed(b"body", None, [b"key"])


def test_a_signature_may_be_written_in_either_case_and_by_either_of_two_keys() -> None:
    signature = bank.sign(b"body", b"new key")
    assert bank.is_signed(b"body", signature.upper(), [b"old key", b"new key"])
    assert not bank.is_signed(b"body", signature.upper(), [b"old key"])
    assert not bank.is_signed(b"body", signature, [])


def test_an_integrator_can_check_the_sample_signature_by_the_standard_library_alone() -> None:
    page = (DOCS / "events" / "bank.md").read_text("utf-8")
    sample = {name: re.search(rf"^{name} +(.+)$", page, re.M).group(1) for name in ("key", "body", "signature")}  # type: ignore[union-attr]
    made = hmac.new(sample["key"].encode(), sample["body"].encode(), hashlib.sha256).hexdigest()
    assert made == sample["signature"]


def test_each_reason_of_a_rejection_has_its_sentence_for_the_bank() -> None:
    source = "".join(path.read_text("utf-8") for path in (ROOT / "services" / "batching").glob("*.py"))
    codes = set(re.findall(r'(?:Fault|Contradiction)\("([a-z_]+)"', source))
    assert codes | {"contradicts_issued", "contradicts_refused"} == set(bank.REJECTIONS)


@pytest.mark.parametrize("number", ["6224781234567891", "6231620000000000013"])
def test_a_card_number_with_a_luhn_check_is_one(number: str) -> None:
    assert bank.is_card_number(number)


@pytest.mark.parametrize(
    "number", ["", "6224781234567890", "622478123456789", "62247812345678910000", "６224781234567891"]
)
def test_anything_else_is_no_card_number(number: str) -> None:
    assert not bank.is_card_number(number)
