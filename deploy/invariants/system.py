"""Where a system's databases, broker and keys are, and its databases as they were at one moment each."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, RowMapping, create_engine, make_url, text
from sqlalchemy.pool import NullPool

from deploy.local.stack import Stack
from deploy.permissions import SERVICES
from services.common.personal import FileKeyring, Keyring
from services.common.settings import MessagingSettings

ROWS_AT_ONCE = 5000


@dataclass(frozen=True)
class System:
    """What the checker reads. It changes nothing there.

    `database_urls` are by service, `amqp_uris` by program: who reads dead letters must be let to those of the service.
    `keys` are membership's settings AUDIT_KEYS, PERSONAL_DATA_KEYS (or _FILE), BLIND_INDEX_KEY and ENVIRONMENT.
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


class Snapshots:
    """The five databases, each as it was at one moment."""

    def __init__(self, connections: Mapping[str, Connection]) -> None:
        self._connections = connections

    def rows(self, service: str, query: str) -> Iterator[RowMapping]:
        """What a query of a service's database answers, a few thousand rows at a time."""
        streamed = self._connections[service].execution_options(yield_per=ROWS_AT_ONCE)
        return iter(streamed.execute(text(query)).mappings())


@contextmanager
def snapshots_of(system: System) -> Iterator[Snapshots]:
    """The databases, for as long as they are looked at."""
    with ExitStack() as opened:
        connections = {}
        for service, url in system.database_urls.items():
            engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"), poolclass=NullPool)
            connection = opened.enter_context(engine.connect())
            connections[service] = connection.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
            connection.execute(text("select 1"))
        yield Snapshots(connections)


def _from_settings(environment: Mapping[str, str]) -> dict[str, Any]:
    names = ("AUDIT_KEYS", "PERSONAL_DATA_KEYS", "PERSONAL_DATA_KEYS_FILE", "BLIND_INDEX_KEY", "ENVIRONMENT")
    delays = environment.get("RETRY_DELAYS")
    return {
        "keys": {name: environment[name] for name in names if name in environment},
        **({"retry_delays": tuple(map(float, delays.split(",")))} if delays else {}),
    }
