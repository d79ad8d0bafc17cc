"""Finds the cells of .ods files that hold an error; the parser reads them as empty.

A cell with a failed formula has the error only in its paragraph; its value is an empty text.
"""

import re
import zipfile
from xml.etree.ElementTree import Element, ParseError
from xml.parsers import expat

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from services.kit.sheets.bounds import MOST_COLUMNS
from services.kit.sheets.packed_sheets import Cells, pieces
from services.kit.sheets.unreadable import DAMAGED, UnreadableSheet

CONTENT = "content.xml"
_MAY_BE_ERROR = re.compile(rb">(?:#[A-Z]|Err:[0-9])|value-type=[\"']error")
_ERROR = re.compile(r"#(?:N/A|REF!|VALUE!|DIV/0!|NAME\?|NULL!|NUM!)|Err:[0-9]{3}")
_NAMES = "{urn:oasis:names:tc:opendocument:xmlns:%s:1.0}%s"
_TABLE, _ROW = _NAMES % ("table", "table"), _NAMES % ("table", "table-row")
_CELLS = (_NAMES % ("table", "table-cell"), _NAMES % ("table", "covered-table-cell"))
_COLUMNS_REPEATED = _NAMES % ("table", "number-columns-repeated")
_ROWS_REPEATED = _NAMES % ("table", "number-rows-repeated")
_TITLE, _FORMULA, _TEXT = _NAMES % ("table", "name"), _NAMES % ("table", "formula"), _NAMES % ("text", "p")
_MOST_ROWS = 1_048_576


def error_cells(packed: zipfile.ZipFile) -> dict[str | int, Cells]:
    """The cells that hold an error, by name of the sheet. Raises UnreadableSheet for content that is no XML."""
    _refuse_malformed(packed)
    if not _may_hold_errors(packed):
        return {}
    found: dict[str | int, Cells] = {}
    errors: Cells = {}
    line = 0
    try:
        with packed.open(CONTENT) as content:
            for event, element in ElementTree.iterparse(content, ("start", "end")):
                if element.tag == _TABLE and event == "start":
                    line, errors = 0, found.setdefault(element.get(_TITLE, ""), {})
                elif element.tag == _ROW and event == "end":
                    line = _collect_row(element, line, errors)
                    element.clear()
    except (ParseError, DefusedXmlException, ValueError):
        pass  # invalid file: the parser reports the error
    return found


def _refuse_malformed(packed: zipfile.ZipFile) -> None:
    """Refuses content that ends before its elements do: the parser reads such content without end."""
    reader = expat.ParserCreate()
    try:
        for piece in pieces(packed, CONTENT):
            reader.Parse(piece, False)
        reader.Parse(b"", True)
    except expat.ExpatError as error:
        raise UnreadableSheet(DAMAGED) from error


def _may_hold_errors(packed: zipfile.ZipFile) -> bool:
    kept = b""
    for piece in pieces(packed, CONTENT):
        if _MAY_BE_ERROR.search(kept + piece):
            return True
        kept = piece[-64:]
    return False


def _collect_row(row: Element, line: int, errors: Cells) -> int:
    """Collects the errors of a row; returns the line of the next one."""
    following = line + int(row.get(_ROWS_REPEATED, "1"))
    column = 0
    for cell in row:
        if cell.tag in _CELLS:
            next_column = column + int(cell.get(_COLUMNS_REPEATED, "1"))
            if (error := _error_in(cell)) is not None:
                for number in range(column, min(next_column, MOST_COLUMNS)):
                    errors |= {(repeated, number): error for repeated in range(line, min(following, _MOST_ROWS))}
            column = next_column
    return following


def _error_in(cell: Element) -> str | None:
    is_error = any(name.endswith("}value-type") and value == "error" for name, value in cell.items())
    if not is_error and cell.get(_FORMULA) is None:
        return None
    shown = "".join("".join(text.itertext()) for text in cell.iterfind(_TEXT))
    if _ERROR.fullmatch(shown):
        return shown
    return "#N/A" if is_error else None
