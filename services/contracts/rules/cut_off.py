"""The month that a submission counts for 计入月份: a bank's cut-off day, with dates of its own for single months."""

from calendar import monthrange
from dataclasses import dataclass, field
from datetime import date, timedelta

from services.contracts.rules.working_days import due_on

LAST_CUT_OFF_DAY = 31


@dataclass(frozen=True)
class CutOff:
    """Until when submissions count for their month: `day`, or the month's last where it is shorter.

    Each of `dates` is the last day that counts for its own month, in place of `day`: a bank makes no cards over the
    Spring Festival, for example.
    """

    day: int
    dates: list[date] = field(default_factory=list)

    def last_day(self, year: int, month: int) -> date:
        """The last day that counts for a month."""
        own = (one for one in self.dates if (one.year, one.month) == (year, month))
        return next(own, date(year, month, min(self.day, monthrange(year, month)[1])))

    def month_of(self, day: date) -> date:
        """The first day of the month that a submission on this day counts for."""
        first = day.replace(day=1)
        return first if day <= self.last_day(day.year, day.month) else next_month(first)


def next_month(first: date) -> date:
    """The first day of the following month."""
    return (first + timedelta(days=31)).replace(day=1)


def month_text(month: date) -> str:
    """A month as batches keep it: `2026-11`."""
    return f"{month:%Y-%m}"


def notified_by(submitted_on: date, working_days: int) -> date:
    """The day by which the bank tells members of a submission: the last of so many working days after it."""
    return due_on(submitted_on, working_days)
