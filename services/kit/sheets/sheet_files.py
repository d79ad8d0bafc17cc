"""Reads uploaded files, whatever their names say: detects the kind, and yields sheets with their rows as texts.

It is CPU-bound and reads untrusted files, so its callers run it in a process of its own.
"""

import codecs
import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from math import isfinite
from typing import Any

from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    PasswordError,
    SheetTypeEnum,
    SheetVisibleEnum,
)

from services.kit.sheets import binary_sheets, old_sheets, open_sheets
from services.kit.sheets.locked import OLE, is_locked
from services.kit.sheets.packed_sheets import Cells, cells_without_value, check_parts, mended
from services.kit.sheets.text_sheets import CountHeadings, text_rows, widest
from services.kit.sheets.unreadable import ADVICE, DAMAGED, LOCKED, UnreadableSheet

_EXACT_NUMBERS = 10**15
_LONGEST_CELL = 500
_OTHER_KINDS = {
    b"%PDF": "文件是 PDF 文档，不是表格。",
    b"\x89PNG": "文件是图片，不是表格。",
    b"\xff\xd8\xff": "文件是图片，不是表格。",
    b"GIF8": "文件是图片，不是表格。",
    **dict.fromkeys((b"RIFF", b"II*\0", b"MM\0*"), "文件是图片，不是表格。"),
    **dict.fromkeys(
        (b"Rar!", b"7z\xbc\xaf", b"\x1f\x8b", b"BZh", b"\xfd7zXZ"), "文件是压缩包，请解压后上传其中的表格。"
    ),
    b"{\\rtf": "文件是文档，不是表格。",
    b"ID;P": "文件是 SYLK 格式，",
    b"MIME-Version:": "文件其实是网页（MHTML），只是以表格的后缀保存。",
    b"\x09\x00\x04\x00": "文件是很旧的 Excel 格式，",
    b"\x09\x02\x06\x00": "文件是很旧的 Excel 格式，",
    b"\x09\x04\x06\x00": "文件是很旧的 Excel 格式，",
}
_MARKUP = re.compile(rb"\A(?:\xef\xbb\xbf)?\s*<[!?A-Za-z]")
_XML_SHEETS = (b"urn:schemas-microsoft-com:office:spreadsheet", b"urn:oasis:names:tc:opendocument")
_MANIFEST = "META-INF/manifest.xml"
_ESCAPED_CONTROL = re.compile("_x00[01][0-9A-Fa-f]_")
_APOSTROPHES = frozenset("'’‘")
_TEXT_MARK = re.compile("['’‘](?=[0-9\u3400-\u9fff])")
"""The apostrophe that people type to keep a spreadsheet from converting a text to a number."""


@dataclass(frozen=True)
class Sheet:
    """A sheet of a file: its name, whether it is hidden, and its rows, each with its line number."""

    name: str
    is_hidden: bool
    rows: Iterator[tuple[int, list[str]]]


def sheets_of(content: bytes, count_headings: CountHeadings = widest) -> Iterator[Sheet]:
    """The sheets of a file, in order. Raises UnreadableSheet, also while rows are read.

    `count_headings` tells the separator of a text file, as in `text_rows`.
    """
    if not content.strip(b"\0 \t\r\n\xef\xbb\xbf\xff\xfe"):
        raise UnreadableSheet("文件是空的，请填写后重新上传。")
    if content.startswith(b"PK"):
        yield from _packed(content)
    elif content.startswith(OLE):
        yield from _old(content)
    else:
        _refuse_other_kinds(content)
        yield Sheet(
            "", False, ((number, [_plain(cell) for cell in row]) for number, row in text_rows(content, count_headings))
        )


def _packed(content: bytes) -> Iterator[Sheet]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            check_parts(packed)
            _refuse_other_packages({name.lower() for name in packed.namelist()})
            _refuse_encrypted(packed)
            without_value, odd = _without_value(packed)
            if odd:
                content = mended(packed, odd)
    except UnreadableSheet:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, ValueError) as error:
        raise UnreadableSheet(DAMAGED) from error
    yield from _workbook(content, without_value)


def _without_value(packed: zipfile.ZipFile) -> tuple[dict[str | int, Cells], list[str]]:
    """The cells that the parser reads as empty, and the parts that it cannot read."""
    names = {name.lower() for name in packed.namelist()}
    if "xl/workbook.bin" in names:
        return binary_sheets.error_cells(packed), []
    return (open_sheets.error_cells(packed), []) if open_sheets.CONTENT in names else cells_without_value(packed)


