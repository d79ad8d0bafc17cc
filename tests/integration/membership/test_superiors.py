"""What unions above see of members: lists of a whole subtree, figures that their lists agree with, one person."""

from datetime import date
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from services.contracts.events.batching import BATCH_SUBMITTED, CARDS_ISSUED
from services.contracts.operations.membership import members as rpc
from services.kit.problems import Invalid, NotFound, Problem
from services.kit.rpc.methods import Caller
from services.kit.rpc.operation import Scope
from services.kit.schemas import as_dict
from services.membership.members import number_searches, person_search
from services.membership.members.member_search import list_members
from services.membership.members.number_searches import NumberSearchSettings
from services.membership.members.summary import member_summary
from services.membership.models import Disclosure, Member, Union
from services.membership.unions import add_union
from tests.integration.membership.office import Office, a_caller, an_account
from tests.mothers import a_resident_number, a_union_code

STATES = ("none", "pending", "submitted", "issued")


@pytest.fixture
def city_official(office: Office) -> Caller:
    return a_caller(office.city, "reviewer")


def test_a_superior_lists_the_members_of_all_unions_below_with_the_union_of_each(office: Office) -> None:
    office.register(name="王芳")
    reviewer = a_caller(office.superior, "reviewer")
    [item] = office.listed(reviewer, with_subordinates=True)["items"]
    assert (item["name"], item["union_id"], item["union_name"]) == ("王芳", office.union.union_id, "上海建朗工会")
    assert "*" in item["document_number"]


def test_a_whole_subtree_is_listed_alone_or_with_all_below(office: Office, city_official: Caller) -> None:
    office.register(name="王芳")
    _move(office, office.register(name="李雷"), office.superior)
    _move(office, office.register(name="韩梅"), office.other)
    of_the_district = {"union_id": office.superior.union_id}
    assert _names(office, city_official, **of_the_district) == {"李雷"}
    assert _names(office, city_official, **of_the_district, with_subordinates=True) == {"王芳", "李雷"}
    assert _names(office, city_official, with_subordinates=True) == {"王芳", "李雷", "韩梅"}


def test_nobody_lists_members_beyond_the_own_subtree(office: Office) -> None:
    office.register(name="王芳")
    stranger = a_caller(office.other, "administrator")
    assert _names(office, stranger, with_subordinates=True) == set()
    with pytest.raises(NotFound):
        office.listed(stranger, union_id=office.superior.union_id, with_subordinates=True)
    with pytest.raises(Invalid):
        office.listed(a_caller(office.superior, "clerk"), with_subordinates=True)


def test_a_subtree_is_not_searched_by_address_or_by_the_end_of_a_number(office: Office) -> None:
    reviewer = an_account(office, office.superior, "reviewer")
    reviewer = Caller(**{**vars(reviewer), "scope": Scope.SUBORDINATES})
    for chosen in ({"address": "控江路"}, {"document_end": "0016"}):
        with pytest.raises(Invalid):
            office.listed(reviewer, with_subordinates=True, **chosen)


def test_a_subtree_has_the_orders_that_an_index_without_the_union_yields(office: Office) -> None:
    office.register(name="王芳")
    office.register(name="李雷")
    reviewer = _official(office, office.superior)
    by_name = office.listed(reviewer, with_subordinates=True, sort="name")["items"]
    assert [item["name"] for item in by_name] == sorted(item["name"] for item in by_name)
    for order in ("member_no", "-applied_at"):
        assert office.listed(reviewer, union_id=office.union.union_id, sort=order)["total"] == 2
        with pytest.raises(Invalid):
            office.listed(reviewer, with_subordinates=True, sort=order)


def test_members_below_are_not_queued_by_a_superior(office: Office) -> None:
    office.numbered()
    with pytest.raises(NotFound):
        office.queue_all(with_subordinates=True)


