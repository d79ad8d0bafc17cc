"""Folders of the services stay small enough to be seen at a glance."""

from pathlib import Path

_SERVICES = Path(__file__).parents[2] / "services"
_MOST_FILES = 15
_SERIES = {"versions", "examples"}
"""Folders that grow by one file for each step of a database, or each message."""


def test_no_folder_holds_more_than_fifteen_files() -> None:
    folders = {path.parent for path in _SERVICES.rglob("*.py") if path.name != "__init__.py"}
    sizes = {folder: len(list(folder.glob("*.py"))) - 1 for folder in folders if folder.name not in _SERIES}
    assert len(sizes) > 20
    assert {str(folder.relative_to(_SERVICES)): size for folder, size in sizes.items() if size > _MOST_FILES} == {}
