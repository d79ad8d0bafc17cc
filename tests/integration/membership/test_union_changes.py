"""Changes of the tree of unions: one administrator requests a move or a dissolution, another one carries it out."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from services.contracts.events.membership import (
    DELEGATION_CHANGED,
    SESSIONS_ENDED,
    UNION_CHANGE_NOTED,
    UNIONS_CHANGED,
)
from services.contracts.operations.membership import delegations as delegation_rpc
from services.contracts.operations.membership import members as member_rpc
from services.contracts.operations.membership import union_changes as rpc
from services.contracts.operations.membership.accounts import (
    CreateAccountRequest,
    CreateUnionRequest,
    UpdateAccountRequest,
)
from services.contracts.operations.membership.identity import Visit
from services.contracts.overdue import today
from services.kit.problems import Problem
from services.kit.rpc.methods import Caller
from services.kit.rpc.operation import Scope
from services.kit.schemas import as_dict
from services.membership import unions
from services.membership.accounts import accounts, delegations
from services.membership.identity import sessions
from services.membership.members import leaving
from services.membership.models import Account, AccountControl, Delegation, SignedInSession, Union, UnionChange
from services.membership.union_changes import requests
from services.membership.unions import add_union
from tests.integration.membership.office import Office, a_transfer, an_account
from tests.mothers import a_union_code
from tests.two_transactions import at_once

_ACTS: dict[Any, Any] = {
    requests.preview_union_change: rpc.PreviewUnionChangeRequest,
    requests.request_union_change: rpc.RequestUnionChangeRequest,
    requests.list_union_changes: rpc.ListUnionChangesRequest,
    requests.confirm_union_change: rpc.UnionChangeRequest,
    requests.decline_union_change: rpc.UnionChangeRequest,
}


@pytest.fixture
def asker(office: Office) -> Caller:
    return an_account(office, office.city, "administrator")


@pytest.fixture
def second(office: Office) -> Caller:
    return an_account(office, office.city, "administrator")


@pytest.fixture
def empty(office: Office) -> Union:
    """A grassroots union without members."""
    with office.begin() as session:
        return add_union(session, "空工会", a_union_code(8), "grassroots", office.superior)


def done(office: Office, act: Any, caller: Caller, **request: Any) -> dict[str, Any]:
    with office.begin() as session:
        work = office.work(session, replace(caller, scope=Scope.SUBORDINATES))
        answer: dict[str, Any] = as_dict(act(work, _ACTS[act](**request)))
    return answer


def refused(office: Office, act: Any, caller: Caller, **request: Any) -> str:
    with pytest.raises(Problem) as refusal:
        done(office, act, caller, **request)
    return refusal.value.code


def asked(office: Office, caller: Caller, union: Union, target: Union | None = None, **more: Any) -> dict[str, Any]:
    """Requests a move to the target, or without one a dissolution."""
    where = {"target_union_id": target.union_id} if target else {}
    kind = "move" if target else "dissolve"
    given = {"union_id": union.union_id, "kind": kind, "reason": "机构调整", **where, **more}
    return done(office, requests.request_union_change, caller, **given)


def moved(office: Office, asker: Caller, second: Caller, union: Union, target: Union | None = None) -> dict[str, Any]:
    change = asked(office, asker, union, target)
    return done(office, requests.confirm_union_change, second, change_id=change["change_id"])


def superiors(office: Office, union: Union) -> list[UUID]:
    with office.begin() as session:
        return session.get_one(Union, union.union_id).superior_ids


def test_a_union_moves_with_all_below_it_when_a_second_administrator_confirms(
    office: Office, asker: Caller, second: Caller
) -> None:
    office.numbered(2)
    change = asked(office, asker, office.superior, office.other)
    assert (change["state"], change["can_confirm"], change["can_end"]) == ("requested", False, True)
    assert {name: change["preview"][name] for name in ("unions", "members", "obstacles")} == {
        "unions": 1,
        "members": 2,
        "obstacles": [],
    }
    assert superiors(office, office.union) == [office.city.union_id, office.superior.union_id]
    [listed] = done(office, requests.list_union_changes, second)["items"]
    assert listed["can_confirm"]
    answer = done(office, requests.confirm_union_change, second, change_id=change["change_id"])
    assert (answer["state"], answer["from_union_name"]) == ("done", "上海市总工会")
    above = [office.city.union_id, office.other.union_id]
    assert superiors(office, office.superior) == above
    assert superiors(office, office.union) == [*above, office.superior.union_id]
    published = {one["union_id"]: one for event in office.published(UNIONS_CHANGED) for one in event["unions"]}
    assert published[office.union.union_id]["superior_ids"] == [*above, office.superior.union_id]
    assert published[office.superior.union_id]["superior_union_id"] == office.other.union_id


def test_administrators_are_asked_and_told(office: Office, asker: Caller, second: Caller) -> None:
    moved(office, asker, second, office.union, office.other)
    first, last = office.published(UNION_CHANGE_NOTED)
    assert (first["state"], first["told_union_ids"]) == ("requested", [office.city.union_id])
    assert last["state"] == "done"
    assert set(last["told_union_ids"]) == {
        one.union_id for one in (office.union, office.superior, office.other, office.city)
    }


def test_nobody_confirms_alone(office: Office, asker: Caller, second: Caller) -> None:
    change_id = asked(office, asker, office.union, office.other)["change_id"]
    assert refused(office, requests.confirm_union_change, asker, change_id=change_id) == "own_request"
    with office.begin() as session:
        session.add(
            AccountControl(
                control_id=UUID(int=1),
                account_id=UUID(second.account_id),
                administrator_id=UUID(asker.account_id),
                kind="made",
            )
        )
        session.execute(
            update(Account).where(Account.account_id == UUID(second.account_id)).values(controlled_at=func.now())
        )
    assert refused(office, requests.confirm_union_change, second, change_id=change_id) == "same_administrator"
    assert superiors(office, office.union)[-1] == office.superior.union_id


def test_a_change_is_of_unions_below_and_within_reach(office: Office, asker: Caller) -> None:
    district = an_account(office, office.superior, "administrator")
    preview = requests.preview_union_change
    there = {"kind": "move", "target_union_id": office.other.union_id}
    assert refused(office, preview, district, union_id=office.superior.union_id, **there) == "own_union"
    assert refused(office, preview, district, union_id=office.union.union_id, **there) == "not_found"
    assert refused(office, preview, district, union_id=office.other.union_id, kind="dissolve") == "not_found"
    assert refused(office, preview, district, union_id=office.superior.union_id, kind="dissolve") == "own_union"
    assert refused(office, preview, asker, union_id=office.union.union_id, kind="move") == "invalid"


def test_what_is_in_the_way_is_told(office: Office, asker: Caller, empty: Union) -> None:
    office.queued()

    def obstacles(union: Union, target: Union | None = None) -> list[str]:
        where = {"kind": "move", "target_union_id": target.union_id} if target else {"kind": "dissolve"}
        found = done(office, requests.preview_union_change, asker, union_id=union.union_id, **where)
        return [one["code"] for one in found["obstacles"]]

    assert obstacles(office.union, office.superior) == ["already_there"]
    assert obstacles(office.superior, office.superior) == ["below_itself"]
    assert obstacles(office.superior, office.union) == ["below_itself"]
    assert obstacles(office.union, empty) == ["kind_not_below_superior"]
    assert obstacles(office.union, office.city) == ["kind_not_below_superior"]
    assert obstacles(office.superior) == ["has_subordinates"]
    assert obstacles(office.union) == ["has_members", "has_applications"]
    assert obstacles(empty) == []
    given = {"union_id": office.union.union_id, "kind": "dissolve", "reason": "机构调整"}
    assert refused(office, requests.request_union_change, asker, **given) == "union_change_obstructed"


def test_what_came_into_the_way_since_the_request_is_told_at_the_confirmation(
    office: Office, asker: Caller, second: Caller, empty: Union
) -> None:
    change_id = asked(office, asker, empty)["change_id"]
    with office.begin() as session:
        superior = session.get_one(Union, office.other.union_id)
        below = add_union(session, "下级", a_union_code(30), "grassroots", superior)
        below.superior_union_id, below.superior_ids = empty.union_id, [*empty.superior_ids, empty.union_id]
    assert refused(office, requests.confirm_union_change, second, change_id=change_id) == "union_change_obstructed"


def test_one_change_of_a_union_waits_at_a_time_until_it_ends(office: Office, asker: Caller, second: Caller) -> None:
    change_id = asked(office, asker, office.union, office.other)["change_id"]
    again = {"union_id": office.union.union_id, "kind": "dissolve", "reason": "机构调整"}
    assert refused(office, requests.request_union_change, second, **again) == "union_change_waits"
    assert done(office, requests.decline_union_change, second, change_id=change_id)["state"] == "declined"
    assert refused(office, requests.confirm_union_change, second, change_id=change_id) == "union_change_ended"
    assert [one["state"] for one in office.published(UNION_CHANGE_NOTED)] == ["requested", "declined"]
    assert asked(office, asker, office.union, office.other)["state"] == "requested"


def test_a_change_that_nobody_confirms_in_time_expires(office: Office, asker: Caller, second: Caller) -> None:
    change_id = asked(office, asker, office.union, office.other)["change_id"]
    with office.begin() as session:
        session.get_one(UnionChange, change_id).expires_at = datetime.now(UTC) - timedelta(seconds=1)
    assert refused(office, requests.confirm_union_change, second, change_id=change_id) == "union_change_ended"
    assert [one["state"] for one in done(office, requests.list_union_changes, second, state="expired")["items"]] == [
        "expired"
    ]
    assert asked(office, second, office.union, office.other)["state"] == "requested"


def test_who_is_no_administrator_any_more_cannot_have_asked(office: Office, asker: Caller, second: Caller) -> None:
    change_id = asked(office, asker, office.union, office.other)["change_id"]
    with office.begin() as session:
        session.get_one(Account, UUID(asker.account_id)).disabled = True
    assert refused(office, requests.confirm_union_change, second, change_id=change_id) == "requester_gone"


def test_a_dissolved_union_has_no_accounts_and_takes_nobody(
    office: Office, asker: Caller, second: Caller, empty: Union
) -> None:
    clerk = an_account(office, empty, "clerk")
    with office.begin() as session:
        account = session.get_one(Account, UUID(clerk.account_id))
        sessions.start(session, account, Caller(origin="203.0.113.7"), Visit(user_agent=None, replaces=None))
    moved(office, asker, second, empty)
    with office.begin() as session:
        account = session.get_one(Account, UUID(clerk.account_id))
        alive = select(func.count()).where(
            SignedInSession.account_id == account.account_id, SignedInSession.ended_at.is_(None)
        )
        assert (account.disabled, session.scalar(alive)) == (True, 0)
    assert [one["because"] for one in office.published(SESSIONS_ENDED)] == ["account_disabled"]
    for act in (
        lambda session: accounts.update_account(
            office.work(session, replace(asker, scope=Scope.SUBORDINATES)),
            UpdateAccountRequest(account_id=UUID(clerk.account_id), disabled=False),
        ),
        lambda session: unions.require_open(session, empty.union_id),
    ):
        with pytest.raises(Problem) as refusal, office.begin() as session:
            act(session)
        assert refusal.value.code == "union_ended"
    assert empty.union_id not in {one.union_id for one in _listed(office, asker)}
    again = {"union_id": empty.union_id, "kind": "dissolve", "reason": "重复"}
    assert refused(office, requests.request_union_change, asker, **again) == "union_ended"


def test_a_former_member_cannot_come_back_to_a_dissolved_union(office: Office, asker: Caller, second: Caller) -> None:
    (member_id,) = office.numbered()
    with office.begin() as session:
        work = office.work(session)
        leaving.end_membership(work, member_rpc.EndMembershipRequest(member_id=member_id, because="left"))
    moved(office, asker, second, office.union)
    with pytest.raises(Problem) as refusal, office.begin() as session:
        leaving.resume_membership(office.work(session), member_rpc.GetMemberRequest(member_id=member_id))
    assert refusal.value.code == "union_ended"


def test_delegations_to_who_is_above_no_more_end_with_the_move(office: Office, asker: Caller, second: Caller) -> None:
    reviewer = an_account(office, office.superior, "reviewer")
    with office.begin() as session:
        below = add_union(session, "街道总工会", a_union_code(31), "superior", office.superior)
    of_street = an_account(office, below, "reviewer")
    stays = named(office, of_street, an_account(office, below, "clerk"))
    ends = named(office, an_account(office, below, "reviewer"), reviewer)
    preview = {"union_id": below.union_id, "kind": "move", "target_union_id": office.other.union_id}
    assert done(office, requests.preview_union_change, asker, **preview)["delegations"] == 1
    moved(office, asker, second, below, office.other)
    ended = {one["delegation_id"] for one in office.published(DELEGATION_CHANGED) if one["change"] == "ended"}
    assert ended == {ends}
    assert stays not in ended


def test_a_union_that_is_founded_while_its_superior_moves_goes_along(
    office: Office, asker: Caller, second: Caller
) -> None:
    change_id = asked(office, asker, office.superior, office.other)["change_id"]
    code = a_union_code(32)

    def found(session: Session) -> None:
        form = CreateUnionRequest(name="新工会", code=code, superior_union_id=office.superior.union_id)
        unions.create_union(office.work(session, replace(asker, scope=Scope.SUBORDINATES)), form)

    at_once(office.begin, found, _confirming(office, second, change_id))
    with office.begin() as session:
        founded = session.scalars(select(Union).where(Union.code == code)).one()
        assert founded.superior_ids == [office.city.union_id, office.other.union_id, office.superior.union_id]


def test_nobody_confirms_or_declines_a_change_of_the_own_union(office: Office, asker: Caller, empty: Union) -> None:
    own = an_account(office, empty, "administrator")
    change_id = asked(office, asker, empty)["change_id"]
    assert refused(office, requests.confirm_union_change, own, change_id=change_id) == "own_union"
    assert refused(office, requests.decline_union_change, own, change_id=change_id) == "own_union"


def test_a_union_that_is_dissolved_meanwhile_cannot_be_changed_again(
    office: Office, asker: Caller, second: Caller, empty: Union
) -> None:
    change_id = asked(office, asker, empty)["change_id"]
    refusals = []

    def again(session: Session) -> None:
        work = office.work(session, replace(asker, scope=Scope.SUBORDINATES))
        request = rpc.RequestUnionChangeRequest(
            union_id=empty.union_id, kind="move", target_union_id=office.other.union_id, reason="机构调整"
        )
        with pytest.raises(Problem) as refusal:
            requests.request_union_change(work, request)
        refusals.append(refusal.value.code)

    at_once(office.begin, _confirming(office, second, change_id), again)
    assert refusals == ["union_ended"]


def test_a_former_superior_makes_no_account_in_a_union_that_has_just_moved(
    office: Office, asker: Caller, second: Caller
) -> None:
    district = an_account(office, office.superior, "administrator")
    change_id = asked(office, asker, office.union, office.other)["change_id"]
    refusals = []

    def make(session: Session) -> None:
        request = CreateAccountRequest(
            union_id=office.union.union_id,
            account_name="stranger",
            display_name="陌生人",
            roles=["clerk"],
            phone="13812340000",
        )
        with pytest.raises(Problem) as refusal:
            accounts.create_account(office.work(session, replace(district, scope=Scope.SUBORDINATES)), request)
        refusals.append(refusal.value.code)

    at_once(office.begin, _confirming(office, second, change_id), make)
    assert refusals == ["not_found"]


def test_a_change_ends_when_who_requested_it_is_above_no_more(office: Office, asker: Caller, second: Caller) -> None:
    with office.begin() as session:
        street = add_union(session, "街道总工会", a_union_code(45), "superior", office.superior)
        low = add_union(session, "基层工会", a_union_code(46), "grassroots", street)
    asked(office, an_account(office, office.superior, "administrator"), low, office.superior)
    moved(office, asker, second, street, office.other)
    last = office.published(UNION_CHANGE_NOTED)[-1]
    assert (last["union_id"], last["state"]) == (low.union_id, "expired")
    newcomer = an_account(office, office.other, "administrator")
    assert asked(office, newcomer, low, office.other)["state"] == "requested"


def test_who_requested_a_change_withdraws_it(office: Office, asker: Caller) -> None:
    change = asked(office, asker, office.union, office.other)
    assert done(office, requests.decline_union_change, asker, change_id=change["change_id"])["state"] == "withdrawn"


def test_a_change_that_nobody_confirmed_in_time_ends_by_itself_and_is_told(office: Office, asker: Caller) -> None:
    change_id = asked(office, asker, office.union, office.other)["change_id"]
    with office.begin() as session:
        session.get_one(UnionChange, change_id).expires_at = datetime.now(UTC) - timedelta(seconds=1)
    for _ in range(2):
        with office.begin() as session:
            requests.expire_changes(session)
    assert [one["state"] for one in office.published(UNION_CHANGE_NOTED)] == ["requested", "expired"]


def test_the_superior_of_who_requested_a_change_is_asked_as_well(office: Office) -> None:
    with office.begin() as session:
        street = add_union(session, "街道总工会", a_union_code(44), "superior", office.superior)
    asked(office, an_account(office, office.superior, "administrator"), office.union, street)
    assert office.published(UNION_CHANGE_NOTED)[-1]["told_union_ids"] == [
        office.superior.union_id,
        office.city.union_id,
    ]


def test_the_confirmation_counts_anew_what_is_concerned(office: Office, asker: Caller, second: Caller) -> None:
    change_id = asked(office, asker, office.union, office.other)["change_id"]
    office.numbered(2)
    assert done(office, requests.confirm_union_change, second, change_id=change_id)["preview"]["members"] == 2


def test_a_delegation_that_is_made_while_the_union_moves_does_not_outlast_the_move(
    office: Office, asker: Caller, second: Caller
) -> None:
    boss = an_account(office, office.superior, "reviewer")
    with office.begin() as session:
        below = add_union(session, "街道总工会", a_union_code(31), "superior", office.superior)
    reviewer = an_account(office, below, "reviewer")
    change_id = asked(office, asker, below, office.other)["change_id"]

    def make(session: Session) -> None:
        request = delegation_rpc.CreateDelegation(
            deputy_id=UUID(boss.account_id), reason="出差", first_day=today(), last_day=today()
        )
        delegations.create_delegation(office.work(session, reviewer), request)

    for pair in ((_confirming(office, second, change_id), make), (make, _confirming(office, second, change_id))):
        with suppress(Problem):
            at_once(office.begin, *pair)
    with office.begin() as session:
        assert session.scalar(select(func.count()).where(Delegation.ended_at.is_(None))) == 0


def test_an_account_that_is_changed_while_its_union_is_dissolved_is_closed(
    office: Office, asker: Caller, second: Caller, empty: Union
) -> None:
    clerk = an_account(office, empty, "clerk")
    change_id = asked(office, asker, empty)["change_id"]

    def change(session: Session) -> None:
        request = UpdateAccountRequest(account_id=UUID(clerk.account_id), roles=["administrator", "clerk"])
        accounts.update_account(office.work(session, replace(asker, scope=Scope.SUBORDINATES)), request)

    at_once(office.begin, change, _confirming(office, second, change_id))
    with office.begin() as session:
        assert session.get_one(Account, UUID(clerk.account_id)).disabled


def test_a_union_with_a_transfer_under_way_is_not_dissolved(office: Office, asker: Caller, empty: Union) -> None:
    (member_id,) = office.numbered()
    with office.begin() as session:
        session.add(a_transfer(member_id, office.union, empty, asker))
    found = done(office, requests.preview_union_change, asker, union_id=empty.union_id, kind="dissolve")
    assert [one["code"] for one in found["obstacles"]] == ["has_transfers"]


def _confirming(office: Office, second: Caller, change_id: UUID) -> Callable[[Session], None]:
    def confirm(session: Session) -> None:
        work = office.work(session, replace(second, scope=Scope.SUBORDINATES))
        requests.confirm_union_change(work, rpc.UnionChangeRequest(change_id=change_id))

    return confirm


def _listed(office: Office, caller: Caller) -> list[Any]:
    with office.begin() as session:
        work = office.work(session, replace(caller, scope=Scope.SUBORDINATES))
        return list(unions.list_unions(work, unions.ListUnionsRequest(size=100)).items)


def named(office: Office, principal: Caller, deputy: Caller) -> UUID:
    request = delegation_rpc.CreateDelegation(
        deputy_id=UUID(deputy.account_id), reason="出差", first_day=today(), last_day=today() + timedelta(days=5)
    )
    with office.begin() as session:
        work = office.work(session, replace(principal, scope=Scope.SUBORDINATES))
        return delegations.create_delegation(work, request).delegation_id
