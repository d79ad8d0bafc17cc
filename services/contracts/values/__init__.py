"""Value types: how a name, a number, a phone, an address or a text is cleaned, and when it is refused.

The API, imports, events and searches share them, so that all accept the same values. Each `clean_*` returns the stored
form, is idempotent, and raises InvalidValue.
"""

from services.contracts.values.dates import (
    LONG_TERM,
    SHANGHAI,
    clean_day,
    clean_expiry,
    clean_month,
    end_of,
    start_of,
    to_the_minute,
    today,
)
from services.contracts.values.names import LONGEST_NAME, clean_name
from services.contracts.values.nationalities import clean_nationality, nationality_title
from services.contracts.values.numbers import clean_address, clean_document_number
from services.contracts.values.phones import clean_mobile, clean_phone, is_mobile
from services.kit.text import InvalidValue, clean_lines, clean_text

__all__ = [
    "LONGEST_NAME",
    "LONG_TERM",
    "SHANGHAI",
    "InvalidValue",
    "clean_address",
    "clean_day",
    "clean_document_number",
    "clean_expiry",
    "clean_lines",
    "clean_mobile",
    "clean_month",
    "clean_name",
    "clean_nationality",
    "clean_phone",
    "clean_text",
    "end_of",
    "is_mobile",
    "nationality_title",
    "start_of",
    "to_the_minute",
    "today",
]
