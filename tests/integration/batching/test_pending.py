"""The pending list: members are listed, checked, completed, switched and removed."""

from datetime import date
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from services.batching.pending import checks, listing, pending
from services.contracts.events.batching import (
    CHANNEL_ASSIGNED,
    MEMBER_CORRECTED,
    MEMBERS_REFUSED,
    MEMBERS_REMOVED,
    PENDING_CHANGED,
    VALIDATION_REQUESTED,
)
from services.contracts.events.membership import MEMBERS_QUEUED
from services.contracts.operations.batching import ListPendingRequest
from services.kit.events.failures import Reject
from services.kit.problems import Conflict, Invalid, NotFound, Problem
from tests.documents import an_event
from tests.integration.batching.desk import Desk
from tests.mothers import a_queueing, a_resident_number, an_applicant
from tests.ordered_plans import sorts_in

_CHECK_DIGIT = ("document_number", "check_digit_wrong")
_OF_DOCUMENT = ("nationality", "nationality_of_document")


def test_queued_members_are_listed_unchecked_by_member_number(desk: Desk) -> None:
    [first] = desk.queue(an_applicant(name="韩梅", document_number="31010119750308002X"))
    [second] = desk.queue(an_applicant())

    answer = desk.show()

    assert [item["application_id"] for item in answer["items"]] == [first, second]
    item = answer["items"][0]
    assert (item["name"], item["document_number"]) == ("韩梅", "31010***********2X")
    assert (item["check_state"], item["channel"], item["can_switch"]) == ("unchecked", "ordinary", True)
    assert answer["counts"]["ordinary"] == {
        "total": 2, "unchecked": 2, "checking": 0, "waiting": 0, "passed": 0, "failed": 0, "overdue": 0,
    }  # fmt: skip
    assert desk.published(CHANNEL_ASSIGNED) == []


def test_a_queueing_that_comes_twice_lists_once(desk: Desk) -> None:
    applicant = an_applicant()
    desk.queue(applicant)
    desk.queue(applicant)
    assert desk.show()["total"] == 1


def test_persons_that_are_not_the_queued_ones_make_the_event_wrong(desk: Desk) -> None:
    queueing = a_queueing(an_applicant(), union=desk.union)
    with pytest.raises(Reject):
        desk.queue(an_applicant(), applications=queueing["applications"])


def test_other_documents_and_rare_names_take_the_special_channel_which_is_published(desk: Desk) -> None:
    passport, rare, _ = desk.queue(
        an_applicant(document_type="passport", document_number="E12345678"), an_applicant(name="王䶮"), an_applicant()
    )

    items = {item["application_id"]: item for item in desk.show(channel="special")["items"]}

    assert items.keys() == {passport, rare}
    assert not items[passport]["can_switch"]
    assert items[rare]["can_switch"]
    assert "䶮" in items[rare]["channel_reason"]
    [published] = desk.published(CHANNEL_ASSIGNED)
    assert published["channel"] == "special"
    assert {(step["application_id"], step["version"]) for step in published["applications"]} == {
        (passport, 1),
        (rare, 1),
    }


def test_the_list_is_searched_by_name_document_check_and_completeness(desk: Desk) -> None:
    desk.queue(
        an_applicant(name="刘春", document_number="310115196501150016"),
        an_applicant(name="刘_"),
        an_applicant(name="王䶮", document_expiry=None),
        an_applicant(name="王㛃"),
    )

    assert [item["name"] for item in desk.show(name="刘春")["items"]] == ["刘春"]
    assert desk.show(name="刘_")["total"] == 1
    desk.queue(an_applicant(name="O'Brien"))
    assert desk.show(name="o'b")["total"] == 1
    assert desk.show(document_number="３１０１１５ 196501150016")["total"] == 1
    assert desk.show(check_state="passed")["total"] == 0
    assert [item["name"] for item in desk.show(channel="special", complete=False)["items"]] == ["王䶮"]
    assert [item["name"] for item in desk.show(channel="special", complete=True)["items"]] == ["王㛃"]
    special = desk.show()["counts"]["special"]
    assert {name: count for name, count in special.items() if count} == {
        "total": 2, "complete": 1, "incomplete": 1, "unchecked": 2,
    }  # fmt: skip


def test_a_page_too_deep_is_refused(desk: Desk) -> None:
    with pytest.raises(Problem, match="page_too_deep"):
        desk.show(page=51, size=200)


