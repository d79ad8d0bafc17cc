"""Plays the months before today on an empty system: `make run DEMO=city`."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from random import Random

from deploy.history import others, unions
from deploy.history.bank import Bank
from deploy.history.city import City, Grassroots, set_up
from deploy.history.clock import NoLibrary, PastClock, environment_of_postgres
from deploy.history.state import is_begun, note_begun, note_played
from deploy.history.telling import Story, Teller, Telling, working_days
from deploy.local import nodes, postgres_home, stack
from deploy.local.addresses import private_nodes
from deploy.local.captcha_solver import use_secret_of
from deploy.local.environment import CLOCK_FILE
from deploy.local.postgres import data_folder
from deploy.local.stack import StackError

_LONGEST_ROUND = 8
_SCENES: Mapping[str, tuple[Callable[[City, Grassroots, Random], Story], int]] = {
    "jianlang": (unions.silent_bank, 16),
    "guohua": (unions.undecided_revocation, 12),
    "gubei": (unions.unmended_failures, 6),
    "guoding": (unions.half_answered_batch, 9),
}
"""By the clerk's account: how a union's last weeks go, and how many working days before the present they begin."""
_SETTINGS = {"BANK_MODE": "manual", "PROOF_OF_WORK_BITS": "1", "RETENTION_MINUTES": "0.5"}


@dataclass(frozen=True)
class Extent:
    """How many months are played, and how many districts the city has beside those of every demo."""

    months: int = 6
    districts: int = 3


def play(folder: Path, say: stack.Say, extent: Extent = Extent()) -> None:
    """Plays the past, and leaves the system stopped, to be started in the present.

    It runs for minutes. Raises StackError if the system has data already, or if a former run was interrupted.
    """
    _refuse_other_data(folder)
    note_begun(folder)
    began = time.monotonic()
    file = postgres_home.choose_home(folder) / "clock"
    clock, days = PastClock(file), working_days(extent.months)
    with clock.travelling(days[0]):
        try:
            nodes.start_postgres(folder, environment=environment_of_postgres(file))
        except NoLibrary as missing:
            raise StackError(f"PostgreSQL cannot go by another clock: {missing}") from missing
        running = stack.start(folder, say=say, settings={**_SETTINGS, CLOCK_FILE: str(file)})
        try:
            _tell(running, clock, days, extent, say)
        finally:
            stack.stop(folder)
    file.unlink()
    note_played(folder)
    say(f"the past: played in {time.monotonic() - began:.0f} s")


def _refuse_other_data(folder: Path) -> None:
    if "postgres" not in private_nodes() or "rabbitmq" not in private_nodes():
        raise StackError("DEMO=city sets the clock of PostgreSQL: it needs nodes of its own, without DATABASE_URL_….")
    if is_begun(folder):
        raise StackError("DEMO=city was interrupted, and its past is not whole: make reset, then again.")
    if (data_folder(folder) / "PG_VERSION").exists():
        raise StackError("DEMO=city fills an empty system, and this one has data: make reset deletes them.")


def _tell(running: stack.Stack, clock: PastClock, days: list[datetime], extent: Extent, say: stack.Say) -> None:
    use_secret_of(running.folder)
    city = City(running, Bank(running.simulator_urls["bank"]), days[0].date(), len(days))
    found = set_up(city, extent.districts)
    teller = Teller([*_rounds(city, found), *_scenes(city, found), *_other_stories(city)])
    city.begin = teller.begin
    for number, day in enumerate(days):
        if day.month != city.today.month:
            say(f"the past: {city.today:%Y-%m}: {_counts(city.done)}")
        clock.set_to(day)
        city.today, city.days_left = day.date(), len(days) - 1 - number
        teller.tell(number)
    say(f"the past: {city.today:%Y-%m}: {_counts(city.done)}")


def _rounds(city: City, found: list[Grassroots]) -> Iterator[Telling]:
    """The rounds of cards of all unions; those that have a scene end before it."""
    for number, union in enumerate(found):
        until_left = _SCENES[union.clerk][1] + _LONGEST_ROUND if union.clerk in _SCENES else 0
        story = unions.rounds_of_cards(city, union, Random(union.clerk), until_left)
        yield Telling(story, 1 + 3 * number % 10, union.reviewer)


def _scenes(city: City, found: list[Grassroots]) -> Iterator[Telling]:
    """Stories of the last weeks, which leave work of every kind under way."""
    for union in found:
        if scene := _SCENES.get(union.clerk):
            story, days_left = scene
            dice = Random(f"the last weeks of {union.clerk}")
            yield Telling(story(city, union, dice), max(0, city.days_left - 1 - days_left), union.reviewer)


def _other_stories(city: City) -> Iterator[Telling]:
    yield Telling(others.announcements(city), 0, "city")
    yield Telling(others.deputies(city), 0, "wujiaochang")
    yield Telling(others.members_on_the_phone(city, Random("phone")), 0, "phone")
    yield Telling(others.transfers(city, Random("transfers")), 0, "yangpu")
    yield Telling(others.unreadable_message(city), max(0, city.days_left - 2), "city")


def _counts(done: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {what}" for what, count in done.items())
