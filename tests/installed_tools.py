"""Programs that tests need beside Debian's, installed from locks into `.local/tools`, once for all processes."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.databases import ROOT

_TOOLS = ROOT / ".local" / "tools"
_NPM_FILES = ("package.json", "package-lock.json", ".npmrc")


def npm_packages(locks: Path, name: str, finish: Callable[[Path], None]) -> Path:
    """The folder of this name, with exactly the packages that the lock in `locks` names, and what `finish` makes."""
    folder = _TOOLS / name
    with _once(folder, [locks / file for file in _NPM_FILES]) as is_done:
        if not is_done:
            for file in _NPM_FILES:
                shutil.copy(locks / file, folder / file)
            _run(["npm", "ci"], folder)
            finish(folder)
    return folder


def python_programs(lock: Path) -> Path:
    """The programs of a virtual environment of its own, with exactly the packages of the lock."""
    folder = _TOOLS / lock.stem
    with _once(folder, [lock]) as is_done:
        if not is_done:
            _run([sys.executable, "-m", "venv", "venv"], folder)
            _run(["venv/bin/pip", "install", "--quiet", "--require-hashes", "-r", str(lock)], folder)
    return folder / "venv" / "bin"


class _once:  # noqa: N801 - a context manager
    """Whether the folder holds what these files ask for; emptied where not, and marked at the end. One at a time."""

    def __init__(self, folder: Path, files: Iterable[Path]) -> None:
        self._folder, self._stamp = folder, folder / "made-from"
        self._digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()

    def __enter__(self) -> bool:
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        self._lock = self._folder.with_suffix(".lock").open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        is_done = self._stamp.exists() and self._stamp.read_text() == self._digest
        if not is_done:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder.mkdir()
        return is_done

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is None:
            self._stamp.write_text(self._digest)
        self._lock.close()


def _run(command: list[str], folder: Path) -> None:
    own = {**os.environ, "PATH": f"{os.environ['PATH']}:{Path(sys.executable).parent}"}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=own)
    assert done.returncode == 0, done.stdout + done.stderr