def _old(content: bytes) -> Iterator[Sheet]:
    if is_locked(content):
        raise UnreadableSheet(LOCKED)
    if _utf_16("WordDocument") in content:
        raise UnreadableSheet(f"文件是 Word 文档，不是表格。{ADVICE}")
    book = old_sheets.prepared(content)
    yield from _workbook(book.content, dict(enumerate(book.errors)), book.charset)


def _workbook(content: bytes, without_value: Mapping[str | int, Cells], charset: str | None = None) -> Iterator[Sheet]:
    """The sheets of a workbook; `without_value` are cells that the parser reads as empty, by a sheet's name or place.

    `charset` is the real charset of texts that the parser reads as Western letters.
    """
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(content))
        for place, described in enumerate(book.sheets_metadata):
            if described.typ == SheetTypeEnum.WorkSheet:
                is_hidden = described.visible != SheetVisibleEnum.Visible
                sheet = book.get_sheet_by_name(described.name)
                empty = without_value.get(described.name) or without_value.get(place, {})
                name = old_sheets.recoded(described.name, charset) if charset else described.name
                yield Sheet(name, is_hidden, _rows(sheet, empty, charset))
    except PasswordError as error:
        raise UnreadableSheet(LOCKED) from error
    except (CalamineError, OSError) as error:
        raise UnreadableSheet(f"文件不是有效的表格，或已损坏。{ADVICE}") from error


def _rows(sheet: CalamineSheet, without_value: Cells, charset: str | None) -> Iterator[tuple[int, list[str]]]:
    """The rows with the sheet's own lines and columns; the parser drops empty ones before the first cell."""
    first_row, first_column = sheet.start or (0, 0)
    margin = [""] * first_column
    by_row: dict[int, dict[int, str]] = {}
    for (number, column), text in without_value.items():
        by_row.setdefault(number, {})[column] = text
    for number, values in enumerate(_values(sheet, charset), start=first_row):
        row = margin + [value if type(value) is str and value.isalnum() else _text(value) for value in values]
        for column, text in by_row.get(number, {}).items():
            if column < len(row) and not row[column]:
                row[column] = text
        yield number + 1, row


def _values(sheet: CalamineSheet, charset: str | None) -> Iterator[list[Any]]:
    if charset is None:
        yield from sheet.iter_rows()
        return
    for row in sheet.iter_rows():
        yield [old_sheets.recoded(value, charset) if type(value) is str else value for value in row]


def _text(value: Any) -> str:
    if isinstance(value, str):
        return _plain(value)
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == datetime.min.time() else value.isoformat(" ")
    return value.isoformat() if isinstance(value, date) else str(value)


def _number(value: float) -> str:
    if not isfinite(value):
        return "#NUM!"
    if abs(value) >= _EXACT_NUMBERS:
        return f"{value:.14E}"
    return str(int(value)) if value.is_integer() else repr(value)


def _plain(text: str) -> str:
    plain = text[:_LONGEST_CELL]
    if "_x00" in plain:
        plain = _ESCAPED_CONTROL.sub(" ", plain)
    return _without_mark(plain.strip())


def _without_mark(text: str) -> str:
    return text[1:] if text[:1] in _APOSTROPHES and _TEXT_MARK.match(text) else text


def _refuse_other_packages(names: set[str]) -> None:
    if "word/document.xml" in names:
        raise UnreadableSheet(f"文件是 Word 文档，不是表格。{ADVICE}")
    if not names & {"xl/workbook.xml", "xl/workbook.bin", "content.xml", "encrypted-package"}:
        raise UnreadableSheet("文件是压缩包或其他文件，不是表格。请上传表格本身（.xlsx、.xls、.xlsb、.ods 或 .csv）。")


def _refuse_encrypted(packed: zipfile.ZipFile) -> None:
    """Refuses an .ods with a password: of its parts only the manifest can be read."""
    if _MANIFEST in packed.namelist() and b"encryption-data" in packed.read(_MANIFEST):
        raise UnreadableSheet(LOCKED)


def _refuse_other_kinds(content: bytes) -> None:
    for beginning, cause in _OTHER_KINDS.items():
        if content.startswith(beginning):
            raise UnreadableSheet(cause + ADVICE)
    beginning = content[:4096]
    if beginning.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        beginning = beginning.decode("utf-16", "ignore").encode()
    if _MARKUP.match(beginning):
        kind = "XML 表格" if any(one in beginning for one in _XML_SHEETS) else "网页（HTML）"
        raise UnreadableSheet(f"文件其实是{kind}，只是以表格的后缀保存。{ADVICE}")


def _utf_16(text: str) -> bytes:
    return text.encode("utf-16-le")
