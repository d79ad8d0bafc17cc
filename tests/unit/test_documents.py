"""Identity documents: form of the number, facts that it contains, agreement with the form, validity."""

import json
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.cn import ric

from services.contracts.rules import documents
from services.contracts.rules.documents import (
    DOCUMENT_TITLES,
    InvalidDocumentNumber,
    check_agreement,
    check_chinese_passport,
    check_county,
    check_expiry,
    check_validity_term,
    read_document_number,
)
from services.contracts.rules.findings import Finding
from services.contracts.values import LONG_TERM, InvalidValue, clean_document_number
from tests.mothers import a_resident_number

TODAY = date(2026, 3, 1)
_EXAMPLES_OF_THE_PAGES = json.loads(
    (Path(__file__).parents[2] / "gateway" / "web" / "src" / "locales" / "documents.examples.json").read_text(
        encoding="utf-8"
    )
)

birth_dates = st.dates(date(1900, 1, 1), TODAY)
sexes = st.sampled_from(["male", "female"])
sequences = st.integers(0, 499)
resident_numbers = st.builds(a_resident_number, birth_dates, sexes, st.just("310115"), sequences)


def refusal(document_type: str, number: str) -> Finding:
    """The finding with which a number is refused."""
    with pytest.raises(InvalidDocumentNumber) as refused:
        read_document_number(document_type, number, TODAY)
    return refused.value.finding


def codes(findings: tuple[Finding, ...]) -> list[tuple[str, str]]:
    return [(finding.severity, finding.code) for finding in findings]


@pytest.mark.parametrize(
    ("document_type", "number", "birth_date", "sex"),
    [
        ("resident_id", "310115196501150016", date(1965, 1, 15), "male"),
        ("resident_id", "31010119750308002X", date(1975, 3, 8), "female"),
        ("resident_id", "31011520000229003X", date(2000, 2, 29), "male"),
        ("resident_id", "11010519491231002X", date(1949, 12, 31), "female"),
        ("hmt_residence_permit", "810000199005200012", date(1990, 5, 20), "male"),
        ("hmt_residence_permit", "830000198808080025", date(1988, 8, 8), "female"),
        ("foreign_permanent_resident_id", "931840198501010021", date(1985, 1, 1), None),
        ("foreign_permanent_resident_id", "932682198501010017", date(1985, 1, 1), None),
        ("foreign_permanent_resident_id", "KAZ110090123105", date(1990, 12, 31), None),
        ("mainland_travel_permit_hm", "H12345678", None, None),
        ("mainland_travel_permit_hm", "M1234567801", None, None),
        ("mainland_travel_permit_tw", "12345678", None, None),
        ("mainland_travel_permit_tw", "0123456701", None, None),
        ("mainland_travel_permit_tw", "0123456701AB", None, None),
        ("passport", "E12345678", None, None),
        ("passport", "EA1234567", None, None),
        ("passport", "C01X0", None, None),
        ("passport", "12345678901234567", None, None),
        ("military_officer_id", "军字第1234", None, None),
        ("military_officer_id", "海字第A1234567号", None, None),
    ],
)
def test_a_valid_number_tells_what_its_kind_tells(
    document_type: str, number: str, birth_date: date | None, sex: str | None
) -> None:
    facts = read_document_number(document_type, number, TODAY)
    assert (facts.number, facts.birth_date, facts.sex) == (number, birth_date, sex)


