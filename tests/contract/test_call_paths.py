"""The call paths that docs/architecture.md lists are short, and their files exist."""

import re

import pytest

from tests.databases import ROOT

_MOST_FILES = {"Queueing members": 15, "Bank feedback": 9}


@pytest.mark.parametrize("path_name", _MOST_FILES)
def test_a_call_path_is_short_and_names_existing_files_and_definitions(path_name: str) -> None:
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    listed = text.partition(f"**{path_name}**")[2].strip().partition("\n\n")[2].partition("\n\n")[0]
    steps = re.findall(r"^\d+\. `([\w/.]+)`(?: \(`([\w.]+)`\))?:", listed, re.MULTILINE)
    assert 0 < len(steps) <= _MOST_FILES[path_name]
    assert len(steps) == len(listed.splitlines())
    for path, defined in steps:
        code = (ROOT / path).read_text("utf-8")
        assert all(
            re.search(rf"\b(?:def|class) {name}\b|^ *{name} = ", code, re.MULTILINE)
            for name in defined.split(".")
            if name
        )
