"""Document numbers and addresses: their stored form."""

import unicodedata

from services.kit.text import clean_compatible


def clean_address(text: str) -> str:
    """Cleans an address to half width (NFKC), so that `123弄` finds `１２３弄`."""
    return clean_compatible(text)


def clean_document_number(text: str) -> str:
    """Cleans a document number: NFKC, upper case, without spaces and the apostrophe that marks text in a sheet."""
    number = "".join(clean_compatible(text).split()).lstrip("'’‘`")
    # Upper case can create characters (from ŉ) that NFKC decomposes again.
    return unicodedata.normalize("NFKC", number.upper())
