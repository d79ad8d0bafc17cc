"""Masks numbers and other personal data for display."""

import re

DOCUMENT_ENDS = (5, 2)
"""How many characters of an 18-digit document number are shown at its two ends (choice: as in the manual)."""
_CITIZEN_LENGTH = 18


def mask_document(number: str) -> str:
    """Masks a document number: 18 characters show the first five and last two, any other at most a third."""
    if len(number) == _CITIZEN_LENGTH:
        return _mask(number, *DOCUMENT_ENDS)
    shown = len(number) // 3
    last = min(DOCUMENT_ENDS[1], shown // 2)
    return _mask(number, min(DOCUMENT_ENDS[0], shown - last), last)


def mask_card(number: str) -> str:
    """Masks a card number: it shows the first six and the last four digits."""
    return _mask(number, 6, 4)


def mask_phone(number: str) -> str:
    """Masks a telephone number: it shows the first three and the last four digits."""
    return _mask(number, 3, 4)


def mask_account_name(name: str) -> str:
    """Masks the name of an account: it shows its first and last character."""
    return _mask(name, 1, 1)


def mask_document_end(end: str) -> str:
    """Masks the end of a document number in a search completely, for the masks of some numbers show less than it."""
    return "*" * len(end)


def mask_birth_date(_: str) -> str:
    """Masks a birth date completely: with the visible part of the document number it would reveal that number."""
    return "****-**-**"


def mask_sex(_: str) -> str:
    """Masks a sex completely."""
    return "*"


def mask_numbers(text: str) -> str:
    """Masks the numbers of documents, cards and telephones within a text."""
    for pattern, mask in _NUMBERS:
        text = pattern.sub(lambda found, mask=mask: mask(found.group()), text)  # type: ignore[misc]
    return text


def _mask(text: str, first: int, last: int) -> str:
    """Hides all but so many first and last characters; a short text shows only one at each end."""
    if len(text) < first + last + 4:
        first, last = min(first, 1), min(last, 1)
    hidden = max(len(text) - first - last, 0)
    return text[:first] + "*" * hidden + text[first + hidden :] if hidden else "*" * len(text)


_GAP = "[ -]?"
_NUMBERS = tuple(
    (re.compile(f"(?<![0-9A-Za-z])(?:{form})(?![0-9A-Za-z])"), mask)
    for form, mask in (
        (rf"\d{{6}}{_GAP}\d{{8}}{_GAP}\d{{3}}[\dXx]|[A-Z]{{3}}\d{{12}}", mask_document),
        (r"[HM]\d{8}(?:\d{2})?|E[A-Z0-9]\d{7}", mask_document),
        (rf"\d{{4}}(?:{_GAP}\d{{4}}){{3}}(?:{_GAP}(?:\d{{3}}|\d))?", mask_card),
        (rf"(?:(?:\+|00)?86{_GAP})?1[3-9]\d{_GAP}\d{{4}}{_GAP}\d{{4}}", mask_phone),
    )
)
"""Numbers within texts, as they are kept and as people write them in groups."""

MASKS = {
    "document_number": mask_document,
    "document_end": mask_document_end,
    "birth_date": mask_birth_date,
    "sex": mask_sex,
    "card_no": mask_card,
    "phone": mask_phone,
    "contact_phone": mask_phone,
    "applicant_phone": mask_phone,
}
"""The masks by the names of values in audit events."""
