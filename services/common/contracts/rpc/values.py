"""Fields that several requests hold, with what is told where they are wrong."""

from typing import Any

from marshmallow import fields, validate

MOBILE = r"^1[3-9]\d{9}$"
_PHONE = r"^(1[3-9]\d{9}|(0\d{2,3}-?)?\d{7,8}(-\d{1,6})?)$"


def text(longest: int, shortest: int = 1, **kwargs: Any) -> fields.String:
    """Some characters, within bounds."""
    length = validate.Length(shortest, longest, error=f"请填写 {shortest} 至 {longest} 个字")
    return fields.String(validate=length, **kwargs)


def mobile(**kwargs: Any) -> fields.String:
    """A mobile number of China's mainland."""
    return fields.String(validate=validate.Regexp(MOBILE, error="请填写 11 位手机号"), **kwargs)


def phone(**kwargs: Any) -> fields.String:
    """A mobile or fixed-line number, with or without area code and extension."""
    return fields.String(validate=validate.Regexp(_PHONE, error="请填写正确的手机号或固定电话"), **kwargs)
