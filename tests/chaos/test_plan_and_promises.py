"""The plan of a chaos run repeats by its seed, and lost and duplicated promises are detected."""

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import pytest

from deploy.simulators.bank_ledger import life_of_card
from tests.chaos.bank_faults import BANK_FAULTS, SOUND
from tests.chaos.plan import ALL_KINDS, draw
from tests.chaos.promises import Promises, UnionPromises, Verdict, verify_messages, verify_receipts, verify_union

BATCH = {
    "batch_no": "cbc1",
    "personal": False,
    "total": 1,
    "register_hash": "a",
    "issued": 1,
    "refused": 0,
    "released": 0,
}


class Answers:
    """A clerk's client in a union where one member has a card by one batch, until a test changes it."""

    def __init__(self) -> None:
        self.account = {"account_name": "chaos1"}
        self.application = {"application_id": str(uuid4()), "state": "issued"}
        self.members = [self.a_member("王甲", "1")]
        self.persons = [dict(self.application)]
        self.batches = [BATCH]

    def a_member(self, name: str, number: str) -> dict[str, Any]:
        return {
            "member_id": str(uuid4()),
            "name": name,
            "member_no": number,
            "applications": [self.application],
            "card_status": "active",
            "card_steps": life_of_card(self.application["application_id"]),
        }

    def all_pages(self, path: str) -> list[dict[str, Any]]:
        if path == "batches/cbc1/members":
            return self.persons
        return {"members": self.members, "batches": self.batches, "revocations": []}[path]

    def get(self, path: str) -> Any:
        if path.startswith("batches/"):
            return self.batches[0]
        return next(one for one in self.members if path.endswith(one["member_id"]))


def held(answers: Answers, cards: Sequence[dict[str, Any]] = (), **facts_changed: Any) -> Verdict:
    """The verdict on answers about one member, one application and one batch, and a card that the bank issued."""
    facts = {"names": ["王甲"], "queued": 1, "batches": {"cbc1": BATCH}}
    promises = Promises()
    promises.record_results([{"application_id": answers.application["application_id"], "outcome": "issued"}])
    promises.record_cards(cards)
    verdict = Verdict()
    verify_union(UnionPromises(**(facts | facts_changed)), promises, answers, verdict)  # type: ignore[arg-type]
    return verdict


def test_a_plan_is_the_same_for_its_seed_and_has_each_kind() -> None:
    plan = draw(1, 40, 100)
    assert plan == draw(1, 40, 100)
    assert plan != draw(2, 40, 100)
    assert {fault.kind for fault in plan} == {kind.name for kind in ALL_KINDS}
    assert [fault.at for fault in plan] == sorted(fault.at for fault in plan)


def test_kept_promises_are_no_offence() -> None:
    assert held(Answers()).offenders == []


@pytest.mark.parametrize(
    ("facts_changed", "lost"),
    [
        ({"names": ["王甲", "王乙"]}, "chaos1: member 王乙"),
        ({"queued": 2}, "chaos1: 1 of 2 applications queued"),
        ({"removed": 1}, "chaos1: 1 of 1 applications removed"),
        ({"batches": {"cbc1": BATCH | {"total": 2}}}, "cbc1: 1 of 2 persons in batches"),
        ({"batches": {"cbc1": BATCH | {"register_hash": "b"}}}, "register unchanged: cbc1"),
        ({"revocations": ["r"]}, "chaos1: 1 of 1 revocations requested"),
    ],
)
def test_a_broken_promise_is_seen(facts_changed: dict[str, Any], lost: str) -> None:
    assert held(Answers(), **facts_changed).lost == [lost]


def test_a_result_that_was_not_applied_and_services_that_disagree_are_seen() -> None:
    answers = Answers()
    answers.application["state"] = "submitted"
    assert len(held(answers).lost) == 1
    answers.persons[0]["state"] = "submitted"
    assert ["bank results applied" in one for one in held(answers).lost] == [True]


def test_a_report_on_a_card_that_was_not_applied_is_seen() -> None:
    answers = Answers()
    while [one["step"] for one in life_of_card(answers.application["application_id"])] != ["collected", "activated"]:
        answers.application["application_id"] = str(uuid4())
    answers.members = [answers.a_member("王甲", "1")]
    answers.persons = [dict(answers.application)]
    cards = life_of_card(answers.application["application_id"])
    assert held(answers, cards=cards).offenders == []
    answers.members[0] |= {"card_status": "collected", "card_steps": cards[:1]}
    assert ["reports on cards applied" in one for one in held(answers, cards=cards).lost] == [True]


def test_what_is_there_twice_is_seen() -> None:
    answers = Answers()
    answers.members.append(answers.a_member("王甲", "1"))
    assert held(answers).duplicated == ["chaos1: member 王甲", "chaos1: member number 1"]
    answers = Answers()
    answers.batches.append(BATCH | {"batch_no": "cbc2"})
    assert held(answers).duplicated == ["chaos1: 1 batches submitted more than the 1 promised"]


def test_a_text_message_that_was_sent_twice_is_seen() -> None:
    verdict, promises = Verdict(), Promises()
    promises.record_password_request("13700000000")
    password = {"phone": "13700000000", "text": "验证码123456"}
    verify_messages(promises, [{**password, "request_id": "a"}, {**password, "request_id": "b"}], verdict)
    assert len(verdict.duplicated) == 2


def a_receipt(**changes: Any) -> dict[str, Any]:
    """Of two good lines and one with a wrong check digit."""
    rejection = {"lines": [2], "field": "card_no", "code": "bad_schema", "reason": "…"}
    counts = {"results": 3, "applied": 1, "repeated": 1, "rejected": 1, "rejections": [rejection]}
    return {"feedback_id": "f", **counts, **changes}


@pytest.mark.parametrize(
    ("receipts", "is_kept"),
    [
        ([a_receipt()], True),
        ([a_receipt(feedback_id="another")], False),
        ([a_receipt(applied=0, rejected=2, rejections=[{**a_receipt()["rejections"][0], "lines": [1, 2]}])], False),
        ([a_receipt(applied=2, rejected=0, rejections=[])], False),
    ],
)
def test_a_feedback_without_its_receipt_is_seen(receipts: list[dict[str, Any]], is_kept: bool) -> None:
    verdict, promises = Verdict(), Promises()
    promises.record_feedback(["f"], BANK_FAULTS["bad check digit"])
    verify_receipts(promises, receipts, verdict)
    assert (verdict.lost == []) is is_kept


def test_a_good_feedback_that_was_not_taken_is_seen() -> None:
    verdict, promises = Verdict(), Promises()
    promises.record_feedback(["f"], SOUND)
    verify_receipts(promises, [a_receipt()], verdict)
    assert len(verdict.lost) == 1
