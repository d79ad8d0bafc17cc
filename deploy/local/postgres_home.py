"""Finds the files of a private PostgreSQL node: in its folder, or for root in a place that its user may enter.

PostgreSQL refuses to run as root, so root starts it as the user postgres, who may not enter the node's private folder.
Root's node is therefore in a folder with a random name in the home of that user. The node's folder holds this name,
and the place names the node's folder. The place is used only if both agree, so that neither another checkout at the
same path nor a copy of this one uses this one's database.
"""

import logging
import os
import pwd
import secrets
import shutil
from pathlib import Path

from deploy.local.private_files import write_private

ACCOUNT = "postgres"
_ID = "postgres.id"
_MARKER = "belongs_to"

log = logging.getLogger(__name__)


def home_of(folder: Path) -> Path:
    """Return the folder of the data, log and password of this folder's node, whether it exists yet or not.

    Data of an earlier release stay in root's folder until `choose_home`.
    """
    below, apart = folder / "postgres", _apart(folder)
    if apart is None or (_holds_data(below) and not _holds_data(apart)):
        return below
    return apart


def choose_home(folder: Path) -> Path:
    """Return the home of the node; make it if there is none, and move it to where its user may enter it.

    It may be killed at any moment and repeated. The node must not run. Raises RuntimeError if root has no user to run
    it as.
    """
    below = folder / "postgres"
    if os.geteuid() != 0:
        below.mkdir(mode=0o700, parents=True, exist_ok=True)
        return below
    if _account() is None:
        raise RuntimeError(f"Root cannot run PostgreSQL, and there is no user {ACCOUNT}: apt-get install postgresql")
    home = _apart(folder)
    if home is None or not home.exists() or (_holds_data(below) and not _holds_data(home)):
        if home is None and (folder / _ID).exists():
            log.warning("the database that %s names is another checkout's: this one begins anew", folder / _ID)
        home = home or _new_place(folder)
        moving = home.with_suffix(".moving")
        for rest in (home, moving):
            shutil.rmtree(rest, ignore_errors=True)
        _fill(moving, below, folder)
        moving.rename(home)
    if _holds_data(home):
        shutil.rmtree(below, ignore_errors=True)
    return home


def drop(folder: Path) -> None:
    """Delete the node's files, wherever they are; files of another node with a copied id stay."""
    places = [folder / "postgres"]
    if (home := _apart(folder)) is not None:
        places += [home, home.with_suffix(".moving")]
    for place in places:
        shutil.rmtree(place, ignore_errors=True)
    (folder / _ID).unlink(missing_ok=True)


def hand_over(path: Path) -> None:
    """Give a file or folder to PostgreSQL's user if root runs it; of a link the link itself, not its target."""
    account = _account() if os.geteuid() == 0 else None
    if account is not None:
        os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)


def _fill(moving: Path, below: Path, folder: Path) -> None:
    if _holds_data(below):
        shutil.copytree(below, moving, symlinks=True)
    else:
        moving.mkdir(mode=0o700)
    moving.chmod(0o700)
    write_private(moving / _MARKER, str(folder.resolve()))
    for path in (*moving.rglob("*"), moving):
        hand_over(path)


def _apart(folder: Path) -> Path | None:
    """Return this folder's place outside of it, if there is one."""
    account = _account() if os.geteuid() == 0 else None
    place = _place(folder) if account else None
    if place is None:
        return None
    try:
        owner = Path((place / _MARKER).read_text())
    except OSError:
        # Not yet made, or deleted: this folder may use it.
        return place if not place.exists() else None
    return place if owner == folder.resolve() or not _has_same_id(owner, folder) else None


def _has_same_id(owner: Path, folder: Path) -> bool:
    """Whether the folder that a place names is still its owner, and was not moved to this folder."""
    try:
        return (owner / _ID).read_text() == (folder / _ID).read_text()
    except OSError:
        return False


def _place(folder: Path) -> Path | None:
    account = _account()
    try:
        name = (folder / _ID).read_text().strip()
    except OSError:
        return None
    return Path(account.pw_dir) / f"union-cards-{name}" if account and name.isalnum() else None


def _new_place(folder: Path) -> Path:
    write_private(folder / _ID, secrets.token_hex(8))
    place = _place(folder)
    assert place is not None  # noqa: S101
    return place


def _account() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(ACCOUNT)
    except KeyError:
        return None


def _holds_data(home: Path) -> bool:
    return (home / "data" / "PG_VERSION").exists()
