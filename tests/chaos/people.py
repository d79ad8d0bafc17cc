"""The people of a chaos run: each has a unique name, by which they are found at the end."""

from collections.abc import Sequence
from typing import Any

from deploy.local.demo_people import Person
from tests.bench import people

_DIGITS = "甲乙丙丁戊己庚辛壬癸"
_FLEXIBLE = 1_500_000
"""The first serial of people who apply on the phone."""


def make_people(start: int, number: int) -> list[dict[str, Any]]:
    """Returns clerks' forms of people numbered from `start`; one in twenty does not pass the check."""
    return [
        {**_as_sent(facts), "name": _name(start + position)}
        for position, facts in enumerate(people.make_people(start, number))
    ]


def make_phone_members(number: int) -> list[dict[str, Any]]:
    """Returns forms of people in flexible employment, all of whom pass the check."""
    forms = []
    for serial in range(number):
        (form,) = make_people(_FLEXIBLE + 40 * serial + 7, 1)
        forms.append({**form, "affiliation": "flexible", "phone": f"137{serial:08}"})
    return forms


def as_rows(forms: Sequence[dict[str, Any]]) -> list[Person]:
    """Returns the same people as rows of a sheet."""
    return [
        Person(
            name=form["name"],
            document_number=form["document_number"],
            document_expiry=form.get("document_expiry", ""),
            birth_date=form["birth_date"],
            phone=form["phone"],
            address=form["address"],
        )
        for form in forms
    ]


def _as_sent(facts: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.isoformat() if hasattr(value, "isoformat") else value
        for name, value in facts.items()
        if value is not None
    }


def _name(serial: int) -> str:
    return "王" + "".join(_DIGITS[int(digit)] for digit in str(serial))
