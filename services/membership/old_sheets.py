"""Cells of .xls files that hold an error, which the parser takes for empty ones.

An .xls is a compound file ([MS-CFB]) whose stream `Workbook` is a row of records ([MS-XLS]). Only what is needed of
both is read here; what is not as it should be is left to the parser.
"""

import struct
from collections.abc import Iterator

from services.membership.packed_sheets import Cells

_WORDS = {0x00: "#NULL!", 0x07: "#DIV/0!", 0x0F: "#VALUE!", 0x17: "#REF!", 0x1D: "#NAME?", 0x24: "#NUM!", 0x2A: "#N/A"}
_BOUNDSHEET, _BOOLERR, _FORMULA, _BOF, _EOF = 0x0085, 0x0205, 0x0006, 0x0809, 0x000A
_FREE = 0xFFFFFFFA
"""Numbers from here on name no sector."""
_SMALL_STREAM = 4096
"""Shorter streams lie elsewhere; spreadsheet programs fill theirs up to this."""


def error_cells(content: bytes) -> list[Cells]:
    """Of each sheet in order: its cells that hold an error."""
    try:
        stream = _workbook_stream(content)
        return [_errors_from(stream, start) for start in _sheet_starts(stream)]
    except (struct.error, IndexError):
        return []


def _errors_from(stream: bytes, start: int) -> Cells:
    found: Cells = {}
    depth = 0
    for kind, data in _records(stream, start):
        depth += (kind == _BOF) - (kind == _EOF)
        if depth == 0:
            break
        if kind == _BOOLERR and len(data) >= 8 and data[7] == 1:
            found[struct.unpack_from("<HH", data)] = _WORDS.get(data[6], "#N/A")
        elif kind == _FORMULA and len(data) >= 14 and data[6] == 2 and data[12:14] == b"\xff\xff":
            found[struct.unpack_from("<HH", data)] = _WORDS.get(data[8], "#N/A")
    return found


def _sheet_starts(stream: bytes) -> list[int]:
    starts = []
    for kind, data in _records(stream, 0):
        if kind == _BOUNDSHEET:
            starts.append(struct.unpack_from("<I", data)[0])
        elif kind == _EOF:
            break
    return starts


def _records(stream: bytes, position: int) -> Iterator[tuple[int, bytes]]:
    while position + 4 <= len(stream):
        kind, length = struct.unpack_from("<HH", stream, position)
        yield kind, stream[position + 4 : position + 4 + length]
        position += 4 + length


def _workbook_stream(content: bytes) -> bytes:
    """The stream of the workbook; empty where there is none of the usual size."""
    size = 1 << struct.unpack_from("<H", content, 30)[0]
    table = _sector_table(content, size)
    directory = _chain(content, size, table, struct.unpack_from("<I", content, 48)[0])
    for start in range(0, len(directory) - 127, 128):
        named = struct.unpack_from("<H", directory, start + 64)[0]
        name = directory[start : start + named].decode("utf-16-le", "replace")
        first, length = struct.unpack_from("<II", directory, start + 116)
        if name.rstrip("\0").lower() in ("workbook", "book") and length >= _SMALL_STREAM:
            return _chain(content, size, table, first)[:length]
    return b""


def _sector_table(content: bytes, size: int) -> list[int]:
    """Which sector follows which."""
    places = list(struct.unpack_from("<109I", content, 76))
    following, left = struct.unpack_from("<II", content, 68)
    while following < _FREE and left:
        *more, following = struct.unpack_from(f"<{size // 4}I", content, (following + 1) * size)
        places += more
        left -= 1
    table: list[int] = []
    for place in places:
        if place < _FREE:
            table += struct.unpack_from(f"<{size // 4}I", content, (place + 1) * size)
    return table


def _chain(content: bytes, size: int, table: list[int], sector: int) -> bytes:
    parts: list[bytes] = []
    while sector < _FREE and len(parts) <= len(table):
        parts.append(content[(sector + 1) * size : (sector + 2) * size])
        sector = table[sector]
    return b"".join(parts)
