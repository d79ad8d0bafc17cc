"""Retention: how long each table keeps its rows, and the deletion of those whose term has passed.

A service names all its tables in its `retention.py`. One process of a service deletes at a time, in small sets that an
index finds.
"""

import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import structlog
from nameko.extensions import DependencyProvider
from prometheus_client import Counter, Gauge

from services.kit.concurrency import Signal, leave_after
from services.kit.data.primary import primary_of
from services.kit.operations.logs import class_name
from services.kit.settings import DatabaseSettings, SettingsError, read_settings, settings_class

log = structlog.get_logger()

CHUNK = 1000
"""Rows that one statement deletes, so that nobody waits for them long."""

_LOCK = 0x72657465
"""The advisory lock of the process that deletes; advisory locks are separate for each database."""
_FIRST_SECONDS = 60.0
_LIMITS = "-c statement_timeout=600000 -c lock_timeout=2000"

_deleted = Counter("retention_rows_deleted", "Rows that were deleted since their term had passed.", ["table"])
_finished_at = Gauge(
    "retention_finished_timestamp_seconds",
    "When the process last deleted all rows whose term had passed; 0 before the first time.",
)


@settings_class
class RetentionSettings:
    """How often rows are deleted, and the terms of the tables that every service has."""

    retention_minutes: float = 60
    """Interval between deletions of rows whose term has passed, for each process; one process at a time deletes."""
    inbox_days: int = 30
    """How long a handled message is recognized if it comes again."""
    handled_request_days: int = 7
    """How long the repetition of a command gets the first one's answer, which is stored encrypted."""


class RetentionError(Exception):
    """Something whose term has passed stays; the message says why, without personal data."""


@dataclass(frozen=True)
class Days:
    """A term that is a setting: a field of a settings class."""

    settings: Any
    field: str

    @property
    def variable(self) -> str:
        """The environment variable."""
        return self.field.upper()

    @property
    def count(self) -> float:
        """The days."""
        days: float = getattr(read_settings(self.settings), self.field)
        return days


@dataclass(frozen=True)
class Expiring:
    """A table whose rows are deleted `term` days after a moment, which `since` names.

    `delete` is the statement for one set; it has the parameters `before`, `before_id` (the first UUID version 7 of that
    moment) and `limit`, and deletes nothing when no row is left.
    """

    table: str
    term: Days | int
    since: str
    delete: str
    why: str

    @property
    def days(self) -> float:
        """The term in days."""
        return self.term.count if isinstance(self.term, Days) else self.term


@dataclass(frozen=True)
class Transient:
    """A table whose rows are deleted by the code that uses them; `until` says when."""

    table: str
    until: str
    why: str


@dataclass(frozen=True)
class Kept:
    """A table from which nothing is deleted by age."""

    table: str
    why: str


@dataclass(frozen=True)
class Monthly:
    """A table with a partition for each month, which goes `term` days after its end; `then` says where to."""

    table: str
    term: Days
    then: str
    why: str


Table = Expiring | Monthly | Transient | Kept


def rows_older(table: str, column: str, condition: str = "true", *, parameter: str = "before") -> str:
    """The statement that deletes a set of rows with the oldest values of an indexed column; locked rows are skipped."""
    return f"""
        delete from {table} where ctid = any(array(
            select ctid from {table} where {column} < %({parameter})s and {condition}
            order by {column} limit %(limit)s for update skip locked
        ))
    """  # noqa: S608 - names of tables and columns, from our code


OF_THE_KIT: Sequence[Table] = (
    Kept("audit_head", "Proof of what the audit log held; 300 bytes for each head, 30 MB a year."),
    Expiring(
        "handled_request",
        Days(RetentionSettings, "handled_request_days"),
        "the command",
        rows_older("handled_request", "at"),
        "A client repeats a command within minutes; a week also covers one that was off over a holiday. Answers may "
        "hold personal data.",
    ),
    Expiring(
        "inbox",
        Days(RetentionSettings, "inbox_days"),
        "the handling",
        rows_older("inbox", "handled_at"),
        "Longer than a message waits in a queue or as a dead letter; versions protect from what comes later still.",
    ),
    Transient("outbox", "the broker has confirmed every copy", "What is not published yet, others lack."),
)
"""The tables that every service has."""


def first_id_of(moment: datetime) -> UUID:
    """The smallest UUID version 7 of a moment: those of earlier moments are smaller."""
    return UUID(int=max(0, int(moment.timestamp() * 1000)) << 80)


