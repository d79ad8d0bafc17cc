"""Two real PostgreSQL servers, a primary and its synchronous standby, whose primary can be killed and replaced."""

import os
import shutil
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg

from deploy.local import postgres, postgres_home
from deploy.local.client import wait_until
from deploy.local.ports import LOOPBACK
from deploy.local.postgres import SUPERUSER, Postgres
from deploy.local.private_files import make_private, write_private

_SETTINGS = "wal_keep_size = '512MB'\nwal_log_hints = on\nmax_connections = 300\n"
_IS_SYNCHRONOUS = "select count(*) from pg_stat_replication where sync_state = 'sync' and state = 'streaming'"


@dataclass(frozen=True)
class TwoServers(Postgres):
    """The servers as one for a stack: addresses name both; databases are made on the first one, while it is primary."""

    second_port: int = 0

    def url(self, database: str = "postgres", user: str = SUPERUSER, password: str | None = None) -> str:
        """Returns the address of a database on whichever server is primary."""
        place = f"host={LOOPBACK},{LOOPBACK}&port={self.port},{self.second_port}&target_session_attrs=primary"
        return f"postgresql+psycopg://{user}:{password or self.password}@/{database}?{place}"


class PrimaryAndStandby:
    """The servers `a` and `b` in a folder; `primary` and `standby` name which is what."""

    def __init__(self, folder: Path) -> None:
        self.primary, self.standby = "a", "b"
        self._folder = folder
        self.servers = {"a": postgres.start(make_private(self.folder("a")), durable=True)}
        self._clone("a", "b")
        self._wait_for_standby()

    @property
    def as_one(self) -> TwoServers:
        """Returns the servers as one for a stack."""
        first = self.servers["a"]
        return TwoServers(first.port, first.password, second_port=self.servers["b"].port)

    def folder(self, name: str) -> Path:
        """Returns the folder of a server."""
        return self._folder / name

    def execute(self, name: str, query: Any, parameters: Sequence[Any] = (), database: str = "postgres") -> list[Any]:
        """Runs a statement as the superuser on one server; returns the rows, if it has any."""
        with self.connect(name, database) as connection:
            found = connection.execute(query, parameters)
            return found.fetchall() if found.description else []

    def connect(self, name: str, database: str = "postgres") -> "psycopg.Connection[Any]":
        """Returns a superuser's connection to one server, whichever role the server has."""
        node = self.servers[name]
        return psycopg.connect(
            host=LOOPBACK,
            port=node.port,
            user=SUPERUSER,
            password=node.password,
            dbname=database,
            autocommit=True,
            connect_timeout=5,
        )

    def kill_primary(self) -> None:
        """Kills all processes of the primary at once, as if its machine had lost power."""
        self.signal(self.primary, signal.SIGKILL)
        wait_until(lambda: not postgres.is_running(self.folder(self.primary)), "the primary is dead")

    def signal(self, name: str, number: signal.Signals) -> None:
        """Sends a signal to all processes of a server."""
        pid = postgres.pid(self.folder(name))
        assert pid is not None, f"{name} does not run"
        leader = psutil.Process(pid)
        # The leader first, so that it starts no child meanwhile.
        for process in (leader, *leader.children(recursive=True)):
            try:
                os.kill(process.pid, number)
            except ProcessLookupError:
                continue

    def promote(self) -> None:
        """Makes the standby the primary; it waits for no standby of its own until `rejoin`."""
        self.execute(self.standby, "select pg_promote(true, 60)")
        self.primary, self.standby = self.standby, self.primary

    def start_former(self) -> None:
        """Starts the former primary as it was, which an operator should not do."""
        postgres.start(self.folder(self.standby), durable=True)

    def rejoin(self) -> None:
        """Makes the former primary a copy of the new one, and its synchronous standby."""
        postgres.stop(self.folder(self.standby))
        self._clone(self.primary, self.standby)
        self._wait_for_standby()

    def restart_primary(self, seconds: float = 0) -> None:
        """Stops the primary and starts it after so many seconds; both keep their roles."""
        postgres.stop(self.folder(self.primary))
        time.sleep(seconds)
        self._start(self.primary)

    def _clone(self, source: str, target: str) -> None:
        node = self.servers[source]
        data = postgres_home.choose_home(make_private(self.folder(target))) / "data"
        former = data / "postgresql.auto.conf"
        port_line = (
            [line for line in former.read_text().splitlines() if line.startswith("port")] if data.exists() else []
        )
        shutil.rmtree(data, ignore_errors=True)
        origin = f"host={LOOPBACK} port={node.port} user={SUPERUSER} password={node.password}"
        postgres.run(["pg_basebackup", "-d", origin, "--checkpoint=fast", "-D", str(data)])
        own = data.parent / "password"
        write_private(own, node.password)
        follow = f"\n{_SETTINGS}primary_conninfo = '{origin} application_name={target}'\n"
        for path, text in (
            (data / "postgresql.conf", (data / "postgresql.conf").read_text() + follow),
            (data / "postgresql.auto.conf", "".join(f"{line}\n" for line in port_line)),
            (data / "standby.signal", ""),
        ):
            path.write_text(text)
        for path in (own, data / "standby.signal"):
            postgres_home.hand_over(path)
        self._start(target)

    def _start(self, name: str) -> None:
        started = postgres.start(self.folder(name), durable=True)
        known = self.servers.setdefault(name, started)
        assert started.port == known.port, f"{name} has another port than its addresses name"

    def _wait_for_standby(self) -> None:
        """Has the primary wait for the standby at each commit, from now on."""
        line = f"\nsynchronous_standby_names = '{self.standby}'\n"
        with (postgres.data_folder(self.folder(self.primary)) / "postgresql.conf").open("a") as settings:
            settings.write(line)
        self.execute(self.primary, "select pg_reload_conf()")
        is_synchronous = wait_until(
            lambda: self.execute(self.primary, _IS_SYNCHRONOUS) == [(1,)], "the standby is synchronous", 30
        )
        assert is_synchronous


@contextmanager
def primary_and_standby(folder: Path) -> Iterator[PrimaryAndStandby]:
    """Runs both servers in a folder, anew, and deletes them at the end."""
    for name in ("a", "b"):
        postgres.drop(folder / name)
    try:
        pair = PrimaryAndStandby(folder)
        yield pair
    finally:
        for name in ("a", "b"):
            postgres.drop(folder / name)
