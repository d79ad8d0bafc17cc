"""The example of a bank's program as a process, and the content of its file."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local.environment import ROOT

_SECONDS_TO_STOP = 60


@dataclass(frozen=True)
class ExampleBank:
    """The running program."""

    running: "subprocess.Popen[bytes]"
    books: Path

    def receipts(self) -> list[dict[str, Any]]:
        """Returns the receipts of all feedback, as received."""
        return [json.loads(row[0]) for row in self._rows("select receipt from feedback where receipt is not null")]

    def unanswered(self) -> int:
        """Returns how many feedbacks have no receipt yet."""
        return len(self._rows("select 1 from feedback where receipt is null"))

    def _rows(self, query: str) -> list[Any]:
        with closing(sqlite3.connect(self.books)) as database:
            return database.execute(query).fetchall()


@contextmanager
def example_bank(amqp_uri: str, folder: Path, **keys: str) -> Iterator[ExampleBank]:
    """Runs it as an operator would, with its file in the folder; stops it by SIGTERM and checks its exit status."""
    books = folder / "books.sqlite"
    command = [sys.executable, "deploy/simulators/example_bank.py", "--books", str(books)]
    passed_on = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    with (folder / "example_bank.log").open("wb") as log:
        running = subprocess.Popen(
            command, cwd=ROOT, env={**passed_on, "AMQP_URI": amqp_uri, **keys}, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        yield ExampleBank(running, books)
    finally:
        running.terminate()
        code = running.wait(_SECONDS_TO_STOP)
    assert code == 0, (folder / "example_bank.log").read_text()