def test_a_check_is_asked_for_once_while_it_runs(desk: Desk) -> None:
    [application_id] = desk.queue(an_applicant(name="刘春", birth_date=date(1971, 2, 3)))

    assert (desk.check(), desk.check()) == (1, 0)

    [published] = desk.published(VALIDATION_REQUESTED)
    assert published["applications"] == [{"application_id": application_id, "check_no": 1}]
    assert published["persons"][0]["name"] == "刘春"
    assert published["persons"][0]["birth_date"] == date(1971, 2, 3)
    assert desk.show()["items"][0]["check_state"] == "checking"


@pytest.mark.parametrize("number", [4, 5])
def test_a_long_list_is_checked_part_by_part(desk: Desk, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    monkeypatch.setattr(checks, "_AT_ONCE", 2)
    application_ids = desk.queue(*[an_applicant() for _ in range(number)])
    assert desk.check() == number
    published = [
        one["application_id"] for event in desk.published(VALIDATION_REQUESTED) for one in event["applications"]
    ]
    assert sorted(published) == sorted(application_ids)
    assert desk.show()["counts"]["ordinary"]["checking"] == number


def test_results_come_with_their_findings_and_failed_ones_can_be_checked_again(desk: Desk) -> None:
    good, bad = desk.queue(an_applicant(), an_applicant())
    desk.check()

    desk.validate({good: "passed"})
    desk.validate({bad: "failed"}, code="retired", message="已达法定退休年龄")

    shown = {item["application_id"]: item for item in desk.show()["items"]}
    assert shown[good]["check_state"] == "passed"
    assert shown[bad]["findings"] == [{"code": "retired", "severity": "error", "message": "已达法定退休年龄"}]
    assert desk.check() == 1
    assert [published["reason"] for published in desk.published(PENDING_CHANGED)] == [
        "queued", "checking", "checked", "checked", "checking",
    ]  # fmt: skip


def test_a_waiting_check_is_not_asked_again_and_its_result_counts_later(desk: Desk) -> None:
    [application_id] = desk.queue()
    desk.check()
    desk.validate({application_id: "waiting"})
    assert desk.check() == 0
    desk.validate({application_id: "passed"})
    desk.validate({application_id: "waiting"})
    assert desk.show()["counts"]["ordinary"]["passed"] == 1


def test_the_result_of_a_check_before_a_change_is_dropped(desk: Desk) -> None:
    [application_id] = desk.queue()
    desk.check()

    item = desk.update(application_id, document_expiry=date(2040, 1, 1))
    desk.validate({application_id: "passed"}, check_no=1)

    assert item["check_state"] == "unchecked"
    assert desk.show()["items"][0]["check_state"] == "unchecked"
    desk.check()
    desk.validate({application_id: "failed"}, check_no=1)
    assert desk.show()["items"][0]["check_state"] == "checking"
    desk.validate({application_id: "passed"}, check_no=2)
    assert desk.show()["items"][0]["check_state"] == "passed"


def test_an_unchanged_expiry_leaves_the_check_as_it_is(desk: Desk) -> None:
    applicant = an_applicant()
    [application_id] = desk.queue(applicant)
    desk.check()
    desk.validate({application_id: "passed"})
    assert desk.update(application_id, document_expiry=applicant["document_expiry"])["check_state"] == "passed"


def test_completing_says_what_is_missing(desk: Desk) -> None:
    [application_id] = desk.queue(
        an_applicant(document_type="passport", document_number="E12345678", document_expiry=None, nationality=None)
    )
    assert desk.show(channel="special")["items"][0]["missing"] == ["document_expiry", "nationality"]

    item = desk.update(application_id, document_expiry=date(2030, 1, 1), nationality="CHN")

    assert (item["complete"], item["missing"]) == (True, [])


def test_a_clerk_switches_channels_and_each_switch_is_a_step(desk: Desk) -> None:
    [application_id] = desk.queue()

    switched = desk.update(application_id, channel="special", channel_reason_code="other", channel_note="曾用名")
    assert (switched["channel"], switched["channel_reason"], switched["channel_note"]) == ("special", "其他", "曾用名")
    back = desk.update(application_id, channel="ordinary")
    assert (back["channel"], back["channel_reason"], back["channel_note"]) == ("ordinary", None, None)

    published = [(one["channel"], one["applications"][0]["version"]) for one in desk.published(CHANNEL_ASSIGNED)]
    assert published == [("special", 1), ("ordinary", 2)]
    assert [one["reason"] for one in desk.published(CHANNEL_ASSIGNED)] == ["其他", None]


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({}, "channel_reason_code"),
        ({"channel_reason_code": "other"}, "channel_note"),
        ({"channel_reason_code": "rare_character"}, "channel_reason_code"),
    ],
)
def test_a_switch_to_the_special_channel_needs_a_reason(desk: Desk, request_: dict[str, str], field: str) -> None:
    [application_id] = desk.queue()
    with pytest.raises(Invalid) as refusal:
        desk.update(application_id, channel="special", **request_)
    assert [problem.field for problem in refusal.value.fields] == [field]
    assert desk.show()["total"] == 1


