"""Keeps the planned processes and nodes running: `python -m deploy.local.supervisor <folder>`.

A process that dies is restarted after a backoff that grows with each early death. SIGHUP makes the supervisor read the
plan again; SIGTERM ends all processes gracefully, then itself. If it is killed, its processes end too.

Supervisord does not fit: it restarts a process that dies after its first seconds at once and without end, gives up on
one that dies earlier, and leaves the processes running when it is killed itself.
"""

import argparse
import ctypes
import fcntl
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from deploy.local import nodes, postgres, rabbitmq
from deploy.local.fork_server import RUNNER, CannotFork, Forked, ForkServer
from deploy.local.processes import (
    Plan,
    Process,
    ProcessRecord,
    Record,
    log_file,
    read_plan,
    write_record,
)

ROOT = Path(__file__).parents[2]
_CHECK_INTERVAL = 0.25
_STABLE_AFTER = 60.0
_LONGEST_BACKOFF = 30.0
_SECONDS_TO_STOP = 45.0
_LARGEST_LOG = 50_000_000
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)

_NODES: dict[str, tuple[Callable[[Path], bool], Callable[[Path], object]]] = {
    "postgres": (postgres.is_running, nodes.start_postgres),
    "rabbitmq": (rabbitmq.is_running, nodes.start_rabbitmq),
}


def restart_backoff(early_deaths: int) -> float:
    """Return the backoff in seconds before a process is restarted: 0.5, 1, 2 … 30."""
    return min(0.5 * 2.0 ** min(early_deaths, 10), _LONGEST_BACKOFF)


@dataclass
class Child:
    """A planned process and its state; times are of the monotonic clock."""

    process: Process
    running: subprocess.Popen[bytes] | Forked | None = None
    started_at: float = 0.0
    start_at: float = 0.0
    early_deaths: int = 0
    record: ProcessRecord = field(default_factory=ProcessRecord)

    def update(self, folder: Path, forks: ForkServer, now: float) -> bool:
        """Start it if it is due, notice its death; return whether something changed."""
        if self.running is None:
            if now < self.start_at:
                return False
            self._start(folder, forks, now)
            return True
        if self.running.poll() is None:
            return False
        self._reap(now)
        return True

    def _start(self, folder: Path, forks: ForkServer, now: float) -> None:
        log = log_file(folder, self.process.name)
        _rotate(log)
        self.running = _fork(self.process, forks, log) or _execute(self.process, log)
        self.started_at = now
        self.record.pid, self.record.state, self.record.since = self.running.pid, "running", time.time()

    def _reap(self, now: float) -> None:
        assert self.running is not None  # noqa: S101
        if now - self.started_at >= _STABLE_AFTER:
            self.early_deaths = 0
        pause = restart_backoff(self.early_deaths)
        _say(f"{self.process.name} ended with {self.running.returncode}, is started again in {pause:g} s")
        self.record.last_exit = self.running.returncode
        self.record.pid, self.record.state, self.record.since = None, "waiting", time.time()
        self.record.restarts += 1
        self.early_deaths += 1
        self.start_at = now + pause
        self.running = None


class Supervisor:
    """The processes of one folder's plan."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.children: dict[str, Child] = {}
        self.forks = ForkServer()
        self.plan = Plan()
        self._plan_changed = True
        self._stopping = threading.Event()

    def listen_to_signals(self) -> None:
        signal.signal(signal.SIGHUP, self._on_hangup)
        signal.signal(signal.SIGTERM, self._on_terminate)

    def run(self) -> None:
        """Keep the plan running until SIGTERM."""
        node_watch = threading.Thread(target=self._keep_nodes_running)
        node_watch.start()
        while not self._stopping.is_set():
            changed = self._take_plan() if self._plan_changed else False
            now = time.monotonic()
            changes = [child.update(self.folder, self.forks, now) for child in self.children.values()]
            if changed or any(changes):
                self._write_record()
            time.sleep(_CHECK_INTERVAL)
        node_watch.join()
        _end(list(self.children.values()))
        self.children = {}
        self.forks.close()
        self._write_record()

    def _take_plan(self) -> bool:
        self._plan_changed = False
        self.plan = read_plan(self.folder)
        planned = {process.name: process for process in self.plan.processes}
        _end([child for name, child in self.children.items() if child.process != planned.get(name)])
        kept = {name: child for name, child in self.children.items() if child.process == planned.get(name)}
        self.children = {name: kept.get(name) or Child(process) for name, process in planned.items()}
        return True

    def _write_record(self) -> None:
        children = {name: child.record for name, child in self.children.items()}
        write_record(self.folder, Record(self.plan.digest, children))

    def _keep_nodes_running(self) -> None:
        """Restart dead nodes, on a separate thread since a node takes seconds to start."""
        failures = 0
        while not self._stopping.wait(restart_backoff(failures)):
            for name in self.plan.nodes:
                is_running, start = _NODES[name]
                if is_running(self.folder):
                    continue
                try:
                    start(self.folder)
                    _say(f"{name} had ended and was started again")
                    failures = 0
                except (RuntimeError, OSError) as error:
                    _say(f"{name} has ended and cannot be started: {error}")
                    failures += 1

    def _on_hangup(self, *_: object) -> None:
        self._plan_changed = True

    def _on_terminate(self, *_: object) -> None:
        self._stopping.set()


def _end(children: list[Child]) -> None:
    """Ask the processes to finish their work; kill those that do not end in time."""
    running = [child.running for child in children if child.running is not None]
    for process in running:
        process.terminate()
    deadline = time.monotonic() + _SECONDS_TO_STOP
    for process in running:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            _say(f"process {process.pid} did not stop in {_SECONDS_TO_STOP:g} s and is killed")
            process.kill()
            process.wait()


def _end_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _fork(process: Process, forks: ForkServer, log: Path) -> Forked | None:
    """Start a service; return None if it is another program, or if its code cannot be imported."""
    module, *arguments = process.command[2:]
    if module != RUNNER:
        return None
    try:
        return forks.start(module, arguments, process.environment, log)
    except CannotFork:
        return None


def _execute(process: Process, log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(
            process.command,
            cwd=ROOT,
            env=process.environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=_end_with_parent,  # noqa: PLW1509 - runs on the main thread only
        )


def _rotate(log: Path) -> None:
    if log.exists() and log.stat().st_size > _LARGEST_LOG:
        log.replace(log.with_suffix(".log.1"))


def _say(text: str) -> None:
    print(time.strftime("%Y-%m-%dT%H:%M:%S%z"), text, flush=True)


def _lock(file: IO[str]) -> None:
    """Become the folder's only supervisor; wait a moment, since those who check for one hold the lock briefly."""
    for _ in range(50):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("another supervisor is at work in this folder")


def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m deploy.local.supervisor", description="Keeps a plan running.")
    parser.add_argument("folder", type=Path, help="the folder with the plan")
    folder = parser.parse_args().folder
    supervisor = Supervisor(folder)
    supervisor.listen_to_signals()
    # Opened for appending, so that others who look for the supervisor do not find the file empty.
    with (folder / "supervisor.lock").open("a+") as lock:
        _lock(lock)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        supervisor.run()


if __name__ == "__main__":
    _main()
