"""The past of a demo: its clock, which other programs go by, and the conditions for playing it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
import time_machine

from deploy.history import playing
from deploy.history.clock import PastClock
from deploy.history.state import is_begun, is_played, note_begun, note_played
from deploy.history.telling import Teller, Telling, working_days
from deploy.local import stack
from deploy.local.environment import ROOT
from deploy.local.stack import StackError
from services.contracts.values import SHANGHAI

MIDSUMMER = datetime(2026, 6, 24, 2, tzinfo=UTC)
ASKS_FOR_THE_TIME = """
import json, sys, time
from datetime import UTC, datetime
from uuid_utils import uuid7
from uuid_utils.compat import uuid7 as of_python
for line in sys.stdin:
    print(json.dumps([datetime.now(UTC).isoformat(), time.monotonic(), str(uuid7()), str(of_python())]), flush=True)
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "clock"


@pytest.fixture
def clock(file: Path) -> Iterator[PastClock]:
    clock = PastClock(file)
    with clock.travelling(MIDSUMMER):
        yield clock


@pytest.fixture
def program(tmp_path: Path, file: Path, clock: PastClock) -> Iterator["subprocess.Popen[str]"]:
    """A program by the clock of the file that answers each line with the time."""
    assert clock
    (tmp_path / "asks_for_the_time.py").write_text(ASKS_FOR_THE_TIME)
    environment = {**os.environ, "CLOCK_FILE": str(file), "ENVIRONMENT": "demo", "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-W", "ignore", "-m", "deploy.history.process", "asks_for_the_time"]
    running = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with running:
        yield running
        running.terminate()


def asked(program: "subprocess.Popen[str]") -> tuple[datetime, float, list[UUID]]:
    assert program.stdin is not None
    assert program.stdout is not None
    program.stdin.write("\n")
    program.stdin.flush()
    now, monotonic, *identifiers = json.loads(program.stdout.readline())
    return datetime.fromisoformat(now), monotonic, [UUID(one) for one in identifiers]


def time_of(identifier: UUID) -> datetime:
    return datetime.fromtimestamp((identifier.int >> 80) / 1000, UTC)


def test_a_program_goes_by_the_clock_and_follows_when_it_is_set(
    program: "subprocess.Popen[str]", clock: PastClock
) -> None:
    before, monotonic, _ = asked(program)
    clock.set_to(MIDSUMMER + timedelta(days=30))
    after, later_monotonic, _ = asked(program)

    assert abs(before - MIDSUMMER) < timedelta(minutes=1)
    assert abs(after - MIDSUMMER - timedelta(days=30)) < timedelta(minutes=1)
    assert later_monotonic - monotonic < 60


def test_identifiers_hold_the_time_by_the_clock_and_follow_one_another(program: "subprocess.Popen[str]") -> None:
    now, _, first = asked(program)
    _, _, second = asked(program)

    for identifier in first:
        assert identifier.version == 7
        assert identifier.variant == "specified in RFC 4122"
        assert abs(time_of(identifier) - now) < timedelta(seconds=5)
    assert first < second


def test_this_process_goes_by_the_clock_until_the_past_ends(clock: PastClock) -> None:
    clock.set_to(MIDSUMMER + timedelta(days=1))

    assert datetime.now(UTC).date() == (MIDSUMMER + timedelta(days=1)).date()


def test_a_moment_that_has_not_come_is_the_present(file: Path) -> None:
    with PastClock(file).travelling(datetime.now(UTC) + timedelta(days=9)):
        assert float(file.read_text()) == 0


