"""Reads an uploaded workbook in a process of its own, with limits on memory and time, since it is untrusted.

`python -m services.kit.sheets.workbook_reader` reads the passwords as a line of JSON and then the file; it writes each
sheet as a line of JSON.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from services.kit.operations.processes import ProcessFailed, run_limited
from services.kit.sheets.bounds import MOST_COLUMNS
from services.kit.sheets.locked import is_locked, unlock
from services.kit.sheets.sheet_files import sheets_of
from services.kit.sheets.unreadable import UnreadableSheet

MOST_ROWS = 20_000
"""Rows of all sheets that are read; more are an error."""
_MODULE = "services.kit.sheets.workbook_reader"
_MEMORY_BYTES, _CPU_SECONDS = 1024**3, 20
_MOST_SHEETS, _LONGEST_NAME = 100, 31
_MOST_CHARACTERS = 8_000_000
"""Of all cells together; the process that asked holds them in memory."""


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
        left = _Bounds(MOST_ROWS, _MOST_CHARACTERS)
        for number, sheet in enumerate(sheets_of(content), start=1):
            if number > _MOST_SHEETS:
                raise UnreadableSheet(f"一个文件最多 {_MOST_SHEETS} 张工作表，请拆分后分别导入。")
            lines = () if sheet.is_hidden else sheet.rows
            rows = [(line_no, left.taken(line_no, row)) for line_no, row in lines if any(row)]
            yield {"name": sheet.name[:_LONGEST_NAME], "is_hidden": sheet.is_hidden, "rows": rows}
    except UnreadableSheet as unreadable:
        yield {"unreadable": str(unreadable)}


@dataclass
class _Bounds:
    """How many rows and characters may still come."""

    rows: int
    characters: int

    def taken(self, line_no: int, row: list[str]) -> list[str]:
        """The row; raises UnreadableSheet for one beyond the bounds, or with cells beyond the last column."""
        self.rows -= 1
        self.characters -= sum(map(len, row))
        if self.rows < 0:
            raise UnreadableSheet(f"一个文件最多 {MOST_ROWS} 行，请拆分后分别导入。")
        if self.characters < 0:
            raise UnreadableSheet("文件内容过大，请删除无关的内容，或拆分后分别导入。")
        if any(row[MOST_COLUMNS:]):
            raise UnreadableSheet(f"第 {line_no} 行的内容超出第 {MOST_COLUMNS} 列，请删除无关的列后重新上传。")
        return row[:MOST_COLUMNS]


if __name__ == "__main__":
    main()
