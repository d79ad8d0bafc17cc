"""Messages between batching and the bank are encrypted for their reader; clear text only where it is agreed."""

import json
from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest
from amqp.basic_message import Message as AmqpMessage
from sqlalchemy import Engine, select

from services.batching.bank import bank_reading
from services.contracts.external import bank
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
from services.kit.data.database import outbox
from services.kit.dead_letters.letters import DeadLetter
from services.kit.events.entrypoints import LARGEST_MESSAGE
from services.kit.events.failures import Reject
from services.kit.events.subscribe import Message
from services.kit.key_sets import new_encryption_keys, public_part
from services.kit.settings import read_settings
from tests.integration.batching.desk import KEY, Desk, a_feedback, a_message, fresh
from tests.mothers import a_card_number

BANK_KEYS, UNION_KEYS = new_encryption_keys("bank-2026"), new_encryption_keys("union-2026")
REFUSAL = {"outcome": "refused", "reason_code": "name_mismatch", "reason": "姓名与证件不符"}


@pytest.fixture
def desk(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """Batching with keys of both sides, as in production: nothing goes in clear text."""
    agree(monkeypatch, "no")
    yield fresh(engine)
    read_settings.cache_clear()


def agree(monkeypatch: pytest.MonkeyPatch, clear_text: str) -> None:
    settings = {"BANK_PUBLIC_KEYS": public_part(BANK_KEYS), "UNION_PRIVATE_KEYS": UNION_KEYS}
    for name, value in {**settings, "BANK_CLEAR_TEXT": clear_text}.items():
        monkeypatch.setenv(name, value)
    read_settings.cache_clear()


def for_us(feedback: Message, message: str = bank.FEEDBACK_QUEUE) -> Message:
    """The feedback as the bank encrypts and signs it."""
    body = encrypt(feedback.body, message, read_keys(public_part(UNION_KEYS), private=False)[0])
    return a_message(body, {SIGNATURE_HEADER: sign(body, KEY)})


def sent(desk: Desk, name: str) -> list[AmqpMessage]:
    """The messages of this name in the outbox."""
    with desk.begin() as session:
        rows = session.execute(select(outbox).where(outbox.c.routing_key == name).order_by(outbox.c.id)).all()
    return [AmqpMessage(bytes(row.body), **row.properties) for row in rows]


def a_letter(message: AmqpMessage) -> DeadLetter:
    """A rejected message as operators are shown it."""
    reason = str(message.headers["x-reason"])
    return DeadLetter(
        bank.REJECTED_QUEUE, "1", None, "Reject", reason, 1, None, None, None, dict(message.headers), message.body
    )


def issued(application_id: UUID) -> dict[str, object]:
    return {"application_id": application_id, "outcome": "issued", "card_no": a_card_number()}


def test_the_bank_alone_reads_batches_recalls_and_receipts(desk: Desk) -> None:
    batch_no, [first, _] = desk.a_batch(2)
    desk.feed(for_us(a_feedback(batch_no, issued(first))))
    desk.revoke(batch_no)

    keys = read_keys(BANK_KEYS, private=True)
    for name, schema in ((one, bank.MESSAGES[one]) for one in (bank.SUBMITTED, bank.RECALLED, bank.RECEIPT)):
        [message] = sent(desk, name)
        assert is_encrypted(message.body)
        assert message.properties["content_type"] == CONTENT_TYPE
        assert is_signed(message.body, message.headers[SIGNATURE_HEADER], [KEY])
        schema().load(json.loads(decrypt(message.body, name, keys)))
    assert desk.states([first]) == ["issued"]


def test_clear_feedback_is_rejected_with_a_receipt_and_taken_when_it_comes_encrypted(desk: Desk) -> None:
    batch_no, [application_id] = desk.a_batch(1)
    feedback = a_feedback(batch_no, {"application_id": application_id, **REFUSAL})

    assert desk.feed(feedback) == [None]
    [put_aside] = sent(desk, bank.REJECTED_QUEUE)
    assert put_aside.headers["x-reason"] == "message: not_encrypted"
    assert desk.states([application_id]) == ["submitted"]
    assert desk.feed(for_us(feedback)) == [None]

    assert desk.states([application_id]) == ["refused"]
    keys = read_keys(BANK_KEYS, private=True)
    receipts = [json.loads(decrypt(one.body, bank.RECEIPT, keys))["receipts"][0] for one in sent(desk, bank.RECEIPT)]
    assert [(one["applied"], [reason["code"] for reason in one["rejections"]]) for one in receipts] == [
        (0, ["not_encrypted"]),
        (1, []),
    ]


def test_clear_feedback_waits_encrypted_and_can_be_applied_on_purpose(desk: Desk) -> None:
    batch_no, [application_id] = desk.a_batch(1)
    feedback = a_feedback(batch_no, issued(application_id))
    desk.feed(feedback)
    [put_aside] = sent(desk, bank.REJECTED_QUEUE)

    assert is_encrypted(put_aside.body)
    assert decrypt(put_aside.body, bank.FEEDBACK_QUEUE, read_keys(UNION_KEYS, private=True)) == feedback.body
    assert a_letter(put_aside).external_id == json.loads(feedback.body)["feedback_id"]
    assert desk.feed(a_message(put_aside.body, put_aside.headers)) == [None]
    assert desk.states([application_id]) == ["issued"]


@pytest.mark.parametrize("clear_text", ["no", "feedback"])
def test_the_largest_feedback_is_read_and_so_is_what_is_cut_out_of_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, clear_text: str
) -> None:
    agree(monkeypatch, clear_text)
    batch_no, [application_id] = desk.a_batch(1)
    longest = {"outcome": "refused", "reason_code": "码" * 50, "reason": "理" * 200, "member_no": "号" * 20}
    unknown = [{**longest, "application_id": uuid4(), "member_no": "号" * 20} for _ in range(999)]
    feedback = a_feedback(batch_no, {"application_id": application_id, **REFUSAL}, *unknown, feedback_id="识" * 36)
    desk.feed(for_us(feedback) if clear_text == "no" else filled_up(feedback))
    [put_aside] = sent(desk, bank.REJECTED_QUEUE)

    assert len(put_aside.body) > 1 << 20, "more than was read once"
    for message in (for_us(feedback).body, for_us(filled_up(feedback)).body, put_aside.body):
        assert len(message) <= LARGEST_MESSAGE
    assert desk.feed(a_message(put_aside.body, put_aside.headers)) == [str(put_aside.headers["x-reason"])]
    with pytest.raises(Reject, match="too_large"):
        bank_reading.read_feedback(for_us(filled_up(feedback, 1_200_000)))