@pytest.mark.parametrize("environment", ["production", ""])
def test_production_has_no_past(environment: str, file: Path) -> None:
    file.write_text("-1\n")
    command = [sys.executable, "-W", "ignore", "-m", "deploy.history.process", "calendar"]
    surroundings = {**os.environ, "CLOCK_FILE": str(file), "ENVIRONMENT": environment}

    done = subprocess.run(command, cwd=ROOT, env=surroundings, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "ENVIRONMENT=demo" in done.stderr


def test_the_past_ends_now_and_has_only_days_on_which_offices_are_open() -> None:
    with time_machine.travel(datetime(2026, 10, 12, 11, tzinfo=SHANGHAI), tick=False):
        days = working_days(months=1)

        assert days[-1] == datetime.now(SHANGHAI)
    open_days = [f"{day:%m-%d}" for day in days]
    assert open_days[0] == "09-14"  # a month before was a Saturday
    assert "10-01" not in open_days  # the National Day
    assert "10-10" in open_days  # a Saturday that is worked


def test_stories_of_a_group_take_turns_and_a_finished_one_never_goes_on() -> None:
    told = []

    def story(name: str) -> Iterator[int]:
        told.append(name)
        yield 2
        told.append(f"{name} again")

    teller = Teller([Telling(story("a"), 0, "x"), Telling(story("b"), 0, "x"), Telling(story("c"), 1, "y")])
    for day in range(6):
        teller.tell(day)

    assert told == ["a", "b", "c", "a again", "b again", "c again"]


def test_a_story_may_begin_another_one_which_begins_on_the_next_day() -> None:
    told = []
    teller = Teller()

    def later(day: int) -> Iterator[int]:
        told.append(day)
        yield 1
        teller.begin(later(day + 2), "x")

    teller.begin(later(0), "x")
    for day in range(3):
        teller.tell(day)
        told.append(-day)

    assert told == [0, 0, -1, 2, -2]


def test_an_error_in_a_story_ends_the_day() -> None:
    def fails() -> Iterator[int]:
        raise LookupError
        yield 1

    with pytest.raises(LookupError):
        Teller([Telling(fails(), 0, "x")]).tell(0)


def test_a_system_with_data_is_left_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playing, "data_folder", lambda _folder: tmp_path)
    (tmp_path / "PG_VERSION").write_text("15")

    with pytest.raises(StackError, match="make reset"):
        playing.play(tmp_path, print)


def test_a_past_that_was_interrupted_is_not_taken_for_a_whole_one(tmp_path: Path) -> None:
    note_begun(tmp_path)

    assert not is_played(tmp_path)
    with pytest.raises(StackError, match="interrupted"):
        playing.play(tmp_path, print)


def test_half_a_past_is_neither_started_nor_found_nor_changed(tmp_path: Path) -> None:
    note_begun(tmp_path)

    for command in (stack.start, stack.find, stack.rotate, stack.restart_one_by_one):
        with pytest.raises(StackError, match="make reset"):
            command(tmp_path)


def test_an_error_of_a_story_stops_the_system_and_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped: list[Path] = []
    monkeypatch.setattr(playing, "data_folder", lambda folder: folder / "no data")
    monkeypatch.setattr(playing.postgres_home, "choose_home", lambda folder: folder)
    monkeypatch.setattr(playing, "environment_of_postgres", lambda _file: {})
    monkeypatch.setattr(playing.nodes, "start_postgres", lambda _folder, environment: None)
    monkeypatch.setattr(playing.stack, "start", lambda *_, **__: None)
    monkeypatch.setattr(playing.stack, "stop", stopped.append)

    def fails(*_: object) -> None:
        raise TimeoutError("Within 60 s it did not happen that all are listed.")

    monkeypatch.setattr(playing, "_tell", fails)
    with pytest.raises(StackError, match=r"all are listed.*make reset"):
        playing.play(tmp_path, print)

    assert stopped == [tmp_path]
    assert not is_played(tmp_path)
    assert not (tmp_path / "clock").exists()


def test_without_the_library_nothing_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playing, "data_folder", lambda folder: folder / "no data")
    monkeypatch.setattr(playing.postgres_home, "choose_home", lambda folder: folder)
    monkeypatch.setattr("deploy.history.clock._LIBRARIES", tmp_path)

    with pytest.raises(StackError, match="libfaketime"):
        playing.play(tmp_path, print)

    assert not is_begun(tmp_path)


def test_a_database_elsewhere_has_no_clock_to_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for service in ("MEMBERSHIP", "VALIDATION", "BATCHING", "REVOCATION", "NOTIFICATION"):
        monkeypatch.setenv(f"DATABASE_URL_{service}", "postgresql://server/cards")

    with pytest.raises(StackError, match="nodes of its own"):
        playing.play(tmp_path, print)


def test_the_system_remembers_that_its_past_was_played(tmp_path: Path) -> None:
    note_begun(tmp_path)
    note_played(tmp_path)

    assert is_played(tmp_path)
