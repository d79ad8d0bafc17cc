"""Months of partitioned tables: their borders, names, and those that are added ahead."""

from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from services.kit.data.months import AHEAD, later, month_of, months_ahead, partition_name

_MONTHS = st.dates(date(1970, 1, 1), date(2199, 1, 1)).map(lambda day: day.replace(day=1))
_ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
_MOMENTS = st.builds(datetime.fromtimestamp, st.integers(0, 2**32), _ZONES)


@given(_MOMENTS)
def test_each_moment_is_in_one_month_whatever_its_time_zone(moment: datetime) -> None:
    month = month_of(moment)
    begins, ends = (datetime.combine(one, datetime.min.time(), UTC) for one in (month, later(month)))
    assert begins <= moment < ends


@given(_MONTHS, st.integers(0, 500), st.integers(0, 500))
def test_months_are_counted_over_years(month: date, some: int, more: int) -> None:
    assert later(later(month, some), more) == later(month, some + more)
    assert later(month, 12) == month.replace(year=month.year + 1)
    assert later(month, some).day == 1


@given(_MOMENTS)
def test_the_months_ahead_begin_with_the_current_one_and_have_no_gap(moment: datetime) -> None:
    ahead = months_ahead(moment)
    assert ahead[0] == month_of(moment)
    assert len(ahead) == AHEAD + 1
    assert all(later(one) == following for one, following in pairwise(ahead))


@given(_MONTHS, _MONTHS)
def test_names_of_partitions_sort_as_their_months(one: date, other: date) -> None:
    assert (partition_name("audit_entry", one) < partition_name("audit_entry", other)) == (one < other)


def test_the_last_moment_of_a_year_is_in_december_and_the_next_in_january() -> None:
    last = datetime(2026, 12, 31, 23, 59, 59, 999999, UTC)
    assert (month_of(last), month_of(last + timedelta(microseconds=1))) == (date(2026, 12, 1), date(2027, 1, 1))
