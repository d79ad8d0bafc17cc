"""Transfers of members: requested by the new union, decided on by the old one, or done when time has passed."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from services.contracts.events.batching import BATCH_SUBMITTED, CARDS_ISSUED, CARDS_REFUSED
from services.contracts.events.membership import MEMBER_TRANSFERRED, TRANSFER_ENDED, TRANSFER_REQUESTED
from services.contracts.operations.membership import members as member_rpc
from services.contracts.operations.membership import transfers as rpc
from services.contracts.rules.working_days import due_on
from services.contracts.values import today
from services.kit.problems import Conflict, NotFound, Problem
from services.kit.rpc.methods import Caller
from services.kit.schemas import as_dict
from services.membership.members import member_search, members, transfers
from services.membership.models import Disclosure, Member, Transfer, Union
from tests.documents import read
from tests.integration.membership.office import Office, a_caller, an_account
from tests.mothers import a_member_form

FORM = {"name": "李静", "phone": "13800000007"}


def moved(office: Office, act: Any, caller: Caller, **request: Any) -> dict[str, Any]:
    kinds: dict[Any, Any] = {
        transfers.request_transfer: rpc.RequestTransferRequest,
        transfers.decline_transfer: rpc.DeclineTransferRequest,
    }
    with office.begin() as session:
        answer = act(office.work(session, caller), kinds.get(act, rpc.TransferRequest)(**request))
    done: dict[str, Any] = as_dict(answer)
    return done


def identity(form: dict[str, Any]) -> dict[str, Any]:
    return {name: form[name] for name in ("name", "document_type", "document_number")}


@pytest.fixture
def newcomer(office: Office) -> Caller:
    """The clerk of another union."""
    return an_account(office, office.other, "clerk")


@pytest.fixture
def form() -> dict[str, Any]:
    return a_member_form(**FORM)


def requested(office: Office, newcomer: Caller, form: dict[str, Any]) -> tuple[UUID, dict[str, Any]]:
    """A member of the office's union, and another union's request."""
    (member_id,) = office.numbered(**form)
    return member_id, moved(office, transfers.request_transfer, newcomer, **identity(form))


def listed(office: Office, caller: Caller, **request: Any) -> list[dict[str, Any]]:
    with office.begin() as session:
        answer = transfers.list_transfers(office.work(session, caller), rpc.ListTransfersRequest(**request))
    items: list[dict[str, Any]] = as_dict(answer)["items"]
    return items


def test_registering_a_member_of_another_union_offers_a_transfer_and_says_nothing_else(
    office: Office, newcomer: Caller, form: dict[str, Any]
) -> None:
    office.numbered(**form)
    with office.begin() as session, pytest.raises(Conflict) as elsewhere:
        members.register_member(office.work(session, newcomer), read(member_rpc.RegisterMemberRequest, form))
    said = elsewhere.value.to_dict()
    assert (elsewhere.value.code, "申请转会" in said["detail"]) == ("member_elsewhere", True)
    assert office.union.name not in str(said)
    with office.begin() as session:
        counted = session.scalar(select(func.count()).where(Disclosure.kind == "search"))
    assert counted == 1


def test_a_request_asks_the_old_union_and_shows_the_new_one_neither_it_nor_the_member(
    office: Office, newcomer: Caller, form: dict[str, Any]
) -> None:
    member_id, transfer = requested(office, newcomer, form)

    assert (transfer["state"], transfer["due_on"]) == ("requested", due_on(today(), 10))
    assert [transfer[name] for name in ("from_union", "member_id", "member_no", "card_state")] == [None] * 4
    assert "*" in transfer["document_number"]
    [published] = office.published(TRANSFER_REQUESTED)
    assert (published["from_union_id"], published["person"]) == (office.union.union_id, {"phone": "13800000007"})
    [seen] = listed(office, office.registrar, direction="out")
    assert (seen["member_id"], seen["to_union"], seen["can_decide"]) == (member_id, office.other.name, True)
    assert [one["can_withdraw"] for one in listed(office, newcomer, direction="in")] == [True]
    assert listed(office, newcomer, direction="out") == []


def test_who_agrees_gives_the_member_the_number_and_the_card_to_the_new_union(
    office: Office, newcomer: Caller, form: dict[str, Any]
) -> None:
    (member_id,) = office.numbered(**form)
    office.queue(member_id)
    application_id = office.newest_application(member_id)
    office.deliver(BATCH_SUBMITTED, (application_id, 1))
    office.deliver(CARDS_ISSUED, (application_id, 2))
    number, card = office.kept(member_id, "member_no", "card_no")
    transfer = moved(office, transfers.request_transfer, newcomer, **identity(form))

    moved(office, transfers.accept_transfer, office.registrar, transfer_id=transfer["transfer_id"])

    assert office.kept(member_id, "union_id", "member_no", "card_no") == (office.other.union_id, number, card)
    assert office.names() == []
    assert office.names(caller=newcomer) == ["李静"]
    [published] = office.published(MEMBER_TRANSFERRED)
    assert (published["version"], published["automatic"]) == (1, False)
    assert published["union"]["union_id"] == office.other.union_id
    [known] = listed(office, newcomer)
    assert (known["member_no"], known["from_union"]) == (number, office.union.name)


def test_the_new_union_finds_who_was_refused_though_the_old_one_had_applied(
    office: Office, newcomer: Caller, form: dict[str, Any]
) -> None:
    (member_id,) = office.numbered(**form)
    office.queue(member_id)
    application_id = office.newest_application(member_id)
    office.deliver(BATCH_SUBMITTED, (application_id, 1))
    transfer = moved(office, transfers.request_transfer, newcomer, **identity(form))
    moved(office, transfers.accept_transfer, office.registrar, transfer_id=transfer["transfer_id"])
    office.deliver(CARDS_REFUSED, (application_id, 2))

    def found(caller: Caller) -> list[UUID]:
        with office.begin() as session:
            asked = member_rpc.ListMembersRequest(last_outcome="refused")
            answer = member_search.list_members(office.work(session, caller), asked)
        return [one.member_id for one in answer.items]

    assert (found(office.registrar), found(newcomer)) == ([], [member_id])


def test_who_declines_keeps_the_member_and_says_why(office: Office, newcomer: Caller, form: dict[str, Any]) -> None:
    member_id, transfer = requested(office, newcomer, form)
    said = {"transfer_id": transfer["transfer_id"], "remark": "会员未离职"}
    moved(office, transfers.decline_transfer, office.registrar, **said)
    assert office.kept(member_id, "union_id", "transfers") == (office.union.union_id, 0)
    [published] = office.published(TRANSFER_ENDED)
    assert (published["state"], published["remark"]) == ("declined", "会员未离职")
    [seen] = listed(office, newcomer)
    assert (seen["state"], seen["remark"], seen["from_union"]) == ("declined", "会员未离职", None)


def test_a_request_that_is_withdrawn_makes_room_for_another(
    office: Office, newcomer: Caller, form: dict[str, Any]
) -> None:
    _, transfer = requested(office, newcomer, form)
    with pytest.raises(Conflict, match="transfer_open"):
        moved(office, transfers.request_transfer, newcomer, **identity(form))
    moved(office, transfers.withdraw_transfer, newcomer, transfer_id=transfer["transfer_id"])
    assert moved(office, transfers.request_transfer, newcomer, **identity(form))["state"] == "requested"


def test_a_transfer_on_which_nobody_decides_happens_after_its_last_day(
    office: Office, newcomer: Caller, form: dict[str, Any]
) -> None:
    member_id, transfer = requested(office, newcomer, form)
    with office.begin() as session:
        assert transfers.accept_overdue(session, transfer["due_on"]) == 0
        assert transfers.accept_overdue(session, transfer["due_on"] + timedelta(days=1)) == 1
        assert transfers.accept_overdue(session, transfer["due_on"] + timedelta(days=2)) == 0
    assert office.kept(member_id, "union_id") == (office.other.union_id,)
    assert [one["is_automatic"] for one in listed(office, newcomer)] == [True]
    assert [one["automatic"] for one in office.published(MEMBER_TRANSFERRED)] == [True]


def test_only_the_old_union_decides_and_only_once(office: Office, newcomer: Caller, form: dict[str, Any]) -> None:
    _, transfer = requested(office, newcomer, form)
    chosen = {"transfer_id": transfer["transfer_id"]}
    for act, caller in ((transfers.accept_transfer, newcomer), (transfers.withdraw_transfer, office.registrar)):
        with pytest.raises(NotFound):
            moved(office, act, caller, **chosen)
    moved(office, transfers.accept_transfer, office.registrar, **chosen)
    with pytest.raises(Conflict, match="transfer_ended"):
        moved(office, transfers.accept_transfer, office.registrar, **chosen)


@pytest.mark.parametrize("changed", [{"name": "李晶"}, {"document_type": "passport"}, {"document_number": "E12345678"}])
def test_who_does_not_know_name_and_document_learns_nothing_and_the_search_is_counted(
    office: Office, newcomer: Caller, form: dict[str, Any], changed: dict[str, Any]
) -> None:
    office.numbered(**form)
    with pytest.raises(NotFound):
        moved(office, transfers.request_transfer, newcomer, **{**identity(form), **changed})
    with office.begin() as session:
        assert session.scalar(select(func.count()).where(Disclosure.kind == "search")) == 1


def test_the_own_member_needs_no_transfer(office: Office, form: dict[str, Any]) -> None:
    office.numbered(**form)
    with pytest.raises(Conflict, match="already_member"):
        moved(office, transfers.request_transfer, office.registrar, **identity(form))


def test_superiors_see_transfers_of_unions_below_and_decide_nothing(
    office: Office, newcomer: Caller, form: dict[str, Any]
) -> None:
    member_id, _ = requested(office, newcomer, form)
    [seen] = listed(office, a_caller(office.superior, "reviewer"))
    assert (seen["member_id"], seen["can_decide"], seen["can_withdraw"]) == (member_id, False, False)
    assert listed(office, a_caller(office.other, "reviewer"))[0]["member_id"] is None


_ACTS = st.lists(
    st.tuples(st.sampled_from(["request", "accept", "decline", "withdraw", "pass"]), st.integers(0, 2)), max_size=12
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=_ACTS)
def test_whatever_unions_do_a_member_is_in_one_union_and_has_moved_as_often_as_they_agreed(
    office: Office, acts: Sequence[tuple[str, int]]
) -> None:
    form = a_member_form(**FORM)
    (member_id,) = office.numbered(**form)
    unions: list[Union] = [office.union, office.other, office.superior]
    clerks = [an_account(office, union, "clerk") for union in unions]
    for act, number in acts:
        _try(office, act, clerks[number], form)
    with office.begin() as session:
        member = session.get_one(Member, member_id)
        accepted = session.scalars(
            select(Transfer)
            .where(Transfer.member_id == member_id, Transfer.state == "accepted")
            .order_by(Transfer.decided_at)
        ).all()
    way = [office.union.union_id, *(one.to_union_id for one in accepted)]
    assert [one.from_union_id for one in accepted] == way[:-1]
    assert (member.union_id, member.transfers) == (way[-1], len(accepted))


def _try(office: Office, act: str, clerk: Caller, form: dict[str, Any]) -> None:
    if act == "pass":
        with office.begin() as session:
            transfers.accept_overdue(session, today() + timedelta(days=100))
        return
    try:
        if act == "request":
            moved(office, transfers.request_transfer, clerk, **identity(form))
            return
        for one in listed(office, clerk, state="requested"):
            more = {"remark": "不同意"} if act == "decline" else {}
            moved(office, getattr(transfers, f"{act}_transfer"), clerk, transfer_id=one["transfer_id"], **more)
    except Problem:
        pass
