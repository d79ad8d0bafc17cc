"""Threads that commit rows through the kit's engine without pause, and remember which commits were answered."""

import time
from collections import Counter
from itertools import count, pairwise
from threading import Event, Lock, Thread

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from deploy.local.client import wait_until
from services.kit.data.database import engine_for, is_database_unavailable
from services.kit.secret_values import Secret
from services.kit.settings import DatabaseSettings

TABLE = "create table if not exists kept (id bigint primary key)"
_KEEP = text("insert into kept values (:id)")
_PAUSE_AFTER_AN_ERROR = 0.02


class Writers:
    """Commits as long as the block lasts."""

    def __init__(self, address: str, threads: int = 8, first_id: int = 0) -> None:
        self.engine = engine_for(DatabaseSettings(Secret(address), max_workers=threads), "writers")
        self.answered: list[tuple[float, int]] = []
        """When each commit was answered, and its row."""
        self.errors: Counter[str] = Counter()
        self.strange: list[Exception] = []
        """Errors that the kit would not count as a database that is away."""
        self._ids = count(first_id)
        self._lock = Lock()
        self._over = Event()
        self._threads = [Thread(target=self._write, daemon=True) for _ in range(threads)]

    def __enter__(self) -> "Writers":
        for thread in self._threads:
            thread.start()
        self.wait_for(100)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        self.engine.dispose()

    def wait_for(self, further: int, seconds: float = 90) -> None:
        """Returns when so many further commits were answered."""
        wanted = len(self.answered) + further
        wait_until(lambda: len(self.answered) >= wanted, f"{further} further commits are answered", seconds)

    @property
    def ids(self) -> set[int]:
        """The rows whose commit was answered."""
        return {row for _, row in self.answered}

    def longest_gap(self, since: float) -> float:
        """Returns the longest time without an answer after this moment of the monotonic clock, in seconds."""
        moments = [since, *sorted(at for at, _ in self.answered if at >= since)]
        return max(after - before for before, after in pairwise(moments))

    def _write(self) -> None:
        while not self._over.is_set():
            row = next(self._ids)
            try:
                with self.engine.begin() as connection:
                    connection.execute(_KEEP, {"id": row})
            except SQLAlchemyError as error:
                self._note(error)
                time.sleep(_PAUSE_AFTER_AN_ERROR)
            else:
                with self._lock:
                    self.answered.append((time.monotonic(), row))

    def _note(self, error: Exception) -> None:
        with self._lock:
            self.errors[type(getattr(error, "orig", error)).__name__] += 1
            if not is_database_unavailable(error):
                self.strange.append(error)
