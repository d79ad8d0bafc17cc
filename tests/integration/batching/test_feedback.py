"""The bank's feedback: applied once, in any order, in parts; contradictory results are rejected with their reason."""

import json
import re
import runpy
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, select, text, update
from sqlalchemy.orm import Session

from deploy.permissions import permissions_of
from services.batching.bank import bank_feedback, bank_messages, bank_reading, bank_receipts
from services.batching.batches import releases, summary
from services.batching.models import BankFeedback, Batch
from services.contracts.events.batching import BATCH_RELEASED, CARDS_ISSUED, CARDS_REFUSED, MEMBERS_REMOVED
from services.contracts.events.revocation import RevocationClosedData, RevocationRejectedData, RevocationRequestedData
from services.contracts.external import bank
from services.contracts.external.protection import SIGNATURE_HEADER, sign
from services.contracts.operations.batching import BatchSummaryRequest
from services.contracts.shared import UnionFacts
from services.kit.events.failures import Reject, Retry
from services.kit.events.subscribe import Message
from services.kit.rpc.methods import Caller
from services.kit.rpc.operation import Scope
from services.kit.rpc.work import Work
from services.kit.schemas import as_dict
from services.kit.secret_values import Key
from tests.databases import ROOT
from tests.documents import an_event
from tests.integration.batching.desk import Desk, a_feedback, a_message, an_approval
from tests.mothers import a_card_number, a_union, an_applicant

REFUSAL = {"outcome": "refused", "reason_code": "name_mismatch", "reason": "姓名与证件不符"}


def issued(application_id: UUID, card_no: str | None = None) -> dict[str, Any]:
    return {"application_id": application_id, "outcome": "issued", "card_no": card_no or a_card_number()}


def refused(application_id: UUID) -> dict[str, Any]:
    return {"application_id": application_id, **REFUSAL}


def wire(*results: dict[str, Any]) -> list[dict[str, Any]]:
    return [{name: str(value) if isinstance(value, UUID) else value for name, value in one.items()} for one in results]


def signed(document: dict[str, Any], indent: int | None = None) -> Message:
    """A message that the bank has signed, whatever it says."""
    body = json.dumps(document, ensure_ascii=False, indent=indent).encode()
    return a_message(body, {SIGNATURE_HEADER: sign(body, bank_messages.bank_key()).upper()})


def records(desk: Desk) -> list[tuple[int, int, int, int]]:
    """Results, applied, repeated and rejected of each feedback."""
    with desk.begin() as session:
        rows = session.scalars(select(BankFeedback).order_by(BankFeedback.id))
        return [(row.results, row.applied, row.repeated, row.rejected) for row in rows]


def counts(desk: Desk, batch_no: str) -> tuple[str, int, int, int]:
    batch = desk.show_batch(batch_no)
    return batch["state"], batch["issued"], batch["refused"], batch["released"]


def test_results_decide_applications_and_are_published_with_the_contact(desk: Desk) -> None:
    batch_no, [first, second, third] = desk.a_batch(3)
    card = a_card_number()

    assert desk.feed(a_feedback(batch_no, issued(first, card), refused(second))) == [None]

    assert desk.states([first, second, third]) == ["issued", "refused", "submitted"]
    assert counts(desk, batch_no) == ("partly_decided", 1, 1, 0)
    [published] = desk.published(CARDS_ISSUED)
    assert published["cards"] == [{"application_id": first, "card_no": card}]
    assert published["contact"] == {"name": "王芳", "phone": "13800000000"}
    assert (published["applications"][0]["version"], published["applications"][0]["late"]) == (2, False)
    [published] = desk.published(CARDS_REFUSED)
    assert published["applications"][0]["reason"] == "姓名与证件不符"
    assert records(desk) == [(2, 2, 0, 0)]


def test_an_applicant_can_be_named_by_member_number(desk: Desk) -> None:
    batch_no, [application_id] = desk.a_batch(1)
    member_no = desk.application(application_id).member_no
    desk.feed(a_feedback(batch_no, {"member_no": member_no, **REFUSAL}))
    assert desk.states([application_id]) == ["refused"]