def filled_up(feedback: Message, size: int = 1 << 20) -> Message:
    """The feedback with an unknown field that makes it as large as allowed."""
    document = json.loads(feedback.body)
    start = json.dumps({**document, "more": ""}, ensure_ascii=False).encode()
    body = json.dumps({**document, "more": "x" * (size - len(start))}, ensure_ascii=False).encode()
    return a_message(body, {SIGNATURE_HEADER: sign(body, KEY)})


def test_clear_feedback_from_before_is_taken_while_the_bank_changes_over(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    agree(monkeypatch, "feedback")
    batch_no, [first, second] = desk.a_batch(2)
    assert desk.feed(a_feedback(batch_no, issued(first)), for_us(a_feedback(batch_no, issued(second)))) == [None, None]
    assert desk.states([first, second]) == ["issued", "issued"]
    assert is_encrypted(sent(desk, bank.SUBMITTED)[0].body)


def test_what_is_agreed_to_go_in_clear_text_does(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    agree(monkeypatch, "all")
    batch_no, [application_id] = desk.a_batch(1)
    [message] = sent(desk, bank.SUBMITTED)
    assert json.loads(message.body)["batch_no"] == batch_no
    assert message.properties["content_type"] == "application/json"
    assert desk.feed(a_feedback(batch_no, issued(application_id))) == [None]


def test_what_is_not_for_us_or_was_changed_is_not_read(desk: Desk) -> None:
    batch_no, [application_id] = desk.a_batch(1)
    feedback = a_feedback(batch_no, issued(application_id))
    for_another = encrypt(feedback.body, bank.FEEDBACK_QUEUE, read_keys(BANK_KEYS, private=True)[0])
    changed = for_us(feedback).body[:-4] + b"AAAA"
    as_another = for_us(feedback, bank.SUBMITTED).body
    for body in (for_another, changed, as_another, b"a.b.c.d.e", b"...."):
        with pytest.raises(Reject, match="cannot_decrypt"):
            bank_reading.read_feedback(a_message(body, {SIGNATURE_HEADER: sign(body, KEY)}))
    doubled = for_us(a_message(feedback.body.replace(b"{", b'{"batch_no": "1",', 1), {}))
    with pytest.raises(Reject, match="not_json"):
        bank_reading.read_feedback(doubled)
    resigned = a_message(for_us(feedback).body, {SIGNATURE_HEADER: sign(feedback.body, KEY)})
    with pytest.raises(Reject, match="bad_signature"):
        bank_reading.read_feedback(resigned)


def test_what_waits_for_operators_is_encrypted_for_us_and_they_see_what_it_is_about(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_no, [application_id] = desk.a_batch(1)
    wrong = {"member_no": "1", "outcome": "issued", "card_no": "6224781234567890"}
    desk.feed(for_us(a_feedback(batch_no, issued(application_id), wrong, feedback_id="f-1")))
    [put_aside] = sent(desk, bank.REJECTED_QUEUE)

    assert is_encrypted(put_aside.body)
    letter = a_letter(put_aside)
    assert (letter.external_id, letter.summary().batch_no, letter.summary().persons) == ("f-1", batch_no, 1)
    assert wrong["card_no"] not in letter.display_text()

    assert desk.feed(a_message(put_aside.body, put_aside.headers)) == [str(put_aside.headers["x-reason"])]
    monkeypatch.delenv("UNION_PRIVATE_KEYS")
    read_settings.cache_clear()
    elsewhere = a_letter(put_aside)
    assert (elsewhere.external_id, elsewhere.summary().batch_no) == ("f-1", None)
    assert elsewhere.display_text().endswith("are encrypted")
