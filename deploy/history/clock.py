"""A clock that is behind: a file says by how many seconds, and PostgreSQL and all programs of a system go by it."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from math import ceil
from pathlib import Path

import time_machine

_LOOKS_EVERY = 0.05
_SECONDS_UNTIL_ALL_HAVE_LOOKED = 0.15
_LIBRARIES = Path("/usr/lib")


class NoLibrary(Exception):
    """The library is not installed by which PostgreSQL goes by another clock."""


class PastClock:
    """Sets the clock that the file holds, and that of this process while it travels."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._traveller: time_machine.Traveller | None = None

    @contextmanager
    def travelling(self, moment: datetime) -> Iterator[None]:
        """Lets this process go by the clock, which begins at the moment, until the end of the block."""
        self._write(moment)
        with time_machine.travel(_moment_of(self._file), tick=True) as self._traveller:
            yield

    def set_to(self, moment: datetime) -> None:
        """Sets the clock to a moment of the past, or to the present if it is later; returns when all go by it."""
        self._write(moment)
        if self._traveller is not None:
            self._traveller.move_to(_moment_of(self._file))
        time.sleep(_SECONDS_UNTIL_ALL_HAVE_LOOKED)

    def _write(self, moment: datetime) -> None:
        behind = max(0, ceil(_now() - moment.timestamp()))
        new = self._file.with_suffix(".new")
        new.write_text(f"-{behind}\n")
        new.chmod(0o644)  # PostgreSQL's user reads it too
        new.replace(self._file)


def follow(file: Path) -> None:
    """Lets this process go by the clock of a file, also when it is set anew."""
    traveller = time_machine.travel(_moment_of(file), tick=True).start()
    threading.Thread(target=_keep_following, args=(file, traveller), name="clock", daemon=True).start()


def environment_of_postgres(file: Path) -> dict[str, str]:
    """The variables by which a PostgreSQL server goes by the clock of a file. Raises NoLibrary."""
    found = next(_LIBRARIES.glob("*/faketime/libfaketime.so.1"), None)
    if found is None:
        raise NoLibrary("apt-get install libfaketime")
    return {
        "LD_PRELOAD": str(found),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DISABLE_SHM": "1",
        "NO_FAKE_STAT": "1",
    }


def _keep_following(file: Path, traveller: time_machine.Traveller) -> None:
    known = None
    while True:
        with suppress(FileNotFoundError):
            changed = os.stat(file).st_mtime_ns
            if changed != known:
                traveller.move_to(_moment_of(file))
                known = changed
        time.sleep(_LOOKS_EVERY)


def _moment_of(file: Path) -> datetime:
    """The moment by the clock of a file."""
    return datetime.fromtimestamp(_now() + float(file.read_text()), UTC)


def _now() -> float:
    """The seconds of the computer's own clock."""
    hatch = time_machine.escape_hatch
    return hatch.time.time() if hatch.is_travelling() else time.time()
