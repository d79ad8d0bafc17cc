"""Counts for the workbench: of a union and of its subordinates."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.contracts.events.batching import BATCH_SUBMITTED, CARDS_ISSUED
from services.contracts.operations.membership.members import MemberSummaryRequest
from services.kit.problems import NotFound
from services.kit.rpc.methods import Caller
from services.kit.schemas import as_dict
from services.membership.members.summary import member_summary
from tests.integration.membership.office import Office, a_caller
from tests.statements import statements_on

NOBODY = {"none": 0, "pending": 0, "submitted": 0, "issued": 0}


def summary(office: Office, caller: Caller, **request: Any) -> dict[str, Any]:
    with office.begin() as session:
        answer: dict[str, Any] = as_dict(member_summary(office.work(session, caller), MemberSummaryRequest(**request)))
    return answer


def test_members_are_counted_by_how_far_their_card_is(office: Office) -> None:
    office.numbered(2)
    office.queued()
    _, issued = office.queued()
    office.deliver(BATCH_SUBMITTED, (issued, 1))
    office.deliver(CARDS_ISSUED, (issued, 2))
    found = summary(office, office.clerk)
    assert found["by_card_state"] == {"none": 2, "pending": 1, "submitted": 0, "issued": 1}
    today = found["applications_by_day"][-1]
    assert today == {"day": datetime.now(ZoneInfo("Asia/Shanghai")).date(), "queued": 2, "issued": 1, "refused": 0}
    assert len(found["applications_by_day"]) == 30


def test_a_superior_sees_its_subordinates_side_by_side(office: Office) -> None:
    office.numbered(3)
    found = summary(office, a_caller(office.superior, "reviewer"))
    assert found["by_card_state"]["none"] == 3
    assert [(one["union"]["name"], one["by_card_state"]["none"]) for one in found["by_union"]] == [("上海建朗工会", 3)]
    of_the_city = summary(office, a_caller(office.city, "administrator"))
    assert {one["union"]["name"]: one["by_card_state"]["none"] for one in of_the_city["by_union"]} == {
        "杨浦区总工会": 3,
        "长宁区总工会": 0,
    }


def test_a_clerk_of_a_superior_union_counts_its_own_members_alone(office: Office) -> None:
    office.numbered(1)
    found = summary(office, a_caller(office.superior, "clerk"))
    assert (found["by_card_state"], found["by_union"]) == (NOBODY, [])


def test_a_union_without_members_counts_nothing(office: Office) -> None:
    assert summary(office, a_caller(office.other, "reviewer"))["by_card_state"] == NOBODY


def test_another_unions_counts_are_not_to_be_had(office: Office) -> None:
    with pytest.raises(NotFound):
        summary(office, a_caller(office.other, "reviewer"), union_id=office.union.union_id)
    with pytest.raises(NotFound):
        summary(office, office.clerk, union_id=office.superior.union_id)


def test_members_are_counted_by_union_before_their_unions_are_looked_at(office: Office) -> None:
    office.numbered(1)
    with statements_on(office.engine) as sent:
        summary(office, a_caller(office.city, "administrator"))
    assert [statement for statement, _ in sent if "GROUP BY member.union_id, member.card_state" in statement]
