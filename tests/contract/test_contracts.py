"""Each message fits its schema and its committed example."""

import base64
import hashlib
import hmac
import json
import re

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap
from marshmallow import ValidationError

from deploy.documents import DOCS
from deploy.events_document import ENCRYPTION_EXAMPLE
from deploy.outside_parties import OUTSIDE_PARTIES, OutsideParty
from deploy.simulators import example_bank
from services.contracts.events.all_events import EVENTS
from services.contracts.examples import FOLDER, decrypted, readable_example, wire_example
from services.contracts.external import bank, insurer
from services.contracts.external.protection import SIGNATURE_HEADER, decrypt, is_signed, read_keys, sign
from services.kit.events.contract import EncryptedField, EventContract
from services.kit.key_sets import new_encryption_keys, public_part
from tests.databases import ROOT
from tests.documents import event_data

every_event = pytest.mark.parametrize("contract", EVENTS.values(), ids=EVENTS.keys())
every_message_outside = pytest.mark.parametrize(
    ("party", "name"), [pytest.param(party, name, id=name) for party in OUTSIDE_PARTIES for name in party.messages]
)


@every_event
def test_the_example_of_an_event_survives_the_way_through_its_schema(contract: EventContract) -> None:
    loaded = event_data(contract, wire_example(contract))
    assert decrypted(contract.dump(loaded)) == readable_example(contract.type)


@every_event
def test_a_consumer_ignores_fields_that_it_does_not_know(contract: EventContract) -> None:
    assert event_data(contract, wire_example(contract) | {"added_later": 1}) == event_data(
        contract, wire_example(contract)
    )


@every_event
def test_a_producer_cannot_leave_out_what_is_required(contract: EventContract) -> None:
    loaded = event_data(contract, wire_example(contract))
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
def test_encrypted_fields_are_strings_on_the_wire(contract: EventContract) -> None:
    wire = wire_example(contract)
    for name, field in contract.schema().fields.items():
        if isinstance(field, EncryptedField) and wire.get(name) is not None:
            assert wire[name].startswith("v1.")


def test_every_example_file_belongs_to_a_message() -> None:
    outside = {party.example(name) for party in OUTSIDE_PARTIES for name in party.messages}
    assert {path.stem for path in FOLDER.glob("*.json")} == set(EVENTS) | outside


@every_message_outside
def test_the_example_of_an_outside_party_survives_the_way_through_its_schema(party: OutsideParty, name: str) -> None:
    example = readable_example(party.example(name))
    schema = party.messages[name]()
    assert schema.dump(schema.load(example)) == example


@every_message_outside
def test_a_message_with_an_outside_party_is_described_and_unknown_fields_are_ignored(
    party: OutsideParty, name: str
) -> None:
    assert party.summaries.keys() == party.messages.keys()
    assert f"<!-- message {name} -->" in party.guide.read_text("utf-8")
    example, schema = readable_example(party.example(name)), party.messages[name]()
    assert schema.load(example | {"added_later": 1}) == schema.load(example)


def test_messages_with_the_society_name_nobody() -> None:
    examples = {name: readable_example(f"insurer.{name.removeprefix('insurer.')}") for name in insurer.MESSAGES}
    written = json.dumps(examples, ensure_ascii=False)
    assert not {field for field in ("name", "document_number", "phone", "birth_date") if f'"{field}"' in written}


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


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"card_no": "6224781234567892"}, "card_no"),
        ({"step": "stolen"}, "step"),
        ({"step": "replaced"}, "new_card_no"),
        ({"step": "replaced", "new_card_no": "6224781234567891"}, "new_card_no"),
        ({"new_card_no": "6231620000000000013"}, "new_card_no"),
        ({"happened_at": "2026-12-04T02:30:00"}, "happened_at"),
        ({"happened_at": "1980-01-01T00:00:00+08:00"}, "happened_at"),
    ],
)
def test_a_report_on_a_card_that_makes_no_sense_is_refused(change: dict[str, object], field: str) -> None:
    example = readable_example(bank.CARD_FEEDBACK)
    example["cards"][0] |= change
    with pytest.raises(ValidationError) as refused:
        bank.CardFeedback().load(example)
    assert field in refused.value.messages["cards"][0]  # type: ignore[call-overload]


def test_a_renewed_card_may_keep_its_number() -> None:
    example = readable_example(bank.CARD_FEEDBACK)
    example["cards"][0] |= {"step": "renewed"}
    assert bank.CardFeedback().load(example)["cards"][0]["new_card_no"] is None


def test_a_signature_holds_for_its_body_and_key_only() -> None:
    signature = sign(b"body", b"key")
    assert is_signed(b"body", signature, [b"key"])
    assert not is_signed(b"Body", signature, [b"key"])
    assert not is_signed(b"body", signature, [b"other"])
    assert not is_signed(b"body", None, [b"key"])


def test_a_signature_may_be_written_in_either_case_and_by_either_of_two_keys() -> None:
    signature = sign(b"body", b"new key")
    assert is_signed(b"body", signature.upper(), [b"old key", b"new key"])
    assert not is_signed(b"body", signature.upper(), [b"old key"])
    assert not is_signed(b"body", signature, [])


