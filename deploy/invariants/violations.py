"""Violations of invariants, and the comparison of two services' data about the same things."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import RowMapping


@dataclass(frozen=True)
class Violation:
    """An invariant that does not hold, the offender, and the details; without personal data."""

    invariant: str
    offender: str
    detail: str
    sides: Mapping[str, RowMapping | None] = field(default_factory=dict, compare=False, repr=False)
    """What each of two sides knows, by the side's name; None if it knows nothing."""

    def __str__(self) -> str:
        return f"{self.invariant}:{self.offender}  {self.detail}"


@dataclass(frozen=True)
class Side:
    """The rows of one of two sides, ordered by their first column, which is unique."""

    name: str
    rows: Iterable[RowMapping]


def disagreements(invariant: str, one: Side, other: Side, unless: str | None = None) -> Iterator[Violation]:
    """Yields a violation for each row that one side lacks or that differs; reads both sides once, in parallel.

    Rows of `one` whose column `unless` is true are not compared; the other side need not have this column.
    """
    for key, left, right in paired(one.rows, other.rows):
        if left is not None and unless is not None and left[unless]:
            continue
        if left is None or right is None:
            knows, lacks = (one, other) if right is None else (other, one)
            detail = f"known to {knows.name}, not to {lacks.name}"
            yield Violation(invariant, str(key), detail, {one.name: left, other.name: right})
            continue
        differing = [
            f"{column} is {value} in {one.name}, {right[column]} in {other.name}"
            for column, value in left.items()
            if column != unless and value != right[column]
        ]
        if differing:
            yield Violation(invariant, str(key), "; ".join(differing), {one.name: left, other.name: right})


def paired(
    lefts: Iterable[RowMapping], rights: Iterable[RowMapping]
) -> Iterator[tuple[Any, RowMapping | None, RowMapping | None]]:
    """Yields key, left and right row of two streams, both ordered by their first column, the key."""
    left_rows, right_rows = iter(lefts), iter(rights)
    left, right = next(left_rows, None), next(right_rows, None)
    while left is not None or right is not None:
        left_key, right_key = _key(left), _key(right)
        key = right_key if left is None else left_key if right is None else min(left_key, right_key)
        yield key, left if left_key == key else None, right if right_key == key else None
        if left_key == key:
            left = next(left_rows, None)
        if right_key == key:
            right = next(right_rows, None)


def _key(row: RowMapping | None) -> Any:
    return None if row is None else next(iter(row.values()))
