"""The fork server starts programs that share nothing but the memory of what was imported."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

import services.kit.amqp
from deploy.local.fork_server import PASSED_ON, Forked, ForkServer
from tests.integration.messaging.world import eventually

PROGRAM = "tests.integration.prints_ids"
CODE = Path(services.kit.amqp.__file__)


@pytest.fixture
def forks() -> Iterator[ForkServer]:
    forks = ForkServer()
    yield forks
    forks.close()


def started(forks: ForkServer, log: Path) -> tuple[Forked, list[str]]:
    """The started program, and what it prints."""
    forked = forks.start(PROGRAM, [], PASSED_ON, log)
    return forked, eventually(lambda: log.read_text().split() if log.exists() else None)


def test_forks_make_different_ids(forks: ForkServer, tmp_path: Path) -> None:
    printed = [started(forks, tmp_path / name)[1] for name in "abc"]
    assert len({one for ids in printed for one in ids[:2]}) == 6
    assert len({ids[2] for ids in printed}) == 1, "one parent forks all"


def test_no_fork_waits_in_the_event_loop_of_its_parent(forks: ForkServer, tmp_path: Path) -> None:
    _, printed = started(forks, tmp_path / "log")
    described = [path.read_text() for path in Path(f"/proc/{printed[2]}/fdinfo").iterdir()]
    assert [one for one in described if "tfd:" in one] == []


def test_a_program_says_how_it_ended(forks: ForkServer, tmp_path: Path) -> None:
    forked, _ = started(forks, tmp_path / "log")
    assert forked.poll() is None
    forked.kill()
    assert (forked.wait(), forked.poll()) == (-signal.SIGKILL, -signal.SIGKILL)
    assert forks.start("deploy.dead_letters", ["list"], PASSED_ON, tmp_path / "list").wait() == 2


def test_changed_code_is_imported_anew_while_former_forks_run_on(forks: ForkServer, tmp_path: Path) -> None:
    former, printed = started(forks, tmp_path / "former")
    before = CODE.stat()
    try:
        os.utime(CODE, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
        _, printed_now = started(forks, tmp_path / "now")
    finally:
        os.utime(CODE, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert printed_now[2] != printed[2]
    assert former.poll() is None


def test_forks_end_with_a_parent_that_is_killed_and_the_next_one_gets_another(
    forks: ForkServer, tmp_path: Path
) -> None:
    orphan, printed = started(forks, tmp_path / "orphan")
    os.kill(int(printed[2]), signal.SIGKILL)
    assert orphan.wait() == -signal.SIGTERM
    assert started(forks, tmp_path / "next")[1][2] != printed[2]
