"""Marshmallow fields of texts: cleaned before their validators see them, with the reason where they are wrong."""

from collections.abc import Callable, Mapping
from typing import Any

from marshmallow import ValidationError, fields, validate

from services.kit.problems import CodedReason
from services.kit.text import InvalidValue, clean_lines, clean_text


class Cleaned(fields.String):
    """A text that is cleaned before its validators see it: length is counted, and forms are held, after cleaning.

    `pattern` is for the API's document: how the cleaned value looks.
    """

    def __init__(self, clean: Callable[[str], str], pattern: str | None = None, **kwargs: Any) -> None:
        documented = {"pattern": pattern} if pattern else {}
        super().__init__(**kwargs | {"metadata": documented | kwargs.get("metadata", {})})
        self._clean = clean

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        try:
            return self._clean(super()._deserialize(value, attr, data, **kwargs))
        except InvalidValue as invalid:
            raise ValidationError(CodedReason(invalid.reason, invalid.code)) from invalid


class Whole(validate.Regexp):
    """Holds the whole text to a pattern: `$` alone would let a line end pass."""

    def __call__(self, value: Any) -> Any:
        """The value; raises ValidationError."""
        if self.regex.fullmatch(value) is None:
            raise ValidationError(self._format_error(value))
        return value


def text(longest: int, shortest: int = 1, **kwargs: Any) -> fields.String:
    """Some characters of one line, within bounds."""
    return Cleaned(clean_text, validate=length(longest, shortest), **kwargs)


def lines(longest: int, shortest: int = 1, **kwargs: Any) -> fields.String:
    """Some characters of one or more lines, within bounds."""
    return Cleaned(clean_lines, validate=length(longest, shortest), **kwargs)


def length(longest: int, shortest: int = 1) -> validate.Length:
    """Holds a text to so many characters."""
    return validate.Length(shortest, longest, error=f"请填写 {shortest} 至 {longest} 个字")
