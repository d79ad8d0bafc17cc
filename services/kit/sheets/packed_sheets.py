"""Inspects zipped spreadsheets (.xlsx, .xlsb, .ods) before parsing: refuses zip bombs, finds cells without value."""

import io
import posixpath
import re
import zipfile
from collections.abc import Collection, Iterator, Mapping
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from services.kit.sheets.unreadable import LOCKED, UnreadableSheet

LARGEST_UNPACKED = 400 * 1024 * 1024
"""Largest unpacked size of a spreadsheet."""
LARGEST_TEXTS = 100 * 1024 * 1024
"""Largest table of texts, which is held in memory as a whole."""
LARGEST_PART = 5 * 1024 * 1024
"""Largest other part that is held in memory as a whole, such as the styles."""
MOST_PARTS = 1000
MOST_TIMES_SMALLER = 200
"""Largest compression ratio of a part of some size; a higher one indicates a zip bomb."""
MOST_CELLS = 20_000_000
"""Most cells in the rectangle around all values of a sheet, which the parser holds in memory."""

NOT_COMPUTED = "#未计算"
"""Stands for a formula without a stored value."""

Cells = dict[tuple[int, int], str]
"""Texts of cells by row and column, counted from 0."""
ERROR_WORDS = {
    0x00: "#NULL!",
    0x07: "#DIV/0!",
    0x0F: "#VALUE!",
    0x17: "#REF!",
    0x1D: "#NAME?",
    0x24: "#NUM!",
    0x2A: "#N/A",
    0x2B: "#GETTING_DATA",
}
"""Error texts by their numbers in binary files."""

_PIECE = 1024 * 1024
_OVERLAP = 64 * 1024
_TOO_LARGE = "文件内容过大，请用系统提供的模板重新填写，拆分后分别上传。"
_PREFIX = rb"(?:[A-Za-z0-9]+:)?"
_ERROR_CELL = re.compile(
    rb"<" + _PREFIX + rb"""c\s([^>]*\bt=["']e["'][^>]*)>(?:(?!</""" + _PREFIX + rb"""c>).){0,4000}?<"""
    + _PREFIX + rb"v[^>]*>([^<]{0,20})",
    re.DOTALL,
)  # fmt: skip
_FORMULA_ALONE = re.compile(
    rb"<" + _PREFIX + rb"c\s([^>]*)>\s*<" + _PREFIX + rb"f\b(?:[^>]*/>|[^>]*>[^<]*</" + _PREFIX + rb"f>)\s*"
    rb"(?:<" + _PREFIX + rb"v\s*/>|<" + _PREFIX + rb"v>\s*</" + _PREFIX + rb"v>)?\s*</" + _PREFIX + rb"c>"
)  # fmt: skip
_DIMENSION = re.compile(rb"<" + _PREFIX + rb"dimension\b[^>]*>(?:\s*</" + _PREFIX + rb"dimension>)?")
_RANGE = re.compile(rb"""\bref=["'][A-Za-z]+[1-9][0-9]*(?::[A-Za-z]+[1-9][0-9]*)?["']""")
_KNOWN_ERRORS = frozenset({"#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A", NOT_COMPUTED})
"""The errors that the parser knows in an .xlsx."""
_PLACE = re.compile(rb"""\br=["']([A-Z]{1,3})([0-9]{1,7})["']""")
_FAR_CELL = re.compile(rb""" r=["']([A-Z]{2,3})([0-9]{1,7})["'][^>/]*>\s*<""" + _PREFIX + rb"(?:v|is|f)\b")
_TEXT_TYPE = re.compile(rb"""\bt=["']str["']""")