def test_a_reason_that_cannot_be_read_gives_way_to_its_code_which_must_not_be_blank(desk: Desk) -> None:
    batch_no, [first, second, third] = desk.a_batch(3)
    reasons = [" \n\u200b", "姓名\u202e与\n证件不符", "\uffff"]
    results = [{**refused(one), "reason": reason} for one, reason in zip((first, second, third), reasons, strict=True)]

    assert desk.feed(a_feedback(batch_no, *results, {**refused(first), "reason_code": " "})) == [None]

    [published] = desk.published(CARDS_REFUSED)
    assert {one["application_id"]: one["reason"] for one in published["applications"]} == {
        first: REFUSAL["reason_code"],
        second: "姓名与 证件不符",
        third: REFUSAL["reason_code"],
    }
    assert records(desk) == [(4, 3, 0, 1)]


def test_a_feedback_that_comes_twice_is_applied_once(desk: Desk) -> None:
    batch_no, [application_id, _] = desk.a_batch(2)
    feedback = a_feedback(batch_no, issued(application_id))

    desk.feed(feedback)
    desk.feed(a_message(feedback.body, feedback.headers), a_message(feedback.body, feedback.headers))

    assert records(desk) == [(1, 1, 0, 0), (1, 0, 1, 0), (1, 0, 1, 0)]
    assert len(desk.published(CARDS_ISSUED)) == 1
    assert counts(desk, batch_no) == ("partly_decided", 1, 0, 0)


def test_progress_that_comes_after_the_decision_changes_nothing(desk: Desk) -> None:
    batch_no, [application_id] = desk.a_batch(1)
    desk.feed(
        a_feedback(batch_no, {"application_id": application_id, "outcome": "made"}),
        a_feedback(batch_no, issued(application_id)),
        a_feedback(batch_no, {"application_id": application_id, "outcome": "accepted"}),
    )
    assert desk.application(application_id).bank_outcome == "issued"
    assert records(desk) == [(1, 1, 0, 0), (1, 1, 0, 0), (1, 0, 1, 0)]


def test_progress_is_shown_while_nothing_is_decided(desk: Desk) -> None:
    batch_no, [application_id] = desk.a_batch(1)
    desk.feed(a_feedback(batch_no, {"application_id": application_id, "outcome": "accepted"}))
    [member] = desk.show_batch_members(batch_no)
    batch = desk.show_batch(batch_no)
    assert (member["bank_progress"], member["state"]) == ("accepted", "submitted")
    assert (batch["state"], batch["feedback_text"]) == ("submitted", None)


def test_two_decisions_that_contradict_each_other_are_not_both_taken(desk: Desk) -> None:
    batch_no, [first, second] = desk.a_batch(2)
    desk.feed(a_feedback(batch_no, issued(first), refused(second)))
    assert desk.feed(a_feedback(batch_no, refused(first)), a_feedback(batch_no, issued(second))) == [
        "results.0: contradicts_issued",
        "results.0: contradicts_refused",
    ]
    assert desk.feed(a_feedback(batch_no, issued(first))) == ["results.0: card_no_differs"]
    assert desk.states([first, second]) == ["issued", "refused"]


def test_a_card_number_is_used_once_even_within_one_message(desk: Desk) -> None:
    batch_no, [first, second, third] = desk.a_batch(3)
    card = a_card_number()

    desk.feed(a_feedback(batch_no, issued(first, card), issued(second, card)))
    assert desk.feed(a_feedback(batch_no, issued(third, card))) == ["results.0: card_no_reused"]

    assert desk.states([first, second, third]) == ["issued", "submitted", "submitted"]
    assert records(desk) == [(2, 1, 0, 1), (1, 0, 0, 1)]


