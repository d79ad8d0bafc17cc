"""Value types: how a name, a number, a phone, an address or a text is cleaned, and when it is refused.

The API, imports, events and searches use the same ones, so that what one of them accepts the others accept too. Each
`clean_*` answers the form that is kept, the same one when it is given its own answer, or raises InvalidValue.
"""

from services.contracts.values.dates import LONG_TERM, clean_day, clean_month, today
from services.contracts.values.names import LONGEST_NAME, clean_name
from services.contracts.values.nationalities import clean_nationality, nationality_title
from services.contracts.values.numbers import clean_address, clean_document_number
from services.contracts.values.phones import clean_mobile, clean_phone, is_mobile
from services.kit.text import InvalidValue, clean_lines, clean_text

__all__ = [
    "LONGEST_NAME",
    "LONG_TERM",
    "InvalidValue",
    "clean_address",
    "clean_day",
    "clean_document_number",
    "clean_lines",
    "clean_mobile",
    "clean_month",
    "clean_name",
    "clean_nationality",
    "clean_phone",
    "clean_text",
    "is_mobile",
    "nationality_title",
    "today",
]
