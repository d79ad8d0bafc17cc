"""A private PostgreSQL node whose data, log and password are in one folder."""

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from deploy.local import postgres_home
from deploy.local.ports import LOOPBACK, hold_port
from deploy.local.private_files import UMASK, write_private
from services.kit.secret_values import Secret
from services.kit.settings import DatabaseSettings

SUPERUSER = "postgres"
STANZA = "cards"
ARCHIVE_CONFIG = "pgbackrest.conf"
"""In the node's home; the write-ahead log is archived from when this file is there, without a restart."""
_ARCHIVE_SECONDS = 60
"""How much of the newest changes a backup may lack at most."""
_SHARED = ("postgres", "template1")
_ATTEMPTS = 5
_SECONDS_TO_STOP = 60
_DURABLE = {"shared_buffers": "256MB", "max_wal_size": "2GB", "wal_compression": "on", "archive_mode": "on"}
_FOR_TESTS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}
_ALWAYS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "300",
    "timezone": "UTC",
    "log_min_duration_statement": "500ms",
    # The log has no values, neither of parameters nor of rows that caused an error.
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_error_verbosity": "terse",
    "random_page_cost": "1.1",
}


_HAND_OVER = (
    "reassign owned by {role} to {owner}",
    "grant select, insert, update, delete on all tables in schema public to {role}",
    "grant usage on all sequences in schema public to {role}",
)
"""For tables of earlier releases, which belonged to the role that the service runs as."""

_RIGHTS = (
    "revoke create on schema public from public",
    "grant usage on schema public to {role}",
    "alter default privileges for role {owner} in schema public"
    " grant select, insert, update, delete on tables to {role}",
    "alter default privileges for role {owner} in schema public grant usage on sequences to {role}",
)


