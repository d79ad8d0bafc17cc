"""Runs a module by the clock of CLOCK_FILE: `python -m deploy.history.process <module> <arguments>`."""

import os
import runpy
import secrets
import sys
import time
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import uuid_utils
import uuid_utils.compat

from deploy.local.environment import CLOCK_FILE
from deploy.local.fork_server import RUNNER

_SECONDS_BETWEEN_ROUNDS = 2.0


def main() -> None:
    """Runs the module. Raises SystemExit in production."""
    if os.environ.get("ENVIRONMENT") not in ("demo", "test"):
        raise SystemExit("The past is for demonstrations and tests: not without ENVIRONMENT=demo")
    module = sys.argv[1]
    if module == RUNNER:
        import_module(RUNNER)  # before anything that uses sockets, threads or sleep, which it patches
        _hurry_timers(import_module("nameko.timer"))
    import_module("deploy.history.clock").follow(Path(os.environ[CLOCK_FILE]))
    _date_identifiers()
    sys.argv = sys.argv[1:]
    runpy.run_module(module, run_name="__main__")


def _hurry_timers(of_library: Any) -> None:
    """Lets what services do every few minutes be done every two seconds, in which a day may pass.

    The library counts by a clock that is not set: it would make up for all that it missed when a day passes.
    """
    of_library.time = SimpleNamespace(time=time.monotonic)
    timer = of_library.Timer
    setup = timer.setup

    def hurried(self: Any) -> None:
        self.interval = min(self.interval, _SECONDS_BETWEEN_ROUNDS)
        setup(self)

    timer.setup = hurried


def _date_identifiers() -> None:
    """Lets identifiers hold the time by the clock; their library reads the computer's own."""
    of_library, of_python = uuid_utils.uuid7, uuid_utils.compat.uuid7
    for module in list(sys.modules.values()):
        found = vars(module).get("uuid7")
        if found is of_library:
            vars(module)["uuid7"] = lambda: uuid_utils.UUID(int=_uuid7())
        elif found is of_python:
            vars(module)["uuid7"] = lambda: UUID(int=_uuid7())


def _uuid7() -> int:
    """A UUID of version 7 (RFC 9562), whose 12 bits after the milliseconds are fractions of one."""
    milliseconds, nanoseconds = divmod(time.time_ns(), 10**6)
    return milliseconds << 80 | 7 << 76 | (nanoseconds << 12) // 10**6 << 64 | 2 << 62 | secrets.randbits(62)


if __name__ == "__main__":
    main()
