"""Starts services quickly: a process that has imported what they share forks for each of them.

Importing takes more than a second of the processor, and its memory is shared. A fork imports the service's own modules
and continues as `python -m <module>` does, with its own environment and log. The process is
`python -m deploy.local.fork_server`; `ForkServer` sends it lines of JSON. When it ends, its forks are asked to stop.
"""

import ctypes
import gc
import json
import os
import runpy
import select
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from deploy.local.environment import NO_RESOLVER

ROOT = Path(__file__).parents[2]
RUNNER = "services.kit.operations.runner"
PASSED_ON = {name: os.environ[name] for name in ("PATH", "COVERAGE_PROCESS_CONFIG") if name in os.environ}
"""The variables of this process's environment that each fork gets."""

_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15
_libc = ctypes.CDLL(None)


class CannotFork(RuntimeError):
    """The forking process has ended, could not import what services share, or has imported code that has changed."""


class Forked:
    """A process that a fork server forked, with the interface of `subprocess.Popen`."""

    def __init__(self, parent: "_ForkingProcess", pid: int) -> None:
        self._parent = parent
        self._pidfd: int | None = os.pidfd_open(pid)
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return its exit code, negative for a signal; None while it runs."""
        return self._code_within(0)

    def wait(self, timeout: float = 60) -> int:
        """Wait for its end and return its exit code; raise TimeoutExpired."""
        if (code := self._code_within(timeout)) is None:
            raise subprocess.TimeoutExpired(RUNNER, timeout)
        return code

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to stop."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def _code_within(self, seconds: float) -> int | None:
        if self._pidfd is None or not select.select([self._pidfd], [], [], seconds)[0]:
            return self.returncode
        os.close(self._pidfd)
        self._pidfd = None
        try:
            self.returncode = self._parent.ask({"ended": self.pid})
        except CannotFork:
            self.returncode = -signal.SIGTERM  # which it got when its parent ended, and with it the exit code
        return self.returncode


class ForkServer:
    """Starts programs by forking; a process whose code has changed is replaced by a new one, while its forks run on."""

    def __init__(self) -> None:
        self._parents: list[_ForkingProcess] = []

    def start(self, module: str, arguments: Sequence[str], environment: Mapping[str, str], log_file: Path) -> Forked:
        """Run a module as a program with these arguments; its output is appended to the log.

        Raise CannotFork if what programs share cannot be imported.
        """
        order = {"arguments": list(arguments), "environment": dict(environment), "log": str(log_file)}
        for parent in self._parents[-1:]:
            with suppress(CannotFork):
                return parent.fork({"start": module, **order})
        self._close(parent for parent in self._parents if parent.is_idle())
        self._parents.append(_ForkingProcess())
        return self._parents[-1].fork({"start": module, **order})

    def close(self) -> None:
        """End the forking processes; forks that still run are asked to stop."""
        self._close(self._parents)

    def _close(self, parents: "Iterable[_ForkingProcess]") -> None:
        for parent in list(parents):
            parent.close()
            self._parents.remove(parent)


class _ForkingProcess:
    """A process that forks the code of the time when it was started."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", __name__]
        environment = {**PASSED_ON, "PYTHONUNBUFFERED": "1", **NO_RESOLVER}
        self._asking = threading.Lock()
        self._forked: list[Forked] = []
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def fork(self, order: dict[str, Any]) -> Forked:
        """Return the fork that carries out an order; raise CannotFork."""
        pid = self.ask(order)
        if pid is None:
            raise CannotFork
        forked = Forked(self, pid)
        self._forked = [forked, *(one for one in self._forked if one.returncode is None)]
        return forked

    def ask(self, order: dict[str, Any]) -> Any:
        """Send an order to the process and return its answer. Raise CannotFork."""
        orders, answers = self._process.stdin, self._process.stdout
        assert orders is not None  # noqa: S101
        assert answers is not None  # noqa: S101
        with self._asking:
            try:
                orders.write(json.dumps(order) + "\n")
                orders.flush()
                answer = answers.readline()
            except (OSError, ValueError) as error:
                raise CannotFork from error
        if not answer:
            raise CannotFork
        return json.loads(answer)

    def is_idle(self) -> bool:
        """Return whether no fork runs."""
        return all(one.poll() is not None for one in self._forked)

    def close(self) -> None:
        """End the process."""
        with suppress(OSError):
            self._process.communicate()


def _fork(orders: IO[str]) -> None:
    """Carry out orders; a start is refused where code that was imported has changed since."""
    imported, parent = _times_of_imported_code(), os.getpid()
    for line in orders:
        order = json.loads(line)
        if "start" in order:
            pid = os.fork() if _times_of_imported_code() == imported else None
            if pid == 0:
                _become(order, parent)
            print(json.dumps(pid))
        else:
            _, status = os.waitpid(order["ended"], 0)
            print(json.dumps(os.waitstatus_to_exitcode(status)))


def _times_of_imported_code() -> dict[str, int | None]:
    files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    return {file: _modified_at(file) for file in files if file and Path(file).is_relative_to(ROOT / "services")}


def _modified_at(file: str) -> int | None:
    try:
        return os.stat(file).st_mtime_ns
    except FileNotFoundError:
        return None


def _become(order: dict[str, Any], parent: int) -> None:
    """Run the program in the fork, and end the process with it."""
    status: int | str | None = 1
    try:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            return
        _libc.prctl(_PR_SET_NAME, _name_of(order).encode())
        _redirect(order["log"])
        os.environ.clear()
        os.environ.update(order["environment"])
        sys.argv = [order["start"], *order["arguments"]]
        runpy.run_module(order["start"], run_name="__main__")
        status = 0
    except SystemExit as ending:
        status = ending.code
    finally:
        sys.stdout.flush()
        os._exit(_exit_status(status))


def _name_of(order: dict[str, Any]) -> str:
    """Return what `ps -o comm` shows, such as `batching`."""
    module: str = [order["start"], *order["arguments"]][-1]
    return module.removesuffix(".service").rpartition(".")[2]


def _redirect(log_file: str) -> None:
    log = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)


def _exit_status(code: int | str | None) -> int:
    """Return the exit status that Python ends with for the code of a SystemExit; print a text as Python does."""
    if isinstance(code, str):
        print(code, file=sys.stderr, flush=True)
        return 1
    return code or 0


def _load() -> None:
    """Import what services have in common; the runner first, since it patches sockets."""
    warnings.filterwarnings("ignore", category=RuntimeWarning, module="runpy")
    warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
    import services.kit.operations.runner  # noqa: I001, PLC0415
    import openpyxl  # noqa: F401, PLC0415
    import reportlab.platypus  # noqa: F401, PLC0415
    import services.contracts.events.all_events  # noqa: PLC0415
    import services.contracts.operations.audit  # noqa: PLC0415
    import services.kit.events.relay  # noqa: PLC0415
    import services.kit.rpc.methods  # noqa: PLC0415
    import services.kit.events.subscribe  # noqa: F401, PLC0415

    gc.freeze()  # so that collecting garbage in a fork does not copy the memory of what is imported


if __name__ == "__main__":
    _load()
    _fork(sys.stdin)
