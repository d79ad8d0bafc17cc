"""A Debian machine that systemd runs, in namespaces of its own: processes, mounts, network, name, control groups."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local.bootstrap import ROOT

PROJECT = "/srv/cards"
"""Where the committed project is in the root."""
_GROUPS = Path("/sys/fs/cgroup/unified")
_GROUP = "cards-machine"
_SECONDS_TO_BOOT = 120
_ENVIRONMENT = ("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "HOME=/root")
_NO_SERVICES = """printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d; chmod +x /usr/sbin/policy-rc.d
apt-get -qq update; apt-get -qq install --yes --no-install-recommends systemd iproute2 curl >/dev/null
"""
_BOOT = """
mount --make-rprivate /
mount --bind "$1" "$1"
cd "$1"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero full random urandom tty; do
    touch dev/$device
    mount --bind /dev/$device dev/$device
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t tmpfs -o mode=1777 tmpfs dev/shm
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
echo cards > etc/hostname
printf '127.0.0.1 localhost cards\\n' > etc/hosts
pivot_root . mnt
umount -l /mnt
exec env -i container=cards PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system --unit=multi-user.target
"""


class CommandFailed(RuntimeError):
    """A command on the machine ended with another status than 0; the message holds what it printed."""


@dataclass(frozen=True)
class Machine:
    """The running machine."""

    pid: int
    """Of its first process, systemd."""

    def __call__(self, command: str, seconds: float = 600) -> str:
        """Runs a command of the shell as root; returns what it prints. Raises CommandFailed."""
        done = subprocess.run(
            ["nsenter", f"--target={self.pid}", "--all", "env", "-i", *_ENVIRONMENT, "sh", "-euc", f"cd; {command}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
        )
        if done.returncode:
            raise CommandFailed(f"{command}\nended with {done.returncode}:\n{done.stdout[-5000:]}")
        return done.stdout

    def wait_until(self, command: str, seconds: float = 120) -> str:
        """Repeats a command until it succeeds; returns what it prints. Raises CommandFailed after that time."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                return self(command)
            except CommandFailed:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)


def make_root(suite: str, *steps: str) -> Path:
    """Makes a bare root of a Debian with systemd and the committed project; runs the steps in it, without services."""
    command = [
        "deploy.local.debian_root",
        "run",
        suite,
        "sh",
        "-euc",
        _NO_SERVICES + "\n".join(steps) + "\nrm /usr/sbin/policy-rc.d",
    ]
    subprocess.run([sys.executable, "-m", *command], cwd=ROOT, check=True)
    return ROOT / ".local" / "debian" / suite / "root"


@contextmanager
def booted(root: Path) -> Iterator[Machine]:
    """Boots the machine; all its processes end with it."""
    group = _GROUPS / _GROUP
    group.mkdir(exist_ok=True)
    namespaces = ["--mount", "--uts", "--ipc", "--net", "--cgroup", "--pid", "--fork", "--kill-child"]
    # The shell joins the group first: the new namespace of control groups begins where it is.
    script = f'echo $$ > {group}/cgroup.procs; exec unshare "$@"'
    command = ["sh", "-euc", script, "sh", *namespaces, "sh", "-euc", _BOOT, "sh", str(root)]
    with (root.parent / "console.log").open("w") as console:
        started = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=console, stderr=console)
    try:
        machine = Machine(_child_of(started))
        machine.wait_until("systemctl is-system-running --wait | grep -E 'running|degraded'", _SECONDS_TO_BOOT)
        yield machine
    finally:
        started.send_signal(signal.SIGKILL)
        started.wait()
        _remove(group)


def drop_root(root: Path) -> None:
    """Deletes the machine's files."""
    shutil.rmtree(root, ignore_errors=True)


def _child_of(started: "subprocess.Popen[bytes]") -> int:
    """The process that unshare has forked, which becomes systemd."""
    children = Path(f"/proc/{started.pid}/task/{started.pid}/children")
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and started.poll() is None:
        for pid in children.read_text().split():
            if Path(f"/proc/{pid}/comm").read_text().strip() == "systemd":
                return int(pid)
        time.sleep(0.1)
    raise RuntimeError("systemd did not start")


def _remove(group: Path) -> None:
    deadline = time.monotonic() + 30
    for folder in (*sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True), group):
        while folder.exists():
            try:
                os.rmdir(folder)
            except OSError:  # its processes are about to end
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
