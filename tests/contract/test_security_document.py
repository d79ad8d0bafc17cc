"""The security document cites existing evidence, lists each requirement once, and counts correctly."""

import ast
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_DOCUMENT = (_ROOT / "docs/security.md").read_text("utf-8")
_LAST_OF_SECTION = (
    "1.1:2 1.2:9 1.3:11 1.4:3 1.5:2 2.1:3 2.2:3 2.3:4 2.4:1 3.2:2 3.3:4 3.4:6 3.5:5 3.7:2 4.1:3 4.2:1 4.3:2 4.4:4 "
    "5.1:1 5.2:3 5.3:2 5.4:3 6.1:3 6.2:12 6.3:4 6.4:4 6.5:5 6.6:3 6.8:4 7.1:3 7.2:4 7.3:2 7.4:5 7.5:2 7.6:2 "
    "8.1:2 8.2:3 8.3:1 8.4:1 9.1:3 9.2:4 10.1:2 10.2:2 10.3:4 10.4:11 10.5:5 10.6:2 10.7:3 11.1:2 11.2:3 11.3:3 "
    "11.4:4 11.5:1 11.6:1 12.1:3 12.2:2 12.3:4 13.1:1 13.2:5 13.3:2 13.4:5 14.1:2 14.2:4 14.3:3 15.1:3 15.2:3 "
    "15.3:7 16.1:1 16.2:5 16.3:4 16.4:3 16.5:3 17.1:1 17.2:4 17.3:2"
)
"""The requirements of levels 1 and 2 in ASVS 5.0: of each section the first so many."""
_ROWS = re.findall(r"^\| (V[\d.]+) \| ([^|]+) \| (met|\*\*not met\*\*|n\.a\.) \| ([^|]+) \|$", _DOCUMENT, re.MULTILINE)
_COUNTS = re.findall(r"^\| (V\d+|all \d+)[^|]* \| (\d+) \| (\d+) \| (\d+) \|$", _DOCUMENT, re.MULTILINE)
_FILE = re.compile(r"`([\w./-]+/[\w.-]+\.\w+|[\w-]+\.(?:toml|lock))(?:::(\w+))?`")
_EVIDENCE = sorted(set(_FILE.findall(_DOCUMENT)))


def _wanted() -> list[str]:
    sections = (section.split(":") for section in _LAST_OF_SECTION.split())
    return [f"V{name}.{number}" for name, last in sections for number in range(1, int(last) + 1)]


@cache
def _functions(path: Path) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.FunctionDef)}


def test_each_requirement_is_listed_once() -> None:
    assert [name for name, *_ in _ROWS] == _wanted()


@pytest.mark.parametrize(("file", "test"), _EVIDENCE)
def test_what_is_named_as_evidence_exists(file: str, test: str) -> None:
    assert (_ROOT / file).is_file()
    assert not test or test in _functions(_ROOT / file)


def test_what_is_met_names_a_file_a_test_or_a_part_of_the_document() -> None:
    headings = {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^## (.+)$", _DOCUMENT, re.MULTILINE)
    }
    for name, _, status, evidence in _ROWS:
        anchors = re.findall(r"\]\(#([\w-]+)\)", evidence)
        assert set(anchors) <= headings, name
        assert status != "met" or anchors or _FILE.search(evidence), name


def test_the_counts_are_right() -> None:
    by_chapter = Counter((name.partition(".")[0], status.strip("*")) for name, _, status, _ in _ROWS)
    for chapter in (f"V{number}" for number in range(1, 18)):
        assert (chapter, *_three(by_chapter, chapter)) in _COUNTS
    of_all = Counter(status.strip("*") for *_, status, _ in _ROWS)
    assert _COUNTS[-1] == (f"all {len(_ROWS)}", *(str(of_all[status]) for status in ("met", "not met", "n.a.")))


def _three(counted: Counter[tuple[str, str]], chapter: str) -> tuple[str, str, str]:
    met, not_met, neither = (str(counted[chapter, status]) for status in ("met", "not met", "n.a."))
    return met, not_met, neither
