"""The person of an application: validation, digests to find one, and conversion between columns and PersonFacts."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from services.contracts import values
from services.contracts.rules.nationality import implied_nationality
from services.contracts.shared import PersonFacts
from services.contracts.values import InvalidValue, clean_document_number
from services.kit.data.encryption import blind_index

_DATES = ("document_issued", "birth_date", "special_retirement_month")
_CLEANED: Mapping[str, Callable[[str], str]] = {
    "name": values.clean_name,
    "document_number": values.clean_document_number,
    "nationality": values.clean_nationality,
    "phone": values.clean_phone,
    "address": values.clean_address,
}
_OTHERS = (*_DATES, "sex", "phone", "address", "retirement_category")
NO_FACTS = json.dumps(dict.fromkeys(_OTHERS))
"""The other facts of an erased person."""


def document_digest(number: str) -> bytes:
    """The digest that finds the holder of a document; spaces, width and case do not matter."""
    return blind_index(clean_document_number(number), "document_number")


def usable(facts: PersonFacts | None) -> PersonFacts:
    """The person with all values cleaned; raises InvalidValue, also for None.

    The rules on the person are applied by the system check.
    """
    if facts is None:
        raise InvalidValue("person_missing", "会员资料无法读取")
    changed: dict[str, Any] = {
        name: clean(value) for name, clean in _CLEANED.items() if (value := getattr(facts, name))
    }
    cleaned = replace(facts, **changed)
    if not cleaned.name or not cleaned.document_number:
        raise InvalidValue("person_incomplete", "会员姓名或证件号码未填写")
    return replace(cleaned, nationality=cleaned.nationality or implied_nationality(cleaned.document_type))


def card_digest(number: str) -> bytes:
    """The digest that detects a card number that was used before."""
    return blind_index(number, "card_no")


def stored(facts: PersonFacts) -> dict[str, Any]:
    """The columns of an application for the facts of its person, by name."""
    return {
        "name": facts.name,
        "document_type": facts.document_type,
        "document_number": facts.document_number,
        "document_digest": document_digest(facts.document_number),
        "document_expiry": facts.document_expiry,
        "nationality": facts.nationality,
        "other_facts": json.dumps(
            {name: getattr(facts, name) for name in _OTHERS}, default=date.isoformat, ensure_ascii=False
        ),
    }


def nationality_of(application: Any) -> str | None:
    """The recorded nationality, or else the one that the document implies."""
    return application.nationality or implied_nationality(application.document_type)


def facts_of(application: Any) -> PersonFacts:
    """The person of an application, or of a row with its columns; the inverse of `stored`."""
    others = json.loads(application.other_facts)
    dates = {name: date.fromisoformat(others[name]) for name in _DATES if others[name]}
    return PersonFacts(
        application_id=application.application_id,
        name=application.name,
        document_type=application.document_type,
        document_number=application.document_number,
        document_expiry=application.document_expiry,
        nationality=nationality_of(application),
        **{**others, **dates},
    )