def check_parts(packed: zipfile.ZipFile) -> None:
    """Raises UnreadableSheet for a zip bomb, or a part that declares XML entities."""
    parts = packed.infolist()
    if len(parts) > MOST_PARTS or sum(part.file_size for part in parts) > LARGEST_UNPACKED:
        raise UnreadableSheet("文件内容过大，请拆分后分别上传。")
    for part in parts:
        if part.flag_bits & 1:
            raise UnreadableSheet(LOCKED)
        if part.filename.lower().endswith((".xml", ".rels", ".bin")):
            if part.file_size > _largest(part.filename.lower()) or _bursts(part):
                raise UnreadableSheet(_TOO_LARGE)
            _check_content(packed, part)


def cells_without_value(packed: zipfile.ZipFile) -> tuple[dict[str | int, Cells], list[str]]:
    """The cells of an .xlsx that hold an error or a formula without value, by name of the sheet, and its odd parts.

    The parser reads such cells as empty, and fails on an odd part; see `mended`. Raises UnreadableSheet for a sheet
    whose cells are too far apart.
    """
    names = {name.lower(): name for name in packed.namelist()}
    found: dict[str | int, Cells] = {}
    odd = []
    for title, target in _sheet_parts(packed, names).items():
        if part := names.get(target.lower()):
            found[title] = _scan(packed, part, title)
            if _is_odd(packed, part, found[title]):
                odd.append(part)
    return found, odd


def mended(packed: zipfile.ZipFile, odd: Collection[str]) -> bytes:
    """The file with odd parts as the parser can read them: without a range that is none, with errors that it knows."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as copy:
        for name in packed.namelist():
            content = packed.read(name)
            if name in odd:
                content = _ERROR_CELL.sub(_with_known_error, _DIMENSION.sub(b"", content, count=1))
            copy.writestr(name, content)
    return file.getvalue()


def _is_odd(packed: zipfile.ZipFile, part: str, without_value: Cells) -> bool:
    """Whether the sheet's range is no range, or a cell holds an error that the parser does not know, as #SPILL!."""
    if packed.getinfo(part).file_size > LARGEST_TEXTS:
        return False
    with packed.open(part) as content:
        dimension = _DIMENSION.search(content.read(_OVERLAP))
    has_odd_range = dimension is not None and not _RANGE.search(dimension[0])
    return has_odd_range or not _KNOWN_ERRORS.issuperset(without_value.values())


def _with_known_error(cell: re.Match[bytes]) -> bytes:
    start, end = (at - cell.start() for at in cell.span(2))
    return cell[0][:start] + b"#N/A" + cell[0][end:]


