"""Identity documents as registration needs them: the form of a number, whose it is, what it tells.

Whether a number is right (check digit, province, dates) is for the system check to say, with its findings.
"""

import re
from dataclasses import dataclass
from datetime import date

from services.common.contracts.shared import DOCUMENT_TYPES
from services.common.personal import blind_index
from services.membership.normalising import normalise_number

_CITIZEN = r"[0-9]{17}[0-9X]"
_FORMS = {
    "resident_id": _CITIZEN,
    "hmt_residence_permit": _CITIZEN,
    "foreign_permanent_resident_id": rf"{_CITIZEN}|[A-Z]{{3}}[0-9]{{12}}",
    "mainland_travel_permit_hm": r"[HM][0-9]{8}(?:[0-9]{2})?",
    "mainland_travel_permit_tw": r"[0-9]{8}|[0-9A-Z]{10,12}",
    "passport": r"[0-9A-Z]{5,17}",
    "military_officer_id": r"[一-龥]字第[0-9A-Z]{4,8}号?",
}
_SEX_IN_NUMBER = ("resident_id", "hmt_residence_permit")
_DIGITS_OF_PERMIT_HOLDER = 9


@dataclass(frozen=True, slots=True)
class Holder:
    """What a number tells of who holds the document; None where it does not tell."""

    birth_date: date | None = None
    sex: str | None = None


def has_form_of(document_type: str, number: str) -> bool:
    """Whether a normalised number looks like one of the document."""
    return re.fullmatch(_FORMS[document_type], number) is not None


def holder_of(document_type: str, number: str) -> Holder:
    """What a normalised number of the right form tells."""
    if document_type not in (*_SEX_IN_NUMBER, "foreign_permanent_resident_id") or not re.fullmatch(_CITIZEN, number):
        return Holder()
    sex = ("female", "male")[int(number[16]) % 2] if document_type in _SEX_IN_NUMBER else None
    try:
        return Holder(date(int(number[6:10]), int(number[10:12]), int(number[12:14])), sex)
    except ValueError:
        return Holder(None, sex)


def document_digest(document_type: str, number: str) -> bytes:
    """By which the holder of a document is known in the whole city, after its renewal too."""
    normalised = normalise_number(number)
    if document_type == "mainland_travel_permit_hm":
        normalised = normalised[:_DIGITS_OF_PERMIT_HOLDER]
    return blind_index(f"{document_type} {normalised}", "document")


def possible_digests(number: str) -> list[bytes]:
    """The digests that a number of unknown type can have."""
    return [document_digest(document_type, number) for document_type in DOCUMENT_TYPES]


def phone_digest(phone: str) -> bytes:
    """By which a telephone number is found."""
    return blind_index(phone, "phone")