def test_a_reason_that_the_system_found_needs_no_words(desk: Desk) -> None:
    [application_id] = desk.queue(an_applicant(name="王䶮"))
    desk.update(application_id, channel="ordinary")
    entry = desk.update(application_id, channel="special")
    assert (entry["channel"], entry["channel_reason_code"]) == ("special", "rare_character")


def test_a_passport_cannot_go_back_to_the_ordinary_channel(desk: Desk) -> None:
    [application_id] = desk.queue(an_applicant(document_type="passport", document_number="E12345678"))
    with pytest.raises(Conflict, match="channel_locked"):
        desk.update(application_id, channel="ordinary")
    corrected = {"document_type": "resident_id", "document_number": a_resident_number()}
    assert desk.update(application_id, **corrected, channel="ordinary")["channel"] == "ordinary"


def test_who_has_a_resident_id_after_all_leaves_the_channel_of_other_documents(desk: Desk) -> None:
    [application_id] = desk.queue(an_applicant(document_type="passport", document_number="E12345678"))
    entry = desk.update(application_id, document_type="resident_id", document_number=a_resident_number())
    assert (entry["channel"], entry["channel_reason"], entry["can_switch"]) == ("ordinary", None, True)


def test_a_note_that_cannot_be_printed_is_refused_at_once(desk: Desk) -> None:
    [application_id] = desk.queue()
    with pytest.raises(Invalid) as refusal:
        desk.update(application_id, channel="special", channel_reason_code="other", channel_note="曾用名\U000323b0")
    assert [(problem.field, problem.code) for problem in refusal.value.fields] == [("channel_note", "font_lacks")]


def test_a_document_that_becomes_a_passport_moves_to_the_special_channel(desk: Desk) -> None:
    [application_id] = desk.queue()
    item = desk.update(application_id, document_type="passport", document_number="E12345678")
    assert (item["channel"], item["can_switch"]) == ("special", False)


def test_removing_frees_the_members_and_says_why(desk: Desk) -> None:
    failed, unchecked, passed, incomplete = desk.queue(
        an_applicant(), an_applicant(), an_applicant(), an_applicant(name="王䶮", document_expiry=None)
    )
    desk.check(failed, passed)
    desk.validate({failed: "failed", passed: "passed"})

    assert desk.remove(which="not_passed") == 2
    assert desk.remove(which="incomplete") == 1
    assert desk.remove(application_ids=[passed, failed]) == 1

    assert desk.states([failed, unchecked, incomplete, passed]) == ["removed"] * 4
    published = {
        one["reason"]: [step["application_id"] for step in one["applications"]]
        for one in desk.published(MEMBERS_REMOVED)
    }
    assert {reason: set(ids) for reason, ids in published.items()} == {
        "not_passed": {failed, unchecked}, "incomplete": {incomplete}, "by_clerk": {passed},
    }  # fmt: skip
    assert desk.versions(incomplete) == [1, 2]


