"""The pages' sources never turn data into markup or code, and store no data in the browser."""

import re
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_SOURCES = [
    path
    for folder in ("gateway/web/src", "gateway/documentation")
    for path in (_ROOT / folder).rglob("*")
    if path.suffix in {".ts", ".vue", ".js", ".html"} and "testing" not in path.parts
]
_NEVER = {
    "markup of data": r"v-html|innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser",
    "code of data": r"\beval\(|new Function\(|set(?:Timeout|Interval)\(\s*[\"'`]|javascript:",
    "data that outlives the page": r"localStorage|indexedDB|document\.cookie|caches\.open",
    "messages of other windows": r"(?<!worker\.)(?<!self\.)postMessage|[\"']message[\"']\s*,\s*\(?(?:event|async)",
}
_KEEPS_THE_TYPE = "gateway/web/src/phone/largeType.ts"
"""It keeps whether letters are large, which tells of nobody."""


@pytest.mark.parametrize("what", _NEVER)
def test_no_page_makes(what: str) -> None:
    assert len(_SOURCES) > 20
    found = [
        f"{path.relative_to(_ROOT)}: {hit.group()}"
        for path in _SOURCES
        for hit in re.finditer(_NEVER[what], path.read_text("utf-8"))
        if (hit.group(), str(path.relative_to(_ROOT))) != ("localStorage", _KEEPS_THE_TYPE)
    ]
    assert found == []
