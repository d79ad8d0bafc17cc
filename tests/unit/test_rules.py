"""All rules on one person, and the table of rules in force."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts.rules.documents import DOCUMENT_TITLES
from services.contracts.values import LONG_TERM
from services.validation.rules import RULES, Person, RegistryAnswer, check_person, passed
from tests.mothers import a_person, a_resident_number

TODAY = date(2026, 3, 1)
WORKING = RegistryAnswer("working", date(2026, 2, 1), "市人社局")
UNKNOWN = RegistryAnswer("unknown")


def codes(person: Person, registry: RegistryAnswer | None = WORKING) -> list[str]:
    return [finding.code for finding in check_person(person, registry, TODAY)]


def test_a_person_in_order_passes_without_findings() -> None:
    assert check_person(a_person(), WORKING, TODAY) == ()
    assert passed(())


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"name": "王\ue000"}, ["name_private_use_character"]),
        ({"document_number": "310115198506150012"}, ["check_digit_wrong"]),
        ({"document_expiry": None}, ["expiry_missing"]),
        ({"document_expiry": date(2026, 2, 28), "document_issued": None}, ["expired"]),
        ({"birth_date": date(1985, 6, 16)}, ["birth_date_differs"]),
        ({"sex": "female"}, ["sex_differs"]),
        ({"retirement_category": "F50"}, ["category_sex_differs"]),
    ],
)
def test_an_error_keeps_a_person_from_passing(changes: dict[str, Any], expected: list[str]) -> None:
    person = a_person(**changes)
    assert codes(person) == expected
    assert not passed(check_person(person, WORKING, TODAY))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"name": "王𬎆"}, ["name_rare_character"]),
        (
            {"document_expiry": date(2026, 4, 1), "document_issued": date(2009, 4, 1)},
            ["validity_term_unusual", "expires_soon"],
        ),
        ({"document_number": a_resident_number(region="319999")}, ["county_unknown"]),
    ],
)
def test_a_warning_lets_a_person_pass(changes: dict[str, Any], expected: list[str]) -> None:
    person = a_person(**changes)
    assert codes(person) == expected
    assert passed(check_person(person, WORKING, TODAY))


@pytest.mark.parametrize("years", [None, 3, 5, 10, 17, 20])
@pytest.mark.parametrize("issued", [None, date(2007, 5, 9), date(2016, 2, 29), date(2024, 12, 31)])
@pytest.mark.parametrize("category", ["M60", "F55", "F50"])
def test_what_a_clerk_changes_tells_no_year_of_birth(years: int | None, issued: date | None, category: str) -> None:
    """The document's dates and the category of retirement can be changed without the number."""
    expiry = date((issued or date(2021, 5, 9)).year + years, 2, 28) if years else LONG_TERM
    code_lists = set()
    for year in (1968, 1979, 1980, 1989, 1999, 2009):
        number, birth = a_resident_number(date(year, 6, 15)), date(year, 6, 15)
        person = a_person(
            document_number=number,
            birth_date=birth,
            document_issued=issued,
            document_expiry=expiry,
            retirement_category=category,
        )
        code_lists.add(tuple(codes(person, UNKNOWN)))
    assert len(code_lists) == 1


def test_the_registry_decides_on_retirement_before_the_calculation() -> None:
    old = a_person(
        document_number=a_resident_number(date(1960, 1, 1)),
        birth_date=date(1960, 1, 1),
        document_expiry=LONG_TERM,
        document_issued=None,
    )
    assert codes(old, WORKING) == ["working_by_registry"]
    assert codes(old, UNKNOWN) == ["retired_by_calculation"]
    assert codes(a_person(), RegistryAnswer("retired", date(2025, 1, 1), "市人社局")) == ["retired_by_registry"]
    assert codes(a_person(), UNKNOWN) == ["working_by_calculation"]
    assert codes(a_person(), None) == ["registry_not_answered"]


def test_the_birth_date_of_the_number_is_the_one_that_counts() -> None:
    number_of_1960 = a_resident_number(date(1960, 1, 1))
    findings = check_person(a_person(document_number=number_of_1960), UNKNOWN, TODAY)
    assert "retired_by_calculation" in {finding.code for finding in findings}


def test_the_form_tells_the_birth_date_where_the_number_does_not() -> None:
    foreigner = a_person(
        name="JOHN SMITH", document_type="passport", document_number="K1234567", nationality="USA", document_issued=None
    )
    (finding,) = check_person(foreigner, UNKNOWN, TODAY)
    assert finding.code == "working_by_calculation"
    assert finding.evidence["birth_month"] == "1985-06"


def test_a_chinese_passport_with_a_foreign_number_does_not_pass() -> None:
    assert codes(a_person(document_type="passport", document_number="K1234567")) == ["number_form"]


def test_a_record_is_judged_in_the_way_of_writing_in_which_it_is_kept() -> None:
    number = a_resident_number(date(1985, 6, 15), sequence=3)
    assert codes(a_person(name="买买提 ・ 阿里", document_number=f" {number.lower()}\u200b")) == []


def test_every_rule_has_an_id_of_its_own_and_a_source() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert all(rule.version and rule.title and rule.source for rule in RULES)
    assert all(rule.in_force_from <= TODAY for rule in RULES)


persons = st.builds(
    Person,
    name=st.text(),
    document_type=st.sampled_from(sorted(DOCUMENT_TITLES)),
    document_number=st.text() | st.builds(a_resident_number, st.dates(date(1900, 1, 1), TODAY)),
    document_expiry=st.none() | st.dates(),
    document_issued=st.none() | st.dates(),
    birth_date=st.none() | st.dates(date(1900, 1, 1), TODAY) | st.dates(),
    sex=st.sampled_from(["male", "female", None]),
    retirement_category=st.sampled_from(["M60", "F55", "F50", "special", None]),
    special_retirement_month=st.none() | st.dates(),
    nationality=st.sampled_from(["CHN", "USA", None]),
)
answers = st.none() | st.builds(
    RegistryAnswer,
    status=st.sampled_from(["retired", "working", "unknown"]),
    date=st.none() | st.dates(),
    source=st.none() | st.text(),
)


@pytest.mark.parametrize("birth_date", [date(1899, 12, 31), date(2026, 3, 2), date(9999, 12, 31)])
def test_a_birth_date_that_nobody_can_have_does_not_pass(birth_date: date) -> None:
    foreigner = a_person(document_type="passport", document_number="K1234567", nationality="USA", document_issued=None)
    assert "birth_date_implausible" not in codes(foreigner)
    assert "birth_date_implausible" in codes(replace(foreigner, birth_date=birth_date))


@given(persons, answers)
def test_any_person_is_judged_by_rules_that_are_in_force(person: Person, registry: RegistryAnswer | None) -> None:
    in_force = {(rule.id, rule.version) for rule in RULES}
    for finding in check_person(person, registry, TODAY):
        assert (finding.rule, finding.rule_version) in in_force
        assert finding.message
        assert all(isinstance(value, str) for value in finding.evidence.values())


@given(persons, answers)
def test_nobody_the_registry_calls_retired_or_has_not_answered_for_passes(
    person: Person, registry: RegistryAnswer | None
) -> None:
    if registry is None or registry.status == "retired":
        assert not passed(check_person(person, registry, TODAY))
