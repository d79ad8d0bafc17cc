"""Reads a file of members in a process of its own, with limits on memory and time, since the file is untrusted.

`python -m services.membership.imports.sheet_reader < file` writes what it finds as lines of JSON.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import chain, islice
from typing import Any

from services.kit.operations.processes import ProcessFailed, run_limited
from services.kit.sheets.bounds import LAST_HEADING_ROW, MOST_COLUMNS
from services.kit.sheets.sheet_files import Sheet, sheets_of
from services.kit.sheets.unreadable import UnreadableSheet
from services.membership.imports.headings import EXAMPLE, HeadingRow, find_headings

MOST_ROWS = 200_000
MOST_SHEETS = 100
_MODULE = "services.membership.imports.sheet_reader"
_ROWS_A_LINE = 500
_MEMORY_BYTES = 2 * 1024**3
_CPU_SECONDS, _CPU_SECONDS_A_MEGABYTE = 20, 8
"""Choice: how long a file may keep a processor busy. 100,000 members take seconds; some damaged files never end."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a sheet: the texts of its cells by heading, with unknown headings."""

    sheet_no: int
    line_no: int
    cells: dict[str, str]


@dataclass(frozen=True, slots=True)
class Skipped:
    """What was skipped on a sheet and why; as `NotRead` of the contracts, which this process does not import."""

    reason: str
    rows: int
    cells: int


@dataclass(slots=True)
class SheetReport:
    """The report on a sheet: what was found and what was skipped; most of `ImportSheet` of the contracts."""

    sheet_no: int
    name: str
    is_hidden: bool
    reason: str | None = None
    headings: list[str] = field(default_factory=list)
    rows: int = 0
    not_read: list[Skipped] = field(default_factory=list)


def read_file(content: bytes) -> Iterator[Row | SheetReport]:
    """The rows of all readable sheets; after each sheet, readable or not, follows its report. Raises UnreadableSheet.

    The file is parsed in a separate process.
    """
    try:
        cpu_seconds = _CPU_SECONDS + _CPU_SECONDS_A_MEGABYTE * (len(content) >> 20)
        for line in run_limited(_MODULE, content, memory=_MEMORY_BYTES, cpu_seconds=cpu_seconds):
            found = json.loads(line)
            if "unreadable" in found:
                raise UnreadableSheet(found["unreadable"])
            yield from (Row(*row) for row in found.get("rows", ()))
            if "report" in found:
                yield _report_of(found["report"])
    except ProcessFailed as failed:
        raise UnreadableSheet("文件过大或已损坏，无法读取。请用系统提供的模板重新填写，拆分后分别上传。") from failed


def parse(content: bytes) -> Iterator[Row | SheetReport]:
    """As `read_file`, in this process."""
    left, has_readable = MOST_ROWS, False
    reports: list[SheetReport] = []
    for number, sheet in enumerate(sheets_of(content, _count_headings), start=1):
        if number > MOST_SHEETS:
            raise UnreadableSheet(f"一个文件最多 {MOST_SHEETS} 张工作表，请拆分后分别上传。")
        report = SheetReport(number, sheet.name, sheet.is_hidden)
        for row in _read_sheet(sheet, report):
            left -= 1
            if left < 0:
                raise UnreadableSheet(f"一次最多导入 {MOST_ROWS} 行，请拆分后分别上传。")
            yield row
        has_readable = has_readable or report.reason is None
        reports.append(report)
        yield report
    if not has_readable:
        raise UnreadableSheet(_why_none(reports))


def main() -> None:
    """Reads standard input, writes lines of JSON."""
    lines = _lines(sys.stdin.buffer.read())
    for line in lines:
        sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")


def _count_headings(rows: Sequence[Sequence[str]]) -> int:
    return len(find_headings(rows)[1].columns)


def _report_of(document: dict[str, Any]) -> SheetReport:
    """The report in a line of JSON."""
    return SheetReport(**{**document, "not_read": [Skipped(**one) for one in document["not_read"]]})


