"""Queueing members for a card: named ones, or all that match a filter."""

from datetime import date
from uuid import uuid4

import pytest

from services.contracts.events.batching import CARDS_ISSUED
from services.contracts.events.membership import MEMBERS_QUEUED
from services.contracts.operations.membership import members as rpc
from services.kit.problems import Conflict, NotFound
from services.membership.applications import queueing as queueing_module
from services.membership.members import members
from tests.documents import read
from tests.integration.membership.office import Office, a_caller
from tests.mothers import a_member_form


def test_a_queued_member_is_pending_with_an_application(office: Office) -> None:
    member_id, application_id = office.queued()
    member = office.member(member_id)
    assert (member["card_state"], member["channel"], member["application_id"]) == (
        "pending",
        "ordinary",
        application_id,
    )
    assert [step["state"] for step in member["applications"][0]["steps"]] == ["queued"]
    assert member["applied_at"] == member["applications"][0]["queued_at"]


def test_queued_members_are_published_to_batching(office: Office) -> None:
    (member_id,) = office.numbered(address="杨浦区控江路1号", document_expiry="2035-08-08", phone="13812345678")
    office.queue(member_id)
    (published,) = office.published(MEMBERS_QUEUED)
    (application,) = published["applications"]
    (person,) = published["persons"]
    assert published["union"]["union_id"] == office.union.union_id
    assert application["member_id"] == member_id
    assert person["application_id"] == application["application_id"]
    assert (person["document_expiry"], person["sex"], person["phone"]) == (date(2035, 8, 8), "male", "13812345678")


def test_a_member_without_a_number_cannot_be_queued(office: Office) -> None:
    with pytest.raises(Conflict) as refusal:
        office.queue(office.register())
    assert refusal.value.code == "none_selectable"
    assert "会员编号没有生成" in (refusal.value.detail or "")


def test_who_cannot_be_queued_is_skipped_with_the_reason(office: Office) -> None:
    pending, _ = office.queued()
    (selectable,) = office.numbered()
    without_number, unknown = office.register(), uuid4()
    answer = office.queue(pending, selectable, without_number, unknown)
    assert (answer["queued"], answer["skipped"]) == (1, 3)
    assert {one["member_id"]: one["code"] for one in answer["skipped_members"]} == {
        pending: "pending",
        without_number: "number_missing",
        unknown: "not_found",
    }
    assert {one["code"]: one["count"] for one in answer["skipped_by_reason"]} == {
        "pending": 1,
        "number_missing": 1,
        "not_found": 1,
    }


def test_a_member_named_twice_is_queued_once(office: Office) -> None:
    (member_id,) = office.numbered()
    answer = office.queue(member_id, member_id)
    assert (answer["queued"], answer["skipped"]) == (1, 0)


def test_a_member_with_a_card_is_not_queued_again(office: Office) -> None:
    member_id, application_id = office.queued()
    office.deliver(CARDS_ISSUED, (application_id, 2))
    with pytest.raises(Conflict, match="none_selectable"):
        office.queue(member_id)


def test_another_unions_members_are_not_found(office: Office) -> None:
    (member_id,) = office.numbered()
    stranger = a_caller(office.other, "clerk")
    with pytest.raises(Conflict) as refusal, office.begin() as session:
        queueing_module.queue_members(office.work(session, stranger), rpc.QueueMembersRequest(member_ids=[member_id]))
    assert "未找到" in (refusal.value.detail or "")


def test_flexible_members_apply_for_themselves(office: Office) -> None:
    (member_id,) = office.numbered(affiliation="flexible")
    with pytest.raises(Conflict, match="none_selectable"):
        office.queue(member_id)


def test_all_without_a_card_are_queued_by_a_filter(office: Office) -> None:
    office.numbered(2, name="韩梅")
    office.numbered(1, name="李雷")
    office.queued(name="韩冬")
    office.register(name="韩雪")
    answer = office.queue_all(name="韩")
    assert (answer["queued"], answer["skipped"], answer["more"]) == (2, 1, False)
    assert [one["code"] for one in answer["skipped_by_reason"]] == ["number_missing"]
    assert sorted(office.names(card_state="pending")) == ["韩冬", "韩梅", "韩梅"]


def test_a_filter_that_matches_more_than_can_be_queued_says_so(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queueing_module, "LARGEST_QUEUEING", 2)
    office.numbered(3)
    first, second = office.queue_all(), office.queue_all()
    assert (first["queued"], first["more"]) == (2, True)
    assert (second["queued"], second["more"]) == (1, False)


def of_subordinate(office: Office) -> rpc.QueueMembersRequest:
    return rpc.QueueMembersRequest(filter=rpc.MemberFilter(union_id=office.union.union_id))


def test_a_subordinate_unions_members_are_queued_by_its_own_clerks_only(office: Office) -> None:
    office.numbered()
    superior = a_caller(office.superior, "clerk")
    with pytest.raises(NotFound), office.begin() as session:
        queueing_module.queue_members(office.work(session, superior), of_subordinate(office))


def test_who_may_look_into_a_subordinate_union_still_cannot_queue_for_it(office: Office) -> None:
    office.numbered()
    both = a_caller(office.superior, "clerk", "administrator")
    with pytest.raises(NotFound), office.begin() as session:
        queueing_module.queue_members(office.work(session, both), of_subordinate(office))


def test_a_thousand_are_queued_in_one_request(office: Office) -> None:
    rows = [read(rpc.RegisterMemberRequest, a_member_form()) for _ in range(1000)]
    with office.begin() as session:
        members.register_members(session, office.union.union_id, rows)
    office.give_numbers()
    answer = office.queue_all()
    assert answer["queued"] == 1000
    published = office.published(MEMBERS_QUEUED)
    assert [len(one["applications"]) for one in published] == [500] * 2
    assert len({one["application_id"] for each in published for one in each["applications"]}) == 1000