def pieces(packed: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    """The content of a part, a megabyte at a time."""
    with packed.open(name) as unpacked:
        while piece := unpacked.read(_PIECE):
            yield piece


def relation_targets(relations: bytes) -> dict[str, str]:
    """The parts that the book's relations name, by the relations' ids; none for an invalid list."""
    try:
        listed = ElementTree.fromstring(relations)
    except (ParseError, DefusedXmlException):
        return {}
    return {one.get("Id", ""): posixpath.join("/xl", one.get("Target", "")).lstrip("/") for one in listed}


def _largest(part: str) -> int:
    if "worksheets/" in part or part.endswith("content.xml"):
        return LARGEST_UNPACKED
    return LARGEST_TEXTS if "sharedstrings." in part else LARGEST_PART


def _bursts(part: zipfile.ZipInfo) -> bool:
    return part.file_size > _PIECE and part.file_size > part.compress_size * MOST_TIMES_SMALLER


def _check_content(packed: zipfile.ZipFile, part: zipfile.ZipInfo) -> None:
    """Reads a part to its end, which verifies size and checksum, and refuses texts of a megabyte."""
    is_binary = part.filename.lower().endswith(".bin")
    for number, piece in enumerate(pieces(packed, part.filename)):
        if number == 0 and (b"<!DOCTYPE" in piece[:4096] or b"<!ENTITY" in piece[:4096]):
            raise UnreadableSheet("文件含有表格不应有的内容（DTD）。请用系统提供的模板填写后上传。")
        if not is_binary and len(piece) == _PIECE and b"<" not in piece:
            raise UnreadableSheet("文件中有过长的单元格，请用系统提供的模板重新填写后上传。")


def _sheet_parts(packed: zipfile.ZipFile, names: Mapping[str, str]) -> dict[str, str]:
    """The part of each sheet by the sheet's name; none for a book of unusual structure."""
    try:
        book = ElementTree.fromstring(packed.read(names["xl/workbook.xml"]))
        targets = relation_targets(packed.read(names["xl/_rels/workbook.xml.rels"]))
    except (KeyError, ParseError, DefusedXmlException):
        return {}
    sheets = (element for element in book.iter() if _kind(element) == "sheet")
    return {sheet.get("name", ""): targets.get(_relation_of(sheet) or "", "") for sheet in sheets}


def _relation_of(sheet: Any) -> str | None:
    return next((value for name, value in sheet.attrib.items() if name.endswith("}id")), None)


def _scan(packed: zipfile.ZipFile, part: str, title: str) -> Cells:
    found: Cells = {}
    width, height, kept, all_are_placed = 0, 0, b"", True
    for piece in pieces(packed, part):
        text = kept + piece
        if b't="e"' in text or b"t='e'" in text:
            for cell in _ERROR_CELL.finditer(text):
                all_are_placed &= _put(found, cell[1], cell[2].decode(errors="replace"))
        if b"<f" in text or b":f" in text:
            for cell in _FORMULA_ALONE.finditer(text):
                if not _TEXT_TYPE.search(cell[1]):
                    all_are_placed &= _put(found, cell[1], NOT_COMPUTED)
        for far in _FAR_CELL.finditer(text):
            width = max(width, _column(far[1]))
        height = max(height, _last_row(text))
        _refuse_far(title, width, height)
        kept = text[-_OVERLAP:]
    return found if all_are_placed else _scan_in_order(packed, part)


def _put(found: Cells, attributes: bytes, text: str) -> bool:
    """Keeps a cell's text; False where the cell does not say where it is."""
    place = _PLACE.search(attributes)
    if place:
        found[int(place[2]) - 1, _column(place[1])] = text
    return place is not None


def _scan_in_order(packed: zipfile.ZipFile, part: str) -> Cells:
    """The same cells of a sheet whose cells do not all say where they are: each follows the one before."""
    found: Cells = {}
    line = -1
    try:
        with packed.open(part) as content:
            for _, element in ElementTree.iterparse(content):
                if _kind(element) == "row":
                    line = int(element.get("r") or line + 2) - 1
                    found |= {(line, column): text for column, text in _row_without_value(element)}
                    element.clear()
    except (ParseError, DefusedXmlException, ValueError):
        pass  # the file is invalid: the parser reports its error
    return found


def _row_without_value(row: Element) -> Iterator[tuple[int, str]]:
    """The column of each cell that holds an error or a formula that nobody computed, and what stands for it."""
    column = -1
    for cell in row:
        place = _PLACE.fullmatch(f'r="{cell.get("r", "")}"'.encode())
        column = _column(place[1]) if place else column + 1
        parts = {_kind(part): part.text or "" for part in cell}
        value = parts.get("v", "").strip()
        if cell.get("t") == "e" and value:
            yield column, value
        elif "f" in parts and not value and cell.get("t") != "str":
            yield column, NOT_COMPUTED


def _kind(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number - 1


def _last_row(text: bytes) -> int:
    """The row of the last value in a piece of a sheet."""
    start = max(text.rfind(b"v>"), text.rfind(b"is>"))
    places = list(_PLACE.finditer(text, max(0, start - 2000), start)) if start > 0 else []
    return int(places[-1][2]) if places else 0


def _refuse_far(title: str, width: int, height: int) -> None:
    if (width + 1) * height > MOST_CELLS:
        raise UnreadableSheet(
            f"工作表“{title}”的内容一直到第 {height} 行、第 {width + 1} 列，范围过大。"
            "请删除名册右侧和下方多余的行、列后重新上传。"
        )
