"""Working days by the calendar of the State Council, which working_days.json holds by year, and what is due by them.

A year for which no notice is known has the holidays that the law fixes; one without any data has Monday to Friday.
"""

import json
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path

_CALENDAR = Path(__file__).with_suffix(".json")
_SATURDAY = 5
_DAY = timedelta(days=1)


def is_working_day(day: date) -> bool:
    """Whether offices are open on this day in Shanghai."""
    year = _years().get(day.year)
    if year is not None and day in year.worked:
        return True
    return day.weekday() < _SATURDAY and (year is None or day not in year.off)


def is_announced(year: int) -> bool:
    """Whether the calendar of a year is the State Council's own."""
    return year in _years() and _years()[year].is_announced


def due_on(since: date, limit: int) -> date:
    """The last day in time for what began on `since`: the `limit`-th working day after it."""
    day = since
    for _ in range(limit):
        day += _DAY
        while not is_working_day(day):
            day += _DAY
    return day


def in_time_since(today: date, limit: int) -> date:
    """The first day of beginning that is still in time: what began earlier was due before `today`."""
    if limit == 0:
        return today
    day, working_days_since = today - _DAY, 0
    while (working_days_since := working_days_since + is_working_day(day)) < limit:
        day -= _DAY
    return day


@dataclass(frozen=True)
class _Year:
    off: frozenset[date]
    worked: frozenset[date]
    is_announced: bool


@cache
def _years() -> dict[int, _Year]:
    calendar = json.loads(_CALENDAR.read_text("utf-8"))
    return {
        int(year): _Year(
            off=frozenset(day for first, last in told["off"] for day in _days(first, last)),
            worked=frozenset(map(date.fromisoformat, told["worked"])),
            is_announced=told["is_announced"],
        )
        for year, told in calendar.items()
    }


def _days(first: str, last: str) -> list[date]:
    start = date.fromisoformat(first)
    return [start + _DAY * number for number in range((date.fromisoformat(last) - start).days + 1)]