def _lines(content: bytes) -> Iterator[dict[str, Any]]:
    """The documents for the lines of JSON: rows, reports, or why the file cannot be read."""
    rows: list[Any] = []
    try:
        for found in parse(content):
            if isinstance(found, Row):
                rows.append((found.sheet_no, found.line_no, found.cells))
            if rows and (len(rows) == _ROWS_A_LINE or isinstance(found, SheetReport)):
                yield {"rows": rows}
                rows = []
            if isinstance(found, SheetReport):
                yield {"report": asdict(found)}
    except UnreadableSheet as unreadable:
        yield {"unreadable": str(unreadable)}


def _read_sheet(sheet: Sheet, report: SheetReport) -> Iterator[Row]:
    top = list(islice(sheet.rows, LAST_HEADING_ROW + 1))
    end, headings = find_headings([row for _, row in top])
    report.reason = "隐藏的工作表" if sheet.is_hidden else headings.reason
    if report.reason is not None:
        _skip(report, report.reason, rows=sum(1 for _, row in chain(top, sheet.rows) if any(row)))
        return
    _skip(report, "表头上方的标题、说明等", rows=sum(1 for _, row in top[: _first_heading(top, end)] if any(row)))
    report.headings = list(headings.columns)
    yield from _members(chain(top[end:], sheet.rows), headings, report)


def _first_heading(top: list[tuple[int, list[str]]], end: int) -> int:
    """The line where the headings begin, which end before `end` and may take two rows."""
    is_single = not find_headings([top[end - 1][1]])[1].missing
    return end - 1 if is_single else end - 2


def _members(rows: Iterator[tuple[int, list[str]]], headings: HeadingRow, report: SheetReport) -> Iterator[Row]:
    titles = {number: heading for heading, number in headings.columns.items()}
    known = frozenset(titles)
    others: Counter[int] = Counter()
    examples = beyond = without_member = 0
    for line_no, row in rows:
        beyond += sum(1 for cell in row[MOST_COLUMNS:] if cell)
        filled = {number: cell for number, cell in enumerate(row[:MOST_COLUMNS]) if cell}
        if not filled:
            continue
        if filled.keys().isdisjoint(known):
            without_member += 1
            continue
        for number in filled.keys() - titles.keys():
            others[number] += 1
            titles[number] = _title(headings.others.get(number, ""), number, titles)
        cells = {titles[number]: cell for number, cell in filled.items()}
        if all(cells.get(heading) == EXAMPLE[heading] for heading in ("姓名", "证件号码")):
            examples += 1
            continue
        report.rows += 1
        yield Row(report.sheet_no, line_no, cells)
    _skip(report, "模板的示例行", rows=examples)
    _skip(report, "系统识别的各列都为空的行，如只有序号或备注", rows=without_member)
    _skip(report, f"第 {MOST_COLUMNS} 列以后的内容", cells=beyond)
    _skip_columns(report, headings, others)


def _title(written: str, number: int, titles: dict[int, str]) -> str:
    title = written or f"第{number + 1}列"
    return f"{title}（第{number + 1}列）" if title in titles.values() else title


def _skip_columns(report: SheetReport, headings: HeadingRow, others: Counter[int]) -> None:
    for number in sorted(others.keys() | headings.others.keys()):
        title = headings.others.get(number)
        reason = f"第 {number + 1} 列“{title}”不是系统的表头" if title else f"第 {number + 1} 列没有表头"
        report.not_read.append(Skipped(reason, 0, others[number]))


def _skip(report: SheetReport, reason: str, rows: int = 0, cells: int = 0) -> None:
    if rows or cells:
        report.not_read.append(Skipped(reason, rows, cells))


def _why_none(reports: list[SheetReport]) -> str:
    advice = "请使用系统提供的模板重新填写后上传。"
    if not reports:
        return f"文件中没有工作表。{advice}"
    if len(reports) == 1 and not reports[0].is_hidden:
        return f"{reports[0].reason}。{advice}"
    reasons = "；".join(f"工作表“{report.name}”：{report.reason}" for report in reports)
    return f"没有可以导入的工作表。{reasons}。{advice}"[:1000]


if __name__ == "__main__":
    main()
