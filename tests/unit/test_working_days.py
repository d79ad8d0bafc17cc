"""Working days: the State Council's calendar, what is due by it, and what is used for years it does not tell of."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts.rules.working_days import due_on, in_time_since, is_announced, is_working_day

days = st.dates(date(2025, 6, 1), date(2029, 6, 30))
limits = st.integers(0, 30)


@pytest.mark.parametrize(
    ("day", "is_worked"),
    [
        (date(2026, 2, 13), True),
        (date(2026, 2, 14), True),  # a Saturday that is worked before the Spring Festival
        (date(2026, 2, 15), False),
        (date(2026, 2, 23), False),
        (date(2026, 2, 28), True),
        (date(2026, 3, 1), False),
        (date(2026, 10, 7), False),
        (date(2026, 10, 8), True),
        (date(2026, 10, 10), True),
        (date(2027, 2, 9), False),  # the working day for a holiday on a Saturday
        (date(2027, 2, 11), True),
        (date(2027, 10, 6), True),
        (date(2028, 10, 2), True),  # no data: Monday to Friday
        (date(2028, 10, 1), False),
    ],
)
def test_offices_are_open_as_the_calendar_says(day: date, is_worked: bool) -> None:
    assert is_working_day(day) is is_worked


def test_it_is_known_which_years_are_announced() -> None:
    assert [is_announced(year) for year in (2026, 2027, 2028)] == [True, False, False]


def test_the_long_holiday_moves_what_is_due_behind_it() -> None:
    assert due_on(date(2026, 9, 30), 1) == date(2026, 10, 8)
    assert due_on(date(2026, 9, 30), 3) == date(2026, 10, 10)
    assert due_on(date(2026, 11, 27), 1) == date(2026, 11, 30)


@given(days, limits)
def test_as_many_working_days_as_the_limit_lie_between(since: date, limit: int) -> None:
    last = due_on(since, limit)
    between = [since + timedelta(days=number) for number in range(1, (last - since).days + 1)]
    assert sum(map(is_working_day, between)) == limit
    assert limit == 0 or is_working_day(last)


@given(days, st.integers(-40, 40), limits)
def test_what_began_before_the_first_day_in_time_is_what_was_due_before_today(
    today: date, offset: int, limit: int
) -> None:
    since = today + timedelta(days=offset)
    assert (since < in_time_since(today, limit)) == (due_on(since, limit) < today)


@given(days, limits, limits)
def test_a_longer_limit_is_never_over_earlier(since: date, limit: int, more: int) -> None:
    assert due_on(since, limit) <= due_on(since, limit + more)
    assert in_time_since(since, limit + more) <= in_time_since(since, limit)
