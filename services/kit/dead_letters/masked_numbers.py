"""Masks all long numbers in texts that operators see, whatever they mean."""

import re

_LONG_NUMBER = re.compile(r"(?<![\w.])(?:[A-Z]{1,3}|\d{2})\d{5,}\w{2}(?!\.?\w)")
"""A long number, also at the end of a sentence; not a part of a path or of a word."""


def without_numbers(text: str) -> str:
    """The text with its long numbers masked; at most a third of each is shown."""
    return _LONG_NUMBER.sub(_hidden, text)


def _hidden(number: re.Match[str]) -> str:
    text = number.group()
    shown = 2 if len(text) >= 12 else 1
    return f"{text[:shown]}***{text[-shown:]}"
