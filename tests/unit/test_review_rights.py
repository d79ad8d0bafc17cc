"""Which superior decides where a union has no reviewer, and who is reminded of what waits there."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from services.contracts.events.overdue import OverdueWork
from services.membership.accounts.review_rights import without_reviewer
from services.membership.reminders import Place, place_of

CITY, DISTRICT, STREET = uuid4(), uuid4(), uuid4()
SUPERIORS = {STREET: [CITY, DISTRICT], DISTRICT: [CITY], CITY: []}


@pytest.mark.parametrize(
    ("reviewing", "covered"),
    [
        ([], {DISTRICT, STREET}),
        ([STREET], {DISTRICT}),
        ([DISTRICT], set()),
        ([DISTRICT, STREET], set()),
    ],
)
def test_a_superior_covers_unions_below_up_to_the_next_reviewer(reviewing: list[UUID], covered: set[UUID]) -> None:
    paths = {DISTRICT: [DISTRICT], STREET: [DISTRICT, STREET]}
    assert set(without_reviewer(paths, reviewing)) == covered


def reminded(union_id: UUID, places: Sequence[Place], level: str = "overdue", kind: str = "revocation") -> Place | None:
    work = OverdueWork(kind=kind, union_id=union_id, level=level, count=1, since=datetime.now(UTC))
    return place_of(work, SUPERIORS, places)


def test_the_next_superior_s_reviewers_are_reminded_before_a_union_s_own_administrator() -> None:
    places = [(STREET, "administrator"), (DISTRICT, "administrator"), (CITY, "reviewer")]
    assert reminded(STREET, places) == (CITY, "reviewer")
    assert reminded(STREET, [*places, (DISTRICT, "reviewer")]) == (DISTRICT, "reviewer")
    assert reminded(STREET, [*places, (STREET, "reviewer")]) == (STREET, "reviewer")


def test_where_nobody_can_decide_an_administrator_is_told_who_can_open_an_account() -> None:
    assert reminded(STREET, [(STREET, "administrator"), (CITY, "administrator")]) == (STREET, "administrator")
    assert reminded(STREET, [(CITY, "administrator")]) == (CITY, "administrator")
    assert reminded(STREET, []) is None


def test_what_has_waited_too_long_goes_to_those_above_who_decides() -> None:
    district_covers = [(DISTRICT, "reviewer"), (CITY, "administrator")]
    assert reminded(STREET, district_covers, "escalated") == (CITY, "administrator")
    assert reminded(STREET, [(CITY, "reviewer")], "escalated") == (CITY, "reviewer")
    own = [(STREET, "reviewer"), (DISTRICT, "reviewer")]
    assert reminded(STREET, own, "escalated") == (DISTRICT, "reviewer")


def test_work_of_clerks_is_done_by_no_superior() -> None:
    places = [(STREET, "administrator"), (DISTRICT, "reviewer")]
    assert reminded(STREET, places, kind="unchecked") == (STREET, "administrator")
    assert reminded(STREET, [*places, (STREET, "clerk")], kind="unchecked") == (STREET, "clerk")
