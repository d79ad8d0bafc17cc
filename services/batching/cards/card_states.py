"""The state of a card, computed from all reports about its numbers: their order and repetitions do not matter."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple


class Status(StrEnum):
    """The status of a card: 已制卡, 已领卡, 已激活, 已挂失, 已销卡."""

    MADE = "made"
    COLLECTED = "collected"
    ACTIVE = "active"
    LOST = "lost"
    CLOSED = "closed"


class CardStep(StrEnum):
    """What happened to the card of a number: 领卡, 激活, 挂失, 补卡, 换卡, 销卡."""

    COLLECTED = "collected"
    ACTIVATED = "activated"
    LOST = "lost"
    REPLACED = "replaced"
    RENEWED = "renewed"
    CLOSED = "closed"


FOLLOWED = (CardStep.REPLACED, CardStep.RENEWED)
"""The steps after which a card of another number may follow."""

_FURTHEST = (
    (CardStep.CLOSED, Status.CLOSED),
    (CardStep.LOST, Status.LOST),
    (CardStep.ACTIVATED, Status.ACTIVE),
    (CardStep.COLLECTED, Status.COLLECTED),
)
"""The status by the furthest step that a number has reached, the last one first."""


class Fact(NamedTuple):
    """One step of the card of a number; numbers are digests."""

    number: bytes
    step: CardStep
    at: datetime
    new_number: bytes | None = None


@dataclass(frozen=True)
class CardState:
    """The state of a card: its current number, and the times of that number's steps.

    `numbers` are all numbers that it has had, the current one last; `made_at` is when the current number began, None
    for the first number, of which the issue tells.
    """

    numbers: tuple[bytes, ...]
    status: Status
    made_at: datetime | None
    collected_at: datetime | None
    activated_at: datetime | None
    lost_at: datetime | None
    closed_at: datetime | None


def state_of(first: bytes, facts: Iterable[Fact]) -> CardState:
    """The state of a card whose first number is this; facts on numbers that are not known to follow are left out."""
    by_number = _by_number(facts)
    numbers, made_at = [first], None
    while followed := _successor(by_number.get(numbers[-1], {})):
        numbers.append(followed.new_number or b"")
        made_at = followed.at
    steps = by_number.get(numbers[-1], {})
    status = next((status for step, status in _FURTHEST if step in steps), Status.MADE)
    times = {step: fact.at for step, fact in steps.items()}
    return CardState(
        numbers=tuple(numbers),
        status=status,
        made_at=made_at,
        collected_at=times.get(CardStep.COLLECTED),
        activated_at=times.get(CardStep.ACTIVATED),
        lost_at=times.get(CardStep.LOST),
        closed_at=times.get(CardStep.CLOSED),
    )


def successor_of(number: bytes, facts: Iterable[Fact]) -> bytes | None:
    """The number that follows this one, if any."""
    followed = _successor(_by_number(facts).get(number, {}))
    return followed.new_number if followed else None


def leads_to(number: bytes, goal: bytes, facts: Iterable[Fact]) -> bool:
    """Whether `goal` is this number or one that follows it: then it cannot come before it too."""
    by_number = _by_number(facts)
    current: bytes | None = number
    while current is not None and current != goal:
        followed = _successor(by_number.get(current, {}))
        current = followed.new_number if followed else None
    return current == goal


def _by_number(facts: Iterable[Fact]) -> Mapping[bytes, dict[CardStep, Fact]]:
    by_number: defaultdict[bytes, dict[CardStep, Fact]] = defaultdict(dict)
    for fact in facts:
        by_number[fact.number].setdefault(fact.step, fact)
    return by_number


def _successor(steps: Mapping[CardStep, Fact]) -> Fact | None:
    return next((steps[step] for step in FOLLOWED if step in steps and steps[step].new_number), None)
