"""A gate between a test and a service in another process: the service waits there until the test opens it."""

import time
from pathlib import Path
from uuid import uuid4


class Gate:
    """A gate by its name in a folder that both sides know."""

    def __init__(self, folder: Path, name: str) -> None:
        self._key = folder / f"{name}.open"
        self._waiting = folder / f"{name}.waiting"

    def pass_through(self) -> None:
        """Records the arrival, and returns once the gate is open."""
        self._waiting.mkdir(exist_ok=True)
        (self._waiting / str(uuid4())).touch()
        while not self._key.exists():
            time.sleep(0.02)

    def came(self) -> int:
        """Returns how many have arrived at the gate."""
        return len(list(self._waiting.glob("*")))

    def open(self) -> None:
        """Opens the gate for all, also those who arrive later."""
        self._key.touch()