def test_a_member_with_a_card_gets_no_second_one(desk: Desk) -> None:
    member_id = uuid4()
    late, second = an_applicant(), an_applicant()
    number = {"member_id": member_id, "member_no": "0070258040"}
    batch_nos = []
    for applicant in (late, second):
        desk.queue(applicant, applications=[{"application_id": applicant["application_id"], **number}])
        desk.check()
        desk.validate({applicant["application_id"]: "passed"})
        batch_nos.append(desk.submit()["batch_no"])
        if applicant is late:
            desk.revoke(batch_nos[0])

    desk.feed(a_feedback(batch_nos[0], issued(late["application_id"])))

    assert desk.feed(a_feedback(batch_nos[1], issued(second["application_id"]))) == ["results.0: already_issued"]


def test_only_the_wrong_results_of_a_message_are_put_aside_and_can_be_replayed(desk: Desk) -> None:
    batch_no, [first, _] = desk.a_batch(2)
    stranger = uuid4()

    assert desk.feed(a_feedback(batch_no, issued(first), refused(stranger))) == [None]

    assert desk.states([first]) == ["issued"]
    [(document, headers)] = desk.rejected_parts()
    assert [result["application_id"] for result in document["results"]] == [str(stranger)]
    assert headers["x-reason"] == "results.1: unknown_application"
    assert headers["x-original-queue"] == "bank.feedback"
    again = a_message(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode(), headers)
    assert desk.feed(again) == ["results.1: unknown_application"]


def test_what_is_put_aside_goes_where_batching_may_publish(desk: Desk) -> None:
    batch_no, [first, _] = desk.a_batch(2)

    desk.feed(a_feedback(batch_no, issued(first), refused(uuid4())))

    allowed = re.compile(permissions_of("batching").write)
    assert [exchange for exchange in desk.exchanges() if not allowed.match(exchange)] == []


def test_what_we_do_not_know_is_rejected(desk: Desk) -> None:
    batch_no, [application_id] = desk.a_batch(1)
    assert desk.feed(
        a_feedback("cbc-unknown", refused(application_id)), a_feedback(batch_no, {"member_no": "9999999999", **REFUSAL})
    ) == ["results.0: unknown_batch", "results.0: unknown_application"]


def test_an_application_of_another_batch_is_rejected(desk: Desk) -> None:
    first, [application_id] = desk.a_batch(1)
    second, _ = desk.a_batch(1)
    assert desk.feed(a_feedback(second, refused(application_id))) == ["results.0: unknown_application"]
    assert desk.feed(a_feedback(first, {**refused(application_id), "member_no": "1"})) == [
        "results.0: member_no_differs"
    ]


def test_an_application_that_was_never_submitted_is_rejected(desk: Desk) -> None:
    batch_no, _ = desk.a_batch(1)
    [queued] = desk.queue()
    assert desk.feed(a_feedback(batch_no, refused(queued))) == ["results.0: unknown_application"]


def test_a_message_without_the_banks_signature_is_not_read(desk: Desk) -> None:
    batch_no, [application_id] = desk.a_batch(1)
    feedback = a_feedback(batch_no, refused(application_id))
    for headers in (
        {},
        *({SIGNATURE_HEADER: forged} for forged in ("0" * 64, 7, "\ud800", "签" * 64)),
    ):
        with pytest.raises(Reject, match="bad_signature"):
            bank_reading.read_feedback(a_message(feedback.body, headers))
    with pytest.raises(Reject, match="bad_signature"):
        bank_reading.read_feedback(a_feedback(batch_no, refused(application_id), key=b"another"))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ({"member_no": "1", "outcome": "issued", "card_no": "6224781234567890"}, "results.1.card_no: An issued card"),
        ({"member_no": "1", "outcome": "issued"}, "results.1.card_no: An issued card"),
        ({"member_no": "1", "outcome": "lost"}, "results.1.outcome: Must be one of"),
        ({"member_no": "1"}, "results.1.outcome: Missing data"),
        ({"member_no": "1", "outcome": "refused"}, "results.1.reason_code: A refusal"),
        ({"application_id": "7", **REFUSAL}, "results.1.application_id: Not a valid UUID."),
        ({"member_no": 7, **REFUSAL}, "results.1.member_no: Not a valid string."),
        (REFUSAL, "results.1.application_id: application_id or member_no"),
        ("issued", "results.1: Invalid input type."),
        (None, "results.1: "),
    ],
)
def test_one_faulty_line_does_not_keep_the_others_from_being_applied(desk: Desk, line: Any, reason: str) -> None:
    batch_no, [first, last] = desk.a_batch(2)

    assert desk.feed(a_feedback(batch_no, results=[*wire(issued(first)), line, *wire(refused(last))])) == [None]

    assert desk.states([first, last]) == ["issued", "refused"]
    assert records(desk) == [(3, 2, 0, 1)]
    [(document, headers)] = desk.rejected_parts()
    assert document["results"] == [line]
    assert headers["x-reason"].startswith(reason)
    [receipt] = desk.receipts()
    assert (receipt["applied"], receipt["rejected"]) == (2, 1)
    assert [rejection["lines"] for rejection in receipt["rejections"]] == [[1]]
    assert reason.split(": ")[1] in receipt["rejections"][0]["reason"]


