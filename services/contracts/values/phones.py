"""Telephone numbers: their stored form."""

import re

from services.kit.text import InvalidValue, clean_compatible


def clean_mobile(text: str) -> str:
    """Cleans a mobile number of China's mainland to 11 digits."""
    digits = _COUNTRY.sub("", _dialled(text)).replace("-", "")
    if not _MOBILE.fullmatch(digits):
        raise InvalidValue("phone_form", "请填写 11 位手机号")
    return digits


def is_mobile(phone: str) -> bool:
    """Whether a cleaned number is a mobile number; only these get SMS."""
    return _MOBILE.fullmatch(phone) is not None


def clean_phone(text: str) -> str:
    """Cleans a mobile number to 11 digits, a fixed line to `021-12345678-123`, with area code and extension if any."""
    dialled = _dialled(text)
    local = _COUNTRY.sub("", dialled)
    if _MOBILE.fullmatch(local.replace("-", "")):
        return local.replace("-", "")
    if local != dialled and not local.startswith("0"):
        local = f"0{local.removeprefix('-')}"
    if not _FIXED_LINE.fullmatch(local):
        raise InvalidValue("phone_form", "请填写正确的手机号或固定电话")
    return local


_MOBILE = re.compile("1[3-9][0-9]{9}")
_FIXED_LINE = re.compile("(0[0-9]{2,3}-?)?[0-9]{7,8}(-[0-9]{1,6})?")
_COUNTRY = re.compile(r"\A(?:\+|00)86-?|\A86-?(?=1[3-9][0-9-]{9,}\Z)")
_EXTENSION = re.compile("-*(?:转|分机号?|ext|[#*])-*", re.IGNORECASE)
_DECIMAL = re.compile(r"(?<=[0-9]{11})[.]0\Z")
"""What programs append that keep numbers with decimals."""
_DASHES = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u30fc\u4e00"), "-")


def _dialled(text: str) -> str:
    """Keeps digits, dashes and a leading plus, without spaces, dots and brackets; an extension follows a dash."""
    written = _DECIMAL.sub("", clean_compatible(text).translate(_DASHES))
    return _EXTENSION.sub("-", re.sub("[ .()'’‘`]", "", written)).strip("-")
