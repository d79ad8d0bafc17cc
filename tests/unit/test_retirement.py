"""The rules on retirement: statutory month, flexible window, registry and calculation."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts.rules.findings import Finding, Sex
from services.validation.retirement import (
    RegistryAnswer,
    RetirementBasis,
    check_category,
    check_retirement,
    flexible_window,
    is_retired,
    statutory_retirement,
)

TODAY = date(2026, 3, 1)
BASE_AGE_AND_LONGEST_DELAY = {"M60": (60, 36), "F55": (55, 36), "F50": (50, 60)}
UNKNOWN = RegistryAnswer("unknown")

birth_dates = st.dates(date(1900, 1, 1), date(2030, 12, 31))
categories = st.sampled_from(sorted(BASE_AGE_AND_LONGEST_DELAY))


def month(text: str) -> date:
    return date.fromisoformat(f"{text}-01")


def basis(birth_date: date | None, category: str | None, special_month: date | None = None) -> RetirementBasis:
    return RetirementBasis(birth_date, category, special_month)


def only(findings: tuple[Finding, ...]) -> Finding:
    (finding,) = findings
    return finding


@pytest.mark.parametrize(
    ("category", "birth_month", "years", "months", "retirement_month"),
    [
        ("M60", "1964-12", 60, 0, "2024-12"),
        ("M60", "1965-01", 60, 1, "2025-02"),
        ("M60", "1965-05", 60, 2, "2025-07"),
        ("M60", "1965-12", 60, 3, "2026-03"),
        ("M60", "1966-01", 60, 4, "2026-05"),
        ("M60", "1975-06", 62, 8, "2038-02"),
        ("M60", "1976-09", 63, 0, "2039-09"),
        ("M60", "1976-12", 63, 0, "2039-12"),
        ("F55", "1969-12", 55, 0, "2024-12"),
        ("F55", "1970-01", 55, 1, "2025-02"),
        ("F55", "1970-05", 55, 2, "2025-07"),
        ("F55", "1971-04", 55, 4, "2026-08"),
        ("F55", "1971-06", 55, 5, "2026-11"),
        ("F55", "1981-12", 58, 0, "2039-12"),
        ("F50", "1974-12", 50, 0, "2024-12"),
        ("F50", "1975-01", 50, 1, "2025-02"),
        ("F50", "1975-03", 50, 2, "2025-05"),
        ("F50", "1975-06", 50, 3, "2025-09"),
        ("F50", "1976-06", 50, 9, "2027-03"),
        ("F50", "1977-01", 51, 1, "2028-02"),
        ("F50", "1984-11", 55, 0, "2039-11"),
        ("F50", "1995-12", 55, 0, "2050-12"),
    ],
)
def test_the_statutory_age_is_that_of_the_public_calculators(
    category: str, birth_month: str, years: int, months: int, retirement_month: str
) -> None:
    retirement = statutory_retirement(month(birth_month), category)
    assert (retirement.years, retirement.months, retirement.month) == (years, months, month(retirement_month))


@pytest.mark.parametrize("category", ["special", "M55", "", "m60"])
def test_other_categories_have_no_statutory_age(category: str) -> None:
    with pytest.raises(ValueError, match="category"):
        statutory_retirement(date(1970, 1, 1), category)
    with pytest.raises(ValueError, match="category"):
        flexible_window(date(1970, 1, 1), category)


@given(birth_dates, categories)
def test_the_day_of_birth_does_not_matter(birth_date: date, category: str) -> None:
    assert statutory_retirement(birth_date, category) == statutory_retirement(birth_date.replace(day=1), category)


@given(birth_dates, birth_dates, categories)
def test_who_is_born_later_never_retires_earlier(one: date, other: date, category: str) -> None:
    earlier, later = sorted((one, other))
    assert statutory_retirement(earlier, category).month <= statutory_retirement(later, category).month


@given(birth_dates, categories)
def test_the_delay_is_never_above_the_longest(birth_date: date, category: str) -> None:
    base, longest = BASE_AGE_AND_LONGEST_DELAY[category]
    retirement = statutory_retirement(birth_date, category)
    age = retirement.years * 12 + retirement.months
    assert base * 12 <= age <= base * 12 + longest
    months_lived = (retirement.month.year - birth_date.year) * 12 + retirement.month.month - birth_date.month
    assert months_lived == age


@pytest.mark.parametrize(
    ("category", "birth_month", "earliest", "latest"),
    [
        ("M60", "1965-01", "2025-01", "2028-02"),
        ("M60", "1976-12", "2036-12", "2042-12"),
        ("F55", "1971-06", "2026-06", "2029-11"),
        ("F50", "1976-06", "2026-06", "2030-03"),
        ("F50", "1995-12", "2047-12", "2053-12"),
        ("M60", "1964-12", "2024-12", "2024-12"),
    ],
)
def test_retirement_is_flexible_by_three_years_but_never_below_the_old_age(
    category: str, birth_month: str, earliest: str, latest: str
) -> None:
    window = flexible_window(month(birth_month), category)
    assert (window.earliest, window.latest) == (month(earliest), month(latest))


@given(birth_dates, categories)
def test_the_statutory_month_lies_in_the_flexible_window(birth_date: date, category: str) -> None:
    window = flexible_window(birth_date, category)
    assert window.earliest <= statutory_retirement(birth_date, category).month <= window.latest


@pytest.mark.parametrize(
    ("on", "retired"),
    [(date(2026, 2, 28), False), (date(2026, 3, 1), False), (date(2026, 3, 31), False), (date(2026, 4, 1), True)],
)
def test_a_person_is_retired_from_the_month_after_the_retirement_month(on: date, retired: bool) -> None:
    assert is_retired(on, statutory_retirement(date(1965, 12, 9), "M60").month) is retired


@pytest.mark.parametrize(
    ("category", "sex", "agree"),
    [
        ("M60", "male", True),
        ("M60", "female", False),
        ("F55", "male", False),
        ("F50", "female", True),
        ("special", "male", True),
        ("special", "female", True),
        (None, "male", True),
        ("F50", None, True),
    ],
)
def test_the_category_must_be_one_for_the_sex(category: str | None, sex: Sex | None, agree: bool) -> None:
    findings = check_category(category, sex)
    assert [finding.code for finding in findings] == ([] if agree else ["category_sex_differs"])


def test_the_registrys_retired_beats_the_calculation() -> None:
    answer = RegistryAnswer("retired", date(2025, 11, 1), "市人社局")
    finding = only(check_retirement(basis(date(1990, 1, 1), "M60"), answer, TODAY))
    assert (finding.severity, finding.code, finding.rule) == ("error", "retired_by_registry", "retirement.registry")
    assert finding.evidence == {"registry": "retired", "date": "2025-11-01", "source": "市人社局"}
    assert ("市人社局" in finding.message, "2025" in finding.message) == (True, False)
    assert "市人社局" in finding.message


def test_the_registrys_working_beats_the_calculation_and_says_so() -> None:
    answer = RegistryAnswer("working", date(2026, 2, 1), "市人社局")
    finding = only(check_retirement(basis(date(1964, 12, 1), "M60"), answer, TODAY))
    assert (finding.severity, finding.code) == ("info", "working_by_registry")
    assert finding.evidence["retirement_month"] == "2024-12"
    assert finding.evidence["source"] == "市人社局"


def test_nothing_is_found_where_registry_and_calculation_agree_that_one_works() -> None:
    answer = RegistryAnswer("working", date(2026, 2, 1), "市人社局")
    assert check_retirement(basis(date(1990, 1, 1), "M60"), answer, TODAY) == ()
    assert check_retirement(basis(None, None), answer, TODAY) == ()


@pytest.mark.parametrize(
    ("today", "severity", "code"),
    [(date(2026, 3, 31), "info", "working_by_calculation"), (date(2026, 4, 1), "error", "retired_by_calculation")],
)
def test_the_calculation_decides_where_the_registry_does_not_know(today: date, severity: str, code: str) -> None:
    finding = only(check_retirement(basis(date(1965, 12, 9), "M60"), UNKNOWN, today))
    assert (finding.severity, finding.code) == (severity, code)
    assert "退休登记无该会员信息" in finding.message
    assert finding.evidence == {
        "registry": "unknown",
        "category": "M60",
        "birth_month": "1965-12",
        "retirement_month": "2026-03",
        "age": "60岁3个月",
        "flexible_window": "2025-12/2029-03",
        "checked_on": str(today),
    }


def test_nobody_passes_while_the_registry_has_not_answered() -> None:
    finding = only(check_retirement(basis(date(1990, 1, 1), "M60"), None, TODAY))
    assert (finding.severity, finding.code) == ("error", "registry_not_answered")


@pytest.mark.parametrize(
    ("special_month", "code"),
    [(date(2026, 2, 20), "retired_by_calculation"), (date(2026, 3, 1), "working_by_calculation")],
)
def test_a_special_trade_retires_in_the_month_set_by_hand(special_month: date, code: str) -> None:
    finding = only(check_retirement(basis(date(1985, 1, 1), "special", special_month), UNKNOWN, TODAY))
    assert finding.code == code
    assert finding.evidence["retirement_month"] == f"{special_month:%Y-%m}"


@pytest.mark.parametrize(("birth_date", "sex"), [(date(1960, 1, 1), "male"), (date(1965, 1, 1), "female")])
def test_no_month_set_by_hand_keeps_at_work_who_is_past_the_statutory_age(birth_date: date, sex: Sex) -> None:
    set_by_hand = RetirementBasis(birth_date, "special", date(2050, 1, 1), sex)
    assert only(check_retirement(set_by_hand, UNKNOWN, TODAY)).code == "retired_by_calculation"
    assert only(check_retirement(set_by_hand, RegistryAnswer("working"), TODAY)).code == "working_by_registry"


@pytest.mark.parametrize("category", ["M60", "F55", "F50"])
def test_a_birth_at_the_end_of_the_calendar_stops_no_check(category: str) -> None:
    assert statutory_retirement(date(9990, 1, 1), category).month == date(9999, 12, 1)
    assert only(check_retirement(basis(date(9999, 12, 31), category), UNKNOWN, TODAY)).code == "working_by_calculation"


@pytest.mark.parametrize(
    ("lacking", "code"),
    [
        (basis(None, "special", date(2050, 1, 1)), "birth_date_missing"),
        (basis(None, "special"), "special_month_missing"),
        (basis(date(1985, 1, 1), None), "category_missing"),
        (basis(date(1985, 1, 1), "special"), "special_month_missing"),
        (basis(None, "F50"), "birth_date_missing"),
    ],
)
def test_what_the_calculation_lacks_is_an_error_when_it_must_decide(lacking: RetirementBasis, code: str) -> None:
    finding = only(check_retirement(lacking, UNKNOWN, TODAY))
    assert (finding.severity, finding.code) == ("error", code)