@pytest.mark.parametrize(
    ("document_type", "number", "code"),
    [
        ("resident_id", "", "number_form"),
        ("resident_id", "31011519650115001", "number_form"),
        ("resident_id", "3101151965011500160", "number_form"),
        ("resident_id", "31011519650115X016", "number_form"),
        ("resident_id", "310115650115001", "number_form"),
        ("resident_id", "310115196501150017", "check_digit_wrong"),
        ("resident_id", "810000199005200012", "other_document_type"),
        ("resident_id", "931840198501010021", "other_document_type"),
        ("resident_id", a_resident_number(region="160101"), "province_unknown"),
        ("resident_id", a_resident_number(region="720000"), "province_unknown"),
        ("resident_id", a_resident_number(region="840000"), "province_unknown"),
        ("resident_id", a_resident_number(region="010101"), "province_unknown"),
        ("resident_id", "310115199902290010", "birth_date_invalid"),
        ("resident_id", "310115199913010010", "birth_date_invalid"),
        ("resident_id", "310115000000000010", "birth_date_invalid"),
        ("resident_id", a_resident_number(date(1899, 12, 31)), "birth_date_invalid"),
        ("resident_id", a_resident_number(TODAY + timedelta(days=1)), "birth_date_invalid"),
        ("hmt_residence_permit", a_resident_number(), "region_unknown"),
        ("hmt_residence_permit", "810000199005200013", "check_digit_wrong"),
        ("hmt_residence_permit", "H12345678", "number_form"),
        ("foreign_permanent_resident_id", a_resident_number(), "number_form"),
        ("foreign_permanent_resident_id", "", "number_form"),
        ("foreign_permanent_resident_id", "931840198501010022", "check_digit_wrong"),
        ("foreign_permanent_resident_id", "916840198501010021", "province_unknown"),
        ("foreign_permanent_resident_id", "931840198502300021", "birth_date_invalid"),
        ("foreign_permanent_resident_id", "KAZ110090123106", "check_digit_wrong"),
        ("foreign_permanent_resident_id", "KAZ990090123105", "province_unknown"),
        ("foreign_permanent_resident_id", "KAZ110090133105", "birth_date_invalid"),
        ("foreign_permanent_resident_id", "KA0110090123105", "number_form"),
        ("mainland_travel_permit_hm", "T12345678", "number_form"),
        ("mainland_travel_permit_hm", "H1234567", "number_form"),
        ("mainland_travel_permit_hm", "H123456789", "number_form"),
        ("mainland_travel_permit_tw", "1234567", "number_form"),
        ("mainland_travel_permit_tw", "123456789", "number_form"),
        ("mainland_travel_permit_tw", "A2345678", "number_form"),
        ("mainland_travel_permit_tw", "1234567890123", "number_form"),
        ("passport", "E123", "number_form"),
        ("passport", "123456789012345678", "number_form"),
        ("passport", "E1234-678", "number_form"),
        ("military_officer_id", "字第1234号", "number_form"),
        ("military_officer_id", "军字第123号", "number_form"),
        ("military_officer_id", "军字第123456789号", "number_form"),
    ],
)
def test_a_number_its_document_cannot_have_is_refused(document_type: str, number: str, code: str) -> None:
    finding = refusal(document_type, number)
    assert (finding.severity, finding.code) == ("error", code)
    assert finding.rule == f"document.{document_type}"
    assert finding.evidence["number"] == number


def test_the_evidence_of_a_wrong_check_digit_names_the_right_one() -> None:
    assert refusal("resident_id", "310115196501150017").evidence["expected"] == "6"


def test_a_number_of_another_document_is_refused_with_that_documents_name() -> None:
    assert "港澳台居民居住证" in refusal("resident_id", "830000198808080025").message
    assert "外国人永久居留身份证" in refusal("resident_id", "932682198501010017").message


def test_a_birth_on_the_first_day_that_counts_and_on_the_day_itself_is_taken() -> None:
    for birth_date in (date(1900, 1, 1), TODAY):
        number = a_resident_number(birth_date)
        assert read_document_number("resident_id", number, TODAY).birth_date == birth_date


def test_an_unknown_document_type_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="driving_licence"):
        read_document_number("driving_licence", "1", TODAY)


def test_a_renewed_travel_permit_is_still_the_same_persons() -> None:
    first, renewed = (read_document_number("mainland_travel_permit_hm", n, TODAY) for n in ("H12345678", "H1234567802"))
    assert first.person_number == renewed.person_number == "H12345678"
    assert renewed.number == "H1234567802"


@pytest.mark.parametrize(
    ("number", "birth_year"),
    [("KAZ110010010108", 2010), ("KAZ110011010109", 1911)],
)
def test_the_old_foreign_form_takes_the_century_that_makes_its_holder_old_enough_to_work(
    number: str, birth_year: int
) -> None:
    facts = read_document_number("foreign_permanent_resident_id", number, TODAY)
    assert facts.birth_date == date(birth_year, 1, 1)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        (" 31010119750308002x ", "31010119750308002X"),
        ("310101 19750308\t002x", "31010119750308002X"),
        ("３１０１０１１９７５０３０８００２Ｘ", "31010119750308002X"),
        ("31010119750308002Ⅹ", "31010119750308002X"),
        ("\u202d310101\u300019750308002x\u200b\ufeff", "31010119750308002X"),
        ("h12345678", "H12345678"),
        ("军字第１２３４号", "军字第1234号"),
    ],
)
def test_a_number_is_kept_as_its_document_prints_it(typed: str, kept: str) -> None:
    assert clean_document_number(typed) == kept


