"""Backs up the local stack's databases with pgBackRest, and restores one of them to an earlier moment.

All five databases are on one server, so that one alone is restored beside it: to a second server for a moment, from
which it is copied. The replaced database stays under another name until an operator drops it.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from deploy.local import nodes, postgres, postgres_home
from deploy.local.environment import ROOT, SERVICES, database_password, keep_secrets
from deploy.local.ports import LOOPBACK, hold_port
from deploy.local.postgres import ARCHIVE_CONFIG, STANZA, SUPERUSER, Postgres, owner_of
from deploy.local.private_files import write_private
from services.kit.data.fence import raise_fence

Say = Callable[[str], None]
_SECONDS_TO_RECOVER = 600.0
_BESIDE = "restored"


class BackupError(RuntimeError):
    """The backup or restore cannot be made; the message says why."""


@dataclass(frozen=True)
class Backup:
    """A finished backup: its name, its kind, the bytes that it added to the repository, and how long it took."""

    label: str
    kind: str
    added_bytes: int
    seconds: float


@dataclass(frozen=True)
class Restored:
    """A restored database: the name under which the former one was kept, if it existed, and how long it took."""

    replaced: str | None
    seconds: float


def backup(folder: Path) -> Backup:
    """Back the server of this folder up: the first time whole, then what has changed. Raises RuntimeError."""
    node, home = nodes.start_postgres(folder), postgres_home.home_of(folder.resolve())
    started_at = time.monotonic()
    _configure(node, home)
    _pgbackrest(node, home, "stanza-create")
    _pgbackrest(node, home, "check")
    _pgbackrest(node, home, "backup")
    newest = _backups(node, home)[-1]
    added = int(newest["info"]["repository"]["delta"])
    return Backup(newest["label"], newest["type"], added, time.monotonic() - started_at)


def restore(folder: Path, service: str, moment: datetime, environment: Mapping[str, str], say: Say) -> Restored:
    """Restore one service's database to a moment and fence it; no process of the service may run meanwhile.

    `environment` is that of the service's processes. Raises RuntimeError, and then the database is as it was.
    """
    node, home = nodes.start_postgres(folder), postgres_home.home_of(folder.resolve())
    _refuse_unless_possible(node, home, service, moment)
    started_at = time.monotonic()
    node.archive_log()
    new_name = f"{service}_restoring"
    with _server_beside(node, home, service, moment, say) as beside:
        say(f"copying {service} from the server beside")
        _copy(beside, node, service, new_name, home)
    url = node.url(new_name, owner_of(service), database_password(keep_secrets(folder), owner_of(service)))
    _migrate(service, url, environment)
    _secure(service, url, moment, {**environment, "DATABASE_URL": node.url(new_name)})
    replaced = _swap(node, service, new_name)
    return Restored(replaced, time.monotonic() - started_at)


def owner_url(folder: Path, service: str) -> str:
    """Return the address of a service's database as its owner."""
    node, role = nodes.start_postgres(folder), owner_of(service)
    return node.url(service, role, database_password(keep_secrets(folder), role))


def _configure(node: Postgres, home: Path) -> None:
    if shutil.which("pgbackrest") is None:
        raise BackupError("pgBackRest is not installed: apt-get install pgbackrest")
    repository = home / "backup"
    repository.mkdir(mode=0o700, exist_ok=True)
    postgres_home.hand_over(repository)
    lines = [
        *("[global]", f"repo1-path={repository}", f"log-path={repository}", f"lock-path={home / 'backup-locks'}"),
        *("log-level-file=off", "log-level-console=warn", "compress-type=zst", "start-fast=y"),
        *("repo1-retention-full=2", f"[{STANZA}]", f"pg1-path={home / 'data'}", f"pg1-port={node.port}"),
        f"pg1-user={SUPERUSER}",
    ]
    config = home / ARCHIVE_CONFIG
    write_private(config, "".join(f"{line}\n" for line in lines))
    postgres_home.hand_over(config)


