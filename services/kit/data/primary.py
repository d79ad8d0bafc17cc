"""Connects to the server that is primary now, among the servers that a database's address names."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache, partial
from typing import Any

import psycopg
import structlog
from psycopg.rows import scalar_row
from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import NullPool

from services.kit.data.database_address import parameters_of, servers_of

log = structlog.get_logger()

_WAITS = {
    "connect_timeout": "5",
    # A machine that vanishes closes no connection: these end it, idle or waiting for an answer, within ten seconds.
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
    # Encryption is by TLS alone, which is what production checks.
    "gssencmode": "disable",
}
"""What an address need not say; each server has the whole `connect_timeout`."""

_TIMELINE = """
select case when not pg_is_in_recovery()
    then ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int end
"""
"""Each promotion begins a new timeline with a higher number."""


class FormerPrimary(psycopg.OperationalError):
    """The server takes changes, but another one was promoted since: what it is told would be lost."""


class Primary:
    """Connects to the primary; a process has one for each address.

    With several servers it tries the one first that was primary last, and refuses a former primary that was started
    again, as far as this process has seen its successor. That is no fencing: a new process has seen none.
    """

    def __init__(self, parameters: Mapping[str, str]) -> None:
        self._servers: Sequence[Mapping[str, str]] = servers_of(
            {**_WAITS, **({"target_session_attrs": "primary"} if _has_several(parameters) else {}), **parameters}
        )
        self._newest_at = 0
        self.timeline = 0
        """The newest timeline that was seen; 0 for an address with one server."""

    @property
    def may_move(self) -> bool:
        """Whether another server can become primary."""
        return len(self._servers) > 1

    def connect(self, **more: Any) -> "psycopg.Connection[Any]":
        """A connection; `more` are arguments of `psycopg.connect`. Raises psycopg.OperationalError."""
        if not self.may_move:
            return psycopg.connect(**{**self._servers[0], **more})
        errors: list[psycopg.OperationalError] = []
        for position in self._in_order():
            try:
                return self._connect_to(position, more)
            except psycopg.OperationalError as error:
                errors.append(error)
        raise next((error for error in errors if isinstance(error, FormerPrimary)), errors[-1])

    def _in_order(self) -> Iterator[int]:
        count = len(self._servers)
        return ((self._newest_at + step) % count for step in range(count))

    def _connect_to(self, position: int, more: Mapping[str, Any]) -> "psycopg.Connection[Any]":
        connection = psycopg.connect(**{**self._servers[position], **more})
        try:
            self._hold_to_timeline(connection, position)
        except BaseException:
            connection.close()
            raise
        return connection

    def _hold_to_timeline(self, connection: "psycopg.Connection[Any]", position: int) -> None:
        with connection.cursor(row_factory=scalar_row) as cursor:
            timeline = cursor.execute(_TIMELINE).fetchone()
        if not connection.autocommit:
            connection.rollback()
        if timeline is None:  # a standby, which the address allows by `target_session_attrs`
            return
        if timeline < self.timeline:
            log.error("former_primary", server=position + 1, timeline=timeline, newest=self.timeline)
            raise FormerPrimary(f"server {position + 1} is a former primary")
        if self.timeline and timeline > self.timeline:
            log.warning("primary_changed", server=position + 1, timeline=timeline)
        self.timeline, self._newest_at = timeline, position


@cache
def primary_of(address: str) -> Primary:
    """The process's Primary of an address. Raises NotADatabaseAddress."""
    return Primary(parameters_of(address))


@cache
def replica_of(address: str) -> Primary:
    """As `primary_of`, for an address whose servers may be standbys. Raises NotADatabaseAddress."""
    return Primary({"target_session_attrs": "any", **parameters_of(address)})


def tool_engine(address: str) -> Engine:
    """An engine for a tool that works alone: it keeps no connections, and may go through a pooler of transactions."""
    connect = partial(primary_of(address).connect, prepare_threshold=None)
    return create_engine("postgresql+psycopg://", creator=connect, poolclass=NullPool)


def _has_several(parameters: Mapping[str, str]) -> bool:
    return any("," in parameters.get(name, "") for name in ("host", "hostaddr"))