def test_an_integrator_can_check_the_sample_by_a_library_of_ciphers_alone() -> None:
    page = (DOCS / "events" / "bank.md").read_text("utf-8")
    sample = dict(re.findall(r"^([^\n`]+):\n\n```\n(.+)\n```$", page, re.M))
    body = sample["body, a JWE"].encode()

    for name, signed in (("of the body", body), ("of the JSON, were it sent in clear text", sample["JSON"].encode())):
        made = hmac.new(sample["signing key"].encode(), signed, hashlib.sha256).hexdigest()
        assert made == sample[f"x-signature {name}"]
    assert json.loads(sample["protected header"])["typ"] == bank.RECALLED
    assert _decrypted(body, json.loads(sample["bank's private keys"])["keys"][0]) == sample["JSON"].encode()


def test_the_example_of_a_banks_program_reads_the_sample_and_what_it_writes_is_read() -> None:
    sample = json.loads(ENCRYPTION_EXAMPLE.read_text("utf-8"))
    ours, signing = new_encryption_keys("union-2026"), b"signing"
    keys = example_bank.Keys([signing], json.dumps(sample["private_keys"]), public_part(ours))
    jwe = sample["jwe"].encode()

    assert keys.decrypted(jwe, bank.RECALLED, sign(jwe, signing)) == readable_example("bank.batch.recalled")
    for message, signature in (
        (bank.SUBMITTED, sign(jwe, signing)),
        (bank.RECALLED, sign(jwe, b"other")),
    ):
        with pytest.raises(ValueError, match="it was"):
            keys.decrypted(jwe, message, signature)
    body, headers = keys.encrypted(b'{"feedback_id": "1"}', bank.FEEDBACK_QUEUE)
    assert is_signed(body, headers[SIGNATURE_HEADER], [signing])
    assert decrypt(body, bank.FEEDBACK_QUEUE, read_keys(ours, private=True)) == b'{"feedback_id": "1"}'


@pytest.mark.parametrize("part", range(5))
def test_the_example_of_a_banks_program_refuses_what_was_changed(part: int) -> None:
    sample = json.loads(ENCRYPTION_EXAMPLE.read_text("utf-8"))
    keys = example_bank.Keys([b"signing"], json.dumps(sample["private_keys"]), "")
    for change in ("", "!", "AAAA", "e30", "王"):
        parts = sample["jwe"].split(".")
        parts[part] = change
        body = ".".join(parts).encode()
        with pytest.raises((ValueError, example_bank.CannotDecrypt)):
            keys.decrypted(body, bank.RECALLED, sign(body, b"signing"))


def test_each_reason_of_a_rejection_has_its_sentence_for_the_bank() -> None:
    source = "".join(path.read_text("utf-8") for path in (ROOT / "services" / "batching").rglob("*.py"))
    codes = set(re.findall(r'(?:Fault|Contradiction)\("([a-z_]+)"', source))
    assert codes | {"bad_schema", "contradicts_issued", "contradicts_refused"} == set(bank.REJECTIONS)


def test_each_reason_of_a_rejection_has_its_sentence_for_the_society() -> None:
    source = "".join(path.read_text("utf-8") for path in (ROOT / "services/membership/enrolments").rglob("*.py"))
    codes = set(re.findall(r'(?:Fault|Contradiction)\("([a-z_]+)"', source))
    assert codes | {"bad_schema"} == set(insurer.REJECTIONS)
    page = (DOCS / "events" / "insurer.md").read_text("utf-8")
    for code, sentence in insurer.REJECTIONS.items():
        assert re.fullmatch(r"[a-z_]+", code)
        assert f"| `{code}` | {sentence} |" in page


@pytest.mark.parametrize("number", ["6224781234567891", "6231620000000000013"])
def test_a_card_number_with_a_luhn_check_is_one(number: str) -> None:
    assert bank.is_card_number(number)


@pytest.mark.parametrize(
    "number", ["", "6224781234567890", "622478123456789", "62247812345678910000", "６224781234567891"]
)
def test_anything_else_is_no_card_number(number: str) -> None:
    assert not bank.is_card_number(number)


def _decrypted(jwe: bytes, key: dict[str, str]) -> bytes:
    """By the steps of RFC 7516 and RFC 7518, section 4.6, without a library of JOSE."""
    head, wrapped, nonce, text, tag = jwe.split(b".")
    ephemeral = json.loads(_bytes(head))["epk"]
    curve = ec.SECP256R1()
    public = ec.EllipticCurvePublicNumbers(_number(ephemeral["x"]), _number(ephemeral["y"]), curve).public_key()
    shared = ec.derive_private_key(_number(key["d"]), curve).exchange(ec.ECDH(), public)
    info = b"".join(len(part).to_bytes(4) + part for part in (b"ECDH-ES+A256KW", b"", b"")) + (256).to_bytes(4)
    wrapping = ConcatKDFHash(SHA256(), 32, info).derive(shared)
    content_key = aes_key_unwrap(wrapping, _bytes(wrapped))
    return AESGCM(content_key).decrypt(_bytes(nonce), _bytes(text) + _bytes(tag), head)


def _bytes(text: bytes | str) -> bytes:
    raw = text.encode() if isinstance(text, str) else text
    return base64.urlsafe_b64decode(raw + b"=" * (-len(raw) % 4))


def _number(text: str) -> int:
    return int.from_bytes(_bytes(text))
