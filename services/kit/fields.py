"""Marshmallow fields for texts that are cleaned before they are validated."""

from collections.abc import Callable, Mapping
from typing import Any

from marshmallow import ValidationError, fields, validate

from services.kit.problems import CodedReason
from services.kit.text import InvalidValue, clean_lines, clean_text


class Cleaned(fields.String):
    """A text that is cleaned first; its validators, such as length and pattern, see the cleaned value.

    `pattern` is the form of the cleaned value, for the API's document. A text many times longer than its cleaned value
    may be is refused as it is: to clean a megabyte takes seconds, in which nobody else is served.
    """

    def __init__(self, clean: Callable[[str], str], pattern: str | None = None, **kwargs: Any) -> None:
        documented = {"pattern": pattern} if pattern else {}
        super().__init__(**kwargs | {"metadata": documented | kwargs.get("metadata", {})})
        self._clean = clean

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if len(text) > _longest_uncleaned(self):
            raise ValidationError(CodedReason("内容过长，请精简后重新填写", "too_long"))
        try:
            return self._clean(text)
        except InvalidValue as invalid:
            raise ValidationError(CodedReason(invalid.reason, invalid.code)) from invalid


class FullMatch(validate.Regexp):
    """Validates that the whole text matches a pattern; `$` alone would accept a trailing line end."""

    def __call__(self, value: Any) -> Any:
        """The value; raises ValidationError."""
        if self.regex.fullmatch(value) is None:
            raise ValidationError(self._format_error(value))
        return value


def text(longest: int, shortest: int = 1, **kwargs: Any) -> fields.String:
    """A field for one line of text with a length within bounds."""
    return Cleaned(clean_text, validate=length(longest, shortest), **kwargs)


def lines(longest: int, shortest: int = 1, **kwargs: Any) -> fields.String:
    """A field for one or more lines of text with a length within bounds."""
    return Cleaned(clean_lines, validate=length(longest, shortest), **kwargs)


def length(longest: int, shortest: int = 1) -> validate.Length:
    """Validates the number of characters of a text."""
    return validate.Length(shortest, longest, error=f"请填写 {shortest} 至 {longest} 个字")


_LONGEST_WITHOUT_LIMIT = 100
_TIMES_LONGER = 20


def _longest_uncleaned(field: fields.Field[Any]) -> int:
    """The most characters of a text before it is cleaned; those that nobody sees count among them."""
    limits = [one.max for one in field.validators if isinstance(one, validate.Length) and one.max]
    return _TIMES_LONGER * min(limits, default=_LONGEST_WITHOUT_LIMIT)
