"""Builds and checks the pages in gateway/web: `python -m deploy.local.web build|check|format`.

Nothing is repeated for unchanged sources: a digest of them is kept beside the output.
"""

import argparse
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.local.bootstrap import ROOT, VENV, machine_has_node

WEB = ROOT / "gateway" / "web"
DIST = WEB / "dist"
_RUNBOOKS = ROOT / "docs" / "operations" / "runbooks"
_OUTSIDE = (ROOT / "docs" / "api" / "openapi.json", ROOT / ".editorconfig", *sorted(_RUNBOOKS.glob("*.md")))
_STAMPS = ROOT / ".local" / "web"
_MADE = frozenset({"node_modules", "dist", "dist.new", "dist.old", "schema.d.ts"})
_PACKAGES = ("package.json", "package-lock.json", ".npmrc")


def build() -> None:
    """Build gateway/web/dist, unless it is up to date. Raises RuntimeError with npm's output."""
    with _exclusive():
        _install()
        if not (_is_done("built", _sources()) and (DIST / "index.html").exists()):
            print("pages: building", flush=True)
            _npm("run", "build", "--", "--outDir", "dist.new", "--emptyOutDir")
            _put_in_place()
            _mark_done("built", _sources())


def check() -> None:
    """Types, style, tests and sizes of the pages, unless these sources have passed. Raises RuntimeError."""
    build()
    with _exclusive():
        if not _is_done("checked", _sources()):
            for script in ("typecheck", "lint", "format:check", "test", "size"):
                _npm("run", script)
            _mark_done("checked", _sources())


def format_sources() -> None:
    """Bring the sources of the pages into their form. Raises RuntimeError."""
    with _exclusive():
        _install()
        _npm("run", "format")


def _install() -> None:
    packages = [WEB / name for name in _PACKAGES]
    if not (_is_done("installed", packages) and (WEB / "node_modules").exists()):
        print("pages: installing packages of package-lock.json", flush=True)
        _npm("ci")
        _mark_done("installed", packages)


def _npm(*arguments: str) -> None:
    path = os.environ.get("PATH", "")
    environment = {**os.environ, "PATH": path if machine_has_node() else f"{VENV / 'bin'}:{path}"}
    done = subprocess.run(["npm", *arguments], cwd=WEB, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"npm {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")


def _put_in_place() -> None:
    """Replace the pages by two renames, so that the gateway finds either the old or the new ones."""
    old = WEB / "dist.old"
    shutil.rmtree(old, ignore_errors=True)
    if DIST.exists():
        DIST.rename(old)
    (WEB / "dist.new").rename(DIST)
    shutil.rmtree(old, ignore_errors=True)


def _sources() -> Iterator[Path]:
    """All that the pages are made of."""
    yield from _OUTSIDE
    for folder, folders, names in os.walk(WEB):
        folders[:] = [name for name in folders if name not in _MADE]
        yield from (Path(folder) / name for name in names if name not in _MADE)


def _is_done(what: str, files: Iterable[Path]) -> bool:
    stamp = _STAMPS / what
    return stamp.exists() and stamp.read_text() == _digest(files)


def _mark_done(what: str, files: Iterable[Path]) -> None:
    (_STAMPS / what).write_text(_digest(files))


def _digest(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


@contextmanager
def _exclusive() -> Iterator[None]:
    _STAMPS.mkdir(parents=True, exist_ok=True)
    with (_STAMPS / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _main() -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.local.web", description="The pages.")
    parser.add_argument("action", choices=("build", "check", "format"))
    try:
        {"build": build, "check": check, "format": format_sources}[parser.parse_args().action]()
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main())
