"""Fetches the packages that a build of the image installs: `python -m deploy.image.packages`.

This machine's own pip and npm fetch them, so that the build needs no registry, and their settings and passwords stay
here. What is fetched has the hashes of the lock files, lies in `.local/image/packages`, and is fetched again only when
a lock file changes.
"""

import argparse
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

from deploy.local.bootstrap import ROOT, VENV, machine_has_node

PYTHON = "3.13"
"""The Python of the base image that the Dockerfile names."""
FOLDER = ROOT / ".local" / "image" / "packages"
_LOCKS = ("requirements.lock", "requirements-node.lock", "requirements-image.lock")
_WEB = ROOT / "gateway" / "web"
_NPM_FILES = ("package.json", "package-lock.json", ".npmrc")
_NEWEST_GLIBC = 36
"""Of Debian 12, whose wheels suit Debian 13 too."""


def main() -> int:
    """Fetches what is missing; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m deploy.image.packages", description="Fetch the image's packages.")
    parser.add_argument("--python", default=PYTHON, help=f"the base image's Python ({PYTHON})")
    try:
        fetch(parser.parse_args().python)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def fetch(python: str = PYTHON) -> Path:
    """Fetches what is missing for a base image with this Python; returns the folder. Raises RuntimeError."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    _unless_done(FOLDER / "wheels", [ROOT / lock for lock in _LOCKS], python, _fetch_wheels)
    _unless_done(FOLDER / "node_modules.tar", [_WEB / name for name in _NPM_FILES], "", _fetch_npm)
    return FOLDER


def platforms(machine: str) -> list[str]:
    """Returns the names of platforms whose wheels run in the image, as pip takes them."""
    return [*(f"manylinux_2_{minor}_{machine}" for minor in range(_NEWEST_GLIBC, 4, -1)), f"manylinux2014_{machine}"]


def _unless_done(target: Path, sources: Sequence[Path], option: str, fetch_to: Callable[[Path, str], None]) -> None:
    stamp = target.with_name(f"{target.name}.of")
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources) + option.encode()).hexdigest()
    if target.exists() and stamp.exists() and stamp.read_text() == digest:
        return
    print(f"packages of the image: fetching {target.name}", flush=True)
    fetch_to(target, option)
    stamp.write_text(digest)


def _fetch_wheels(target: Path, python: str) -> None:
    shutil.rmtree(target, ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "download"]
    where = [f"--platform={name}" for name in platforms(platform.machine())]
    how = ["--require-hashes", "--no-deps", "--only-binary=:all:", "--implementation=cp", f"--python-version={python}"]
    for lock in _LOCKS:
        _run([*pip, *how, *where, "--requirement", str(ROOT / lock), "--dest", str(target)], ROOT)


def _fetch_npm(target: Path, _option: str) -> None:
    folder = target.with_name("npm")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        for name in _NPM_FILES:
            shutil.copy(_WEB / name, folder)
        _run(["npm", "ci"], folder)
        with tarfile.open(target, "w") as archive:
            archive.add(folder / "node_modules", "node_modules")
    finally:
        shutil.rmtree(folder)


def _run(command: list[str], folder: Path) -> None:
    path = os.environ.get("PATH", "")
    environment = {**os.environ, "PATH": path if machine_has_node() else f"{VENV / 'bin'}:{path}"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:4])} … failed:\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    sys.exit(main())