def _pgbackrest(node: Postgres, home: Path, *arguments: str) -> str:
    connecting = {"PGHOST": LOOPBACK, "PGPASSWORD": node.password, "HOME": str(home)}
    command = ["pgbackrest", f"--config={home / ARCHIVE_CONFIG}", f"--stanza={STANZA}", *arguments]
    return postgres.run_as_owner(command, connecting)


def _backups(node: Postgres, home: Path) -> list[dict[str, Any]]:
    (stanza,) = json.loads(_pgbackrest(node, home, "info", "--output=json"))
    found: list[dict[str, Any]] = stanza["backup"]
    return found


def _refuse_unless_possible(node: Postgres, home: Path, service: str, moment: datetime) -> None:
    if service not in SERVICES:
        raise BackupError(f"SERVICE is one of {', '.join(SERVICES)}")
    if not (home / ARCHIVE_CONFIG).exists():
        raise BackupError("There is no backup: make backup")
    if moment > datetime.now(UTC):
        raise BackupError("AT is in the future")
    first = min(datetime.fromtimestamp(one["timestamp"]["stop"], UTC) for one in _backups(node, home))
    if moment < first:
        raise BackupError(f"The oldest backup ended at {first.isoformat()}")


@contextmanager
def _server_beside(node: Postgres, home: Path, service: str, moment: datetime, say: Say) -> Iterator[Postgres]:
    """Run a second server, restored to the moment and delete it at the end."""
    data = home / _BESIDE
    _forget(data)
    say(f"restoring {service} to {moment.isoformat()} on a server beside")
    try:
        target = moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f+00")
        which = ["--type=time", f"--target={target}", "--target-action=promote"]
        _pgbackrest(node, home, f"--pg1-path={data}", *which, "--archive-mode=off", "restore")
        port = hold_port(None)
        log = home / "restored.log"
        postgres.start_beside(data, port, log)
        beside = Postgres(port, node.password)
        beside.wait_until_promoted(data, log, _SECONDS_TO_RECOVER)
        yield beside
    finally:
        _forget(data)


def _forget(data: Path) -> None:
    if data.exists():
        postgres.stop_beside(data)
        shutil.rmtree(data, ignore_errors=True)


def _copy(source: Postgres, target: Postgres, service: str, new_name: str, home: Path) -> None:
    """Copy a database with its owner, grants and content to the main server under a new name."""
    target.drop_database(new_name)
    target.create_owned_database(new_name, service)
    dump = home / "restored.dump"
    try:
        postgres.run_client(source, ["pg_dump", "--format=custom", f"--file={dump}", service])
        postgres.run_client(target, ["pg_restore", "--exit-on-error", f"--dbname={new_name}", str(dump)])
    finally:
        dump.unlink(missing_ok=True)


def _migrate(service: str, url: str, environment: Mapping[str, str]) -> None:
    command = [sys.executable, "-W", "ignore", "-m", "services.kit.data.migrate", service]
    _run(command, {**environment, f"DATABASE_URL_{service.upper()}": url})


def _secure(service: str, url: str, moment: datetime, environment: Mapping[str, str]) -> None:
    """End what the restore has revived, and fence the database."""
    command = [sys.executable, "-W", "ignore", "-m", "services.kit.data.repair", service]
    _run(command, environment, json.dumps({"secures": True}))
    with create_engine(url, poolclass=NullPool).begin() as connection:
        raise_fence(connection, moment)


def _run(command: list[str], environment: Mapping[str, str], standard_input: str = "") -> None:
    done = subprocess.run(
        command,
        input=standard_input,
        env={**os.environ, **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BackupError(f"{' '.join(command[3:])} failed:\n{done.stderr[-2000:]}")


def _swap(node: Postgres, service: str, new_name: str) -> str | None:
    """Put the restored database in the place of the former one; return the name that this one has now."""
    replaced = None
    if node.has_database(service):
        replaced = f"{service}_replaced_{datetime.now(UTC):%Y%m%d_%H%M%S}"
        node.end_connections(service)
        node.rename_database(service, replaced)
    node.end_connections(new_name)
    node.rename_database(new_name, service)
    return replaced