@given(st.sampled_from(sorted(DOCUMENT_TITLES)), st.text())
def test_any_text_is_either_read_or_refused(document_type: str, number: str) -> None:
    try:
        kept = read_document_number(document_type, number, TODAY).number
    except InvalidDocumentNumber as refused:
        if refused.finding.code == "number_damaged":
            with pytest.raises(InvalidValue):
                clean_document_number(number)
            return
        kept = refused.finding.evidence["number"]
    assert kept == clean_document_number(number)


@given(birth_dates, sexes, sequences)
def test_every_well_made_resident_number_tells_birth_date_and_sex(birth_date: date, sex: str, sequence: int) -> None:
    facts = read_document_number("resident_id", a_resident_number(birth_date, sex, "310115", sequence), TODAY)
    assert (facts.birth_date, facts.sex, facts.region) == (birth_date, sex, "310115")


@given(resident_numbers, st.integers(0, 17), st.sampled_from("0123456789X"))
def test_any_single_wrong_character_of_a_resident_number_is_caught(number: str, place: int, wrong: str) -> None:
    if number[place] != wrong:
        refusal("resident_id", number[:place] + wrong + number[place + 1 :])


@given(resident_numbers, st.integers(0, 16))
def test_any_two_neighbours_exchanged_in_a_resident_number_are_caught(number: str, place: int) -> None:
    exchanged = number[:place] + number[place + 1] + number[place] + number[place + 2 :]
    if exchanged != number:
        refusal("resident_id", exchanged)


@given(
    st.sampled_from(["310101", "310104", "110105", "110101"]),
    st.dates(date(1950, 1, 1), TODAY),
    sequences,
    st.sampled_from("0123456789X"),
)
def test_python_stdnum_is_of_the_same_mind_where_the_county_is_old_enough(
    region: str, birth_date: date, sequence: int, check: str
) -> None:
    number = a_resident_number(birth_date, "female", region, sequence)[:-1] + check
    try:
        read_document_number("resident_id", number, TODAY)
    except InvalidDocumentNumber:
        assert not ric.is_valid(number)
    else:
        assert ric.is_valid(number)


def test_a_county_younger_than_its_holder_is_normal() -> None:
    number = a_resident_number(date(1980, 5, 1), region="310115")
    assert not ric.is_valid(number)
    assert check_county(read_document_number("resident_id", number, TODAY)) == ()


def test_a_county_that_no_table_knows_is_a_warning() -> None:
    facts = read_document_number("resident_id", a_resident_number(region="319999"), TODAY)
    (finding,) = check_county(facts)
    assert (finding.severity, finding.code) == ("warning", "county_unknown")
    assert finding.evidence["region"] == "319999"


def test_the_form_must_agree_with_the_number() -> None:
    facts = read_document_number("resident_id", a_resident_number(date(1985, 6, 15), "male"), TODAY)
    assert check_agreement(facts, date(1985, 6, 15), "male") == ()
    assert check_agreement(facts, None, None) == ()
    differing = check_agreement(facts, date(1985, 6, 16), "female")
    assert codes(differing) == [("error", "birth_date_differs"), ("error", "sex_differs")]
    assert differing[0].evidence["in_number"] == "1985-06-15"
    assert differing[0].evidence["in_form"] == "1985-06-16"


def test_a_number_that_tells_nothing_agrees_with_any_form() -> None:
    facts = read_document_number("passport", "E12345678", TODAY)
    assert check_agreement(facts, date(1985, 6, 16), "female") == ()


@pytest.mark.parametrize(
    ("number", "nationality", "expected"),
    [
        ("E12345678", "CHN", []),
        ("EA1234567", "CHN", []),
        ("K12345678", "CHN", ["number_form"]),
        ("K12345678", "USA", []),
        ("K12345678", None, []),
    ],
)
def test_a_chinese_passport_has_a_chinese_number(number: str, nationality: str | None, expected: list[str]) -> None:
    findings = check_chinese_passport(read_document_number("passport", number, TODAY), nationality)
    assert [finding.code for finding in findings] == expected


@pytest.mark.parametrize(
    ("expiry", "expected"),
    [
        (None, [("error", "expiry_missing")]),
        (TODAY - timedelta(days=1), [("error", "expired")]),
        (TODAY, [("warning", "expires_soon")]),
        (TODAY + timedelta(days=90), [("warning", "expires_soon")]),
        (TODAY + timedelta(days=91), []),
        (LONG_TERM, []),
    ],
)
def test_a_document_is_valid_through_its_expiry_date_and_warned_of_for_90_days(
    expiry: date | None, expected: list[tuple[str, str]]
) -> None:
    assert codes(check_expiry(expiry, TODAY)) == expected


