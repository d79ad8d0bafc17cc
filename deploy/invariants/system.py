"""Addresses and keys of a system, and consistent snapshots of its databases."""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, RowMapping, text
from sqlalchemy.exc import InterfaceError, OperationalError, ProgrammingError, SQLAlchemyError

from deploy.local.environment import lost_audit_entries
from deploy.local.stack import Stack
from deploy.permissions import SERVICES
from services.kit.data.encryption import FileKeyring, Keyring
from services.kit.data.primary import tool_engine
from services.kit.settings import MessagingSettings, value_of, values_of

ROWS_AT_ONCE = 5000
_SECRETS = ("AUDIT_KEYS", "AUDIT_PUBLIC_KEYS", "BLIND_INDEX_KEY")


@dataclass(frozen=True)
class System:
    """The databases, broker and keys that the checker reads; it changes nothing.

    `database_urls` are by service, past a pooler, `amqp_uris` by program, since only a service's user may read its dead
    letters. `keys` are membership's settings AUDIT_KEYS, AUDIT_PUBLIC_KEYS, AUDIT_HEAD_FILE, PERSONAL_DATA_KEYS (or
    _FILE), BLIND_INDEX_KEY and ENVIRONMENT.
    """

    database_urls: Mapping[str, str] = field(repr=False)
    amqp_uris: Mapping[str, str] = field(repr=False)
    keys: Mapping[str, str] = field(repr=False)
    retry_delays: tuple[float, ...] = MessagingSettings.retry_delays

    @classmethod
    def of_stack(cls, stack: Stack) -> "System":
        """Returns the system of the stack on this machine."""
        databases = {**stack.addresses.database_urls, **stack.addresses.direct_urls}
        lost = lost_audit_entries(stack.folder)
        environment = {**stack.environment("membership"), **({"AUDIT_LOST": lost} if lost else {})}
        return cls(databases, stack.addresses.amqp_uris, **_from_settings(environment))

    @classmethod
    def from_environment(cls) -> "System":
        """Returns the system that the environment names, by the same variables as a stack's databases and broker.

        Each may be in a file instead, which `<VARIABLE>_FILE` names. Raises SettingsError for what is missing.
        """
        databases = values_of(*(f"DATABASE_URL_{service.upper()}" for service in SERVICES))
        everybody = value_of("AMQP_URI")
        needed = () if everybody else tuple(f"AMQP_URI_{service.upper()}" for service in SERVICES)
        values_of(*needed)
        secrets = {name: value for name in _SECRETS if (value := value_of(name))}
        return cls(
            {
                service: value_of(f"DATABASE_DIRECT_URL_{service.upper()}")
                or databases[f"DATABASE_URL_{service.upper()}"]
                for service in SERVICES
            },
            {service: value_of(f"AMQP_URI_{service.upper()}") or everybody for service in SERVICES},
            **_from_settings({**os.environ, **secrets}),
        )

    def keyring(self) -> Keyring:
        """The keys that decrypt a batch's persons, to compare them with the hash of its register."""
        if path := self.keys.get("PERSONAL_DATA_KEYS_FILE"):
            return FileKeyring(Path(path))
        return Keyring.from_text(self.keys["PERSONAL_DATA_KEYS"])


class Unreadable(Exception):
    """A service's database cannot be read: it is away, or its schema does not fit the query."""

    def __init__(self, service: str, reason: str) -> None:
        super().__init__(service, reason)
        self.service = service
        self.reason = reason


class Snapshots:
    """Consistent snapshots of the five databases; `away` are those that cannot be read, with the reason."""

    def __init__(self, connections: Mapping[str, Connection], away: Mapping[str, str]) -> None:
        self._connections = connections
        self._away = away

    def rows(self, service: str, query: str) -> Iterator[RowMapping]:
        """Yields the rows of a query on a service's database, fetched in chunks; raises Unreadable."""
        if service in self._away:
            raise Unreadable(service, self._away[service])
        connection = self._connections[service]
        try:
            yield from connection.execution_options(yield_per=ROWS_AT_ONCE).execute(text(query)).mappings()
        except SQLAlchemyError as error:
            reason = _reason(error)
            with suppress(SQLAlchemyError):
                connection.rollback()
            raise Unreadable(service, reason) from error


@contextmanager
def snapshots_of(system: System) -> Iterator[Snapshots]:
    """Yields the snapshots, and closes them at the end."""
    with ExitStack() as opened:
        connections: dict[str, Connection] = {}
        away: dict[str, str] = {}
        for service, url in system.database_urls.items():
            try:
                connections[service] = _snapshot(opened, url)
            except SQLAlchemyError as error:
                away[service] = _reason(error)
        yield Snapshots(connections, away)


def _snapshot(opened: ExitStack, url: str) -> Connection:
    connection = opened.enter_context(tool_engine(url).connect())
    connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    connection.execute(text("select 1"))
    return connection


def _reason(error: SQLAlchemyError) -> str:
    """Returns the message of a connection error, and only the class of others, whose messages may quote values."""
    if isinstance(error, (OperationalError, ProgrammingError, InterfaceError)):
        return str(error.orig).strip().splitlines()[0]
    return type(error).__name__


def _from_settings(environment: Mapping[str, str]) -> dict[str, Any]:
    names = (
        *("AUDIT_KEYS", "AUDIT_PUBLIC_KEYS", "AUDIT_HEAD_FILE", "AUDIT_LOST", "ENVIRONMENT"),
        *("PERSONAL_DATA_KEYS", "PERSONAL_DATA_KEYS_FILE", "BLIND_INDEX_KEY"),
    )
    delays = environment.get("RETRY_DELAYS")
    return {
        "keys": {name: environment[name] for name in names if name in environment},
        **({"retry_delays": tuple(map(float, delays.split(",")))} if delays else {}),
    }