@pytest.mark.parametrize("level", ["city", "superior", "union"])
def test_every_figure_counts_what_its_list_shows(office: Office, city_official: Caller, level: str) -> None:
    with office.begin() as session:
        street = add_union(session, "四平路街道总工会", a_union_code(5), "superior", office.superior)
        company = add_union(session, "四平公司工会", a_union_code(6), "grassroots", street)
    office.numbered(2)
    office.queued()
    _, issued = office.queued()
    office.deliver(BATCH_SUBMITTED, (issued, 1))
    office.deliver(CARDS_ISSUED, (issued, 2))
    for union in (street, company, office.superior, office.other):
        _move(office, office.register(), union)
    office.register(affiliation="flexible")
    union_id = getattr(office, level).union_id
    summary = _summary(office, city_official, union_id)

    by_list = {state: _total(office, city_official, union_id, state) for state in STATES}

    assert summary["by_card_state"] == by_list
    assert sum(by_list.values()) > 0
    for one in summary["by_union"]:
        counted = {state: _total(office, city_official, one["union"]["union_id"], state) for state in STATES}
        assert one["by_card_state"] == counted


def test_a_person_is_found_in_the_own_subtree_whatever_the_affiliation(office: Office) -> None:
    number = a_resident_number(date(1980, 1, 1), sequence=7)
    office.register(name="王芳", document_number=number, affiliation="flexible")
    [found] = _find(office, _official(office, office.superior), number)
    assert (found["name"], found["union"]["name"], found["card_state"]) == ("王芳", "上海建朗工会", "none")
    assert number not in str(found)
    assert _find(office, _official(office, office.other), number) == []


def test_looking_a_person_up_is_recorded_whether_it_hits_or_not(office: Office) -> None:
    number = a_resident_number(date(1980, 1, 1), sequence=7)
    member_id = office.register(document_number=number)
    official = _official(office, office.superior)
    _find(office, official, number)
    _find(office, official, a_resident_number(date(1981, 1, 1)))
    with office.begin() as session:
        mine = select(Disclosure).where(Disclosure.account_id == UUID(official.account_id))
        recorded = [(one.kind, one.member_id, one.reason) for one in session.scalars(mine.order_by(Disclosure.at))]
    assert recorded == [("search", member_id, "membership.find_person"), ("search", None, "membership.find_person")]


def test_looking_people_up_ends_at_the_limit_of_searches(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(number_searches, "read_settings", lambda _: NumberSearchSettings(number_searches_an_hour=1))
    official = _official(office, office.superior)
    _find(office, official, a_resident_number(date(1980, 1, 1)))
    with pytest.raises(Problem, match="too_many_number_searches"):
        _find(office, official, a_resident_number(date(1981, 1, 1)))


def _official(office: Office, union: Union) -> Caller:
    return Caller(**{**vars(an_account(office, union, "reviewer")), "scope": Scope.SUBORDINATES})


def _find(office: Office, caller: Caller, number: str) -> list[dict[str, Any]]:
    request = rpc.FindPersonRequest(document_number=number)
    with office.begin() as session:
        found: list[dict[str, Any]] = as_dict(person_search.find_person(office.work(session, caller), request).items)
    return found


def _names(office: Office, caller: Caller, **request: Any) -> set[str]:
    return {item["name"] for item in office.listed(caller, **request)["items"]}


def _summary(office: Office, caller: Caller, union_id: UUID) -> dict[str, Any]:
    with office.begin() as session:
        request = rpc.MemberSummaryRequest(union_id=union_id)
        summary: dict[str, Any] = as_dict(member_summary(office.work(session, caller), request))
    return summary


def _total(office: Office, caller: Caller, union_id: UUID, card_state: str) -> int:
    with office.begin() as session:
        request = rpc.ListMembersRequest(union_id=union_id, with_subordinates=True, card_state=card_state)
        return list_members(office.work(session, caller), request).total


def _move(office: Office, member_id: UUID, union: Union) -> None:
    with office.begin() as session:
        session.get_one(Member, member_id).union_id = union.union_id