@dataclass(frozen=True)
class Postgres:
    """A running server, with the right to make databases on it."""

    port: int
    password: str
    host: str = LOOPBACK
    user: str = SUPERUSER

    def url(self, database: str = "postgres", user: str = SUPERUSER, password: str | None = None) -> str:
        """Return the SQLAlchemy URL of a database; as the superuser unless a role is named."""
        return f"postgresql+psycopg://{user}:{password or self.password}@{self.host}:{self.port}/{database}"

    def has_database(self, name: str) -> bool:
        with self._connect() as connection:
            found = connection.execute("select 1 from pg_database where datname = %s", [name])
            return found.fetchone() is not None

    def create_database(self, name: str, template: str = "template0") -> None:
        """Make a database: empty, or a copy of a template that nobody is connected to."""
        with self._connect() as connection:
            # Copying files, as releases before 15 do, takes half the time of the default, which suits busy servers.
            how = sql.SQL("strategy file_copy" if connection.info.server_version >= 150_000 else "")
            names = sql.Identifier(name), sql.Identifier(template)
            connection.execute(sql.SQL("create database {} template {} {}").format(*names, how))
            connection.execute(sql.SQL("revoke all on database {} from public").format(sql.Identifier(name)))

    def close_shared_databases(self) -> None:
        """Let only superusers connect to the databases that every node has, where all roles would see the content."""
        with self._connect() as connection:
            is_open = "select datname from pg_database where datname = any(%s)"
            is_open += " and has_database_privilege('public', datname, 'connect')"
            for (name,) in connection.execute(is_open, [list(_SHARED)]).fetchall():
                connection.execute(sql.SQL("revoke all on database {} from public").format(sql.Identifier(name)))

    def prepare_private_database(self, name: str, password: str, owner_password: str) -> None:
        """Make a database that only two roles may connect to.

        The role of its name reads and writes rows within limits of time, the owner migrates tables. Repeated, it
        updates the passwords.
        """
        database, owner = sql.Identifier(name), sql.Identifier(owner_of(name))
        with self._connect() as connection:
            for role, secret in ((name, password), (owner_of(name), owner_password)):
                _prepare_role(connection, role, secret)
            _limit_role(connection, name)
        self.create_owned_database(name, name)
        with self._connect(name) as connection:
            statements = [*(_HAND_OVER if _owns_tables(connection, name) else ()), *_RIGHTS]
            for statement in statements:
                connection.execute(sql.SQL(statement).format(role=database, owner=owner))

    def create_owned_database(self, name: str, role_name: str) -> None:
        """Make a database for the roles of a service, unless there is one of this name."""
        database, role, owner = map(sql.Identifier, (name, role_name, owner_of(role_name)))
        with self._connect() as connection:
            if not self.has_database(name):
                connection.execute(sql.SQL("create database {} owner {} template template0").format(database, owner))
            connection.execute(sql.SQL("alter database {} owner to {}").format(database, owner))
            connection.execute(sql.SQL("revoke all on database {} from public").format(database))
            connection.execute(sql.SQL("grant connect on database {} to {}").format(database, role))

    def archive_log(self, seconds: float = 60) -> None:
        """Have all that was committed so far archived, and a commit after it, since recovery ends only at a later one.

        Raises RuntimeError if it is not in time.
        """
        with self._connect() as connection:
            connection.execute("select pg_current_xact_id()")
            newest = connection.execute("select pg_walfile_name(pg_switch_wal())").fetchone()
            until = time.monotonic() + seconds
            archived = "select coalesce(last_archived_wal >= %s, false) from pg_stat_archiver"
            while connection.execute(archived, newest).fetchone() != (True,):
                if time.monotonic() > until:
                    raise RuntimeError("The write-ahead log is not archived; read the log of PostgreSQL.")
                time.sleep(0.1)

    def unarchived_seconds(self) -> float:
        """Return of how many seconds the changes would be lost with the server: those that are not archived yet."""
        age = "select extract(epoch from now() - coalesce(last_archived_time, stats_reset)) from pg_stat_archiver"
        with self._connect() as connection:
            found = connection.execute(age).fetchone()
            return float(found[0]) if found else 0.0

    def wait_until_promoted(self, data: Path, log: Path, seconds: float) -> None:
        """Wait until a restored server has reached its moment; raises RuntimeError if it ends, or is not in time."""
        until = time.monotonic() + seconds
        while True:
            with suppress(psycopg.OperationalError), self._connect() as connection:
                if connection.execute("select pg_is_in_recovery()").fetchone() == (False,):
                    return
            if time.monotonic() > until or _running_pid(data) is None:
                raise RuntimeError(f"The restored server does not reach its moment:\n{log.read_text()[-2000:]}")
            time.sleep(0.2)

    def end_connections(self, name: str) -> None:
        """End all connections to a database."""
        with self._connect() as connection:
            connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name])

    def drop_private_database(self, name: str) -> None:
        """Drop a database with its two roles."""
        self.drop_database(name)
        with self._connect() as connection:
            for role in (name, owner_of(name)):
                connection.execute(sql.SQL("drop role if exists {}").format(sql.Identifier(role)))

    def rename_database(self, name: str, new_name: str) -> None:
        with self._connect() as connection:
            connection.execute(
                sql.SQL("alter database {} rename to {}").format(sql.Identifier(name), sql.Identifier(new_name))
            )

    def drop_database(self, name: str) -> None:
        """Drop a database and end the connections to it."""
        with self._connect() as connection:
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))

    def _connect(self, database: str = "postgres") -> psycopg.Connection:
        """Connect as the superuser, who may change a restored database that takes no changes from others."""
        return psycopg.connect(
            host=self.host,
            port=self.port,
            user=self.user,
            password=self.password,
            dbname=database,
            autocommit=True,
            connect_timeout=10,
            options="-c default_transaction_read_only=off",
        )


def owner_of(database: str) -> str:
    """Return the role that owns a database and all that is in it."""
    return f"{database}_owner"


def data_folder(folder: Path) -> Path:
    """Return the folder of the data."""
    return postgres_home.home_of(folder) / "data"


