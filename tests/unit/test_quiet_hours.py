"""Quiet hours: text messages that can wait are sent in the morning."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.settings import SettingsError
from services.notification.sms import QuietHours

SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.mark.parametrize(
    ("hours", "moment", "sent"),
    [
        ("21-8", "2026-11-30T20:59", "2026-11-30T20:59"),
        ("21-8", "2026-11-30T21:00", "2026-12-01T08:00"),
        ("21-8", "2026-12-31T23:30", "2027-01-01T08:00"),
        ("21-8", "2026-11-30T07:59", "2026-11-30T08:00"),
        ("21-8", "2026-11-30T08:00", "2026-11-30T08:00"),
        ("12-14", "2026-11-30T13:10", "2026-11-30T14:00"),
        ("0-0", "2026-11-30T00:30", "2026-11-30T00:30"),
        ("22-0", "2026-11-30T23:00", "2026-12-01T00:00"),
    ],
)
def test_a_message_waits_until_the_end_of_the_quiet_hours(hours: str, moment: str, sent: str) -> None:
    at = datetime.fromisoformat(moment).replace(tzinfo=SHANGHAI)
    assert QuietHours(hours).end_after(at).astimezone(SHANGHAI).replace(tzinfo=None) == datetime.fromisoformat(sent)


@given(st.integers(0, 23), st.integers(0, 23), st.integers(1_000_000_000, 4_000_000_000))
def test_no_message_waits_longer_than_the_quiet_hours_last(begins: int, ends: int, second: int) -> None:
    at = datetime.fromtimestamp(second, SHANGHAI)
    hours = QuietHours(f"{begins}-{ends}")
    waits = (hours.end_after(at) - at).total_seconds() / 3600
    assert 0 <= waits <= (ends - begins) % 24
    assert hours.end_after(hours.end_after(at)) == hours.end_after(at)


@pytest.mark.parametrize("hours", ["", "21", "21-24", "21:00-8:00", "-1-8"])
def test_hours_that_are_none_are_refused(hours: str) -> None:
    with pytest.raises(SettingsError):
        QuietHours(hours)
