"""Finds the cells of .xlsb files that hold an error; the parser reads them as empty.

Each part of an .xlsb is a sequence of records ([MS-XLSB]): a kind and a length, of up to two and four bytes, then data.
"""

import struct
import zipfile
from collections.abc import Iterator

from services.kit.sheets.packed_sheets import ERROR_WORDS, Cells, relation_targets

_BOOK, _RELATIONS = "xl/workbook.bin", "xl/_rels/workbook.bin.rels"
_ROW, _ERROR, _ERROR_OF_FORMULA, _SHEET = 0, 3, 11, 156
_NO_TEXT = 0xFFFFFFFF


def error_cells(packed: zipfile.ZipFile) -> dict[str | int, Cells]:
    """The cells that hold an error, by name of the sheet."""
    names = {name.lower(): name for name in packed.namelist()}
    found: dict[str | int, Cells] = {}
    try:
        targets = relation_targets(packed.read(names[_RELATIONS]))
        for title, relation in _sheets(packed.read(names[_BOOK])):
            part = names.get(targets.get(relation, "").lower())
            if part is not None:
                found[title] = _errors_of(packed.read(part))
    except (KeyError, IndexError, struct.error):
        pass  # invalid file: the parser reports the error
    return found


def _errors_of(sheet: bytes) -> Cells:
    found: Cells = {}
    row = 0
    for kind, data in _records(sheet):
        if kind == _ROW:
            (row,) = struct.unpack_from("<I", data)
        elif kind in (_ERROR, _ERROR_OF_FORMULA):
            found[row, struct.unpack_from("<I", data)[0]] = ERROR_WORDS.get(data[8], "#N/A")
    return found


def _sheets(book: bytes) -> Iterator[tuple[str, str]]:
    """The name of each sheet, and the name of the relation to its part."""
    for kind, data in _records(book):
        if kind == _SHEET:
            relation, position = _text(data, 8)
            yield _text(data, position)[0], relation


def _text(data: bytes, position: int) -> tuple[str, int]:
    """A text, and the position after it."""
    (length,) = struct.unpack_from("<I", data, position)
    end = position + 4 + (0 if length == _NO_TEXT else 2 * length)
    return data[position + 4 : end].decode("utf-16-le", "replace"), end


def _records(part: bytes) -> Iterator[tuple[int, bytes]]:
    position, end = 0, len(part)
    while position < end:
        kind = part[position]
        position += 1
        if kind & 0x80:
            kind = kind & 0x7F | part[position] << 7
            position += 1
        length = shift = 0
        while True:
            byte = part[position]
            position += 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80 or shift == 28:
                break
        yield kind, part[position : position + length]
        position += length