def test_those_of_the_special_channel_who_did_not_pass_are_removed_apart(desk: Desk) -> None:
    ordinary, failed, passed = desk.queue(an_applicant(), an_applicant(name="王䶮"), an_applicant(name="王㛃"))
    desk.check(channel="special")
    desk.validate({failed: "failed", passed: "passed"})
    assert desk.remove(which="special_not_passed") == 1
    assert desk.states([ordinary, failed, passed]) == ["queued", "removed", "queued"]


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"document_expiry": date(2020, 1, 1)}, "document_expiry", "expired"),
        ({"document_type": "resident_id", "document_number": "310115198506150012"}, *_CHECK_DIGIT),
        ({"document_type": "resident_id", "nationality": "USA"}, "document_number", "number_form"),
        ({"nationality": "CHN"}, "document_number", "number_form"),
        ({"document_type": "hmt_residence_permit"}, "document_number", "number_form"),
        ({"document_type": "mainland_travel_permit_tw", "document_number": "12345678"}, *_OF_DOCUMENT),
    ],
)
def test_what_no_document_can_say_is_refused_on_completion(
    desk: Desk, changes: dict[str, Any], field: str, code: str
) -> None:
    passport = {"document_type": "passport", "document_number": "AB1234567", "nationality": "USA"}
    [application_id] = desk.queue(an_applicant(**passport))
    with pytest.raises(Invalid) as refusal:
        desk.update(application_id, **changes)
    assert (field, code) in [(problem.field, problem.code) for problem in refusal.value.fields]
    assert desk.application(application_id).document_type == "passport"
    assert desk.published(MEMBER_CORRECTED) == []


def test_a_correction_goes_to_the_member_with_who_made_it(desk: Desk) -> None:
    [application_id] = desk.queue(an_applicant(name="韩梅", retirement_category="F50"))
    number = a_resident_number(date(1991, 2, 3), "female")
    desk.update(application_id, document_number=number, document_expiry=date(2041, 2, 3))
    [published] = desk.published(MEMBER_CORRECTED)
    assert published["person"] == {
        "document_type": "resident_id",
        "document_number": number,
        "document_expiry": date(2041, 2, 3),
        "nationality": "CHN",
        "birth_date": date(1991, 2, 3),
        "sex": "female",
    }
    application = desk.application(application_id)
    assert (published["member_id"], str(published["corrected_by"])) == (application.member_id, desk.clerk.account_id)
    desk.check()
    [asked] = desk.published(VALIDATION_REQUESTED)
    assert (asked["persons"][0]["birth_date"], asked["persons"][0]["sex"]) == (date(1991, 2, 3), "female")


def test_a_document_of_somebody_who_is_getting_a_card_is_refused(desk: Desk) -> None:
    first, second = an_applicant(), an_applicant()
    _, application_id = desk.queue(first, second)
    with pytest.raises(Conflict, match="document_known"):
        desk.update(application_id, document_number=first["document_number"])


def test_a_person_who_cannot_be_listed_is_parted_from_the_others_and_free(desk: Desk) -> None:
    good, bad = an_applicant(), an_applicant(phone="电话")
    desk.queue(good, bad)
    assert desk.show()["total"] == 1
    [published] = desk.published(MEMBERS_REMOVED)
    [step] = published["applications"]
    assert (step["application_id"], step["version"]) == (bad["application_id"], 1)
    assert published["detail"]
    [refused] = desk.published(MEMBERS_REFUSED)
    [member] = refused["members"]
    assert (member["application_id"], member["member_no"]) == (
        bad["application_id"],
        desk.application(bad["application_id"]).member_no,
    )
    assert "电话" in member["reason"]
    assert desk.states([good["application_id"], bad["application_id"]]) == ["queued", "removed"]


def test_what_can_be_cleaned_is_listed_as_it_is_kept(desk: Desk) -> None:
    applicant = an_applicant(nationality="CHN\n", phone="+86 138 0000 0009", name="王\u200b芳")
    [application_id] = desk.queue(applicant)
    application = desk.application(application_id)
    assert (application.name, application.nationality) == ("王芳", "CHN")
    assert '"13800000009"' in application.other_facts


def test_a_person_of_whom_nothing_can_be_read_holds_up_nobody(desk: Desk) -> None:
    good, bad = an_applicant(), an_applicant()
    published = a_queueing(good, bad, union=desk.union)
    wire = MEMBERS_QUEUED.dump({**published, "persons": [good]})
    with desk.begin() as session:
        listing.members_queued(session, an_event(MEMBERS_QUEUED.read(wire)))
    assert desk.states([good["application_id"], bad["application_id"]]) == ["queued", "removed"]


def test_another_union_finds_nothing_of_ours(desk: Desk, engine: Engine) -> None:
    [application_id] = desk.queue()
    other = Desk(engine)

    assert other.show()["total"] == 0
    assert other.check() == 0
    assert other.remove(application_ids=[application_id]) == 0
    with pytest.raises(NotFound):
        other.update(application_id, nationality="CHN")
    assert desk.states([application_id]) == ["queued"]


