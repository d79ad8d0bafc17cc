"""Three PostgreSQL servers under Patroni, etcd and haproxy on loopback, with the example's configuration."""

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import requests

from deploy.local import postgres
from deploy.local.client import wait_until
from deploy.local.environment import ROOT
from deploy.local.ports import LOOPBACK, hold_port
from deploy.local.postgres_home import ACCOUNT
from tests.certificates import write_certificates
from tests.debian_packages import need_packages

NODES = ("a", "b", "c")
_EXAMPLE = ROOT / "deploy" / "patroni"
_PACKAGES = ("patroni", "python3-etcd", "etcd-server", "haproxy")
_SECONDS_TO_BEGIN = 120


@dataclass
class Cluster:
    """The servers `a`, `b` and `c`; files and logs are in `folder`."""

    folder: Path
    ports: Mapping[str, int]
    """By node its database, with `-api` its Patroni; `primary` and `standbys` of haproxy; `etcd` and `etcd-peer`."""
    password: str
    running: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def address(self, *ports: int, database: str = "postgres") -> str:
        """Returns the address of a database at these ports, by TLS as production demands it."""
        hosts, listed = ",".join([LOOPBACK] * len(ports)), ",".join(map(str, ports))
        tls = f"sslmode=verify-full&sslrootcert={self.folder}/authority.crt"
        return f"postgresql://postgres:{self.password}@/{database}?host={hosts}&port={listed}&{tls}"

    @property
    def of_all_servers(self) -> str:
        """The address that names the three servers."""
        return self.address(*(self.ports[name] for name in NODES))

    @property
    def leader(self) -> str | None:
        """The node that Patroni answers as the leader, if one is running."""
        return next((one["name"] for one in self.members() if one["role"] == "leader"), None)

    def members(self) -> list[dict[str, Any]]:
        """Returns what Patroni says of the servers; nothing where no node answers."""
        for name in NODES:
            try:
                url = f"http://{LOOPBACK}:{self.ports[f'{name}-api']}/cluster"
                members: list[dict[str, Any]] = requests.get(url, timeout=3).json()["members"]
            except (requests.RequestException, ValueError, KeyError):
                continue
            return members
        return []

    def wait_until_whole(self, seconds: float = _SECONDS_TO_BEGIN) -> None:
        """Returns when there are a leader, a synchronous standby and another one."""
        wait_until(self._is_whole, f"the cluster is whole: {self.folder}", seconds)

    def kill(self, name: str) -> None:
        """Kills Patroni and all of PostgreSQL on a node at once, as if its machine had lost power."""
        patroni = psutil.Process(self.running[name].pid)
        server = psutil.Process(int((self.data_of(name) / "postmaster.pid").read_text().split()[0]))
        for process in (patroni, server, *patroni.children(recursive=True), *server.children(recursive=True)):
            try:
                os.kill(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.running.pop(name).wait()

    def data_of(self, name: str) -> Path:
        return self.folder / name / "data"

    def start_node(self, name: str) -> None:
        """Starts Patroni on a node."""
        self._start(name, ["/usr/bin/patroni", str(self.folder / "config.yml")], self._node_environment(name))

    def switch_over(self) -> str:
        """Has Patroni change the leader on command; returns what the command printed."""
        command = ["/usr/bin/patronictl", "-c", str(self.folder / "config.yml"), "switchover", "cards", "--force"]
        done = subprocess.run(
            command,
            env={**_ENVIRONMENT, **self._node_environment("a")},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start_all(self) -> None:
        """Starts etcd, the three nodes and haproxy."""
        client, peer = (f"http://{LOOPBACK}:{self.ports[name]}" for name in ("etcd", "etcd-peer"))
        etcd = ["/usr/bin/etcd", "--name=e", f"--data-dir={self.folder}/etcd", "--unsafe-no-fsync"]
        etcd += [f"--listen-client-urls={client}", f"--advertise-client-urls={client}"]
        etcd += [f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=e={peer}"]
        self._start("etcd", etcd, {})
        wait_until(lambda: _answers(f"{client}/health"), "etcd answers")
        for name in NODES:
            self.start_node(name)
        servers = {f"SERVER_{name.upper()}": f"{LOOPBACK}:{self.ports[name]}" for name in NODES}
        apis = {f"SERVER_{name.upper()}_API": str(self.ports[f"{name}-api"]) for name in NODES}
        binds = {f"{name.upper()}_BIND": f"{LOOPBACK}:{self.ports[name]}" for name in ("primary", "standbys")}
        haproxy = ["/usr/sbin/haproxy", "-db", "-f", str(_EXAMPLE / "haproxy.cfg")]
        self._start("haproxy", haproxy, {**servers, **apis, **binds}, account=None)

    def stop_all(self) -> None:
        """Ends all that runs; databases at once."""
        for name in NODES:
            if name in self.running:
                self.kill(name)
        for process in self.running.values():
            process.kill()
            process.wait()

    def _is_whole(self) -> bool:
        members = self.members()
        roles = sorted(one["role"] for one in members)
        followers = [one["state"] for one in members if one["role"] != "leader"]
        return roles == ["leader", "replica", "sync_standby"] and set(followers) <= {"running", "streaming"}

    def _start(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], account: str | None = ACCOUNT
    ) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                command,
                cwd=self.folder,
                env={**_ENVIRONMENT, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=account,
                group=account,
                extra_groups=[] if account else None,
                umask=0o077,
            )

    def _node_environment(self, name: str) -> dict[str, str]:
        """Returns the example's environment of a node, with this node's values."""
        database, api = (f"{LOOPBACK}:{self.ports[port]}" for port in (name, f"{name}-api"))
        own = {
            "PATRONI_NAME": name,
            "PATRONI_RESTAPI_LISTEN": api,
            "PATRONI_RESTAPI_CONNECT_ADDRESS": api,
            "PATRONI_RESTAPI_PASSWORD": self.password,
            "PATRONI_ETCD3_HOSTS": f"{LOOPBACK}:{self.ports['etcd']}",
            "PATRONI_POSTGRESQL_LISTEN": database,
            "PATRONI_POSTGRESQL_CONNECT_ADDRESS": database,
            "PATRONI_POSTGRESQL_DATA_DIR": str(self.data_of(name)),
            "PATRONI_POSTGRESQL_BIN_DIR": str(postgres.binaries()),
            "PATRONI_POSTGRESQL_PGPASS": str(self.folder / name / "pgpass"),
            **{f"PATRONI_{role}_PASSWORD": self.password for role in ("SUPERUSER", "REPLICATION", "REWIND")},
        }
        lines = [line for line in (_EXAMPLE / "node.env").read_text().splitlines() if not line.startswith("#")]
        example = dict(line.split("=", 1) for line in lines)
        assert own.keys() <= example.keys(), f"the example lacks {own.keys() - example.keys()}"
        return example | own


_ENVIRONMENT = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LANG": "C.UTF-8", "HOME": "/nonexistent"}


@contextmanager
def patroni_cluster() -> Iterator[Cluster]:
    """Runs a cluster, whole, and deletes it at the end."""
    need_packages(*_PACKAGES)
    folder = Path(tempfile.mkdtemp(prefix="patroni-"))
    names = [*NODES, *(f"{name}-api" for name in NODES), "primary", "standbys", "etcd", "etcd-peer"]
    cluster = Cluster(folder, {name: hold_port() for name in names}, secrets.token_hex(12))
    try:
        _lay_out(folder)
        cluster.start_all()
        cluster.wait_until_whole()
        yield cluster
    finally:
        cluster.stop_all()
        shutil.rmtree(folder)


def _lay_out(folder: Path) -> None:
    """Writes the configuration and certificates where the user postgres alone may read them."""
    example = (_EXAMPLE / "config.yml").read_text()
    here = example.replace("/etc/patroni/", f"{folder}/").replace("/var/run/postgresql", str(folder))
    (folder / "config.yml").write_text(here)
    write_certificates(folder)
    for name in NODES:
        (folder / name).mkdir()
    for path in (folder, *folder.iterdir()):
        path.chmod(0o700 if path.is_dir() else 0o600)
        shutil.chown(path, ACCOUNT, ACCOUNT)


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).ok
    except requests.RequestException:
        return False
