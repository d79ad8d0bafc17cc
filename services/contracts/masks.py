"""Numbers and other personal data as they are shown: masked."""

import re

DOCUMENT_ENDS = (5, 2)
"""How many characters of an 18-digit document number are shown at its beginning and its end (choice: as the manual)."""
_CITIZEN_LENGTH = 18


def mask_document(number: str) -> str:
    """A document number: of 18 characters the first five and the last two, of any other at most a third of them."""
    if len(number) == _CITIZEN_LENGTH:
        return _mask(number, *DOCUMENT_ENDS)
    shown = len(number) // 3
    last = min(DOCUMENT_ENDS[1], shown // 2)
    return _mask(number, min(DOCUMENT_ENDS[0], shown - last), last)


def mask_card(number: str) -> str:
    """A card number: the first six and the last four digits."""
    return _mask(number, 6, 4)


def mask_phone(number: str) -> str:
    """A telephone number: the first three and the last four digits."""
    return _mask(number, 3, 4)


def mask_account_name(name: str) -> str:
    """The name of an account: its first and last character."""
    return _mask(name, 1, 1)


def mask_document_end(end: str) -> str:
    """The end of a document number that somebody searched by, of which nothing is shown: of some a mask shows less."""
    return "*" * len(end)


def mask_birth_date(_: str) -> str:
    """A birth date, of which nothing is shown: with what the mask of the number leaves, it would tell the number."""
    return "****-**-**"


def mask_sex(_: str) -> str:
    """A sex, of which nothing is shown."""
    return "*"


def mask_numbers(text: str) -> str:
    """A text with the numbers of documents, cards and telephones masked that somebody wrote into it."""
    for pattern, mask in _NUMBERS:
        text = pattern.sub(lambda found, mask=mask: mask(found.group()), text)  # type: ignore[misc]
    return text


def _mask(text: str, first: int, last: int) -> str:
    """Hides the middle; of a short text, where the middle would be less than half, all but the ends is hidden."""
    if len(text) < first + last + 4:
        first, last = min(first, 1), min(last, 1)
    hidden = max(len(text) - first - last, 0)
    return text[:first] + "*" * hidden + text[first + hidden :] if hidden else "*" * len(text)


_NUMBERS = (
    (re.compile(r"(?<![0-9A-Za-z])(?:\d{17}[\dXx]|[A-Z]{3}\d{12})(?![0-9A-Za-z])"), mask_document),
    (re.compile(r"(?<![0-9A-Za-z])(?:[HM]\d{8}(?:\d{2})?|E[A-Z0-9]\d{7})(?![0-9A-Za-z])"), mask_document),
    (re.compile(r"(?<![0-9A-Za-z])(?:\d{16}|\d{19})(?![0-9A-Za-z])"), mask_card),
    (re.compile(r"(?<![0-9A-Za-z])1[3-9]\d{9}(?![0-9A-Za-z])"), mask_phone),
)

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
"""By the names of values in audit events."""
