"""Branches and outlets: maintained by the city's administrators, chosen by clerks while they are open."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine, create_engine

from services.batching.batches import batches, outlets
from services.contracts.operations import batching as rpc
from services.contracts.operations.batching import BatchRequest
from services.contracts.rules.working_days import due_on
from services.contracts.values import SHANGHAI
from services.kit.problems import Conflict, Forbidden, Invalid, NotFound
from services.kit.rpc.methods import Caller
from services.kit.rpc.work import Work
from services.kit.schemas import as_dict
from tests.documents import errors_in, read
from tests.integration.batching.desk import OUTLET, Desk
from tests.mothers import an_applicant

CITY = Caller(account_id=str(uuid4()), roles=frozenset({"administrator"}), union_id=str(uuid4()))
BRANCH = {"code": "abc-sh", "name": "农业银行上海市分行", "charset": "gbk"}
NEW_OUTLET = {
    "code": "abc-pt-01", "branch_code": "abc-sh", "name": "农业银行曹杨支行", "address": "上海市普陀区曹杨路500号",
    "district": "普陀区", "phone": "021-62540101",
}  # fmt: skip


@pytest.fixture
def engine(database: Callable[[str], str]) -> Iterator[Engine]:
    made = create_engine(database("batching").replace("postgresql://", "postgresql+psycopg://"))
    yield made
    made.dispose()


_REQUESTS: dict[Any, Any] = {
    outlets.create_branch: rpc.CreateBranchRequest,
    outlets.update_branch: rpc.UpdateBranchRequest,
    outlets.create_outlet: rpc.CreateOutletRequest,
    outlets.update_outlet: rpc.UpdateOutletRequest,
}


def do(desk: Desk, act: Any, **given: Any) -> dict[str, Any]:
    with desk.begin() as session:
        answer: dict[str, Any] = as_dict(act(Work(session, CITY), _REQUESTS[act](**given)))
    return answer


def codes(desk: Desk, **asked: str) -> list[str]:
    with desk.begin() as session:
        found = outlets.list_outlets(desk.work(session), read(rpc.ListOutletsRequest, asked))
    return [outlet.code for outlet in found.items]


def branches(desk: Desk, state: str) -> list[str]:
    with desk.begin() as session:
        return [
            branch.code
            for branch in outlets.list_branches(desk.work(session), rpc.ListBranchesRequest(state=state)).items
        ]


def refusal(desk: Desk) -> list[str]:
    """Why a batch cannot be submitted to the outlet."""
    with pytest.raises(Invalid) as refused:
        desk.submit()
    return [field.code for field in refused.value.fields]


def test_a_new_branch_with_an_outlet_can_be_chosen(desk: Desk) -> None:
    do(desk, outlets.create_branch, **BRANCH)
    assert do(desk, outlets.create_outlet, **NEW_OUTLET)["closed"] is False
    assert codes(desk, q="曹杨") == codes(desk, q="曹杨路５００号") == ["abc-pt-01"]
    passed = desk.queue(an_applicant())
    desk.check()
    desk.validate(dict.fromkeys(passed, "passed"))
    batch = desk.submit(branch_code="abc-sh", outlet_code="abc-pt-01")
    assert batch["outlet"]["address"] == NEW_OUTLET["address"]


def test_outlets_are_found_by_several_words_and_those_near_come_first(desk: Desk) -> None:
    do(desk, outlets.create_branch, **BRANCH)
    do(desk, outlets.create_outlet, **NEW_OUTLET)
    assert codes(desk, q="曹杨 普陀") == codes(desk, q="  普陀区\u3000曹杨路 500 ") == ["abc-pt-01"]
    assert codes(desk, q="曹杨 杨浦区") == codes(desk, q="曹% _杨") == []

    everywhere = codes(desk)
    assert codes(desk, near="闵行区") == ["ccb-mh-01", *(one for one in everywhere if one != "ccb-mh-01")] != everywhere
    assert codes(desk, near="没有的区") == everywhere


def test_no_code_is_given_twice(desk: Desk) -> None:
    do(desk, outlets.create_branch, **BRANCH)
    do(desk, outlets.create_outlet, **NEW_OUTLET)
    with pytest.raises(Conflict, match="branch_exists"):
        do(desk, outlets.create_branch, **BRANCH)
    with pytest.raises(Conflict, match="outlet_exists"):
        do(desk, outlets.create_outlet, **NEW_OUTLET)
    with pytest.raises(Invalid):
        do(desk, outlets.create_outlet, **{**NEW_OUTLET, "code": "abc-pt-02", "branch_code": "no-such"})


def test_a_closed_outlet_cannot_be_chosen_until_it_opens_again(desk: Desk) -> None:
    code = OUTLET["outlet_code"]
    do(desk, outlets.update_outlet, code=code, closed=True)
    assert code not in codes(desk)
    assert codes(desk, state="closed") == [code]
    assert code in codes(desk, state="all")
    assert refusal(desk) == ["outlet_closed"]
    do(desk, outlets.update_outlet, code=code, closed=False)
    assert code in codes(desk)


def test_with_a_branch_all_its_outlets_close(desk: Desk) -> None:
    branch = OUTLET["branch_code"]
    do(desk, outlets.update_branch, code=branch, closed=True)
    assert codes(desk, branch_code=branch) == []
    assert set(codes(desk, state="closed")) == set(codes(desk, branch_code=branch, state="all"))
    assert (branch in branches(desk, "open"), branches(desk, "closed")) == (False, [branch])
    assert refusal(desk) == ["outlet_closed"]


def test_a_batch_keeps_the_outlet_that_it_was_submitted_to(desk: Desk) -> None:
    batch_no, _ = desk.a_batch(1)
    do(desk, outlets.update_outlet, code=OUTLET["outlet_code"], name="新名", address="新址", closed=True)
    do(desk, outlets.update_branch, code=OUTLET["branch_code"], name="新分行")
    with desk.begin() as session:
        kept = as_dict(batches.get_batch(desk.work(session), BatchRequest(batch_no=batch_no)))["outlet"]
    assert kept == {
        "code": "icbc-yp-01", "name": "工商银行国华支行", "address": "上海市杨浦区闸殷路1555号国华广场102室",
    }  # fmt: skip


def test_a_members_own_application_to_a_closed_outlet_ends_at_once(desk: Desk) -> None:
    do(desk, outlets.update_outlet, code=OUTLET["outlet_code"], closed=True)
    applied = desk.queue(personal_application={"outlet_code": OUTLET["outlet_code"]})
    assert desk.states(applied) == ["removed"]


@pytest.mark.parametrize(
    ("act", "given"),
    [
        (outlets.create_branch, BRANCH),
        (outlets.update_branch, {"code": "icbc-sh", "closed": True}),
        (outlets.create_outlet, {**NEW_OUTLET, "branch_code": "icbc-sh"}),
        (outlets.update_outlet, {"code": "icbc-yp-01", "closed": True}),
    ],
)
def test_only_the_city_keeps_them(desk: Desk, act: Any, given: dict[str, Any]) -> None:
    district = Caller(roles=frozenset({"administrator"}), union_id=str(uuid4()), superior_union_id=CITY.union_id)
    with pytest.raises(Forbidden), desk.begin() as session:
        act(Work(session, district), _REQUESTS[act](**given))


def test_what_there_is_not_cannot_be_changed(desk: Desk) -> None:
    for act in (outlets.update_branch, outlets.update_outlet):
        with pytest.raises(NotFound):
            do(desk, act, code="no-such", closed=True)


@pytest.mark.parametrize("code", ["A", "Abc", "x", "a b", "-a", "a" * 21])
def test_a_code_that_is_no_code_is_refused(code: str) -> None:
    assert set(errors_in(rpc.CreateBranchRequest, {**BRANCH, "code": code})) == {"code"}


def test_a_batch_counts_for_the_month_that_its_bank_says_and_that_was_shown_before(desk: Desk) -> None:
    today = datetime.now(SHANGHAI).date()
    yesterday = today - timedelta(days=1)
    do(desk, outlets.update_branch, code=OUTLET["branch_code"], cut_off_day=31)
    with desk.begin() as session:
        asked = read(rpc.ListOutletsRequest, {"branch_code": OUTLET["branch_code"]})
        shown = outlets.list_outlets(desk.work(session), asked).items[0].counting
    assert (shown.month, shown.last_day.month) == (f"{today:%Y-%m}", today.month)
    assert due_on(today, 10) == shown.notified_by
    batch_no, _ = desk.a_batch(1)
    assert desk.show_batch(batch_no)["count_month"] == shown.month

    if yesterday.month == today.month:
        closed = do(desk, outlets.update_branch, code=OUTLET["branch_code"], cut_off_dates=[yesterday])
        assert closed["counting"]["month"] > shown.month
        assert closed["cut_off_dates"] == [yesterday]
        later, _ = desk.a_batch(1)
        assert desk.show_batch(later)["count_month"] == closed["counting"]["month"]
    assert desk.show_batch(batch_no)["count_month"] == shown.month


def test_a_bank_without_a_day_of_its_own_counts_by_the_setting(desk: Desk) -> None:
    do(desk, outlets.update_branch, code=OUTLET["branch_code"], cut_off_day=5)
    usual = do(desk, outlets.update_branch, code=OUTLET["branch_code"], cut_off_day=None)
    assert usual["cut_off_day"] is None
    assert usual["counting"]["last_day"].day == 20


@pytest.mark.parametrize(
    ("request_", "field"),
    [({"cut_off_day": 32}, "cut_off_day"), ({"cut_off_dates": ["2027-02-03", "2027-02-10"]}, "cut_off_dates")],
)
def test_impossible_cut_off_dates_are_refused(request_: dict[str, Any], field: str) -> None:
    assert field in errors_in(rpc.UpdateBranchRequest, {"code": "icbc-sh", **request_})
