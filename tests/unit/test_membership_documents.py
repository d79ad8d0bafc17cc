"""How membership keeps names and numbers, and what it refuses at registration."""

from datetime import date

import pytest

from services.membership.documents import Holder, document_digest, has_form_of, holder_of, possible_digests
from services.membership.normalising import normalise_name, normalise_number
from services.validation import names
from services.validation.documents import normalise_document_number


@pytest.mark.parametrize("dot", "\u30fb\uff65\u2027\u0387\u2022\uff0e\u00b7")
def test_the_dot_in_a_name_is_kept_in_one_form(dot: str) -> None:
    assert normalise_name(f"阿依古丽{dot}买买提") == "阿依古丽\u00b7买买提"


@pytest.mark.parametrize("name", [" 王 建 国 ", "ＡＮＮＡ  Lee", "古丽 · 汗", "欧阳\u200b娜娜", "𠅤䶮", "·王·"])
def test_a_name_is_kept_as_the_system_check_will_read_it(name: str) -> None:
    assert normalise_name(name) == names.normalise_name(name)


@pytest.mark.parametrize(
    "number", ["３１０１１５ 19850615 001x", "h12345678 01", "军字第１２３４号", "e\u200b1234 5678"]
)
def test_a_number_is_kept_as_the_system_check_will_read_it(number: str) -> None:
    assert normalise_number(number) == normalise_document_number(number)


@pytest.mark.parametrize(
    ("document_type", "number"),
    [
        ("resident_id", "31011519850615001X"),
        ("resident_id", "310115198506159999"),
        ("foreign_permanent_resident_id", "KAZ110090123105"),
        ("mainland_travel_permit_hm", "H1234567801"),
        ("mainland_travel_permit_tw", "12345678"),
        ("passport", "E12345678"),
        ("military_officer_id", "军字第1234567号"),
    ],
)
def test_a_number_of_the_right_form_is_taken_though_its_check_digit_may_be_wrong(
    document_type: str, number: str
) -> None:
    assert has_form_of(document_type, number)


@pytest.mark.parametrize(
    ("document_type", "number"),
    [
        ("resident_id", "3101151985061500"),
        ("mainland_travel_permit_hm", "A12345678"),
        ("passport", "E123"),
        ("military_officer_id", "1234567"),
        ("resident_id", "٣١٠١١٥١٩٨٥٠٦١٥٠٠١٢"),
    ],
)
def test_a_number_of_another_form_is_refused(document_type: str, number: str) -> None:
    assert not has_form_of(document_type, number)


def test_a_resident_number_tells_birth_date_and_sex() -> None:
    assert holder_of("resident_id", "310115198506150011") == Holder(date(1985, 6, 15), "male")
    assert holder_of("hmt_residence_permit", "810000199005200024") == Holder(date(1990, 5, 20), "female")


def test_a_number_with_an_impossible_date_tells_no_birth_date() -> None:
    assert holder_of("resident_id", "310115198502300011").birth_date is None


def test_a_passport_tells_nothing() -> None:
    assert holder_of("passport", "E12345678") == Holder()


def test_a_renewed_travel_permit_is_of_the_same_person() -> None:
    first, renewed = "H1234567801", "H1234567802"
    assert document_digest("mainland_travel_permit_hm", first) == document_digest("mainland_travel_permit_hm", renewed)


def test_the_same_number_on_another_kind_of_document_is_of_another_person() -> None:
    assert document_digest("passport", "12345678") != document_digest("mainland_travel_permit_tw", "12345678")


def test_a_number_is_found_without_its_type_and_however_it_is_typed() -> None:
    assert document_digest("passport", "E12345678") in possible_digests(" e1234 5678 ")