def start(folder: Path, durable: bool, environment: Mapping[str, str] | None = None) -> Postgres:
    """Start the node of this folder unless it runs; it is made if there is none.

    `durable` off is for tests: a crash of the machine may lose data, nothing else changes. `environment` is added to
    the server's.
    Raises RuntimeError with the end of the log if it does not start.
    """
    if data_folder(folder) == folder / "postgres" / "data" and os.geteuid() == 0:
        stop(folder)  # before it moves to a folder that its user may enter
    data = postgres_home.choose_home(folder) / "data"
    if not (data / "PG_VERSION").exists():
        _initialise(data)
    data.parent.chmod(0o700)
    port = _running_port(data)
    if port is None:
        # The processes of a killed server hold its port for a moment, and clients know the node by this port.
        port = hold_port(_last_port(data), wait_seconds=5)
        _write_settings(data, port, durable)
        _start_server(data, environment)
    node = Postgres(port, _password_file(data).read_text())
    node.close_shared_databases()
    return node


def start_beside(data: Path, port: int, log: Path) -> None:
    """Start a server with restored data on a port of its own. Raises RuntimeError."""
    options = f"-p {port} -c archive_mode=off -c listen_addresses={LOOPBACK} -c unix_socket_directories="
    _pg_ctl(data, "start", "-w", "-t", "600", "-l", str(log), "-o", options)


def stop_beside(data: Path) -> None:
    """Stop a server that `start_beside` started, if it runs."""
    if _running_pid(data) is not None:
        _pg_ctl(data, "stop", "-w", "-m", "immediate")


def is_running(folder: Path) -> bool:
    return _running_port(data_folder(folder)) is not None


def stop(folder: Path) -> None:
    """Stop the node of this folder, if it runs, and end its connections. Raises RuntimeError if it does not end.

    It is stopped by a signal, since pg_ctl would have to enter the folder as the user postgres.
    """
    _end(folder, signal.SIGINT)


def drop(folder: Path) -> None:
    """Stop the node and delete its data, which need no checkpoint and no archive any more."""
    _end(folder, signal.SIGQUIT)
    postgres_home.drop(folder)


def pid(folder: Path) -> int | None:
    """Return the process id of the postmaster, None if it does not run."""
    return _running_pid(data_folder(folder))


def binaries() -> Path | None:
    """Return the folder of the newest PostgreSQL's initdb and pg_ctl, None if it is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


def run(command: list[str], environment: Mapping[str, str] | None = None) -> None:
    """Run one of PostgreSQL's programs: as the user postgres when we are root. Raises RuntimeError."""
    run_as_owner(_program(command), environment)


def run_client(node: Postgres, command: list[str]) -> str:
    """Run one of PostgreSQL's clients against a node as its superuser, and return its output. Raises RuntimeError."""
    connecting = {"PGHOST": node.host, "PGPORT": str(node.port), "PGUSER": node.user, "PGPASSWORD": node.password}
    return run_as_owner(_program(command), connecting)


def run_as_owner(command: list[str], environment: Mapping[str, str] | None = None) -> str:
    """Run a program as the user who owns the node's files and return its output; raises RuntimeError with it."""
    account = postgres_home.ACCOUNT if os.geteuid() == 0 else None
    with tempfile.TemporaryFile("w+") as output:
        # The output goes to a file: the server inherits it, and a pipe would stay open as long as it runs.
        done = subprocess.run(
            command,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            text=True,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            check=False,
            user=account,
            group=account,
            extra_groups=[] if account else None,
            umask=UMASK,
        )
        output.seek(0)
        printed = output.read()
    if done.returncode:
        raise RuntimeError(f"{Path(command[0]).name} {command[-1]} failed:\n{printed[-2000:]}")
    return printed


def _end(folder: Path, how: signal.Signals) -> None:
    data = data_folder(folder)
    server = _running_pid(data)
    if server is None:
        return
    os.kill(server, how)
    deadline = time.monotonic() + _SECONDS_TO_STOP
    while _running_pid(data) is not None:
        if time.monotonic() > deadline:
            raise RuntimeError(f"PostgreSQL does not stop; read {data.parent / 'postgres.log'}")
        time.sleep(0.05)


