"""Reads text files as sheets: .csv and text files of Excel and WPS, in any of their charsets and separators."""

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence

from services.kit.documents.csv_injection import csv_unescaped
from services.kit.sheets.bounds import LAST_HEADING_ROW
from services.kit.sheets.unreadable import UnreadableSheet

_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
"""Byte order marks and their charsets; of two that begin alike the longer one is first."""
CountHeadings = Callable[[Sequence[Sequence[str]]], int]
"""How many headings the first rows of a sheet hold."""
_SEPARATORS = ",\t;|，；"
_SEP_LINE = re.compile(r'"?sep=(.)"?[\r\n]*', re.IGNORECASE)
_PROBE = 8192
_END_OF_FILE = "\x1a\0"
"""Characters with which some programs end a file or pad its last block."""
_KEPT_AS_TEXT = re.compile('="([^"]*)"')
"""A formula by which programs keep a spreadsheet from converting a text to a number."""
_CONTROLS = re.compile("[\x01-\x08\x0e-\x1a\x1c-\x1f]")
_MANY_CONTROLS = 0.05
_UNEVEN = '第 {line} 行的双引号（"）没有成对，其后的行无法分辨。请改正该行，或另存为 .xlsx 后上传。'


def widest(rows: Sequence[Sequence[str]]) -> int:
    """The cells of the row that has most."""
    return max((sum(map(bool, row)) for row in rows), default=0)


def text_rows(content: bytes, count_headings: CountHeadings = widest) -> Iterator[tuple[int, list[str]]]:
    """The rows of a text file, each with the number of its first line. Raises UnreadableSheet.

    Cells are separated by the character that makes most headings.
    """
    text = _decoded(content).lstrip("\ufeff").rstrip(_END_OF_FILE)
    lines = io.StringIO(text, newline="")
    first = lines.readline()
    skipped = _SEP_LINE.fullmatch(first)
    if not skipped:
        lines.seek(0)
    separator = skipped[1] if skipped else _separator(text, count_headings)
    above = 1 if skipped else 0
    reader = csv.reader(lines, delimiter=separator, strict=True, skipinitialspace=True)
    before = 0
    try:
        for row in reader:
            for cell in row:
                _refuse_swallowed(cell, separator, before + above + 1)
            yield before + above + 1, [_typed(cell) for cell in row]
            before = reader.line_num
    except csv.Error as error:
        if "field larger" in str(error):
            raise UnreadableSheet(f"第 {before + above + 1} 行有过长的单元格，请改正后上传。") from error
        raise UnreadableSheet(_UNEVEN.format(line=before + above + 1)) from error


def _typed(cell: str) -> str:
    """The cell's text without the formula that keeps it a text."""
    kept = _KEPT_AS_TEXT.fullmatch(cell)
    return csv_unescaped(kept[1] if kept else cell)


def _decoded(content: bytes) -> str:
    for mark, charset in _BYTE_ORDER_MARKS.items():
        if content.startswith(mark):
            return _checked(_decode(content[len(mark) :], charset))
    if wide := _utf_16_without_mark(content):
        return _checked(_decode(content, wide))
    for charset in ("utf-8", "gb18030"):
        try:
            return _checked(content.decode(charset))
        except UnicodeDecodeError as error:
            if charset == "utf-8":
                wrong_at = error.start
    _checked(content[:_PROBE].decode("latin-1"))
    line = content.count(b"\n", 0, wrong_at) + 1
    raise UnreadableSheet(f"文件编码无法识别（第 {line} 行起）。请另存为 .xlsx 或 UTF-8 编码的 .csv 后上传。")


def _decode(content: bytes, charset: str) -> str:
    try:
        return content.decode(charset)
    except UnicodeDecodeError as error:
        raise UnreadableSheet(
            f"文件标明是 {charset.upper()} 编码，但内容不是，可能已损坏。请另存为 .xlsx 后上传。"
        ) from error


def _utf_16_without_mark(content: bytes) -> str | None:
    """The text if it is UTF-16 without a mark: then one byte of separators, digits and line ends is always zero."""
    probe = content[:_PROBE].rstrip(b"\0")
    low, high = probe[1::2].count(0), probe[::2].count(0)
    if len(content) % 2 or max(low, high) * 20 < len(probe):
        return None
    return "utf-16-le" if low > high else "utf-16-be"


def _checked(text: str) -> str:
    probe = text[:_PROBE]
    if len(_CONTROLS.findall(probe)) > len(probe) * _MANY_CONTROLS:
        raise UnreadableSheet("文件不是表格。请用系统提供的模板填写，另存为 .xlsx 后上传。")
    return text


def _separator(text: str, count_headings: CountHeadings) -> str:
    """The separator with which most headings are found; the comma if none is better."""
    head = [line for _, line in zip(range(LAST_HEADING_ROW), io.StringIO(text, newline=""), strict=False)]
    return max(_SEPARATORS, key=lambda separator: count_headings(_rows(head, separator)))


def _rows(lines: Sequence[str], separator: str) -> list[list[str]]:
    try:
        return list(csv.reader(lines, delimiter=separator, skipinitialspace=True))
    except csv.Error:
        return []


def _refuse_swallowed(cell: str, separator: str, line: int) -> None:
    """Refuses a cell that contains whole rows, because of a quote that was not closed."""
    if "\n" not in cell and "\r" not in cell:
        return
    if any(inner.count(separator) >= 2 for inner in cell.splitlines()[1:]):
        raise UnreadableSheet(_UNEVEN.format(line=line))
