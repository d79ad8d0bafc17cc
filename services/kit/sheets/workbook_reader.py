"""Reads an uploaded workbook in a process of its own, with limits on memory and time, since it is untrusted.

`python -m services.kit.sheets.workbook_reader` reads the passwords as a line of JSON and then the file; it writes each
sheet as a line of JSON.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from services.kit.operations.processes import ProcessFailed, run_limited
from services.kit.sheets.locked import is_locked, unlock
from services.kit.sheets.sheet_files import sheets_of
from services.kit.sheets.unreadable import UnreadableSheet

MOST_ROWS = 20_000
"""Rows of a sheet that are read; more are an error."""
_MODULE = "services.kit.sheets.workbook_reader"
_MEMORY_BYTES, _CPU_SECONDS = 1024**3, 20
_MOST_SHEETS, _MOST_COLUMNS = 20, 50


@dataclass(frozen=True, slots=True)
class ReadSheet:
    """A sheet: its name, and its rows that are not empty, by the line number; of a hidden one none are read."""

    name: str
    is_hidden: bool
    rows: dict[int, list[str]]


def read_workbook(content: bytes, passwords: Sequence[str] = ()) -> list[ReadSheet]:
    """The sheets of a file, which may be locked by one of the passwords; raises UnreadableSheet."""
    given = json.dumps(passwords).encode() + b"\n" + content
    try:
        lines = list(run_limited(_MODULE, given, memory=_MEMORY_BYTES, cpu_seconds=_CPU_SECONDS))
    except ProcessFailed as failed:
        raise UnreadableSheet("文件过大或已损坏，无法读取。请用系统提供的模板重新填写。") from failed
    found = [json.loads(line) for line in lines]
    for one in found:
        if "unreadable" in one:
            raise UnreadableSheet(one["unreadable"])
    return [ReadSheet(one["name"], one["is_hidden"], dict(one["rows"])) for one in found]


def main() -> None:
    """Reads standard input, writes lines of JSON."""
    passwords, _, content = sys.stdin.buffer.read().partition(b"\n")
    for line in _lines(content, json.loads(passwords)):
        sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")


def _lines(content: bytes, passwords: Sequence[str]) -> Iterator[dict[str, object]]:
    try:
        if passwords and is_locked(content):
            content = unlock(content, passwords)
        for sheet in islice(sheets_of(content), _MOST_SHEETS):
            lines = () if sheet.is_hidden else sheet.rows
            filled = ((line_no, row[:_MOST_COLUMNS]) for line_no, row in lines if any(row))
            rows = list(islice(filled, MOST_ROWS + 1))
            if len(rows) > MOST_ROWS:
                raise UnreadableSheet(f"一张工作表最多 {MOST_ROWS} 行，请拆分后分别导入。")
            yield {"name": sheet.name, "is_hidden": sheet.is_hidden, "rows": rows}
    except UnreadableSheet as unreadable:
        yield {"unreadable": str(unreadable)}


if __name__ == "__main__":
    main()
