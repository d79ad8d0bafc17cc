"""The month that a submission counts for, by a bank's cut-off day and its own dates."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts.rules.cut_off import CutOff, month_text, next_month, notified_by

days = st.dates(date(2026, 1, 1), date(2028, 12, 31))
cut_offs = st.builds(
    CutOff,
    st.integers(1, 31),
    st.lists(days, unique_by=lambda day: (day.year, day.month), max_size=6),
)


@pytest.mark.parametrize(
    ("submitted_on", "month"),
    [
        (date(2026, 11, 1), "2026-11"),
        (date(2026, 11, 20), "2026-11"),
        (date(2026, 11, 21), "2026-12"),
        (date(2026, 12, 31), "2027-01"),
    ],
)
def test_the_first_to_the_twentieth_count_for_the_month_and_later_days_for_the_next(
    submitted_on: date, month: str
) -> None:
    assert month_text(CutOff(20).month_of(submitted_on)) == month


def test_a_cut_off_day_that_a_month_lacks_is_its_last_day() -> None:
    assert CutOff(31).last_day(2027, 2) == date(2027, 2, 28)
    assert CutOff(31).month_of(date(2027, 2, 28)) == date(2027, 2, 1)


def test_a_banks_own_date_counts_in_place_of_its_day_in_that_month_alone() -> None:
    cut_off = CutOff(20, [date(2027, 2, 3)])
    assert cut_off.month_of(date(2027, 2, 3)) == date(2027, 2, 1)
    assert cut_off.month_of(date(2027, 2, 4)) == date(2027, 3, 1)
    assert cut_off.month_of(date(2027, 3, 20)) == date(2027, 3, 1)


@given(cut_offs, days)
def test_a_submission_counts_for_its_month_or_the_next_and_never_for_an_earlier_one_than_the_day_before(
    cut_off: CutOff, day: date
) -> None:
    first = day.replace(day=1)
    assert cut_off.month_of(day) in (first, next_month(first))
    assert cut_off.month_of(day) <= cut_off.month_of(day + timedelta(days=1))


@given(cut_offs, days)
def test_the_last_day_of_a_month_counts_for_it_and_the_day_after_does_not(cut_off: CutOff, day: date) -> None:
    last = cut_off.last_day(day.year, day.month)
    assert cut_off.month_of(last) == last.replace(day=1)
    assert cut_off.month_of(last + timedelta(days=1)) > last.replace(day=1)


def test_the_bank_tells_within_working_days_not_counting_holidays() -> None:
    assert notified_by(date(2026, 9, 30), 2) == date(2026, 10, 9)
    assert notified_by(date(2026, 11, 24), 10) == date(2026, 12, 8)
