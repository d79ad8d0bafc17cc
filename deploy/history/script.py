"""The stories of the city: which are told, and when each begins."""

from collections.abc import Callable, Iterator, Mapping
from random import Random

from deploy.history import others, unions
from deploy.history.city import City, Grassroots
from deploy.history.telling import Story, Telling

_LONGEST_ROUND = 8
"""Working days that a union's round of cards takes at most, until the batches are at the bank."""
_SCENES: Mapping[str, tuple[Callable[[City, Grassroots, Random], Story], int]] = {
    "jianlang": (unions.silent_bank, 16),
    "guohua": (unions.undecided_revocation, 12),
    "gubei": (unions.unmended_failures, 6),
    "guoding": (unions.half_answered_batch, 9),
}
"""By the clerk's account: how a union's last weeks go, and how many working days before the present they begin."""
_SPREAD = 10
"""The first rounds of the unions begin within so many days."""


def tellings_of(city: City, found: list[Grassroots]) -> Iterator[Telling]:
    """All stories; those of the last days leave work of every kind under way."""
    for number, union in enumerate(found):
        yield from _of_union(city, union, 1 + (3 * number) % _SPREAD)
    yield Telling(others.announcements(city), 1, "city")
    yield Telling(others.deputies(city), 1, "wujiaochang")
    yield Telling(others.members_on_the_phone(city, Random("phone")), 1, "phone")
    yield Telling(others.transfers(city, Random("transfers")), 1, "yangpu")
    yield Telling(others.waiting_transfer(city, Random("waiting transfer")), _day(city, 3), "yangpu")
    yield Telling(others.unreadable_message(city), _day(city, 1), "city")


def _of_union(city: City, union: Grassroots, first_day: int) -> Iterator[Telling]:
    scene = _SCENES.get(union.clerk)
    until_left = scene[1] + _LONGEST_ROUND if scene else 0
    yield Telling(unions.rounds_of_cards(city, union, Random(union.clerk), until_left), first_day, union.reviewer)
    if scene:
        story, days_left = scene
        dice = Random(f"the last weeks of {union.clerk}")
        yield Telling(story(city, union, dice), _day(city, days_left), union.reviewer)


def _day(city: City, days_left: int) -> int:
    """The number of the day that has so many working days after it."""
    return max(1, city.days_left - days_left)
