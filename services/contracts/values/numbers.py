"""Numbers of documents, and addresses: the one form in which they are kept."""

import unicodedata

from services.kit.text import clean_compatible


def clean_address(text: str) -> str:
    """An address in half width (NFKC), so that `123弄` finds `１２３弄`."""
    return clean_compatible(text)


def clean_document_number(text: str) -> str:
    """A document's number: NFKC, upper case, without spaces and the apostrophe that marks text in a sheet."""
    number = "".join(clean_compatible(text).split()).lstrip("'’‘`")
    # Upper case can make characters (ŉ) that NFKC takes apart again.
    return unicodedata.normalize("NFKC", number.upper())
