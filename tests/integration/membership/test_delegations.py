"""Deputies of reviewers: who may name whom, what their sessions carry, and when it ends."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, create_engine

from services.contracts.events.membership import DELEGATION_CHANGED
from services.contracts.operations.membership import accounts as account_rpc
from services.contracts.operations.membership import delegations as rpc
from services.contracts.operations.membership.identity import Visit
from services.contracts.overdue import today
from services.kit import clock
from services.kit.problems import Problem
from services.kit.rpc.methods import Caller
from services.kit.rpc.operation import Scope
from services.membership.accounts import accounts, delegations
from services.membership.identity import sessions
from services.membership.models import Account, Union
from services.membership.unions import add_union
from tests.databases import DatabaseFactory
from tests.documents import read
from tests.integration.membership.office import Office, an_account
from tests.mothers import a_union_code

_codes = iter(range(700, 10_000))


@pytest.fixture(scope="module")
def engine(module_database: DatabaseFactory) -> Iterator[Engine]:
    engine = create_engine(module_database("membership").replace("postgresql://", "postgresql+psycopg://"))
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def office(engine: Engine) -> Office:
    return Office(engine)


@pytest.fixture
def district(office: Office) -> Union:
    """A superior union of this test under the city's."""
    return a_union(office, office.city, "superior")


@pytest.fixture
def reviewer(office: Office, district: Union) -> Caller:
    return an_account(office, district, "reviewer")


@pytest.fixture
def colleague(office: Office, district: Union) -> Caller:
    return an_account(office, district, "clerk")


def a_union(office: Office, superior: Union, kind: str) -> Union:
    with office.begin() as session:
        return add_union(session, "某工会", a_union_code(next(_codes)), kind, superior)


def of(caller: Caller) -> Caller:
    """The caller as a service authorizes it for these operations."""
    return replace(caller, scope=Scope.SUBORDINATES)


def named(office: Office, caller: Caller, deputy: Caller, days: tuple[int, int] = (0, 5), **more: Any) -> Any:
    """Names a deputy from and to so many days after today."""
    first, last = (today() + timedelta(days=one) for one in days)
    request = {"deputy_id": UUID(deputy.account_id), "first_day": first, "last_day": last, "reason": "出差", **more}
    with office.begin() as session:
        return delegations.create_delegation(office.work(session, of(caller)), rpc.CreateDelegation(**request))


def refused(office: Office, caller: Caller, deputy: Caller, days: tuple[int, int] = (0, 5), **more: Any) -> str:
    with pytest.raises(Problem) as refusal:
        named(office, caller, deputy, days, **more)
    return refusal.value.code


def ended(office: Office, caller: Caller, delegation_id: UUID) -> Any:
    with office.begin() as session:
        request = rpc.DelegationRequest(delegation_id=delegation_id)
        return delegations.end_delegation(office.work(session, of(caller)), request)


def listed(office: Office, caller: Caller, **request: Any) -> list[Any]:
    with office.begin() as session:
        found = delegations.list_delegations(office.work(session, of(caller)), rpc.ListDelegations(**request))
    return list(found.items)


def signed_in(office: Office, who: Caller) -> Caller:
    """The caller that services receive of this account's session."""
    with office.begin() as session:
        account = session.get_one(Account, UUID(who.account_id))
        account.must_change_password = False
        answer = sessions.start(session, account, Caller(origin="203.0.113.7"), Visit(user_agent=None, replaces=None))
    return Caller.from_dict(answer.caller)


def close(office: Office, who: Caller, **changes: Any) -> None:
    """The city's administrator changes an account."""
    administrator = of(an_account(office, office.city, "administrator"))
    request = read(account_rpc.UpdateAccountRequest, {"account_id": who.account_id, **changes})
    with office.begin() as session:
        accounts.update_account(office.work(session, administrator), request)


def test_a_deputy_s_session_carries_whom_it_stands_in_for_and_where(
    office: Office, reviewer: Caller, colleague: Caller
) -> None:
    made = named(office, reviewer, colleague)
    assert (made.state, made.principal_name, made.can_end) == ("active", "王芳", True)

    caller = signed_in(office, colleague)
    (principal,) = caller.principals
    assert caller.roles == {"clerk", "deputy"}
    assert (principal.account_id, principal.union_ids) == (reviewer.account_id, (reviewer.union_id,))
    assert principal.last_day == made.last_day.isoformat()
    assert signed_in(office, reviewer).principals == ()

    ended(office, reviewer, made.delegation_id)
    assert signed_in(office, colleague).roles == {"clerk"}
    (told, over) = [one for one in office.published(DELEGATION_CHANGED) if one["delegation_id"] == made.delegation_id]
    assert (told["version"], told["change"], over["version"], over["change"]) == (1, "named", 2, "ended")


