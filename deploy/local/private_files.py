"""Private folders and files of the local stack, which hold secrets, logs and messages: only their owner reads them."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

UMASK = 0o077
"""The umask of the stack's programs: their files are private."""
_TOP = Path(__file__).resolve().parents[2] / ".local"


def make_private(folder: Path) -> Path:
    """Make a folder private, with its content and the `.local` above it; create it if it does not exist."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    above = [_TOP] if _TOP in folder.resolve().parents else []
    for path in (*above, folder, *folder.iterdir(), *(folder / "logs").glob("*")):
        _shut(path)
    return folder


def write_private(path: Path, text: str) -> None:
    """Replace a file atomically by a private one; after a kill the former file is still there."""
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
    """Open a file for writing; a new one is private."""
    return open(path, mode, opener=lambda name, flags: os.open(name, flags, 0o600))


def _shut(path: Path) -> None:
    with suppress(FileNotFoundError):  # a temporary file of another process
        mode = path.lstat().st_mode
        if mode & UMASK and not path.is_symlink():
            path.chmod(mode & 0o7700)
