"""Strict reading of JSON from outside, and which modules read JSON otherwise."""

import ast
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.strict_json import read_json

ROOT = Path(__file__).parents[2]
_SOURCES = [path for folder in ("services", "gateway", "deploy/simulators") for path in (ROOT / folder).rglob("*.py")]
OURS = {
    "deploy/simulators/ledger_file.py": "the ledger that it wrote",
    "deploy/simulators/example_bank.py": "has a strict reader of its own, for it uses nothing of ours",
    "gateway/api/modules.py": "a file of the release",
    "gateway/captchas.py": "tokens sealed by this gateway",
    "services/batching/bank/bank_operations.py": "its own answer",
    "services/batching/pending/pending.py": "columns",
    "services/batching/pending/persons.py": "columns",
    "services/batching/batches/submission.py": "columns",
    "deploy/events_document.py": "a file of the release",
    "services/contracts/examples.py": "files of the release",
    "services/contracts/dead_letter_descriptions.py": "shows what was refused, however it is written",
    "services/contracts/dead_letters.py": "shows what was refused, however it is written",
    "services/kit/dead_letters/letters.py": "shows what was refused, however it is written",
    "services/kit/dead_letters/replays.py": "a header of ours, read by nobody else",
    "services/kit/rpc/client.py": "answers of services of ours",
    "services/kit/data/repair.py": "what the repair that started it wrote",
    "services/membership/audit/audit_search.py": "columns",
    "services/membership/members/corrections.py": "columns",
    "services/membership/imports/judging.py": "columns",
    "services/membership/imports/import_preview.py": "columns",
    "services/membership/imports/imports.py": "columns",
    "services/membership/imports/stored_sheets.py": "columns",
    "services/membership/imports/sheet_reader.py": "lines of the process that it started",
    "services/kit/sheets/workbook_reader.py": "lines of the process that it started",
    "services/membership/subjects/copying.py": "columns",
    "services/membership/subjects/requests.py": "columns",
    "services/batching/bank_files/result_files.py": "columns",
    "services/validation/checks.py": "columns",
    "services/validation/reconciliation.py": "a column of batching",
}
"""What may be read by Python's own reader, because we wrote it ourselves."""

_TEXT = st.text(st.characters(exclude_characters="\0", codec="utf-8"))
_DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(_TEXT, inner),
)


@given(_DOCUMENTS, st.booleans())
def test_what_a_writer_of_json_wrote_is_read_as_it_was(document: object, only_ascii: bool) -> None:
    assert read_json(json.dumps(document, ensure_ascii=only_ascii).encode()) == document


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"{",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 1e999}',
        b"[-1.5E+400]",
        b'{"a": 1, "a": 2}',
        b'{"a": [{"b": 1, "b": 1}]}',
        rb'"\ud800"',
        rb'{"\udfff": 1}',
        b'"\xed\xa0\x80"',
        rb'["\u0000"]',
        "王".encode("utf-16"),
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b"9" * 5_000,
    ],
    ids=lambda body: repr(body[:24]),
)
def test_what_can_be_read_in_two_ways_or_kept_in_no_database_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r".") as refusal:
        read_json(body)
    assert len(str(refusal.value)) < 200


def test_an_escaped_backslash_before_the_letters_of_an_escape_is_none() -> None:
    assert read_json(rb'"\\u0000 \\ud800"') == r"\u0000 \ud800"


@pytest.mark.parametrize("file", sorted(path.relative_to(ROOT).as_posix() for path in _SOURCES))
def test_what_comes_from_outside_is_read_strictly(file: str) -> None:
    """By `read_json`; Python's own reader, which takes the last of two names, reads only what we wrote ourselves."""
    read = {name for name in map(_own_reader, ast.walk(ast.parse((ROOT / file).read_text("utf-8")))) if name}
    assert not read or file in OURS, f"{file} reads JSON by {', '.join(sorted(read))}"


def _own_reader(node: ast.AST) -> str | None:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return None
    name, owner = node.func.attr, node.func.value
    is_module = isinstance(owner, ast.Name) and owner.id == "json"
    return name if (is_module and name in ("load", "loads")) or name in ("json", "get_json") else None
