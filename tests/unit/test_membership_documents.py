"""Names and numbers in membership: their stored form, and what registration refuses."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from services.contracts.rules.persons import Identity
from services.contracts.values import LONG_TERM
from services.membership.members.member_documents import document_digest, holder_of, judge, possible_digests
from tests.mothers import a_resident_number

_PASSPORT = ("document_number", "number_form")
_DIFFERS = ("nationality", "nationality_differs")
_AN_AMERICAN = {"document_number": "931840198501010021", "birth_date": None}


IDENTITY = Identity(
    name="王建国",
    document_type="resident_id",
    document_number=a_resident_number(),
    document_expiry=date(2035, 8, 8),
    document_issued=None,
    birth_date=None,
    sex=None,
    nationality=None,
)


def test_a_member_in_order_is_neither_refused_nor_warned_of() -> None:
    assert judge(IDENTITY) == ([], [])


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"name": "王\ue863"}, "name", "name_private_use_character"),
        ({"document_number": "310115198506150012"}, "document_number", "check_digit_wrong"),
        ({"document_number": "3101151985061500"}, "document_number", "number_form"),
        ({"sex": "female"}, "sex", "sex_differs"),
        ({"birth_date": date(1985, 6, 16)}, "birth_date", "birth_date_differs"),
        ({"nationality": "USA"}, "nationality", "nationality_of_document"),
        ({"document_type": "passport", "document_number": "E1"}, "document_number", "number_form"),
        ({"document_type": "passport", "document_number": "AB123456", "nationality": "CHN"}, *_PASSPORT),
        ({"document_type": "foreign_permanent_resident_id", **_AN_AMERICAN, "nationality": "CAN"}, *_DIFFERS),
    ],
)
def test_registration_refuses_what_no_document_can_say(changes: dict[str, Any], field: str, code: str) -> None:
    refused, _ = judge(replace(IDENTITY, **changes))
    assert [(problem.field, problem.code) for problem in refused] == [(field, code)]


@pytest.mark.parametrize("changes", [{"document_expiry": None}, {"document_expiry": date(2020, 1, 1)}])
def test_what_the_system_check_asks_for_is_not_refused_at_registration(changes: dict[str, Any]) -> None:
    assert judge(replace(IDENTITY, **changes))[0] == []


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"document_expiry": LONG_TERM}, "document_expiry", "validity_term_unusual"),
        ({"document_number": a_resident_number(region="319999")}, "document_number", "county_unknown"),
        ({"name": "王𬎆"}, "name", "name_rare_character"),
    ],
)
def test_registration_warns_of_what_is_unusual(changes: dict[str, Any], field: str, code: str) -> None:
    refused, warned = judge(replace(IDENTITY, **changes))
    assert refused == []
    assert [(problem.field, problem.code) for problem in warned] == [(field, code)]


def test_a_resident_number_tells_birth_date_and_sex() -> None:
    man, woman = a_resident_number(), a_resident_number(date(1990, 5, 20), "female")
    assert (holder_of("resident_id", man).birth_date, holder_of("resident_id", man).sex) == (date(1985, 6, 15), "male")
    assert holder_of("resident_id", woman).sex == "female"


@pytest.mark.parametrize(
    ("document_type", "number"), [("resident_id", "310115198502300011"), ("passport", "E12345678")]
)
def test_a_wrong_number_and_a_passport_tell_nothing(document_type: str, number: str) -> None:
    holder = holder_of(document_type, number)
    assert (holder.birth_date, holder.sex) == (None, None)


def test_a_renewed_travel_permit_is_of_the_same_person() -> None:
    first, renewed = "H1234567801", "H1234567802"
    assert document_digest("mainland_travel_permit_hm", first) == document_digest("mainland_travel_permit_hm", renewed)


def test_the_same_number_on_another_kind_of_document_is_of_another_person() -> None:
    assert document_digest("passport", "12345678") != document_digest("mainland_travel_permit_tw", "12345678")


def test_a_number_is_found_without_its_type_and_however_it_is_typed() -> None:
    assert document_digest("passport", "E12345678") in possible_digests(" e1234 5678 ")
