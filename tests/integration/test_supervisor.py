"""The supervisor keeps the planned processes running, and ends together with all of them."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.local import postgres
from deploy.local.fork_server import ForkServer
from deploy.local.nodes import start_postgres
from deploy.local.processes import (
    Plan,
    Process,
    log_file,
    read_record,
    supervisor_pid,
    write_plan,
)
from deploy.local.supervisor import ROOT, Child
from tests.integration.messaging.world import eventually

pytestmark = pytest.mark.long("the supervisor alone; each stack of other tests has one")

SLEEPER = "import time; print('at work', flush=True); time.sleep(600)"
FINISHER = """
import pathlib, signal, sys, time
def finish(*_):
    print("asked to end", flush=True)
    while not pathlib.Path(sys.argv[1]).exists():
        time.sleep(0.02)
    print("finished what was begun", flush=True)
    sys.exit()
signal.signal(signal.SIGTERM, finish)
print("at work", flush=True)
while True:
    time.sleep(0.05)
"""


def process(name: str, code: str = SLEEPER, *arguments: str) -> Process:
    command = (sys.executable, "-c", code, *arguments)
    return Process(name, command, {"PATH": os.environ["PATH"]}, "http://127.0.0.1:1/readyz", "1")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "logs").mkdir()
    return tmp_path


@pytest.fixture
def supervise(folder: Path) -> Iterator[Callable[..., None]]:
    """`supervise(processes…)` starts the supervisor with this plan, or gives it the new plan; ended after the test."""
    supervisors: list[subprocess.Popen[bytes]] = []

    def start(*processes: Process, nodes: tuple[str, ...] = ()) -> None:
        plan = Plan(processes, nodes)
        write_plan(folder, plan)
        if supervisors:
            supervisors[0].send_signal(signal.SIGHUP)
        else:
            command = [sys.executable, "-m", "deploy.local.supervisor", str(folder)]
            supervisors.append(subprocess.Popen(command, cwd=ROOT))
        eventually(lambda: read_record(folder).plan == plan.digest)
        eventually(lambda: all(pid_of(folder, planned.name) for planned in processes))

    yield start
    for supervisor in supervisors:
        supervisor.terminate()
        supervisor.wait(60)


def pid_of(folder: Path, name: str) -> int | None:
    records = read_record(folder).processes
    return records[name].pid if name in records else None


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_killed_process_is_started_again(folder: Path, supervise: Callable[..., None]) -> None:
    supervise(process("batching-1"))
    first = pid_of(folder, "batching-1")
    assert first

    os.kill(first, signal.SIGKILL)

    eventually(lambda: pid_of(folder, "batching-1") not in (None, first))
    record = read_record(folder).processes["batching-1"]
    assert (record.restarts, record.last_exit, record.state) == (1, -signal.SIGKILL, "running")


@pytest.mark.filterwarnings("ignore:Using fork")
def test_a_process_that_cannot_live_is_tried_with_growing_pauses(folder: Path) -> None:
    child, now, pauses = Child(process("gateway-1", "raise SystemExit(3)")), 100.0, []
    for _ in range(4):
        assert child.update(folder, ForkServer(), now)
        assert child.running
        child.running.wait(60)
        assert child.update(folder, ForkServer(), now)
        assert not child.update(folder, ForkServer(), child.start_at - 0.1)
        pauses.append(child.start_at - now)
        now = child.start_at

    assert pauses == [0.5, 1, 2, 4]
    assert (child.record.restarts, child.record.last_exit, child.record.state) == (4, 3, "waiting")


def test_a_node_that_dies_is_started_again_where_it_was(folder: Path, supervise: Callable[..., None]) -> None:
    private = start_postgres(folder)
    try:
        supervise(nodes=("postgres",))
        first = postgres.pid(folder)
        assert first

        os.kill(first, signal.SIGKILL)

        eventually(lambda: postgres.pid(folder) not in (None, first))
        assert start_postgres(folder) == private
    finally:
        supervisor = supervisor_pid(folder)
        assert supervisor
        os.kill(supervisor, signal.SIGTERM)
        eventually(lambda: supervisor_pid(folder) is None)
        postgres.drop(folder)


def test_a_new_plan_touches_only_what_differs(folder: Path, supervise: Callable[..., None]) -> None:
    kept, changed, gone = process("membership-1"), process("validation-1"), process("validation-2")
    supervise(kept, changed, gone)
    before = {name: pid_of(folder, name) for name in ("membership-1", "validation-1", "validation-2")}

    supervise(kept, replace(changed, version="2"))

    assert pid_of(folder, "membership-1") == before["membership-1"]
    assert pid_of(folder, "validation-1") not in (None, before["validation-1"])
    assert before["validation-2"]
    assert not is_alive(before["validation-2"])


def test_stopping_lets_processes_finish_what_they_began(folder: Path, supervise: Callable[..., None]) -> None:
    may_finish = folder / "may-finish"
    supervise(process("batching-1", FINISHER, str(may_finish)))
    log = log_file(folder, "batching-1")
    eventually(lambda: "at work" in log.read_text())
    supervisor = supervisor_pid(folder)
    assert supervisor

    os.kill(supervisor, signal.SIGTERM)

    eventually(lambda: "asked to end" in log.read_text())
    assert supervisor_pid(folder) == supervisor
    may_finish.touch()
    eventually(lambda: supervisor_pid(folder) is None)
    assert "finished what was begun" in log.read_text()
    assert read_record(folder).processes == {}


def test_processes_do_not_outlive_a_killed_supervisor(folder: Path, supervise: Callable[..., None]) -> None:
    supervise(process("batching-1"))
    child, supervisor = pid_of(folder, "batching-1"), supervisor_pid(folder)
    assert child
    assert supervisor

    os.kill(supervisor, signal.SIGKILL)

    eventually(lambda: not is_alive(child))
    eventually(lambda: supervisor_pid(folder) is None)


def test_a_second_supervisor_leaves_the_first_alone(folder: Path, supervise: Callable[..., None]) -> None:
    supervise(process("batching-1"))
    child = pid_of(folder, "batching-1")

    second = subprocess.run(
        [sys.executable, "-m", "deploy.local.supervisor", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert second.returncode == 1
    assert "another supervisor is at work" in second.stderr
    assert pid_of(folder, "batching-1") == child


def test_the_plan_with_its_secrets_is_readable_by_its_owner_only(folder: Path) -> None:
    write_plan(folder, Plan((process("batching-1"),)))

    assert (folder / "plan.json").stat().st_mode & 0o077 == 0
