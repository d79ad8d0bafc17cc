"""An enrolment of the mutual-aid society: which days fit which way, and which state has an end."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from marshmallow import ValidationError

from services.contracts.examples import readable_example
from services.contracts.external.insurer import FIRST_YEAR, LARGEST_REPORT, LAST_YEAR, EnrolmentLine, EnrolmentReport
from services.contracts.shared import ENROLMENT_KINDS, ENROLMENT_WAYS

YEARS = st.integers(FIRST_YEAR, LAST_YEAR)
WAYS = st.sampled_from(ENROLMENT_WAYS)


def a_line(way: str, first: date, last: date, **changes: Any) -> dict[str, Any]:
    line = readable_example("insurer.enrolments")["enrolments"][0]
    days = {"year": last.year, "way": way, "covers_from": first.isoformat(), "covers_to": last.isoformat()}
    return {**line, **days, **changes}


def wrong_fields(line: dict[str, Any]) -> set[str]:
    """The fields that the schema refuses; none for a sound line."""
    try:
        EnrolmentLine().load(line)
    except ValidationError as refused:
        return set(refused.messages_dict)
    return set()


@st.composite
def sound_lines(draw: st.DrawFn) -> dict[str, Any]:
    """Enrolments that are active, of either way."""
    year, way = draw(YEARS), draw(WAYS)
    last = date(year, 12, 31)
    after_new_year = st.dates(date(year, 1, 2), last)
    first = date(year, 1, 1) if way == "collective" else draw(after_new_year)
    return a_line(way, first, last, kinds=draw(st.lists(st.sampled_from(ENROLMENT_KINDS), min_size=1, unique=True)))


@given(sound_lines())
def test_a_collective_enrolment_covers_its_year_and_an_immediate_one_the_rest(line: dict[str, Any]) -> None:
    assert wrong_fields(line) == set()


@given(YEARS, WAYS, st.dates(date(FIRST_YEAR, 1, 1), date(LAST_YEAR, 12, 31)))
def test_no_other_first_day_fits(year: int, way: str, first: date) -> None:
    is_new_year, is_of_year = (first.month, first.day) == (1, 1), first.year == year
    assume(not (is_of_year and is_new_year == (way == "collective")))
    assert wrong_fields(a_line(way, first, date(year, 12, 31))) == {"covers_from"}


@given(sound_lines(), st.dates(date(FIRST_YEAR, 1, 1), date(LAST_YEAR, 12, 31)))
def test_no_other_last_day_fits(line: dict[str, Any], last: date) -> None:
    assume(last.isoformat() != line["covers_to"])
    assert wrong_fields({**line, "covers_to": last.isoformat()}) == {"covers_to"}


@given(sound_lines(), st.integers(-800, 800))
def test_an_enrolment_ends_within_its_cover_or_the_day_before(line: dict[str, Any], days: int) -> None:
    first, last = date.fromisoformat(line["covers_from"]), date.fromisoformat(line["covers_to"])
    ended_on = last + timedelta(days=days)
    fits = first - timedelta(days=1) <= ended_on <= last
    ended = {**line, "state": "ended", "ended_on": ended_on.isoformat()}
    assert wrong_fields(ended) == (set() if fits else {"ended_on"})
    assert wrong_fields({**ended, "state": "active"}) == {"ended_on"}
    assert wrong_fields({**line, "state": "ended"}) == {"ended_on"}


@given(sound_lines(), st.sampled_from(ENROLMENT_KINDS))
def test_each_kind_is_named_once_and_at_least_one_is(line: dict[str, Any], kind: str) -> None:
    assert wrong_fields({**line, "kinds": [kind, kind]}) == {"kinds"}
    assert wrong_fields({**line, "kinds": []}) == {"kinds"}
    assert wrong_fields({**line, "kinds": [kind, "theft"]}) == {"kinds"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"year": "2026"}, "year"),
        ({"year": FIRST_YEAR - 1}, "year"),
        ({"year": LAST_YEAR + 1}, "year"),
        ({"way": "monthly"}, "way"),
        ({"state": "lost"}, "state"),
        ({"enrolment_no": ""}, "enrolment_no"),
        ({"member_no": None}, "member_no"),
        ({"reason": "长" * 201}, "reason"),
        ({"changed_at": "2026-11-25T09:00:00"}, "changed_at"),
        ({"changed_at": "1980-01-01T00:00:00+08:00"}, "changed_at"),
    ],
)
def test_a_line_that_makes_no_sense_is_refused(change: dict[str, Any], field: str) -> None:
    assert wrong_fields(readable_example("insurer.enrolments")["enrolments"][0] | change) == {field}


def test_a_report_holds_at_most_so_many_enrolments() -> None:
    report = readable_example("insurer.enrolments")
    line = report["enrolments"][0]
    EnrolmentReport().load({**report, "enrolments": [line] * LARGEST_REPORT})
    for lines in ([], [line] * (LARGEST_REPORT + 1)):
        with pytest.raises(ValidationError) as refused:
            EnrolmentReport().load({**report, "enrolments": lines})
        assert set(refused.value.messages_dict) == {"enrolments"}