def _prepare_role(connection: "psycopg.Connection", name: str, password: str) -> None:
    role = sql.Identifier(name)
    if connection.execute("select 1 from pg_roles where rolname = %s", [name]).fetchone() is None:
        connection.execute(sql.SQL("create role {}").format(role))
    rights = "login nosuperuser nocreatedb nocreaterole noreplication nobypassrls"
    connection.execute(sql.SQL(f"alter role {{}} {rights} password {{}}").format(role, sql.Literal(password)))


def _limit_role(connection: "psycopg.Connection", name: str) -> None:
    """Give a role's sessions the limits that services ask for; behind a pooler they cannot ask."""
    for parameter, value in DatabaseSettings(Secret()).session_limits.items():
        statement = sql.SQL("alter role {} set {} = {}")
        connection.execute(statement.format(sql.Identifier(name), sql.Identifier(parameter), sql.Literal(value)))


def _owns_tables(connection: "psycopg.Connection", role: str) -> bool:
    found = connection.execute("select 1 from pg_tables where tableowner = %s limit 1", [role])
    return found.fetchone() is not None


def _initialise(data: Path) -> None:
    half = data.with_name("data.making")  # so that the rest of a killed initdb is not taken for a database
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(mode=0o700)
    postgres_home.hand_over(half)
    password_file = _password_file(data)
    write_private(password_file, secrets.token_hex(16))
    postgres_home.hand_over(password_file)
    options = ["--encoding=UTF8", "--locale=C.UTF-8", "--auth=scram-sha-256", f"--username={SUPERUSER}"]
    run(["initdb", "-D", str(half), *options, f"--pwfile={password_file}"])
    half.rename(data)


def _password_file(data: Path) -> Path:
    return data.parent / "password"


def _write_settings(data: Path, port: int, durable: bool) -> None:
    settings = {**_ALWAYS, **(_DURABLE | _archiving(data) if durable else _FOR_TESTS), "port": str(port)}
    lines = [f"{name} = '{value}'\n" for name, value in settings.items()]
    (data / "postgresql.auto.conf").write_text("".join(lines))


def _archiving(data: Path) -> dict[str, str]:
    """Return the settings that archive the write-ahead log once there is a configuration of backups."""
    config = data.parent / ARCHIVE_CONFIG
    push = f'pgbackrest --config="{config}" --stanza={STANZA} archive-push "%p"'
    command = f'if test -f "{config}"; then {push}; fi'
    return {"archive_command": command, "archive_timeout": str(_ARCHIVE_SECONDS)}


def _start_server(data: Path, environment: Mapping[str, str] | None) -> None:
    log = data.parent / "postgres.log"
    for attempt in range(_ATTEMPTS):
        try:
            _pg_ctl(data, "start", "-w", "-t", "60", "-l", str(log), environment=environment)
        except RuntimeError:
            # The processes of a killed server need a moment to end; until then it cannot start.
            if attempt == _ATTEMPTS - 1:
                raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text()[-2000:]}") from None
            time.sleep(1)
        else:
            return


def _running_pid(data: Path) -> int | None:
    try:
        pid = int((data / "postmaster.pid").read_text().splitlines()[0])
        command = Path(f"/proc/{pid}/cmdline").read_text()
    except (OSError, ValueError, IndexError):
        return None
    return pid if "postgres" in command else None


def _running_port(data: Path) -> int | None:
    return _last_port(data) if _running_pid(data) is not None else None


def _last_port(data: Path) -> int | None:
    try:
        settings = (data / "postgresql.auto.conf").read_text().splitlines()
    except OSError:
        return None
    ports = [line.split("'")[1] for line in settings if line.startswith("port =")]
    return int(ports[0]) if ports else None


def _pg_ctl(data: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
    run(["pg_ctl", "-D", str(data), *arguments], environment)


def _program(command: list[str]) -> list[str]:
    folder = binaries()
    if folder is None:
        raise RuntimeError("PostgreSQL is not installed: apt-get install postgresql")
    return [str(folder / command[0]), *command[1:]]
