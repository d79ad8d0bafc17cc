"""Starts services quickly for tests: a process that has imported the common modules forks for each of them.

Importing takes more than a second, longer than most tests. A fork imports the service's own modules and continues as
`python -m services.kit.operations.runner` does, with its own environment and log. The process is
`python -m tests.integration.fork_server`; `ForkServer` sends it lines of JSON.
"""

import json
import os
import runpy
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from deploy.local.environment import NO_RESOLVER

ROOT = Path(__file__).parents[2]
_RUNNER = "services.kit.operations.runner"
PASSED_ON = {name: os.environ[name] for name in ("PATH", "COVERAGE_PROCESS_CONFIG") if name in os.environ}
"""The variables of the test process's environment that each service gets."""


class Forked:
    """A process that the fork server forked, with the interface of `subprocess.Popen`."""

    def __init__(self, fork_server: "ForkServer", pid: int) -> None:
        self._fork_server = fork_server
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Returns its exit code, negative for a signal; None while it runs."""
        if self.returncode is None:
            self.returncode = self._fork_server.ask({"ended": self.pid})
        return self.returncode

    def wait(self, timeout: float = 60) -> int:
        """Waits for its end and returns its exit code; raises TimeoutExpired."""
        until = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > until:
                raise subprocess.TimeoutExpired(_RUNNER, timeout)
            time.sleep(0.01)
        return code

    def send_signal(self, number: int) -> None:
        """Sends it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Asks it to stop."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Ends it at once."""
        self.send_signal(signal.SIGKILL)


class ForkServer:
    """A client of the forking process, which it starts and ends."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", __name__]
        environment = {**PASSED_ON, "PYTHONUNBUFFERED": "1", **NO_RESOLVER}
        self._asking = threading.Lock()
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def start(self, module: str, environment: Mapping[str, str], log_file: Path) -> Forked:
        """Starts a process with the module's services; its output goes to the log."""
        order = {"start": module, "environment": dict(environment), "log": str(log_file)}
        return Forked(self, self.ask(order))

    def ask(self, order: dict[str, Any]) -> Any:
        """Sends an order to the process and returns its answer."""
        orders, answers = self._process.stdin, self._process.stdout
        assert orders is not None
        assert answers is not None
        with self._asking:
            orders.write(json.dumps(order) + "\n")
            orders.flush()
            return json.loads(answers.readline())

    def close(self) -> None:
        """Ends the process; its forks must have ended before."""
        self._process.communicate()


def _fork(orders: IO[str]) -> None:
    for line in orders:
        order = json.loads(line)
        if "start" in order:
            pid = os.fork()
            if pid == 0:
                _become(order)
            print(pid)
        else:
            pid, status = os.waitpid(order["ended"], os.WNOHANG)
            print(json.dumps(os.waitstatus_to_exitcode(status) if pid else None))


def _become(order: dict[str, Any]) -> None:
    """Runs the service in the fork, and ends the process with it."""
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.argv = [_RUNNER, order["start"]]
    try:
        runpy.run_module(_RUNNER, run_name="__main__")
    finally:
        os._exit(1)


def _load() -> None:
    """Imports what services have in common; the runner first, since it patches sockets."""
    import services.kit.operations.runner  # noqa: I001, PLC0415
    import openpyxl  # noqa: F401, PLC0415
    import reportlab.platypus  # noqa: F401, PLC0415
    import services.contracts.events.all_events  # noqa: PLC0415
    import services.kit.events.relay  # noqa: PLC0415
    import services.kit.rpc.methods  # noqa: PLC0415
    import services.kit.events.subscribe  # noqa: F401, PLC0415


if __name__ == "__main__":
    _load()
    _fork(sys.stdin)
