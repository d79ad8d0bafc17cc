"""A Docker engine of the tests' own, and images made of Debian's packages in place of those that a registry would give.

Its data are in `.local/docker` and go with it; what takes long to fetch, the roots of the base images, stays in
`.local/docker-roots` for the next run.
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local.bootstrap import ROOT, install_packages

SUITE = "trixie"
BASE = "debian:trixie-slim"
"""What the Dockerfile's FROM names; here it is imported."""
_DATA = ROOT / ".local" / "docker"
_ROOTS = ROOT / ".local" / "docker-roots"
_STAND_INS = Path(__file__).parent / "stand_ins"
_BASE_PACKAGES = "ca-certificates,fonts-hanazono,fonts-wqy-zenhei,python3,python3-venv,tzdata"
_NODE_PACKAGES = "nginx,postgresql,rabbitmq-server"
_CLIENT = "/usr/bin/docker"
_NEEDED = (_CLIENT, "/usr/sbin/dockerd", "/usr/bin/docker-compose", "/usr/bin/mmdebstrap")
_ADDRESS = "172.31.77.1/24"
_SECONDS_TO_START = 60


@dataclass(frozen=True)
class Docker:
    """The running engine."""

    environment: dict[str, str]

    def __call__(self, *arguments: str, seconds: float = 600) -> str:
        """Runs docker; returns what it prints. Raises RuntimeError with its complaint."""
        return self.run([_CLIENT, *arguments], seconds)

    def run(self, command: list[str], seconds: float = 600, folder: Path = ROOT) -> str:
        """Runs a program that uses this engine; returns what it prints. Raises RuntimeError with its complaint."""
        done = subprocess.run(
            command,
            cwd=folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(command[:6])} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout.strip()

    def import_base(self) -> None:
        """Makes the base image of the Dockerfile, with the packages that it would install."""
        self._import(BASE, _BASE_PACKAGES)

    def stand_in(self, name: str) -> str:
        """Builds an image that takes the place of the official one; returns its tag."""
        self._import("cards-test-nodes:latest", _NODE_PACKAGES)
        tag = f"cards-test-{name}:latest"
        self("build", "--file", str(_STAND_INS / f"{name}.Dockerfile"), "--tag", tag, str(_STAND_INS))
        return tag

    def _import(self, tag: str, packages: str) -> None:
        if not self("images", "--quiet", tag):
            self("import", str(_root(packages)), tag)


@contextmanager
def running_docker() -> Iterator[Docker]:
    """Runs an engine with data of its own, and removes at the end what it made."""
    _install()
    runtime = Path(tempfile.mkdtemp(prefix="cards-docker-"))
    _DATA.mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        "DOCKER": _CLIENT,
        "DOCKER_HOST": f"unix://{runtime}/docker.sock",
        "DOCKER_CONFIG": str(runtime / "config"),
        "DOCKER_BUILDKIT": os.environ.get("DOCKER_BUILDKIT", "1"),
    }
    had_bridge = Path("/sys/class/net/docker0").exists()
    with (runtime / "log").open("wb") as log:
        engine = subprocess.Popen(_command(runtime), stdout=log, stderr=subprocess.STDOUT, cwd="/")
    docker = Docker(environment)
    try:
        _wait_for(docker, engine, runtime / "log")
        yield docker
        _remove_all(docker)
    finally:
        engine.terminate()
        engine.wait(60)
        if not had_bridge:
            _remove_bridge()
        for folder in (_DATA, runtime):
            _unmount_below(folder)
            shutil.rmtree(folder, ignore_errors=True)


def _install() -> None:
    if not all(Path(path).exists() for path in _NEEDED):
        more = ["docker-cli"] if _is_separate("docker-cli") else []
        install_packages(["docker.io", "docker-compose", "mmdebstrap", "iptables", *more])


def _is_separate(package: str) -> bool:
    return subprocess.run(["apt-cache", "show", package], capture_output=True, check=False).returncode == 0


def _command(runtime: Path) -> list[str]:
    return [
        "/usr/sbin/dockerd",
        "--storage-driver=overlay2",
        f"--data-root={_DATA}",
        f"--exec-root={runtime / 'exec'}",
        f"--host=unix://{runtime}/docker.sock",
        f"--pidfile={runtime / 'pid'}",
        f"--bip={_ADDRESS}",
    ]


def _wait_for(docker: Docker, engine: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _SECONDS_TO_START
    while True:
        try:
            docker("version")
        except RuntimeError:
            if engine.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"dockerd did not start:\n{log.read_text()[-3000:]}") from None
            time.sleep(0.2)
        else:
            return


def _remove_all(docker: Docker) -> None:
    if containers := docker("ps", "--all", "--quiet").split():
        docker("rm", "--force", "--volumes", *containers)
    docker("network", "prune", "--force")


def _remove_bridge() -> None:
    """Removes what dockerd leaves: its bridge, and its chains of packet filters."""
    subprocess.run(["ip", "link", "delete", "docker0"], capture_output=True, check=False)
    for table in ("filter", "nat"):
        rules = subprocess.run(["iptables-save", "-t", table], capture_output=True, text=True, check=False).stdout
        for line in rules.splitlines():
            if line.startswith("-A") and "DOCKER" in line:
                subprocess.run(["iptables", "-t", table, "-D", *line.split()[1:]], capture_output=True, check=False)
        for line in rules.splitlines():
            if line.startswith(":DOCKER"):
                for action in ("-F", "-X"):
                    chain = line[1:].split()[0]
                    subprocess.run(["iptables", "-t", table, action, chain], capture_output=True, check=False)


def _unmount_below(folder: Path) -> None:
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for mount in sorted((one for one in mounts if one.startswith(f"{folder}/")), reverse=True):
        subprocess.run(["umount", "--lazy", mount], check=False)


def _root(packages: str) -> Path:
    """Returns the archive of a bare root of Debian with these packages; it is made if there is none."""
    name = packages.replace(",", "-")[:60]
    archive = _ROOTS / f"{SUITE}-{name}.tar"
    if not archive.exists():
        _ROOTS.mkdir(parents=True, exist_ok=True)
        new = archive.with_suffix(".new.tar")
        without = ["/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*"]
        options = [f"--dpkgopt=path-exclude={path}" for path in without]
        command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={packages}", *options, SUITE, str(new)]
        subprocess.run(command, check=True, env={**os.environ, "TMPDIR": tempfile.gettempdir()})
        new.replace(archive)
    return archive
