"""Where a system's databases, broker and keys are, and its databases as they were at one moment each."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, RowMapping, create_engine, make_url, text
from sqlalchemy.exc import InterfaceError, OperationalError, ProgrammingError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from deploy.local.stack import Stack
from deploy.permissions import SERVICES
from services.kit.data.encryption import FileKeyring, Keyring
from services.kit.settings import MessagingSettings

ROWS_AT_ONCE = 5000


@dataclass(frozen=True)
class System:
    """What the checker reads. It changes nothing there.

    `database_urls` are by service, `amqp_uris` by program: who reads dead letters must be let to those of the service.
    `keys` are membership's settings AUDIT_KEYS, AUDIT_PUBLIC_KEYS, AUDIT_HEAD_FILE, PERSONAL_DATA_KEYS (or _FILE),
    BLIND_INDEX_KEY and ENVIRONMENT.
    """

    database_urls: Mapping[str, str] = field(repr=False)
    amqp_uris: Mapping[str, str] = field(repr=False)
    keys: Mapping[str, str] = field(repr=False)
    retry_delays: tuple[float, ...] = MessagingSettings.retry_delays

    @classmethod
    def of_stack(cls, stack: Stack) -> "System":
        """The system that runs on this machine."""
        return cls(
            stack.addresses.database_urls, stack.addresses.amqp_uris, **_from_settings(stack.environment("membership"))
        )

    @classmethod
    def given(cls, environment: Mapping[str, str]) -> "System":
        """A system somewhere, by the same variables by which a stack is given its databases and its broker.

        Raises KeyError for the first that is missing.
        """
        everybody = environment.get("AMQP_URI")
        return cls(
            {service: environment[f"DATABASE_URL_{service.upper()}"] for service in SERVICES},
            {
                service: environment.get(f"AMQP_URI_{service.upper()}") or everybody or environment["AMQP_URI"]
                for service in SERVICES
            },
            **_from_settings(environment),
        )

    def keyring(self) -> Keyring:
        """By which the persons of a batch are read, to hold them against the hash of its register."""
        if path := self.keys.get("PERSONAL_DATA_KEYS_FILE"):
            return FileKeyring(Path(path))
        return Keyring.from_text(self.keys["PERSONAL_DATA_KEYS"])


class Unreadable(Exception):
    """A service's database cannot be read: it is away, or lacks what the query asks for."""

    def __init__(self, service: str, reason: str) -> None:
        super().__init__(service, reason)
        self.service = service
        self.reason = reason


class Snapshots:
    """The five databases, each as it was at one moment; `away` are those that cannot be read, and why."""

    def __init__(self, connections: Mapping[str, Connection], away: Mapping[str, str]) -> None:
        self._connections = connections
        self._away = away

    def rows(self, service: str, query: str) -> Iterator[RowMapping]:
        """What a query of a service's database answers, a few thousand rows at a time; raises Unreadable."""
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
    """The databases, for as long as they are looked at; those too that are away."""
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
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"), poolclass=NullPool)
    connection = opened.enter_context(engine.connect())
    connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    connection.execute(text("select 1"))
    return connection


def _reason(error: SQLAlchemyError) -> str:
    """What the database says of itself; of other errors only the class: their messages may quote values."""
    if isinstance(error, (OperationalError, ProgrammingError, InterfaceError)):
        return str(error.orig).strip().splitlines()[0]
    return type(error).__name__


def _from_settings(environment: Mapping[str, str]) -> dict[str, Any]:
    names = (
        *("AUDIT_KEYS", "AUDIT_PUBLIC_KEYS", "AUDIT_HEAD_FILE", "ENVIRONMENT"),
        *("PERSONAL_DATA_KEYS", "PERSONAL_DATA_KEYS_FILE", "BLIND_INDEX_KEY"),
    )
    delays = environment.get("RETRY_DELAYS")
    return {
        "keys": {name: environment[name] for name in names if name in environment},
        **({"retry_delays": tuple(map(float, delays.split(",")))} if delays else {}),
    }
