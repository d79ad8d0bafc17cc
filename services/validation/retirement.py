"""The rules on retirement: the statutory month, and whether a person is retired by the registry or by calculation."""

import datetime
from dataclasses import dataclass
from typing import Literal

from services.contracts.rules.findings import Finding, Rule, Sex

RegistryStatus = Literal["retired", "working", "unknown"]

_DECISION = "《全国人民代表大会常务委员会关于实施渐进式延迟法定退休年龄的决定》（2024-09-13）"
STATUTORY = Rule("retirement.statutory", "2", "法定退休年龄", _DECISION, datetime.date(2025, 1, 1))
CATEGORY = Rule("retirement.category", "1", "退休类别", _DECISION, datetime.date(2025, 1, 1))
REGISTRY = Rule("retirement.registry", "1", "退休登记", "本系统约定：登记信息优先于推算", datetime.date(2025, 1, 1))
RULES = (STATUTORY, CATEGORY, REGISTRY)

FLEXIBLE_MONTHS = 36
"""Most months by which a person may retire earlier, or by agreement later, than the statutory month."""


@dataclass(frozen=True, slots=True)
class Retirement:
    """The age at retirement in years and months, and the month of retirement as a date on the 1st."""

    years: int
    months: int
    month: datetime.date


@dataclass(frozen=True, slots=True)
class FlexibleWindow:
    """The earliest and the latest month in which a person may choose to retire, as dates on the 1st."""

    earliest: datetime.date
    latest: datetime.date


@dataclass(frozen=True, slots=True)
class RegistryAnswer:
    """The retirement registry's answer on a person, with date and source; `unknown` has neither."""

    status: RegistryStatus
    date: datetime.date | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class RetirementBasis:
    """The input of the calculation; `special_month` is the month set by hand for the category `special` (特殊工种).

    `sex` limits that month: special trades retire earlier than others, never later.
    """

    birth_date: datetime.date | None
    category: str | None
    special_month: datetime.date | None
    sex: Sex | None = None


def statutory_retirement(birth_month: datetime.date, category: str) -> Retirement:
    """The statutory retirement of a person born in that month; the day does not matter.

    Categories: M60 men, F55 women in cadre posts or flexible employment, F50 women in worker posts. Raises ValueError
    for any other. Source: decision of 2024-09-13, in force from 2025-01-01.
    """
    schedule = _schedule(category)
    age = schedule.base + _delay(birth_month, schedule)
    years, months = divmod(age, 12)
    return Retirement(years, months, _months_after(birth_month, age))


def flexible_window(birth_month: datetime.date, category: str) -> FlexibleWindow:
    """The earliest and latest month: not before the age of the old law, not more than 3 years late.

    A person who reached the age of the old law before the reform has no choice: both months are the retirement month.
    """
    schedule = _schedule(category)
    delay = _delay(birth_month, schedule)
    if delay == 0:
        month = _months_after(birth_month, schedule.base)
        return FlexibleWindow(month, month)
    earliest = schedule.base + max(delay - FLEXIBLE_MONTHS, 0)
    latest = schedule.base + delay + FLEXIBLE_MONTHS
    return FlexibleWindow(_months_after(birth_month, earliest), _months_after(birth_month, latest))


def is_retired(on: datetime.date, retirement_month: datetime.date) -> bool:
    """Choice: a person is retired from the month after the retirement month."""
    return (on.year, on.month) > (retirement_month.year, retirement_month.month)


def check_category(category: str | None, sex: Sex | None) -> tuple[Finding, ...]:
    """Checks that the category fits the person's sex; the category `special` fits both."""
    schedule = _SCHEDULES.get(category or "")
    if schedule is None or sex is None or schedule.sex == sex:
        return ()
    message = f"退休类别{category}与性别“{_SEX_TITLES[sex]}”不符，请核对后修改"
    return (CATEGORY.error("category_sex_differs", message, category=str(category), sex=sex),)


def check_retirement(
    basis: RetirementBasis, registry: RegistryAnswer | None, today: datetime.date
) -> tuple[Finding, ...]:
    """Checks whether the person is retired: the registry decides, or if it has no data the calculation.

    `registry` None means that the registry has not answered yet: then nobody passes.
    """
    if registry is None:
        message = "尚未取得退休登记的核对结果，请稍后重新提交系统校验"
        return (REGISTRY.error("registry_not_answered", message, checked_on=str(today)),)
    if registry.status == "unknown":
        return (_judge_by_calculation(basis, today),)
    if registry.status == "retired":
        message = f"退休登记显示该会员已退休{_source(registry)}，不能办卡，请移除该会员"
        return (REGISTRY.error("retired_by_registry", message, **_registry_evidence(registry)),)
    month = _retirement_month(basis)
    if month and is_retired(today, month):
        message = f"按出生年月推算已退休，但退休登记显示在职{_source(registry)}，以登记信息为准"
        evidence = _registry_evidence(registry) | _calculation_evidence(basis, month, today)
        return (REGISTRY.info("working_by_registry", message, **evidence),)
    return ()


