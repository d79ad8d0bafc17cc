"""Numbers in SQL that are found by their beginning, or by their end as people say it aloud."""

from typing import Any

from sqlalchemy import ColumnElement, func


def begins_or_ends_with(number: Any, part: str, beginning: str) -> ColumnElement[bool]:
    """Whether a number begins with a part that begins as all numbers do (`beginning`), or else ends with it.

    An end is found by an index on the reversed number with `text_pattern_ops`.
    """
    if part.startswith(beginning) or beginning.startswith(part):
        searched, first = number, part
    else:
        searched, first = func.reverse(number), part[::-1]
    found: ColumnElement[bool] = searched.startswith(first, autoescape=True)
    return found
