"""Reads that may be some seconds old go to a standby, if the setting names one and it keeps up."""

import time
from typing import Any

import structlog
from prometheus_client import Counter, Gauge
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from services.kit.operations.logs import class_name

log = structlog.get_logger()

CHECK_SECONDS = 2.0
"""How often its lag is measured at most, and how long after an error it is not asked."""

_CONFLICTS = ("40001", "40P01")
"""SQLSTATEs of a standby that ends a query because the primary has removed what it reads."""
_LAG = text(
    """
    select case
        when not pg_is_in_recovery() then 0
        when exists (select from pg_stat_wal_receiver) and pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() then 0
        else extract(epoch from now() - pg_last_xact_replay_timestamp())
    end
    """
)
"""Seconds; an idle primary sends nothing, so that the age of its last transaction alone would grow."""

_lag = Gauge("database_replica_lag_seconds", "How far the replica is behind; -1 while it is away or there is none.")
_reads = Counter("database_replica_reads", "Queries that may be old, by the server that answered them.", ["server"])
for _server in ("replica", "primary"):
    _reads.labels(_server)
_lag.set(-1)


class Replica:
    """The standby that answers queries which may be old, as far as it lags no more than the limit."""

    def __init__(self, engine: Engine, most_seconds: float) -> None:
        self.engine = engine
        self._most_seconds = most_seconds
        self._checked_at = float("-inf")
        self._is_usable = False

    def is_usable(self) -> bool:
        """Whether to ask it now; its lag was measured within CHECK_SECONDS."""
        if time.monotonic() - self._checked_at >= CHECK_SECONDS:
            self._checked_at = time.monotonic()
            self._is_usable = self._keeps_up()
        return self._is_usable

    def failed(self, error: SQLAlchemyError) -> None:
        """Notes an error; it is not asked for CHECK_SECONDS unless it only ended this query."""
        if not is_conflict(error):
            self._checked_at, self._is_usable = time.monotonic(), False
            _lag.set(-1)
        log.warning("replica_failed", error=class_name(error))

    def _keeps_up(self) -> bool:
        try:
            with self.engine.connect() as connection:
                seconds: Any = connection.scalar(_LAG)
        except SQLAlchemyError as error:
            _lag.set(-1)
            log.warning("replica_away", error=class_name(error))
            return False
        lag = float("inf") if seconds is None else float(seconds)
        _lag.set(lag)
        return lag <= self._most_seconds


def is_conflict(error: SQLAlchemyError) -> bool:
    """Whether a standby ended the query although it can be reached."""
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in _CONFLICTS


def count_read(server: str) -> None:
    """Counts a query that may be old."""
    _reads.labels(server).inc()
