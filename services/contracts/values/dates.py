"""Dates as people write them in sheets and forms."""

import re
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import NoReturn
from zoneinfo import ZoneInfo

from services.kit.text import InvalidValue, clean_compatible

SHANGHAI = ZoneInfo("Asia/Shanghai")
LONG_TERM = date(9999, 12, 31)
"""The expiry date that stands for a document valid for life (长期)."""


def today() -> date:
    """The current day in Shanghai, by which documents expire and ages are counted."""
    return datetime.now(SHANGHAI).date()


def start_of(day: date) -> datetime:
    """The first moment of a day in Shanghai."""
    return datetime.combine(day, time(), SHANGHAI)


def end_of(day: date) -> datetime:
    """The first moment after a day in Shanghai; of the calendar's last day the last moment that can be named."""
    if day == date.max:
        return datetime.combine(day, time.max, SHANGHAI)
    return start_of(day + timedelta(days=1))


def to_the_minute(moment: datetime | None) -> str:
    """A moment as documents and messages show it, in Shanghai: 2026-11-24 10:05; empty without one."""
    return f"{moment.astimezone(SHANGHAI):%Y-%m-%d %H:%M}" if moment else ""


@lru_cache(maxsize=4096)  # the rows of a file share their dates
def clean_day(text: str) -> date:
    """Reads a day such as `2030-01-31`, `20300131` or `2030年1月31日`, with or without a time; 长期 is LONG_TERM."""
    cleaned = clean_compatible(text)
    if _WITH_ZONE.fullmatch(cleaned):
        return _day_in_shanghai(cleaned)
    # The time is taken off first: without the space before it, its hour would be read as a part of the day.
    written = "".join(_TIME.sub("", cleaned).split())
    if written in _FOR_LIFE:
        return LONG_TERM
    for form in _DAYS:
        if found := form.fullmatch(written):
            try:
                return date(int(found[1]), int(found[2]), int(found[3]))
            except ValueError:
                break
    return _refuse(cleaned, "2030-01-31")


@lru_cache(maxsize=4096)
def clean_expiry(text: str) -> date:
    """Reads a document's last valid day: a day, 长期, or a whole term as documents show (`2015.03.01-2035.03.01`)."""
    cleaned = "".join(clean_compatible(text).split())
    for dash in _TO.finditer(cleaned):
        try:
            clean_day(cleaned[: dash.start()])
            return clean_day(cleaned[dash.end() :])
        except InvalidValue:
            continue
    return clean_day(text)


def clean_month(text: str) -> date:
    """Reads a month such as `2035-01`, `203501` or `2035年1月`, or a day of it; returns its first day."""
    cleaned = clean_compatible(text)
    written = "".join(cleaned.split())
    if _JANUARY_OR_OCTOBER.fullmatch(written):
        reason = f"“{written}”可能是1月，也可能是10月（表格软件会去掉末尾的0），请按 2035-01 或 2035-10 的格式填写"
        raise InvalidValue("date_form", reason)
    for form in _MONTHS:
        if found := form.fullmatch(written):
            try:
                return date(int(found[1]), int(found[2]), 1)
            except ValueError:
                return _refuse(cleaned, "2035-01")
    try:
        day = clean_day(text)
    except InvalidValue:
        return _refuse(cleaned, "2035-01")
    return _refuse(cleaned, "2035-01") if day == LONG_TERM else day.replace(day=1)


_FOR_LIFE = frozenset({"长期", "长期有效", "永久", "永久有效", "长久", "终身", "终身有效", "9999-12-31", "99991231"})
_TIME = re.compile(
    r"(?:T| |(?<=[日号]))(?:[上下]午 ?)?[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:[.][0-9]+)?)?(?: ?[AP]M)?\Z", re.IGNORECASE
)
_WITH_ZONE = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.][0-9]{1,6})?)?(?:Z|[+-][0-9]{2}:[0-9]{2})"
)
"""What programs write for a day: `2030-01-30T16:00:00.000Z` is 31 January in Shanghai."""
_TO = re.compile("[-\u2010-\u2015\u2212~至到]+")
_DAYS = tuple(
    re.compile(day)
    for day in (
        "([0-9]{4})[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})",
        "([0-9]{4})([0-9]{2})([0-9]{2})",
        "([0-9]{4})年([0-9]{1,2})月([0-9]{1,2})[日号]?",
    )
)
_MONTHS = tuple(
    re.compile(month)
    for month in ("([0-9]{4})[-/.]([0-9]{1,2})", "([0-9]{4})([0-9]{2})", "([0-9]{4})年([0-9]{1,2})(?:月份?)?")
)
_JANUARY_OR_OCTOBER = re.compile("[0-9]{4}[.]1")
"""What is left of a month that was typed as the number 2035.10; with it the text 2035.1 is refused."""


def _day_in_shanghai(moment: str) -> date:
    try:
        return datetime.fromisoformat(moment).astimezone(SHANGHAI).date()
    except (ValueError, OverflowError):
        return _refuse(moment, "2030-01-31")


def _refuse(cleaned: str, form: str) -> NoReturn:
    raise InvalidValue("date_form", f"日期“{cleaned[:30]}”无法识别，请按 {form} 的格式填写")
