"""A real PgBouncer on a loopback port, with the example's configuration."""

import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from deploy.local.client import wait_until
from deploy.local.environment import ROOT
from deploy.local.ports import LOOPBACK, hold_port
from deploy.local.postgres import Postgres
from deploy.local.postgres_home import ACCOUNT
from tests.debian_packages import need_packages

_EXAMPLE = ROOT / "deploy" / "pgbouncer" / "pgbouncer.ini"
_PROGRAM = "/usr/sbin/pgbouncer"


@dataclass
class PgBouncer:
    """A pooler in front of a PostgreSQL on loopback."""

    folder: Path
    port: int
    database_port: int
    process: "subprocess.Popen[bytes] | None" = None

    def through(self, url: str) -> str:
        """Returns a database's address through the pooler."""
        return url.replace(f":{self.database_port}/", f":{self.port}/")

    def start(self) -> None:
        """Starts it; returns when it answers."""
        log = (self.folder / "pgbouncer.log").open("ab")
        self.process = subprocess.Popen(
            [_PROGRAM, str(self.folder / "pgbouncer.ini")],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            user=ACCOUNT,
            group=ACCOUNT,
            extra_groups=[],
        )
        log.close()
        wait_until(self._answers, f"PgBouncer answers: {self.folder}/pgbouncer.log", 20)

    def stop(self) -> None:
        """Ends it at once, with all connections through it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def _answers(self) -> bool:
        try:
            psycopg.connect(host=LOOPBACK, port=self.port, dbname="none", user="nobody", password="x").close()
        except psycopg.OperationalError as error:
            return "refused" not in str(error)
        return True


@contextmanager
def pgbouncer(server: Postgres, roles: Sequence[str]) -> Iterator[PgBouncer]:
    """Runs a pooler for these roles in front of a PostgreSQL on loopback."""
    need_packages("pgbouncer")
    folder = Path(tempfile.mkdtemp(prefix="pgbouncer-"))
    pooler = PgBouncer(folder, hold_port(), server.port)
    try:
        _configure(pooler, _secrets_of(server, roles))
        pooler.start()
        yield pooler
    finally:
        pooler.stop()
        shutil.rmtree(folder)


def _secrets_of(server: Postgres, roles: Sequence[str]) -> list[tuple[str, str]]:
    """Returns the server's secret of each role."""
    with psycopg.connect(server.url().replace("+psycopg", "")) as administrator:
        found = administrator.execute(
            "select rolname, rolpassword from pg_authid where rolname = any(%s)", [list(roles)]
        )
        return found.fetchall()


def _configure(pooler: PgBouncer, secrets: Sequence[tuple[str, str]]) -> None:
    """Writes the example's configuration with another place, and without the certificates that loopback needs not."""
    here = {
        "listen_addr": LOOPBACK,
        "listen_port": str(pooler.port),
        "auth_file": str(pooler.folder / "users"),
        "client_tls_sslmode": "disable",
        "server_tls_sslmode": "disable",
    }
    lines = []
    for line in _EXAMPLE.read_text().splitlines():
        name = line.partition(" =")[0]
        if name in here:
            lines.append(f"{name} = {here.pop(name)}")
        elif "_tls_" not in name:
            lines.append(
                line.replace("host=database.example port=5432", f"host={LOOPBACK} port={pooler.database_port}")
            )
    assert not here, f"the example says nothing of {', '.join(here)}"
    (pooler.folder / "pgbouncer.ini").write_text("\n".join(lines) + "\n")
    users = "".join(f'"{role}" "{secret}"\n' for role, secret in secrets)
    (pooler.folder / "users").write_text(users)
    account = pwd.getpwnam(ACCOUNT)
    for path in (pooler.folder, *pooler.folder.iterdir()):
        path.chmod(0o700 if path.is_dir() else 0o600)
        shutil.chown(path, account.pw_uid, account.pw_gid)
