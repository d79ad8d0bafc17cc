"""Strict reading of JSON from outside: ambiguous documents, and values that no database can hold, are refused."""

import json
from math import isfinite
from typing import Any


def read_json(body: bytes) -> Any:
    """The document in a body of UTF-8. Raises ValueError, without values, for anything but JSON.

    Also refused are duplicate names in one object, NaN, Infinity and numbers too large for a double (`1e999`), NUL and
    lone surrogates in texts, and documents that are nested too deep to be read.
    """
    try:
        document = _DECODER.decode(body.decode().removeprefix(_BYTE_ORDER_MARK))
        if b"\\" in body or b"\0" in body:
            _refuse_invalid_texts(document)
    except RecursionError:
        raise ValueError("The document is nested too deep.") from None
    return document


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    named = dict(pairs)
    if len(named) < len(pairs):
        raise ValueError("A name is given twice in one object.")
    return named


def _refuse(_constant: str) -> None:
    raise ValueError("JSON has no such number.")


def _finite(written: str) -> float:
    number = float(written)
    if not isfinite(number):
        raise ValueError("A number is too large.")
    return number


def _refuse_invalid_texts(document: Any) -> None:
    """Refuses lone surrogates, which escapes allow but UTF-8 does not, and NUL, which PostgreSQL texts cannot hold."""
    left = [document]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            left += [*value, *value.values()]
        elif isinstance(value, list):
            left += value
        elif isinstance(value, str) and ("\0" in value or not _is_text(value)):
            raise ValueError("A text holds NUL or half a character.")


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


_BYTE_ORDER_MARK = "\ufeff"
_DECODER = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_refuse, parse_float=_finite)
