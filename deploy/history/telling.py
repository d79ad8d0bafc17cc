"""Tells stories day by day: which of them go on today, in turn where they share accounts."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from random import Random

from services.contracts.rules.working_days import is_working_day
from services.contracts.values import SHANGHAI

Story = Iterator[int]
"""Acts on one day, and yields after how many working days it goes on."""

_OFFICE_HOURS = range(9, 17)
_DAYS_A_MONTH = 30.5
_AT_ONCE = 3
_NEVER = 10**6


@dataclass
class Telling:
    """A story that goes on at the working day of this number, in turn with the others of its group."""

    story: Story
    on_day: int
    group: str


class Teller:
    """Tells stories, those of different groups at once."""

    def __init__(self, tellings: Iterable[Telling] = ()) -> None:
        self._tellings = list(tellings)
        self._today = -1

    def add(self, tellings: Iterable[Telling]) -> None:
        """Adds stories with the days on which they begin."""
        self._tellings += tellings

    def begin(self, story: Story, group: str) -> None:
        """Begins another story tomorrow."""
        self._tellings.append(Telling(story, self._today + 1, group))

    def tell(self, day: int) -> None:
        """Lets all stories go on that are due on the day of this number; raises the first error of one."""
        self._today = day
        groups: dict[str, list[Telling]] = {}
        for telling in self._tellings:
            if telling.on_day == day:
                groups.setdefault(telling.group, []).append(telling)
        with ThreadPoolExecutor(_AT_ONCE) as at_once:
            list(at_once.map(_go_on, groups.values()))


def working_days(months: float) -> list[datetime]:
    """A moment within the office hours of each working day of the last months, always the same one, and now."""
    now = datetime.now(SHANGHAI)
    first = now.date() - timedelta(days=round(months * _DAYS_A_MONTH))
    days = [first + timedelta(days=number) for number in range((now.date() - first).days)]
    return [*(_moment_of(day) for day in days if is_working_day(day)), now]


def _moment_of(day: date) -> datetime:
    dice = Random(day.isoformat())
    return datetime.combine(day, time_of_day(dice.choice(_OFFICE_HOURS), dice.randrange(60)), SHANGHAI)


def _go_on(tellings: list[Telling]) -> None:
    for telling in tellings:
        telling.on_day += next(telling.story, _NEVER)