def test_a_message_of_faulty_lines_alone_is_rejected_as_it_is(desk: Desk) -> None:
    feedback = a_feedback("cbc", {"member_no": "1", "outcome": "lost"})
    [reason] = desk.feed(feedback)
    assert reason is not None
    assert reason.startswith("results.0.outcome: Must be one of")
    assert desk.rejected_parts() == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"results": []}, "results"),
        ({"results": {}}, "results"),
        ({"results": [{"member_no": "1"}] * 1001}, "results"),
        ({"processed_at": "yesterday"}, "processed_at"),
        ({"processed_at": "9999-12-31T23:59:59-12:00"}, "processed_at"),
        ({"processed_at": "0001-01-01T00:00:00+14:00"}, "processed_at"),
        ({"batch_no": 7}, "batch_no"),
    ],
)
def test_a_faulty_envelope_rejects_the_whole_message_and_is_answered(
    desk: Desk, change: dict[str, Any], field: str
) -> None:
    batch_no, [application_id] = desk.a_batch(1)

    document = {**json.loads(a_feedback(batch_no, issued(application_id), feedback_id="f-1").body), **change}
    [reason] = desk.feed(signed(document))

    assert reason is not None
    assert reason.startswith(f"{field}: ")
    assert desk.states([application_id]) == ["submitted"]
    assert records(desk) == []
    [receipt] = desk.receipts()
    assert (receipt["feedback_id"], receipt["applied"]) == ("f-1", 0)
    assert receipt["batch_no"] == (None if field == "batch_no" else batch_no)
    assert [(one["lines"], one["field"], one["code"]) for one in receipt["rejections"]] == [([], field, "bad_schema")]


@pytest.mark.parametrize("change", [{"feedback_id": None}, {"feedback_id": ""}, {"feedback_id": "f" * 65}])
def test_a_message_without_an_id_to_answer_by_is_not_read(change: dict[str, Any]) -> None:
    with pytest.raises(Reject, match="bad_schema: feedback_id"):
        bank_reading.read_feedback(a_feedback("cbc", {"member_no": "1", **REFUSAL}, **change))


@pytest.mark.parametrize(
    ("shift", "code"),
    [
        (timedelta(minutes=-5), "before_submission"),
        (timedelta(days=-30), "before_submission"),
        (timedelta(days=1, minutes=5), "in_the_future"),
        (timedelta(days=8000), "in_the_future"),
    ],
)
def test_results_of_a_time_that_cannot_be_are_rejected(desk: Desk, shift: timedelta, code: str) -> None:
    batch_no, [application_id] = desk.a_batch(1)
    said = (datetime.now(UTC) + shift).isoformat()

    assert desk.feed(a_feedback(batch_no, issued(application_id), processed_at=said)) == [f"processed_at: {code}"]

    assert desk.states([application_id]) == ["submitted"]
    assert desk.batch(batch_no).feedback_at is None
    [receipt] = desk.receipts()
    assert [(one["lines"], one["field"], one["code"]) for one in receipt["rejections"]] == [([], "processed_at", code)]
    assert records(desk) == [(1, 0, 0, 1)]