def test_a_missing_expiry_is_named_as_such() -> None:
    (finding,) = check_expiry(None, TODAY)
    assert finding.message.startswith("证件到期日未填写")


BIRTH = date(1980, 6, 15)


@pytest.mark.parametrize(
    ("issued", "expiry", "fits"),
    [
        (date(1996, 6, 14), date(2001, 6, 14), True),
        (date(1996, 6, 14), date(2006, 6, 14), False),
        (date(1996, 6, 15), date(2006, 6, 15), True),
        (date(2006, 6, 14), date(2016, 6, 14), True),
        (date(2006, 6, 14), date(2026, 6, 14), False),
        (date(2006, 6, 15), date(2026, 6, 15), True),
        (date(2025, 6, 15), date(2045, 6, 15), True),
        (date(2025, 6, 15), LONG_TERM, False),
        (date(2008, 2, 29), date(2028, 2, 29), True),
        (date(2016, 2, 29), date(2036, 3, 1), False),
        (date(2015, 8, 8), date(2035, 8, 7), False),
        (date(1979, 1, 1), date(1984, 1, 1), False),
        (TODAY + timedelta(days=1), date(2046, 3, 2), False),
    ],
)
def test_the_term_of_a_resident_id_follows_from_the_age_at_issue(issued: date, expiry: date, fits: bool) -> None:
    findings = check_validity_term(BIRTH, issued, expiry, TODAY)
    assert codes(findings) == ([] if fits else [("warning", "validity_term_unusual")])


def test_a_resident_id_issued_at_46_is_valid_for_life() -> None:
    born = date(1979, 6, 15)
    assert check_validity_term(born, date(2025, 6, 15), LONG_TERM, TODAY) == ()
    assert len(check_validity_term(born, date(2025, 6, 15), date(2045, 6, 15), TODAY)) == 1
    assert check_validity_term(born, date(2025, 6, 14), date(2045, 6, 14), TODAY) == ()


def test_an_id_issued_on_29_february_may_end_on_either_day_beside_it() -> None:
    born = date(2000, 1, 1)
    for expiry in (date(2030, 2, 28), date(2030, 3, 1)):
        assert check_validity_term(born, date(2020, 2, 29), expiry, TODAY) == ()
    assert len(check_validity_term(born, date(2020, 2, 29), date(2030, 3, 2), TODAY)) == 1


@pytest.mark.parametrize(
    ("birth_date", "expiry", "fits"),
    [
        (date(1980, 6, 15), date(2035, 8, 8), True),
        (date(1980, 6, 15), LONG_TERM, False),
        (date(1980, 2, 28), LONG_TERM, True),
        (date(1980, 3, 1), LONG_TERM, True),
        (date(1980, 3, 2), LONG_TERM, False),
        (date(2000, 1, 1), date(2045, 3, 1), False),
        (date(2000, 1, 1), date(2035, 8, 8), True),
        (date(2012, 1, 1), date(2028, 8, 8), True),
        (date(1985, 1, 1), date(2046, 3, 1), True),
        (date(1985, 1, 1), date(2046, 3, 2), False),
    ],
)
def test_without_a_date_of_issue_the_expiry_must_at_least_be_possible(
    birth_date: date, expiry: date, fits: bool
) -> None:
    assert (check_validity_term(birth_date, None, expiry, TODAY) == ()) is fits


@given(birth_dates, st.none() | st.dates(), st.dates())
def test_no_dates_break_the_check_of_the_term(birth_date: date, issued: date | None, expiry: date) -> None:
    findings = check_validity_term(birth_date, issued, expiry, TODAY)
    assert all(finding.rule == documents.VALIDITY_TERM.id for finding in findings)


@pytest.mark.parametrize("example", _EXAMPLES_OF_THE_PAGES, ids=lambda example: example["number"])
def test_the_pages_judge_numbers_as_the_system_check_does(example: dict[str, str]) -> None:
    assert _judgement(example["document_type"], example["number"]) == example


def _judgement(document_type: str, number: str) -> dict[str, str | None]:
    judged: dict[str, str | None] = {"document_type": document_type, "number": number}
    try:
        facts = read_document_number(document_type, number, date(2026, 11, 25))
    except InvalidDocumentNumber as invalid:
        return {**judged, "code": invalid.finding.code, "message": invalid.finding.message}
    return {**judged, "birth_date": str(facts.birth_date) if facts.birth_date else None, "sex": facts.sex}
