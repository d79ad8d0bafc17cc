"""Dates as people write them in sheets and forms."""

import re
from datetime import date, datetime
from zoneinfo import ZoneInfo

from services.kit.text import InvalidValue, clean_compatible

LONG_TERM = date(9999, 12, 31)
"""The expiry date that stands for a document valid for life (长期)."""


def today() -> date:
    """The current day in Shanghai, by which documents expire and ages are counted."""
    return datetime.now(_SHANGHAI).date()


def clean_day(text: str) -> date:
    """Reads a day such as `2030-01-31`, `20300131` or `2030年1月31日`, with or without a time; 长期 is LONG_TERM."""
    written = "".join(clean_compatible(text).split())
    if written in _FOR_LIFE:
        return LONG_TERM
    for form in _DAYS:
        if found := form.fullmatch(written):
            return _day(text, found[1], found[2], found[3])
    return _refuse(text)


def clean_month(text: str) -> date:
    """Reads a month such as `2035-01` or `2035年1月`, or a day of it; returns its first day."""
    found = _MONTH.fullmatch("".join(clean_compatible(text).split()))
    return _day(text, found[1], found[2], "1") if found else clean_day(text).replace(day=1)


_SHANGHAI = ZoneInfo("Asia/Shanghai")
_FOR_LIFE = frozenset({"长期", "长期有效", "永久", "永久有效", "长久", "终身", "9999-12-31", "99991231"})
_TIME = "(?:T?[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:[.][0-9]+)?)?)?"
_DAYS = tuple(
    re.compile(day + _TIME)
    for day in (
        "([0-9]{4})[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})",
        "([0-9]{4})([0-9]{2})([0-9]{2})",
        "([0-9]{4})年([0-9]{1,2})月([0-9]{1,2})日?",
    )
)
_MONTH = re.compile("([0-9]{4})[-/.年]?([0-9]{1,2})月?")


def _day(text: str, year: str, month: str, day: str) -> date:
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return _refuse(text)


def _refuse(text: str) -> date:
    raise InvalidValue("date_form", f"日期“{clean_compatible(text)[:30]}”无法识别，请按 2030-01-31 的格式填写")
