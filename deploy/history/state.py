"""What the system of a folder remembers of the past that was played in it."""

from pathlib import Path

from deploy.local.environment import read_state, write_state

_NAME = "history"
_BEGUN, _PLAYED = "begun", "played"


def is_begun(folder: Path) -> bool:
    """Whether playing was begun, and not finished."""
    return read_state(folder).get(_NAME) == _BEGUN


def is_played(folder: Path) -> bool:
    """Whether the whole past was played."""
    return read_state(folder).get(_NAME) == _PLAYED


def note_begun(folder: Path) -> None:
    write_state(folder, {**read_state(folder), _NAME: _BEGUN})


def note_played(folder: Path) -> None:
    write_state(folder, {**read_state(folder), _NAME: _PLAYED})
