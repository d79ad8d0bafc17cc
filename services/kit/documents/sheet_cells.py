"""Cells of spreadsheets: text that somebody typed stays text and is never computed as a formula."""

import re
from collections.abc import Iterable
from io import BytesIO
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font

from services.kit.documents.csv_injection import is_formula

_TEXT_FORMAT = "@"
_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML 1.0 document can hold: one such character makes a spreadsheet unreadable as a whole."""


def text_row(sheet: Any, texts: Iterable[str]) -> list[Any]:
    """The cells of a row of a write-only sheet, all as text.

    Values are unchanged, so that a sheet can be corrected and imported again. A cell that begins like a formula stays
    text when somebody edits it.
    """
    return [_text_cell(sheet, text) for text in texts]


def heading_row(sheet: Any, texts: Iterable[str]) -> list[Any]:
    """As `text_row`, in bold."""
    cells = text_row(sheet, texts)
    for cell in cells:
        cell.font = Font(bold=True)
    return cells


def saved(book: Workbook) -> bytes:
    """The bytes of the workbook's file."""
    file = BytesIO()
    book.save(file)
    return file.getvalue()


def _text_cell(sheet: Any, text: str) -> Any:
    cell = WriteOnlyCell(sheet, _NOT_IN_XML.sub("", text))
    cell.data_type = "s"
    cell.number_format = _TEXT_FORMAT
    if is_formula(text):
        cell.quotePrefix = True
    return cell
