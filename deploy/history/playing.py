"""Plays the months before today on an empty system: `make run DEMO=city`."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import requests

from deploy.history.bank import Bank
from deploy.history.city import City, set_up
from deploy.history.clock import NoLibrary, PastClock, environment_of_postgres
from deploy.history.quiet import outboxes
from deploy.history.script import tellings_of
from deploy.history.state import is_begun, note_begun, note_played
from deploy.history.telling import Teller, working_days
from deploy.local import nodes, postgres_home, stack
from deploy.local.addresses import private_nodes
from deploy.local.captcha_solver import use_secret_of
from deploy.local.client import ApiProblem
from deploy.local.environment import CLOCK_FILE
from deploy.local.postgres import data_folder
from deploy.local.stack import StackError

_SETTINGS = {
    "BANK_MODE": "manual",
    "PROOF_OF_WORK_BITS": "1",
    "RETENTION_MINUTES": "0.5",
    "SMS_GATHER_SECONDS": "0",
}


@dataclass(frozen=True)
class Extent:
    """How many months are played, and how many districts the city has beside those of every demo."""

    months: int = 6
    districts: int = 3


def play(folder: Path, say: stack.Say, extent: Extent = Extent()) -> None:
    """Plays the past, and leaves the system stopped, to be started in the present.

    It runs for minutes. Raises StackError if the system has data already, or if the past stops before its end.
    """
    _refuse_other_data(folder)
    began, days = time.monotonic(), working_days(extent.months)
    file = postgres_home.choose_home(folder) / "clock"
    try:
        of_postgres = environment_of_postgres(file)
    except NoLibrary as missing:
        raise StackError(f"PostgreSQL cannot go by another clock: {missing}") from missing
    clock = PastClock(file)
    note_begun(folder)
    try:
        with clock.travelling(days[0]):
            nodes.start_postgres(folder, environment=of_postgres)
            running = stack.start(folder, say=say, settings={**_SETTINGS, CLOCK_FILE: str(file)})
            _tell(running, clock, days, extent, say)
    except (ApiProblem, TimeoutError, LookupError, requests.RequestException) as error:
        logs = folder / "logs"
        raise StackError(f"The past stopped before its end: {error}. The logs are in {logs}; make reset.") from error
    except KeyboardInterrupt:
        say("the past: interrupted, and not whole: make reset")
        raise
    finally:
        stack.stop(folder)
        file.unlink(missing_ok=True)
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
    teller = Teller()
    city = City(running, Bank(running.simulator_urls["bank"]), days[0].date(), len(days) - 1, teller.begin)
    teller.add(tellings_of(city, set_up(city, extent.districts)))
    with outboxes(running.addresses.database_urls) as waiting:
        for number, day in enumerate(days[1:], start=1):
            if day.month != city.today.month:
                say(f"the past: {city.today:%Y-%m}: {_counts(city.done)}")
            waiting.wait_until_empty()
            clock.set_to(day)
            city.today, city.days_left = day.date(), len(days) - 1 - number
            teller.tell(number)
    say(f"the past: {city.today:%Y-%m}: {_counts(city.done)}")


def _counts(done: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {what}" for what, count in done.items())
