"""The list of members: what each filter finds, and in which order."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from services.contracts.events.batching import CHANNEL_ASSIGNED
from services.contracts.operations.membership import members as rpc
from services.contracts.values import SHANGHAI
from services.kit.problems import NotFound, Problem
from services.membership.members import member_search
from services.membership.models import Disclosure, Member
from tests.integration.membership.office import Office, a_caller
from tests.mothers import a_resident_number
from tests.ordered_plans import sorts_in


def test_the_newest_members_come_first(office: Office) -> None:
    for name in ("张三", "李四", "王五"):
        office.register(name=name)
    assert office.names() == ["王五", "李四", "张三"]


def test_names_are_found_by_their_beginning_in_their_order(office: Office) -> None:
    for name in ("韩雪", "韩冬", "李韩", "韩"):
        office.register(name=name)
    assert office.names(name="韩") == sorted(["韩雪", "韩冬", "韩"])


@pytest.mark.parametrize("name", ["阿依古丽\u2022买买提", "𠅤", "O'Neil", "o\u2019NEIL", "ｏ`neil"])
def test_a_name_is_found_however_its_characters_are(office: Office, name: str) -> None:
    for known in ("阿依古丽·买买提", "𠅤", "O'Neil", "王芳"):
        office.register(name=known)
    assert len(office.names(name=name)) == 1


def test_a_number_is_found_whole_and_however_it_is_typed(office: Office) -> None:
    number = a_resident_number(date(1980, 1, 1), sequence=7)
    office.register(name="王芳", document_number=number)
    office.register(name="李雷")
    assert office.names(document_number=f" {number[:6]} {number[6:].lower()}") == ["王芳"]
    assert office.names(document_number=number[:17]) == []


def test_an_address_is_found_by_a_part_of_it(office: Office) -> None:
    office.register(name="王芳", address="上海市杨浦区控江路1555号")
    office.register(name="李雷", address="上海市杨浦区江控路1555号")
    office.register(name="韩梅", address=None)
    assert office.names(address="控江路") == ["王芳"]
    assert office.names(address="杨浦") == ["李雷", "王芳"]
    assert office.names(address="%_") == []


def test_each_part_of_an_address_finds_those_who_have_it_and_nobody_else(office: Office) -> None:
    addresses = {
        "王芳": "国定路17号3楼12室",
        "李雷": "1号国定路171弄2号1室",
        "韩梅": "定国路17号楼123",
        "张三": "路17室路71号",
    }
    for name, address in addresses.items():
        office.register(name=name, address=address)
    parts = {
        address[start:end]
        for address in addresses.values()
        for start in range(len(address) - 1)
        for end in range(start + 2, len(address) + 1)
    }
    for part in parts:
        assert set(office.names(address=part)) == {name for name, address in addresses.items() if part in address}


def test_a_common_part_of_an_address_and_a_rare_one_are_both_found(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(member_search, "_LOOKED_AT", 20)
    for number in range(10):
        office.register(name=f"王{'一二三四五六七八九十'[number]}", address=f"上海市杨浦区黄兴路{number}弄")
    office.register(name="韩梅", address="上海市长宁区古北路555弄")
    assert len(office.names(address="黄兴路")) == 10
    assert office.names(address="黄兴路", name="王三") == ["王三"]
    assert office.names(address="古北路5") == ["韩梅"]
    assert office.names(address="路3") == ["王四"]


def test_of_many_addresses_that_match_not_all_are_counted(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(member_search, "ADDRESSES_COUNTED", 2)
    for name in ("王芳", "李雷", "韩梅"):
        office.register(name=name, address="上海市杨浦区控江路1号")
    answer = office.listed(address="控江路")
    assert (answer["total"], answer["total_is_exact"], len(answer["items"])) == (2, False, 3)


def test_card_state_channel_and_sex_narrow_together(office: Office) -> None:
    _, special = office.queued(name="王芳", sex="female")
    office.queued(name="李雷")
    office.register(name="韩梅", sex="female")
    office.deliver(CHANNEL_ASSIGNED, (special, 1), channel="special")
    assert office.names(channel="special") == ["王芳"]
    assert office.names(card_state="pending", sex="female") == ["王芳"]
    assert office.names(card_state="none") == ["韩梅"]


def test_days_of_application_are_days_in_shanghai(office: Office) -> None:
    member_id, _ = office.queued(name="王芳")
    late_evening = datetime(2026, 3, 1, 23, 59, tzinfo=SHANGHAI)
    with office.begin() as session:
        session.get_one(Member, member_id).applied_at = late_evening.astimezone(UTC)
    day = late_evening.date()
    assert office.names(applied_from=day, applied_to=day) == ["王芳"]
    assert office.names(applied_from=day + timedelta(days=1)) == []
    assert office.names(applied_to=day - timedelta(days=1)) == []
    assert office.names(applied_from=date.min, applied_to=date.max) == ["王芳"]


def test_only_members_of_employers_are_listed_and_the_hint_says_where_others_apply(office: Office) -> None:
    office.register(affiliation="flexible")
    answer = office.listed()
    assert answer["items"] == []
    assert "申工社" in answer["hint"]


def test_a_reviewer_looks_into_the_unions_below_only(office: Office) -> None:
    office.register(name="王芳")
    reviewer = a_caller(office.superior, "reviewer")
    assert office.listed(reviewer)["total"] == 0
    assert office.listed(reviewer, union_id=office.union.union_id)["total"] == 1
    for stranger in (a_caller(office.superior, "clerk"), a_caller(office.other, "reviewer")):
        with pytest.raises(NotFound):
            office.listed(stranger, union_id=office.union.union_id)


def test_pages_hold_what_they_are_asked_to_and_count_all(office: Office) -> None:
    for number in range(5):
        office.register(name=f"王{'一二三四五'[number]}")
    answer = office.listed(page=2, size=2)
    assert [item["name"] for item in answer["items"]] == ["王三", "王二"]
    assert (answer["total"], answer["total_is_exact"]) == (5, True)


@pytest.mark.parametrize("chosen", [{}, {"address": "控江路"}])
@pytest.mark.parametrize("page", [101, 10**20])
def test_a_page_too_deep_is_refused(office: Office, page: int, chosen: dict[str, Any]) -> None:
    with pytest.raises(Problem, match="page_too_deep"):
        office.listed(page=page, size=100, **chosen)


def test_a_list_is_in_the_order_of_the_wanted_column_with_nothing_first(office: Office) -> None:
    one, other = office.numbered(name="王芳"), office.numbered(name="李雷")
    office.register(name="韩梅")
    office.queue(*other)
    office.queue(*one)

    assert office.names(sort="member_no") == ["韩梅", "王芳", "李雷"]
    assert office.names(sort="-member_no") == ["李雷", "王芳", "韩梅"]
    assert office.names(sort="applied_at") == ["韩梅", "李雷", "王芳"]
    assert office.names(sort="-name") == sorted(["王芳", "李雷", "韩梅"], reverse=True)


def test_the_order_holds_for_a_search_by_address_too(office: Office) -> None:
    for name in ("李雷", "王芳", "韩梅"):
        office.register(name=name, address="上海市杨浦区控江路1555号")
    assert office.names(sort="-name", address="控江路") == sorted(["王芳", "李雷", "韩梅"], reverse=True)


@pytest.mark.parametrize("sort", ["member_no", "-member_no", "name", "-name", "applied_at", "-applied_at"])
def test_an_index_has_the_order_of_each_column(office: Office, sort: str) -> None:
    request = rpc.ListMembersRequest(sort=sort)

    assert sorts_in(office.engine, lambda session: member_search.list_members(office.work(session), request)) == []


def test_a_member_is_found_by_the_whole_telephone_number_which_is_counted(office: Office) -> None:
    office.register(name="王芳", phone="13812345678")
    office.register(name="李雷", phone="13812345679")

    assert office.names(phone="13812345678") == ["王芳"]
    with office.begin() as session:
        searches = session.scalar(select(func.count()).select_from(Disclosure).where(Disclosure.kind == "search"))
    assert searches == 1
