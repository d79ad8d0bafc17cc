"""Work that waits too long 超期: its kinds, whose it is, and when people are reminded of it."""

from datetime import date, datetime

from services.contracts.rules.working_days import due_on, in_time_since, is_working_day
from services.contracts.values import SHANGHAI, start_of
from services.kit import clock
from services.kit.settings import settings_class

ROLE_OF_KIND: dict[str, str] = {
    "unchecked": "clerk",
    "failed": "clerk",
    "incomplete": "clerk",
    "unprinted": "clerk",
    "bank_silent": "clerk",
    "uncollected": "clerk",
    "revocation": "reviewer",
}
"""The kinds of waiting work, each with the role that can act on it."""

LEVELS = ("overdue", "escalated")
"""`escalated`: it has waited beyond the second limit, so the next superior is told."""


@settings_class
class ReminderSettings:
    """When people are reminded of overdue work, and when the next superior is."""

    overdue_escalation_days: int = 3
    """How many working days after it became overdue the next superior is told of it."""
    overdue_reminder_hour: int = 9
    """From which hour in Shanghai of a working day on reminders go out, once a day."""


def today() -> date:
    """The day in Shanghai by which work is overdue."""
    return clock.now().astimezone(SHANGHAI).date()


def day_of_reminders(from_hour: int) -> date | None:
    """Today where its reminders are due; None before the hour, and on days off."""
    moment = clock.now().astimezone(SHANGHAI)
    return moment.date() if moment.hour >= from_hour and is_working_day(moment.date()) else None


def overdue_before(limit: int) -> datetime:
    """The moment such that what has waited since before it is overdue, by a limit in working days."""
    return start_of(in_time_since(today(), limit))


def last_day_of(since: datetime, limit: int) -> date:
    """The last day on which what waits since then is in time."""
    return due_on(since.astimezone(SHANGHAI).date(), limit)