def test_a_bank_whose_clock_is_a_little_behind_is_believed(desk: Desk) -> None:
    batch_no, [application_id] = desk.a_batch(1)
    said = (desk.batch(batch_no).submitted_at - timedelta(seconds=50)).isoformat()
    assert desk.feed(a_feedback(batch_no, issued(application_id), processed_at=said)) == [None]


def test_each_feedback_gets_a_receipt_in_the_transaction_of_its_effects(desk: Desk) -> None:
    batch_no, [first, second, third] = desk.a_batch(3)
    taken = a_feedback(batch_no, issued(first), refused(second), feedback_id="f-1")

    desk.feed(taken, a_message(taken.body, taken.headers), a_feedback("cbc", refused(third), feedback_id="f-2"))

    [document] = desk.sent_to_bank(bank.RECEIPT)
    receipts = desk.receipts()
    shown = [(one["feedback_id"], one["seen_before"], one["applied"], one["repeated"]) for one in receipts]
    assert shown == [("f-1", False, 2, 0), ("f-1", True, 0, 2), ("f-2", False, 0, 0)]
    assert receipts[2]["rejections"] == [
        {"lines": [0], "field": None, "code": "unknown_batch", "reason": bank.REJECTIONS["unknown_batch"]}
    ]
    published = json.dumps(document)
    assert not [application_id for application_id in (first, second, third) if str(application_id) in published]
    assert "6231" not in published
    assert "姓名" not in published


def test_a_feedback_id_with_another_content_is_rejected(desk: Desk) -> None:
    batch_no, [first, second] = desk.a_batch(2)
    other_batch, [third] = desk.a_batch(1)
    desk.feed(a_feedback(batch_no, issued(first), feedback_id="f-1"))

    assert desk.feed(
        a_feedback(batch_no, issued(second), feedback_id="f-1"),
        a_feedback(other_batch, issued(third), feedback_id="f-1"),
        a_feedback(other_batch, {"application_id": third, "outcome": "made"}, feedback_id="f-2"),
        a_feedback(other_batch, issued(third), feedback_id="f-2"),
    ) == [
        "feedback_id: feedback_id_reused",
        "feedback_id: feedback_id_reused",
        None,
        "feedback_id: feedback_id_reused",
    ]

    assert desk.states([first, second, third]) == ["issued", "submitted", "submitted"]
    assert [one["rejections"][0]["code"] for one in desk.receipts() if one["rejected"]] == ["feedback_id_reused"] * 3


def two_at_once(desk: Desk, first: Message, *others: Message) -> list[str | None]:
    """One process has taken the first message and not committed yet when another one takes the others.

    Answers the rejections of the others.
    """
    for message in (first, *others):
        message.data = bank_reading.read_feedback(message)
    with ThreadPoolExecutor(1) as another, desk.begin() as session:
        bank_receipts.answer(session, bank_feedback.apply_feedback(session, [first.data]))
        fed = another.submit(desk.feed, *others)
        waiting = text(
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event = 'transactionid'"
        )
        while not fed.done() and not session.scalar(waiting):
            time.sleep(0.01)
        session.commit()
    return fed.result()


def test_the_same_feedback_id_for_two_batches_at_once_is_one_clean_rejection(desk: Desk) -> None:
    (first_batch, [first]), (second_batch, [second]) = desk.a_batch(1), desk.a_batch(1)
    third_batch, [third] = desk.a_batch(1)

    assert two_at_once(
        desk,
        a_feedback(first_batch, issued(first), feedback_id="f-3"),
        a_feedback(second_batch, issued(second), feedback_id="f-3"),
        a_feedback(third_batch, refused(third)),
    ) == ["feedback_id: feedback_id_reused", None]

    assert desk.states([first, second, third]) == ["issued", "submitted", "refused"]
    assert [(one["applied"], one["rejected"]) for one in desk.receipts()] == [(1, 0), (0, 1), (1, 0)]


