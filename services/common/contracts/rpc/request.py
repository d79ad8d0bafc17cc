"""What every request schema shares: unknown fields are refused, and what is wrong is said in Chinese."""

from typing import Any

from marshmallow import Schema, fields, validate

_REASONS = {
    "required": "此项必填",
    "null": "此项必填",
    "invalid": "格式不正确",
    "invalid_uuid": "编号格式不正确",
    "invalid_utf8": "格式不正确",
    "format": "格式不正确",
    "type": "格式不正确",
    "too_large": "数值过大",
}


class Request(Schema):
    """Base of request schemas. List requests inherit from this and then from PageRequest."""

    error_messages = {"unknown": "没有此项", "type": "格式不正确"}  # noqa: RUF012 - marshmallow merges it by class

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Gives each field, and what a list holds, its reasons in Chinese."""
        field_obj.error_messages = {**field_obj.error_messages, **_REASONS}
        if isinstance(field_obj, fields.List):
            self.on_bind_field(field_name, field_obj.inner)


def one_of(*values: str, **kwargs: Any) -> fields.String:
    """A string field that takes only the given values."""
    return fields.String(validate=validate.OneOf(values, error="请从所列各项中选择"), **kwargs)


def text(longest: int, **kwargs: Any) -> fields.String:
    """A string field of 1 to `longest` characters."""
    return fields.String(validate=validate.Length(1, longest, error=f"请填写 1 至 {longest} 个字"), **kwargs)
