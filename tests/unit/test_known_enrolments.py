"""Enrolments that reports name: whatever order they come in, what the society said last counts."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.external.contradictions import Contradiction
from services.membership.enrolments.known import EnrolmentFacts, Insured, KnownEnrolments
from services.membership.enrolments.reading import Line

HOLDER, OTHER = UUID(int=1), UUID(int=2)
MEMBERS = {
    "0070352057": Insured(member_id=HOLDER, has_card=True),
    "0070352059": Insured(member_id=OTHER, has_card=True),
    "0070352061": Insured(member_id=UUID(int=3), has_card=False),
}
NOON = datetime(2026, 11, 25, 4, tzinfo=UTC)


def a_line(**changes: object) -> Line:
    line = Line(
        enrolment_no="JS-1",
        member_no="0070352057",
        year=2026,
        way="immediate",
        kinds="hospital illness",
        covers_from=date(2026, 11, 26),
        covers_to=date(2026, 12, 31),
        state="active",
        ended_on=None,
        reason=None,
        changed_at=NOON,
    )
    return replace(line, **changes)  # type: ignore[arg-type]


def after(*lines: Line, stored: list[EnrolmentFacts] | None = None) -> dict[str, tuple[str, bool, datetime]]:
    """State, whether superseded, and time of each enrolment, after these lines in separate reports."""
    kept = {one.enrolment_no: one for one in stored or []}
    for line in lines:
        known = KnownEnrolments(MEMBERS, kept.values())
        known.apply(line)
        kept |= {one.enrolment_no: one for one in known.changes()}
    return {number: (one.state, one.superseded, one.changed_at) for number, one in sorted(kept.items())}


def refusal(*lines: Line) -> str:
    """The code by which the last line is refused."""
    known = KnownEnrolments(MEMBERS, [])
    for line in lines[:-1]:
        known.apply(line)
    with pytest.raises(Contradiction) as refused:
        known.apply(lines[-1])
    return refused.value.code


_LINES = st.builds(
    lambda number, minutes, ended: a_line(
        enrolment_no=f"JS-{number}",
        changed_at=NOON + timedelta(minutes=10 * minutes + number),
        state="ended" if ended else "active",
        ended_on=date(2026, 12, 1) if ended else None,
    ),
    st.integers(0, 3),
    st.integers(0, 5),
    st.booleans(),
)


@given(st.lists(_LINES, min_size=1, max_size=6, unique_by=lambda line: line.changed_at), st.randoms())
def test_any_order_of_lines_leads_to_the_same_enrolments(lines: list[Line], random: st.DataObject) -> None:
    shuffled = list(lines)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert after(*shuffled) == after(*lines)


@given(st.lists(_LINES, min_size=1, max_size=6, unique_by=lambda line: line.changed_at))
def test_lines_of_one_report_lead_to_what_separate_reports_lead_to(lines: list[Line]) -> None:
    known = KnownEnrolments(MEMBERS, [])
    for line in lines:
        known.apply(line)
    together = {one.enrolment_no: (one.state, one.superseded, one.changed_at) for one in known.changes()}
    assert together == after(*lines)


@given(st.lists(_LINES, min_size=1, max_size=8, unique_by=lambda line: line.changed_at))
def test_a_member_has_at_most_one_current_enrolment_of_a_year(lines: list[Line]) -> None:
    current = [one for one in after(*lines).values() if one[:2] == ("active", False)]
    assert len(current) <= 1
    if any(one[0] == "active" for one in after(*lines).values()):
        assert current


def test_a_line_that_comes_again_or_late_says_nothing_new() -> None:
    known = KnownEnrolments(MEMBERS, [])
    assert known.apply(a_line())
    assert not known.apply(a_line())
    assert not known.apply(a_line(kinds="death", changed_at=NOON - timedelta(minutes=1)))
    assert [one.kinds for one in known.changes()] == ["hospital illness"]


def test_a_line_is_the_same_whether_its_enrolment_is_superseded() -> None:
    later = a_line(enrolment_no="JS-2", changed_at=NOON + timedelta(days=1))
    known = KnownEnrolments(MEMBERS, [])
    known.apply(a_line())
    known.apply(later)
    stored = known.changes()
    again = KnownEnrolments(MEMBERS, stored)
    assert not again.apply(a_line())
    assert again.changes() == []


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ([a_line(member_no="0070359999")], "unknown_member"),
        ([a_line(member_no="0070352061")], "no_card"),
        ([a_line(), a_line(member_no="0070352059")], "enrolment_no_reused"),
        ([a_line(), a_line(year=2027, covers_to=date(2027, 12, 31))], "enrolment_no_reused"),
        ([a_line(), a_line(kinds="death")], "changed_at_reused"),
        ([a_line(), a_line(state="ended", ended_on=date(2026, 12, 1))], "changed_at_reused"),
    ],
)
def test_a_line_that_cannot_be_true_is_refused_by_its_code(lines: list[Line], code: str) -> None:
    assert refusal(*lines) == code


def test_years_and_members_are_independent() -> None:
    next_year = a_line(enrolment_no="JZ-1", year=2027, changed_at=NOON + timedelta(days=1))
    others = a_line(enrolment_no="JS-9", member_no="0070352059", changed_at=NOON + timedelta(days=2))
    assert [one[:2] for one in after(a_line(), next_year, others).values()] == [("active", False)] * 3
