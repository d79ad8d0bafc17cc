"""A folder with the code of a release, whose system runs there; other code takes its place, as an upgrade does."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from deploy.local import web
from deploy.local.environment import SERVICES
from tests.databases import ROOT

_ON_STACK = "from pathlib import Path; from deploy.local import stack; stack.{}"
_START = _ON_STACK.format(f"start(Path('.local').absolute(), {dict.fromkeys(SERVICES, 2)})")
_RESET = _ON_STACK.format("reset(Path('.local').absolute())")


def start(folder: Path) -> None:
    """Starts the folder's system, two processes of each service."""
    run_python(folder, "-c", _START)


def reset(folder: Path) -> None:
    """Stops the folder's system and deletes its data."""
    run_python(folder, "-c", _RESET)


def replace_code(folder: Path) -> None:
    """Copies the files that git tracks, with uncommitted changes, and the built pages."""
    for entry in folder.iterdir():
        if entry.name != ".local":
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    known = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, os.fsdecode(known).split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    web.build()
    shutil.copytree(web.DIST, folder / web.DIST.relative_to(ROOT))


def run_python(folder: Path, *arguments: str) -> None:
    """Runs by the Python of these tests. Raises CalledProcessError, whose output is shown too."""
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    print(done.stdout)
    done.check_returncode()