def test_a_delegation_begins_and_ends_with_its_days(
    office: Office, reviewer: Caller, colleague: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = named(office, reviewer, colleague, (1, 2))
    assert made.state == "upcoming"
    assert signed_in(office, colleague).principals == ()
    now = clock.now()
    for days, state in ((1, "active"), (2, "active"), (3, "ended")):
        monkeypatch.setattr(clock, "now", lambda days=days: now + timedelta(days=days))
        (one,) = listed(office, colleague)
        assert one.state == state
        assert [one.delegation_id for one in listed(office, colleague, state=state)] == [made.delegation_id]
        assert bool(signed_in(office, colleague).principals) == (state == "active")


def test_a_deputy_is_of_the_same_union_or_of_one_above(office: Office, reviewer: Caller, district: Union) -> None:
    below = an_account(office, a_union(office, district, "grassroots"), "clerk")
    neighbour = an_account(office, office.other, "reviewer")
    operator = an_account(office, office.city, "operator")
    for account in (below, neighbour, operator, replace(reviewer, account_id=str(uuid4()))):
        assert refused(office, reviewer, account) == "not_found"
    assert refused(office, reviewer, reviewer) == "invalid"
    in_the_city = an_account(office, office.city, "clerk")
    assert named(office, reviewer, in_the_city).deputy_union_name == office.city.name
    with office.begin() as session:
        offered = delegations.list_deputies(office.work(session, of(reviewer)), rpc.ListDeputies()).items
    ids = {str(one.account_id) for one in offered}
    assert in_the_city.account_id in ids
    assert ids.isdisjoint(one.account_id for one in (below, neighbour, operator, reviewer))


def test_an_administrator_of_a_superior_names_others_for_a_reviewer_below_and_nobody_else_does(
    office: Office, reviewer: Caller, colleague: Caller, district: Union
) -> None:
    city, own = (an_account(office, union, "administrator") for union in (office.city, district))
    foreign = an_account(office, office.other, "administrator")
    whose: dict[str, Any] = {"principal_id": UUID(reviewer.account_id)}
    assert refused(office, own, colleague, **whose) == "not_found"
    assert refused(office, foreign, colleague, **whose) == "not_found"
    assert refused(office, city, city, **whose) == "own_deputy"
    assert refused(office, city, reviewer, principal_id=UUID(colleague.account_id)) == "not_found"
    made = named(office, city, colleague, **whose)
    assert (made.principal_id, made.made_by) == (whose["principal_id"], UUID(city.account_id))
    with office.begin() as session:
        assert delegations.list_principals(office.work(session, of(own)), rpc.ListPrincipals()).items == []
        found = delegations.list_principals(office.work(session, of(city)), rpc.ListPrincipals()).items
    assert reviewer.account_id in {str(one.account_id) for one in found}


def test_a_reviewer_has_one_deputy_at_a_time(office: Office, reviewer: Caller, colleague: Caller) -> None:
    made = named(office, reviewer, colleague, (0, 5))
    assert refused(office, reviewer, colleague, (5, 9)) == "delegation_overlaps"
    assert named(office, reviewer, colleague, (6, 9)).state == "upcoming"
    ended(office, colleague, made.delegation_id)
    assert named(office, reviewer, colleague, (0, 5)).state == "active"
    assert refused(office, reviewer, colleague, (-1, 5)) == "invalid"


def test_either_ends_it_early_and_nobody_a_second_time(office: Office, district: Union) -> None:
    reviewer, deputy = (an_account(office, district, "reviewer") for _ in range(2))
    watching, other = an_account(office, district, "reviewer"), an_account(office, office.other, "reviewer")
    made = named(office, reviewer, deputy)
    assert [one.can_end for one in listed(office, watching)] == [False]
    with pytest.raises(Problem, match="not_ones_own"):
        ended(office, watching, made.delegation_id)
    with pytest.raises(Problem, match="not_found"):
        ended(office, other, made.delegation_id)
    over = ended(office, deputy, made.delegation_id)
    assert (over.state, over.ended_by_name, over.can_end) == ("ended", "王芳", False)
    with pytest.raises(Problem, match="delegation_ended"):
        ended(office, reviewer, made.delegation_id)


@pytest.mark.parametrize("changes", [{"disabled": True}, {"roles": ["clerk"]}])
def test_a_reviewer_who_can_decide_no_more_has_no_deputy(
    office: Office, reviewer: Caller, colleague: Caller, changes: dict[str, Any]
) -> None:
    named(office, reviewer, colleague)
    close(office, reviewer, **changes)
    assert signed_in(office, colleague).principals == ()
    assert [one.state for one in listed(office, colleague)] == ["ended"]
    close(office, reviewer, disabled=False, roles=["reviewer"])
    assert signed_in(office, colleague).principals == ()


def test_the_next_superior_covers_unions_without_a_reviewer_until_they_have_one(
    office: Office, reviewer: Caller, district: Union
) -> None:
    street = a_union(office, district, "superior")
    city = an_account(office, office.city, "reviewer")
    assert set(signed_in(office, reviewer).covered_union_ids) == {str(street.union_id)}
    assert {str(street.union_id), str(district.union_id)}.isdisjoint(signed_in(office, city).covered_union_ids)
    close(office, reviewer, disabled=True)
    assert {str(street.union_id), str(district.union_id)} <= set(signed_in(office, city).covered_union_ids)
    an_account(office, street, "reviewer")
    covered = set(signed_in(office, city).covered_union_ids)
    assert (str(district.union_id) in covered, str(street.union_id) in covered) == (True, False)
    assert signed_in(office, an_account(office, district, "clerk")).covered_union_ids == ()
