"""Document numbers and addresses: their stored form."""

import re
import unicodedata

from services.kit.text import clean_compatible


def clean_address(text: str) -> str:
    """Cleans an address to half width (NFKC), so that `123弄` finds `１２３弄`."""
    return clean_compatible(text)


def clean_document_number(text: str) -> str:
    """Cleans a document number: NFKC, upper case, without spaces and the apostrophe that marks text in a sheet.

    What looks like the X that can end 18 characters is one: a sign of multiplication, or a letter of another script.
    """
    if _CLEAN.fullmatch(text):
        return text
    number = "".join(clean_compatible(text).split()).lstrip("'’‘`")
    # Upper case can create characters (from ŉ) that NFKC decomposes again.
    return _LIKE_X.sub("X", unicodedata.normalize("NFKC", number.upper()))


_CLEAN = re.compile("[0-9A-Z]*")
_LIKE_X = re.compile("(?<=[0-9]{17})[\u00d7\u2715\u2716\u0425\u03a7]\\Z")