def refuse_below(least: int, settings: Any, *fields: str) -> None:
    """Raises SettingsError for terms, fields of the settings, that are shorter than they may be."""
    short = [field.upper() for field in fields if getattr(settings, field) < least]
    if short:
        raise SettingsError(f"Settings in the environment: {', '.join(short)}: at least {least} days.")


def delete_expired(
    connection: "psycopg.Connection[Any]",
    tables: Iterable[Table],
    now: datetime,
    is_stopping: Callable[[], bool] = lambda: False,
) -> dict[str, int | None]:
    """Deletes the rows whose term has passed, a set a transaction.

    Returns how many of each table; None for a table where it failed, which the others do not wait for.
    """
    return {one.table: _delete_from(connection, one, now, is_stopping) for one in tables if isinstance(one, Expiring)}


class Retention(DependencyProvider):
    """Deletes in the background what has passed its term, as a dependency that needs no call.

    The process that has the database's advisory lock works; the lock and the work are on a connection of their own,
    which is closed between the turns. `months` adds months to the tables that are partitioned, and lets old ones go; it
    may raise RetentionError.
    """

    def __init__(
        self, tables: Sequence[Table], months: Callable[["psycopg.Connection[Any]", datetime], None] | None = None
    ):
        self._tables = tables
        self._months = months
        self._stopping = False
        self._stop = Signal()
        self._thread: Any = None

    def setup(self) -> None:
        """Reads the settings. Raises SettingsError for terms that are too short."""
        self._seconds = read_settings(RetentionSettings).retention_minutes * 60
        self._primary = primary_of(read_settings(DatabaseSettings).direct_url)
        for one in self._tables:
            if isinstance(one, Expiring):
                _deleted.labels(one.table)
                assert one.days >= 0  # noqa: S101 - reads the setting

    def start(self) -> None:
        """Starts the work."""
        self._thread = self.container.spawn_managed_thread(self._run)

    def stop(self) -> None:
        """Returns when the set that is being deleted is done."""
        self._stopping = True
        if self._thread is not None:
            self._stop.send()
            self._thread.wait()

    def _run(self) -> None:
        # Processes that are started together do not ask for the lock together.
        self._sleep(min(_FIRST_SECONDS, self._seconds) * random.uniform(0.5, 1))  # noqa: S311
        while not self._stopping:
            try:
                self._take_turn()
            except Exception as error:
                log.error("retention_failed", reason=class_name(error))
            self._sleep(self._seconds)

    def _sleep(self, seconds: float) -> None:
        """Waits so long, or until the process stops."""
        with leave_after(seconds):
            self._stop.wait()

    def _take_turn(self) -> None:
        name = f"{self.container.service_name} retention"
        with self._primary.connect(autocommit=True, application_name=name, options=_LIMITS) as connection:
            if not connection.execute("select pg_try_advisory_lock(%s)", [_LOCK]).fetchone()[0]:  # type: ignore[index]
                return
            started, now = time.monotonic(), datetime.now(UTC)
            deleted = delete_expired(connection, self._tables, now, lambda: self._stopping)
            is_done = self._keep_months(connection, now)
        if is_done and not self._stopping and None not in deleted.values():
            _finished_at.set_to_current_time()
        rows = {table: count for table, count in deleted.items() if count}
        log.info("retention_done", deleted=rows, seconds=round(time.monotonic() - started, 1))

    def _keep_months(self, connection: "psycopg.Connection[Any]", now: datetime) -> bool:
        """Adds months and lets old ones go; returns whether all went well."""
        try:
            if self._months is not None:
                self._months(connection, now)
        except (RetentionError, psycopg.Error) as error:
            reason = str(error) if isinstance(error, RetentionError) else class_name(error)
            log.error("retention_failed", table="months", reason=reason)
            return False
        return True


def _delete_from(
    connection: "psycopg.Connection[Any]", table: Expiring, now: datetime, is_stopping: Callable[[], bool]
) -> int | None:
    before = now - timedelta(days=table.days)
    parameters = {"before": before, "before_id": first_id_of(before), "limit": CHUNK}
    total = 0
    try:
        while not is_stopping() and (count := connection.execute(table.delete, parameters).rowcount):
            total += count
            _deleted.labels(table.table).inc(count)
    except psycopg.Error as error:
        log.error("retention_failed", table=table.table, reason=class_name(error))
        return None
    return total
