"""Runs what a service does on its database, by the service's own code, and takes all of it back."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import psycopg
from sqlalchemy import Connection
from sqlalchemy.orm import Session

from deploy.growth.explaining import Notebook, explain_on
from services.kit.data.database import Database, decrypted, engine_for
from services.kit.events.envelope import Event, unwrap
from services.kit.rpc.operation import Operation
from services.kit.rpc.request import Caller, Request
from services.kit.secret_values import Secret
from services.kit.settings import DatabaseSettings
from services.kit.system import the_system

_SECONDS_AT_MOST = 3600.0
"""Of one statement: what takes longer than a service would wait is to be seen, too."""


class Refused(Exception):
    """An operation answered with a problem; the message is its code."""


class _Undone(Database):
    """A database whose transactions are parts of one that is rolled back."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """A session in a part of the transaction."""
        joined = Session(self._connection, expire_on_commit=False, join_transaction_mode="create_savepoint")
        with joined as session, session.begin():
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """As `begin`."""
        with self.begin() as session:
            yield session


@dataclass(frozen=True)
class Rehearsal:
    """A service at work in one transaction; `service` stands in for the object whose methods Nameko calls."""

    service: Any
    notebook: Notebook
    _class: type[Any]
    _connection: Connection

    @property
    def database(self) -> Database:
        """The service's database."""
        found: Database = self.service.database
        return found

    @property
    def connection(self) -> "psycopg.Connection[Any]":
        """The connection, for code that uses no SQLAlchemy."""
        found: psycopg.Connection[Any] = self._connection.connection.driver_connection  # type: ignore[assignment]
        return found

    def call(self, operation: Operation[Any, Any], caller: Caller, **data: Any) -> Any:
        """The answer to an operation as JSON types; raises Refused."""
        request = Request(caller.to_dict(), data, str(uuid4()), str(uuid4()), time.time() + _SECONDS_AT_MOST)
        answer = json.loads(getattr(self._class, operation.method)(self.service, request))
        if "problem" in answer:
            raise Refused(f"{operation.name}: {answer['problem']}")
        return answer["result"]

    def run(self, name: str) -> None:
        """Calls a method of the service that Nameko's timer calls."""
        getattr(self._class, name)(self.service)

    def hear(self, name: str, events: "Event[Any] | list[Event[Any]]") -> None:
        """Has the service's method handle an event, or a set of them; raises what the method does."""
        error = getattr(self._class, name)(self.service, events)
        if error is not None:
            raise error

    def published(self) -> Iterator[tuple[str, "Event[Any]"]]:
        """The events that were published in this rehearsal, each with its name."""
        for routing_key, body in self.connection.execute("select routing_key, body from outbox order by id").fetchall():
            contract = the_system().events.get(routing_key)
            if contract is not None:
                yield contract.name, unwrap(contract, decrypted(bytes(body)))


@dataclass(frozen=True)
class Stage:
    """Where a service's rehearsals take place."""

    service_class: type[Any]
    database_url: str
    notebook: Notebook
    helpers: Mapping[str, Any]
    """What the service's methods find at `self` beside the database."""

    @contextmanager
    def rehearsals(self) -> Iterator[Any]:
        """Yields a function whose calls each begin a Rehearsal, which is rolled back at the end."""
        settings = replace(
            DatabaseSettings(database_url=Secret(self.database_url)), statement_timeout_seconds=_SECONDS_AT_MOST
        )
        engine = engine_for(settings, "deploy.growth")
        try:
            yield lambda: self._rehearsal(engine)
        finally:
            engine.dispose()

    @contextmanager
    def _rehearsal(self, engine: Any) -> Iterator[Rehearsal]:
        with engine.connect() as connection, connection.begin() as transaction:
            explain_on(connection.connection.driver_connection, self.notebook)
            stand_in = SimpleNamespace(name=self.service_class.name, database=_Undone(connection), **self.helpers)
            yield Rehearsal(stand_in, self.notebook, self.service_class, connection)
            transaction.rollback()