def test_the_same_feedback_of_a_batch_that_nobody_knows_twice_at_once_is_a_repetition(desk: Desk) -> None:
    feedback = a_feedback("cbc", refused(uuid4()))
    again = a_message(feedback.body, feedback.headers)

    assert two_at_once(desk, feedback, again) == ["results.0: unknown_batch"]

    assert [one["seen_before"] for one in desk.receipts()] == [False, True]


def test_one_card_number_for_two_applications_at_once_is_one_clean_rejection(desk: Desk) -> None:
    (first_batch, [first]), (second_batch, [second]) = desk.a_batch(1), desk.a_batch(1)
    card = a_card_number()

    rejected = two_at_once(
        desk, a_feedback(first_batch, issued(first, card)), a_feedback(second_batch, issued(second, card))
    )

    assert rejected == ["results.0: card_no_reused"]
    assert desk.states([first, second]) == ["issued", "submitted"]


def test_the_same_content_written_otherwise_is_a_repetition(desk: Desk) -> None:
    batch_no, [application_id] = desk.a_batch(1)
    first = a_feedback(batch_no, issued(application_id))
    document = dict(reversed(json.loads(first.body).items()))

    desk.feed(first)
    desk.feed(signed(document, indent=2))

    assert records(desk) == [(1, 1, 0, 0), (1, 0, 1, 0)]
    assert desk.receipts()[1]["seen_before"]


def test_what_was_put_aside_of_a_feedback_is_no_other_content_and_keeps_its_line_numbers(desk: Desk) -> None:
    batch_no, [first, second] = desk.a_batch(2)
    wrong = {**refused(second), "member_no": "1"}
    desk.feed(a_feedback(batch_no, issued(first), wrong, {"member_no": "1", "outcome": "lost"}))
    [(document, _)] = desk.rejected_parts()

    [reason] = desk.feed(signed(document))

    assert reason is not None
    assert reason.startswith("results.1: member_no_differs, results.2.outcome: Must be")
    assert desk.receipts()[1]["seen_before"]
    assert [one["lines"] for one in desk.receipts()[1]["rejections"]] == [[1], [2]]