def test_an_entry_that_does_not_exist_is_not_found(desk: Desk) -> None:
    with pytest.raises(NotFound):
        desk.update(uuid4(), nationality="CHN")


def test_large_chunks_are_published_in_parts_of_500(desk: Desk) -> None:
    for _ in range(3):
        desk.queue(*(an_applicant() for _ in range(400)))
    assert desk.check() == 1200
    assert [len(published["persons"]) for published in desk.published(VALIDATION_REQUESTED)] == [500, 500, 200]


def test_the_list_is_in_the_order_of_the_wanted_column(desk: Desk) -> None:
    soon, late = an_applicant(document_expiry=date(2027, 1, 1)), an_applicant(document_expiry=date(2037, 1, 1))
    unknown = an_applicant(document_expiry=None)
    ids = {name: desk.queue(one)[0] for name, one in (("late", late), ("unknown", unknown), ("soon", soon))}

    def order(sort: str) -> list[str]:
        names = {application_id: name for name, application_id in ids.items()}
        return [names[item["application_id"]] for item in desk.show(sort=sort)["items"]]

    assert order("document_expiry") == ["unknown", "soon", "late"]
    assert order("-document_expiry") == ["late", "soon", "unknown"]
    assert order("listed_at") == ["late", "unknown", "soon"]


def _ask_for_pending(desk: Desk, request: ListPendingRequest, session: Session) -> None:
    pending.list_pending(desk.work(session), request)


@pytest.mark.parametrize("name", ["member_no", "name", "listed_at", "document_expiry"])
def test_an_index_has_the_order_of_each_column(desk: Desk, name: str) -> None:
    for sort in (name, f"-{name}"):
        request = ListPendingRequest(sort=sort)
        ask = partial(_ask_for_pending, desk, request)
        assert sorts_in(desk.engine, ask) == []


def test_name_category_and_phone_are_mended_on_the_list_and_told_to_the_member(desk: Desk) -> None:
    [application_id] = desk.queue(an_applicant(sex="female", retirement_category=None))
    desk.check()
    desk.validate({application_id: "failed"})

    item = desk.update(application_id, name="韩梅梅", retirement_category="F50", phone="13900000009")

    assert (item["name"], item["check_state"]) == ("韩梅梅", "unchecked")
    [published] = desk.published(MEMBER_CORRECTED)
    person = published["person"]
    assert (person["name"], person["retirement_category"], person["phone"]) == ("韩梅梅", "F50", "13900000009")
    desk.check(application_id)
    [requested] = desk.published(VALIDATION_REQUESTED)[-1:]
    assert requested["persons"][0]["retirement_category"] == "F50"


@pytest.mark.parametrize(("name", "value"), [("sex", "male"), ("birth_date", date(1990, 1, 1))])
def test_what_the_number_tells_is_not_changed_without_the_number(desk: Desk, name: str, value: Any) -> None:
    [application_id] = desk.queue()
    with pytest.raises(Invalid) as refusal:
        desk.update(application_id, **{name: value})
    assert [(problem.field, problem.code) for problem in refusal.value.fields] == [(name, "told_by_number")]


def test_what_a_passport_does_not_tell_is_mended(desk: Desk) -> None:
    [application_id] = desk.queue(an_applicant(document_type="passport", document_number="E12345678", sex=None))
    desk.update(application_id, sex="female", birth_date=date(1990, 1, 1))
    [published] = desk.published(MEMBER_CORRECTED)
    assert (published["person"]["sex"], published["person"]["birth_date"]) == ("female", date(1990, 1, 1))


def test_a_mended_name_chooses_the_channel_anew(desk: Desk) -> None:
    [application_id] = desk.queue(an_applicant(name="王䶮"))
    entry = desk.update(application_id, name="王龑")
    assert (entry["channel"], entry["channel_reason"]) == ("ordinary", None)
    entry = desk.update(application_id, name="王䶮")
    assert (entry["channel"], entry["channel_reason_code"]) == ("special", "rare_character")


def test_a_channel_that_a_clerk_chose_stays_when_the_name_is_mended(desk: Desk) -> None:
    [application_id] = desk.queue()
    desk.update(application_id, channel="special", channel_reason_code="other", channel_note="曾用名")
    entry = desk.update(application_id, name="韩梅梅")
    assert (entry["channel"], entry["channel_note"]) == ("special", "曾用名")
