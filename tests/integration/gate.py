"""A gate between a test and a service in another process: who comes to it waits there until the test opens it."""

import time
from pathlib import Path
from uuid import uuid4


class Gate:
    """The gate of this name; both sides know the folder."""

    def __init__(self, folder: Path, name: str) -> None:
        self._key = folder / f"{name}.open"
        self._waiting = folder / f"{name}.waiting"

    def pass_through(self) -> None:
        """Says that somebody is there, and returns once the gate is open."""
        self._waiting.mkdir(exist_ok=True)
        (self._waiting / str(uuid4())).touch()
        while not self._key.exists():
            time.sleep(0.02)

    def came(self) -> int:
        """How many have come to the gate."""
        return len(list(self._waiting.glob("*")))

    def open(self) -> None:
        """Lets all through, also those who come later."""
        self._key.touch()