@dataclass(frozen=True, slots=True)
class _Schedule:
    """A row of the decision's table; ages and delays in months, `band` months of birth share one month of delay."""

    sex: Sex
    base: int
    start: datetime.date
    band: int
    longest_delay: int


_SCHEDULES = {
    "M60": _Schedule("male", 60 * 12, datetime.date(1965, 1, 1), 4, 36),
    "F55": _Schedule("female", 55 * 12, datetime.date(1970, 1, 1), 4, 36),
    "F50": _Schedule("female", 50 * 12, datetime.date(1975, 1, 1), 2, 60),
}


_SEX_TITLES: dict[Sex, str] = {"male": "男", "female": "女"}


def _schedule(category: str) -> _Schedule:
    if category not in _SCHEDULES:
        raise ValueError(f"no statutory retirement for the category {category!r}")
    return _SCHEDULES[category]


def _delay(birth_month: datetime.date, schedule: _Schedule) -> int:
    elapsed = (birth_month.year - schedule.start.year) * 12 + birth_month.month - schedule.start.month
    return 0 if elapsed < 0 else min(elapsed // schedule.band + 1, schedule.longest_delay)


def _months_after(month: datetime.date, months: int) -> datetime.date:
    """The first day of the month so many months later, at most the calendar's last month."""
    years, index = divmod(month.month - 1 + months, 12)
    if month.year + years > datetime.MAXYEAR:
        return datetime.date.max.replace(day=1)
    return datetime.date(month.year + years, index + 1, 1)


def _retirement_month(basis: RetirementBasis) -> datetime.date | None:
    """The calculated month; None where the basis is incomplete.

    The month set by hand counts only up to the statutory one of cadres and men, or anybody could be kept at work by it.
    """
    if basis.category is None or basis.birth_date is None:
        return None
    if basis.category == "special":
        latest = statutory_retirement(basis.birth_date, "F55" if basis.sex == "female" else "M60").month
        return basis.special_month and min(basis.special_month.replace(day=1), latest)
    return statutory_retirement(basis.birth_date, basis.category).month


def _judge_by_calculation(basis: RetirementBasis, today: datetime.date) -> Finding:
    month = _retirement_month(basis)
    if month is None:
        return _what_the_calculation_lacks(basis)
    evidence = {"registry": "unknown"} | _calculation_evidence(basis, month, today)
    if is_retired(today, month):
        message = "退休登记无该会员信息，按退休类别推算已退休，不能办卡，请核对退休类别或移除该会员"
        return STATUTORY.error("retired_by_calculation", message, **evidence)
    message = "退休登记无该会员信息，按退休类别推算目前未退休"
    return STATUTORY.info("working_by_calculation", message, **evidence)


def _what_the_calculation_lacks(basis: RetirementBasis) -> Finding:
    evidence = {"registry": "unknown", "category": str(basis.category or "")}
    if basis.category is None:
        message = "退休登记无该会员信息，且退休类别未填写，无法核对退休状态，请补充退休类别"
        return CATEGORY.error("category_missing", message, **evidence)
    if basis.category == "special" and basis.special_month is None:
        message = "退休登记无该会员信息，且特殊工种的退休年月未填写，无法核对退休状态，请补充"
        return CATEGORY.error("special_month_missing", message, **evidence)
    message = "退休登记无该会员信息，且出生日期未填写，无法核对退休状态，请补充出生日期"
    return STATUTORY.error("birth_date_missing", message, **evidence)


def _source(registry: RegistryAnswer) -> str:
    """The registry's source, for messages; the date is only evidence, because it reveals the month of birth."""
    return f"（来源：{registry.source}）" if registry.source else ""


def _registry_evidence(registry: RegistryAnswer) -> dict[str, str]:
    return {"registry": registry.status, "date": str(registry.date or ""), "source": registry.source or ""}


def _calculation_evidence(basis: RetirementBasis, month: datetime.date, today: datetime.date) -> dict[str, str]:
    evidence = {
        "category": str(basis.category),
        "birth_month": f"{basis.birth_date:%Y-%m}" if basis.birth_date else "",
        "retirement_month": f"{month:%Y-%m}",
        "checked_on": str(today),
    }
    if basis.birth_date and basis.category in _SCHEDULES:
        retirement = statutory_retirement(basis.birth_date, basis.category)
        window = flexible_window(basis.birth_date, basis.category)
        evidence["age"] = f"{retirement.years}岁{retirement.months}个月"
        evidence["flexible_window"] = f"{window.earliest:%Y-%m}/{window.latest:%Y-%m}"
    return evidence
