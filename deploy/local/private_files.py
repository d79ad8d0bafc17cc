"""Folders and files of the local stack that nobody but their owner reads: they hold secrets, logs and messages."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

UMASK = 0o077
"""By which the stack's programs write: what they make is their owner's alone."""
_TOP = Path(__file__).resolve().parents[2] / ".local"


def make_private(folder: Path) -> Path:
    """Make a folder, or find it, and shut it for others, as `.local` above it; what it holds already is shut too."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    above = [_TOP] if _TOP in folder.resolve().parents else []
    for path in (*above, folder, *folder.iterdir(), *(folder / "logs").glob("*")):
        _shut(path)
    return folder


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner reads, were it open to others before; who is killed leaves the one before."""
    handle, new = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(handle)
        Path(new).replace(path)
    finally:
        Path(new).unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def open_private(path: Path, mode: str) -> IO[Any]:
    """Open a file to write it; one that is made by this only its owner reads."""
    return open(path, mode, opener=lambda name, flags: os.open(name, flags, 0o600))


def _shut(path: Path) -> None:
    with suppress(FileNotFoundError):  # a neighbour's file that was there for a moment
        mode = path.lstat().st_mode
        if mode & UMASK and not path.is_symlink():
            path.chmod(mode & 0o7700)