def test_while_the_key_changes_feedback_by_either_key_is_taken(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    batch_no, [first, second] = desk.a_batch(2)
    settings = bank_messages.BankSettings(Key("old"), Key("new"))
    monkeypatch.setattr(bank_messages, "read_settings", lambda _kind: settings)
    desk.feed(a_feedback(batch_no, refused(first), key=b"old"), a_feedback(batch_no, refused(second), key=b"new"))
    assert desk.states([first, second]) == ["refused", "refused"]
    with pytest.raises(Reject, match="bad_signature"):
        bank_reading.read_feedback(a_feedback(batch_no, refused(first), key=b""))


@pytest.mark.parametrize("body", [b"no json", b"\xff\xfe", b"[]", b"7", b"[" * 100_000, b'{"feedback_id": "\\ud800"}'])
def test_a_body_that_is_no_feedback_is_not_read(body: bytes) -> None:
    signed = a_message(body, {SIGNATURE_HEADER: sign(body, bank_messages.bank_key())})
    with pytest.raises(Reject):
        bank_reading.read_feedback(signed)


def test_a_revoked_batch_releases_what_the_bank_has_not_decided(desk: Desk) -> None:
    batch_no, [first, second, third] = desk.a_batch(3)
    desk.feed(a_feedback(batch_no, issued(first)), a_feedback(batch_no, {"application_id": second, "outcome": "made"}))

    desk.revoke(batch_no)

    assert desk.states([first, second, third]) == ["issued", "released", "released"]
    assert counts(desk, batch_no) == ("revoked", 1, 0, 2)
    [published] = desk.published(BATCH_RELEASED)
    assert (published["reason"], len(published["applications"])) == ("revoked", 2)
    [recall] = desk.sent_to_bank(bank.RECALLED)
    assert {one["application_id"] for one in recall["applicants"]} == {str(second), str(third)}


def test_a_card_issued_after_the_release_counts_and_is_published_as_late(desk: Desk) -> None:
    batch_no, [application_id, _] = desk.a_batch(2)
    desk.revoke(batch_no)

    assert desk.feed(a_feedback(batch_no, issued(application_id))) == [None]

    assert desk.states([application_id]) == ["issued"]
    assert counts(desk, batch_no) == ("revoked", 1, 0, 1)
    [published] = desk.published(CARDS_ISSUED)
    assert published["applications"][0]["late"]
    assert desk.versions(application_id) == [1, 2, 3]


def test_a_refusal_after_the_release_is_stored_and_not_published(desk: Desk) -> None:
    batch_no, [application_id] = desk.a_batch(1)
    desk.revoke(batch_no)

    desk.feed(a_feedback(batch_no, refused(application_id)), a_feedback(batch_no, refused(application_id)))

    assert desk.states([application_id]) == ["released"]
    assert desk.application(application_id).reason_code == "name_mismatch"
    assert desk.published(CARDS_REFUSED) == []
    assert records(desk) == [(1, 1, 0, 0), (1, 0, 1, 0)]
    assert counts(desk, batch_no) == ("revoked", 0, 0, 1)


def test_a_batch_from_which_an_approval_frees_nobody_is_decided_and_not_revoked(desk: Desk) -> None:
    batch_no, [first, second] = desk.a_batch(2)
    desk.feed(a_feedback(batch_no, issued(first), refused(second)))

    desk.revoke(batch_no)
    desk.revoke(batch_no)

    assert counts(desk, batch_no) == ("decided", 1, 1, 0)
    assert desk.batch(batch_no).revocation_state == "closed"
    assert desk.published(BATCH_RELEASED) == []
    assert desk.sent_to_bank(bank.RECALLED) == []


def test_a_revoked_batch_stays_revoked_when_all_its_cards_come_late(desk: Desk) -> None:
    batch_no, [application_id] = desk.a_batch(1)
    desk.revoke(batch_no)
    desk.feed(a_feedback(batch_no, issued(application_id)))
    desk.revoke(batch_no)
    assert counts(desk, batch_no) == ("revoked", 1, 0, 0)


def test_a_batch_of_an_earlier_release_that_was_called_revoked_without_a_release_is_no_longer(desk: Desk) -> None:
    revoked, _ = desk.a_batch(1)
    late, [application_id] = desk.a_batch(1)
    for batch_no in (revoked, late):
        desk.revoke(batch_no)
    desk.feed(a_feedback(late, issued(application_id)))
    nobody, [application_id] = desk.a_batch(1)
    desk.feed(a_feedback(nobody, issued(application_id)))
    with desk.begin() as session:
        session.execute(update(Batch).where(Batch.batch_no == nobody).values(revocation_state="approved"))
        [migration] = (ROOT / "services/batching/migrations/versions").glob("*_batches_nobody_left.py")
        session.execute(text(runpy.run_path(str(migration))["CLOSE"]))
    states = [counts(desk, batch_no)[0] for batch_no in (revoked, late, nobody)]
    assert states == ["revoked", "revoked", "decided"]


def test_a_revocation_approved_twice_releases_once(desk: Desk) -> None:
    batch_no, application_ids = desk.a_batch(2)
    desk.revoke(batch_no)
    desk.revoke(batch_no)
    assert len(desk.published(BATCH_RELEASED)) == 1
    assert desk.versions(application_ids[0]) == [1, 2]


def _told_of_revocation(session: Session, batch_no: str, state: str, at: datetime) -> None:
    approval = an_approval(batch_no, at)
    names = {"revocation_id", "batch_no", "union_id", "reviewer_union_id", "applicant"}
    facts: dict[str, Any] = {name: value for name, value in vars(approval).items() if name in names}
    if state == "requested":
        del facts["union_id"]
        union = UnionFacts(union_id=approval.union_id, code="c", name="n")
        data = RevocationRequestedData(**facts, union=union, requested_by=uuid4(), requested_at=at)
        releases.revocation_requested(session, an_event(data))
    elif state == "rejected":
        rejected = RevocationRejectedData(**facts, decided_by=uuid4(), decided_at=at)
        releases.revocation_rejected(session, an_event(rejected))
    else:
        releases.revocation_closed(session, an_event(RevocationClosedData(**facts, closed_at=at)))


def test_the_latest_state_of_a_revocation_is_shown_in_whatever_order_events_come(desk: Desk) -> None:
    batch_no, _ = desk.a_batch(1)
    start = datetime.now(UTC)
    steps = [("requested", 0), ("rejected", 1), ("requested", 2), ("closed", 3)]
    for order in ((0, 1, 2), (2, 1, 0), (1, 2, 0), (3, 0, 2)):
        with desk.begin() as session:
            for position in order:
                state, minutes = steps[position]
                _told_of_revocation(session, batch_no, state, start + timedelta(minutes=minutes))
        assert desk.batch(batch_no).revocation_state == ("closed" if 3 in order else "requested")


def test_a_revocation_of_an_unknown_batch_is_wrong_in_itself(desk: Desk) -> None:
    with pytest.raises(Reject):
        desk.revoke("cbc-unknown")


def test_a_cancelled_application_leaves_the_pending_list(desk: Desk) -> None:
    [application_id] = desk.queue()
    desk.cancel(application_id)
    desk.cancel(application_id)
    assert desk.states([application_id]) == ["removed"]
    assert [published["reason"] for published in desk.published(MEMBERS_REMOVED)] == ["cancelled"]


def test_a_cancelled_application_leaves_its_batch_and_is_recalled_from_the_bank(desk: Desk) -> None:
    batch_no, [first, second] = desk.a_batch(2)
    desk.cancel(first)
    assert desk.states([first, second]) == ["released", "submitted"]
    [published] = desk.published(BATCH_RELEASED)
    assert published["reason"] == "cancelled"
    assert counts(desk, batch_no) == ("partly_decided", 0, 0, 1)
    assert len(desk.sent_to_bank(bank.RECALLED)) == 1


def test_a_cancellation_that_overtakes_the_queueing_comes_again(desk: Desk) -> None:
    with pytest.raises(Retry):
        desk.cancel(uuid4())


def test_the_summary_adds_up(desk: Desk) -> None:
    batch_no, [first, second, _] = desk.a_batch(3)
    desk.feed(a_feedback(batch_no, issued(first), refused(second)))
    with desk.begin() as session:
        shown = as_dict(summary.summarise(desk.work(session), BatchSummaryRequest()))
    assert shown["awaiting_bank"] == 1
    assert shown["submitted_by_day"][-1]["submitted"] == 3
    assert shown["refused_by_reason"] == [{"reason_code": "name_mismatch", "reason": "姓名与证件不符", "count": 1}]
    assert shown["by_union"] == []


def test_the_city_counts_all_batches_by_the_union_right_below_it(desk: Desk, engine: Engine) -> None:
    city, district = desk.union["superior_ids"]
    of_the_district = Desk(engine, a_union(union_id=district, superior_union_id=city, superior_ids=[city]))
    for each, size in ((desk, 2), (of_the_district, 1), (Desk(engine), 1)):
        each.a_batch(size)
    with desk.begin() as session:
        reviewer = Caller(roles=frozenset({"reviewer"}), union_id=str(city), scope=Scope.SUBORDINATES)
        shown = as_dict(summary.summarise(Work(session, reviewer), BatchSummaryRequest()))
    assert shown["awaiting_bank"] == 3
    assert [(one["union_id"], one["batches"], one["total"]) for one in shown["by_union"]] == [(district, 2, 3)]
