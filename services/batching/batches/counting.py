"""The month that a submission to a branch counts for, and when its bank tells members."""

from datetime import UTC, date, datetime

from services.batching.models import Branch
from services.contracts.operations.batching import CountingAnswer
from services.contracts.rules.cut_off import CutOff, month_text, notified_by
from services.contracts.values import SHANGHAI
from services.kit.settings import read_settings, settings_class


@settings_class
class CountingSettings:
    """Until when submissions count for their month, and how soon the bank tells members."""

    last_day_of_count: int = 20
    """The last day of a month on which a submitted batch counts for that month, where its bank has no day of its
    own."""
    bank_notifies_working_days: int = 10
    """Within how many working days after the submission the bank tells members by SMS."""


def count_month(branch: Branch, submitted_at: datetime) -> str:
    """The month that a submission to this branch counts for, as `2026-11`."""
    return month_text(_cut_off(branch).month_of(_day(submitted_at)))


def counting_now(branch: Branch) -> CountingAnswer:
    """What a submission to this branch would count for now."""
    today = _day(datetime.now(UTC))
    cut_off = _cut_off(branch)
    month = cut_off.month_of(today)
    return CountingAnswer(
        month=month_text(month),
        last_day=cut_off.last_day(month.year, month.month),
        notified_by=notified_by(today, read_settings(CountingSettings).bank_notifies_working_days),
    )


def _cut_off(branch: Branch) -> CutOff:
    return CutOff(branch.cut_off_day or read_settings(CountingSettings).last_day_of_count, branch.cut_off_dates)


def _day(moment: datetime) -> date:
    return moment.astimezone(SHANGHAI).date()
