"""Who may decide on a request: own reviewers, deputies in their name, the next superior; never who requested it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.contracts.overdue import today
from services.kit.problems import Forbidden
from services.kit.rpc.request import Caller, Principal
from services.revocation.models import Revocation
from services.revocation.rights import represented_union_ids, require_right, right_to_decide

SUPERIOR, CITY, ELSEWHERE = (str(uuid4()) for _ in range(3))
CLERK, HEAD = str(uuid4()), str(uuid4())


def a_request(*controllers: str) -> Revocation:
    return Revocation(
        revocation_id=uuid4(),
        reviewer_union_id=UUID(SUPERIOR),
        requested_by=UUID(CLERK),
        requester_controllers=[UUID(one) for one in controllers],
    )


def a_reviewer(union_id: str = SUPERIOR, **changes: Any) -> Caller:
    return replace(Caller(account_id=str(uuid4()), roles=frozenset({"reviewer"}), union_id=union_id), **changes)


def a_principal(**changes: Any) -> Principal:
    named = Principal(str(uuid4()), "张三", union_ids=(SUPERIOR,), last_day=today().isoformat())
    return replace(named, **changes)


def a_deputy(*principals: Principal, **changes: Any) -> Caller:
    """An administrator of the superior union who stands in for reviewers."""
    roles = frozenset({"administrator", "deputy"})
    return replace(Caller(account_id=str(uuid4()), roles=roles, union_id=SUPERIOR, principals=principals), **changes)


def refusal(caller: Caller, request: Revocation) -> str:
    with pytest.raises(Forbidden) as refused:
        require_right(caller, request)
    return refused.value.code


def test_a_reviewer_of_the_superior_decides_in_its_own_right() -> None:
    right = right_to_decide(a_reviewer(), a_request())
    assert right is not None
    assert right.principal is None


def test_a_deputy_decides_in_the_name_of_whom_it_stands_in_for() -> None:
    principal = a_principal()
    assert require_right(a_deputy(principal), a_request()).principal == principal


def test_a_reviewer_who_is_a_deputy_as_well_decides_in_its_own_right() -> None:
    assert require_right(a_reviewer(principals=(a_principal(),)), a_request()).principal is None


def test_of_a_union_without_reviewers_the_next_superior_decides_and_its_deputies() -> None:
    city = a_reviewer(CITY)
    assert refusal(city, a_request()) == "not_the_superior"
    assert require_right(replace(city, covered_union_ids=(SUPERIOR,)), a_request()).principal is None
    covering = a_principal(union_ids=(CITY, SUPERIOR))
    assert require_right(a_deputy(covering, union_id=CITY), a_request()).principal == covering


def test_covered_unions_are_nobodys_but_a_reviewers() -> None:
    administrator = a_reviewer(CITY, roles=frozenset({"administrator"}), covered_union_ids=(SUPERIOR,))
    assert refusal(administrator, a_request()) == "not_the_superior"


def test_the_role_alone_is_no_right_to_decide() -> None:
    assert refusal(a_deputy(), a_request()) == "not_the_superior"
    assert refusal(a_deputy(a_principal(union_ids=(ELSEWHERE,))), a_request()) == "not_the_superior"


def test_a_delegation_ends_with_its_last_day_however_old_the_session_is() -> None:
    over = a_principal(last_day=(today() - timedelta(days=1)).isoformat())
    assert refusal(a_deputy(over), a_request()) == "not_the_superior"
    assert represented_union_ids(a_deputy(over)) == []
    assert represented_union_ids(a_deputy(a_principal())) == [UUID(SUPERIOR)]


def test_nobody_decides_on_the_own_request_as_a_deputy_either() -> None:
    assert refusal(a_reviewer(account_id=CLERK), a_request()) == "own_request"
    assert refusal(a_deputy(a_principal(), account_id=CLERK), a_request()) == "own_request"


def test_nobody_decides_on_a_request_by_way_of_its_deputy() -> None:
    assert refusal(a_deputy(a_principal(account_id=CLERK)), a_request()) == "request_of_principal"
    assert refusal(a_deputy(a_principal(controllers=(HEAD,))), a_request(HEAD)) == "request_of_principal"
    assert refusal(a_deputy(a_principal(), controllers=(HEAD,)), a_request(HEAD)) == "same_administrator"


def test_a_deputy_of_several_decides_for_the_first_who_has_nothing_to_do_with_the_request() -> None:
    requester, colleague = a_principal(account_id=CLERK), a_principal(name="李四")
    assert require_right(a_deputy(requester, colleague), a_request()).principal == colleague


def test_the_caller_of_another_release_loses_no_more_than_its_principals() -> None:
    caller = a_deputy(a_principal(controllers=(HEAD,)), covered_union_ids=(SUPERIOR,))
    document = caller.to_dict()
    assert Caller.from_dict(document) == caller
    document["principals"][0]["added_later"] = 1
    assert Caller.from_dict(document) == caller
    del document["principals"], document["covered_union_ids"]
    assert Caller.from_dict(document) == replace(caller, principals=(), covered_union_ids=())
