"""Fields that several contracts use: the value types clean them, with Chinese messages for invalid values."""

from typing import Annotated, Any

from marshmallow import fields

from services.contracts import values
from services.contracts.rules.findings import errors_of
from services.contracts.rules.names import check_name
from services.contracts.values import InvalidValue
from services.kit.fields import Cleaned, FullMatch, length

_MOBILE = "^1[3-9][0-9]{9}$"
_PHONE = "^(1[3-9][0-9]{9}|(0[0-9]{2,3}-?)?[0-9]{7,8}(-[0-9]{1,6})?)$"


def address(longest: int = 200, shortest: int = 1, **kwargs: Any) -> fields.String:
    """A field for an address, or a part of one to search by."""
    return Cleaned(values.clean_address, validate=length(longest, shortest), **kwargs)


def name(**kwargs: Any) -> fields.String:
    """A field for a person's name; characters that no name can have are refused."""
    return Cleaned(_usable_name, validate=length(values.LONGEST_NAME), **kwargs)


def name_part(**kwargs: Any) -> fields.String:
    """A field for the beginning of a name, to search by."""
    return Cleaned(values.clean_name, validate=length(values.LONGEST_NAME), **kwargs)


def document_number(**kwargs: Any) -> fields.String:
    """A field for a document's number; whether it fits the document's type is checked elsewhere."""
    return Cleaned(values.clean_document_number, validate=length(40), **kwargs)


def document_end(**kwargs: Any) -> fields.String:
    """A field for the last four characters of a document's number, to search by."""
    form = FullMatch("^[0-9A-Z]{4}$", error="请填写证件号码的后四位")
    return Cleaned(values.clean_document_number, "^[0-9A-Z]{4}$", validate=form, **kwargs)


def nationality(**kwargs: Any) -> fields.String:
    """A field for a nationality, by its three letters or its Chinese name."""
    return Cleaned(values.clean_nationality, "^[A-Z]{3}$", **kwargs)


def mobile(**kwargs: Any) -> fields.String:
    """A field for a mobile number of China's mainland."""
    return Cleaned(values.clean_mobile, _MOBILE, **kwargs)


def phone(**kwargs: Any) -> fields.String:
    """A field for a mobile or fixed-line number, with or without area code and extension."""
    return Cleaned(values.clean_phone, _PHONE, **kwargs)


def _usable_name(text: str) -> str:
    cleaned = values.clean_name(text)
    if cleaned and (error := next(errors_of(check_name(cleaned)), None)):
        raise InvalidValue(error.code, error.message)
    return cleaned


PersonName = Annotated[str, name()]
NamePart = Annotated[str, name_part()]
DocumentNumber = Annotated[str, document_number()]
DocumentEnd = Annotated[str, document_end()]
Nationality = Annotated[str, nationality()]
Mobile = Annotated[str, mobile()]
Phone = Annotated[str, phone()]
Address = Annotated[str, address()]
AddressPart = Annotated[str, address(100, shortest=2)]
"""A part of an address, to search by."""
