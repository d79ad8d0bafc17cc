"""Handles what the parser misreads in .xls files: cells that hold an error, and Chinese texts of Excel 95.

An .xls is a compound file ([MS-CFB]) whose stream `Workbook`, or `Book` before Excel 97, is a sequence of records
([MS-XLS]). Only the necessary parts of both are read here; invalid files are left to the parser.
"""

import codecs
import struct
from collections.abc import Iterator
from typing import NamedTuple

from services.kit.sheets.packed_sheets import ERROR_WORDS, Cells
from services.kit.sheets.unreadable import DAMAGED, LOCKED, UnreadableSheet

_BOUNDSHEET, _BOOLERR, _FORMULA, _BOF, _EOF, _CODEPAGE = 0x0085, 0x0205, 0x0006, 0x0809, 0x000A, 0x0042
_FILEPASS = 0x002F
_EXCEL_95, _EXCEL_97 = b"\0\5", b"\0\6"
_WESTERN, _UNICODE = 1252, 1200
_CHARSETS = {
    **dict.fromkeys((936, 20936, 54936, 10008), "gb18030"),
    **dict.fromkeys((950, 10002), "big5hkscs"),
    932: "cp932",
    949: "cp949",
}
"""Charsets by the numbers of double-byte code pages."""
_WITHOUT_PAGE = "gb18030"
_FREE = 0xFFFFFFFA
"""The first number that names no sector."""
_SECTOR_POWERS = (9, 12)
"""The sizes of sectors, as powers of two, that compound files can have."""
_SMALL_STREAM, _SMALL_SECTOR = 4096, 64
"""Streams shorter than the first are in small sectors of the second size; most programs pad theirs to the first."""


class OldBook(NamedTuple):
    """A file in a form that the parser can read.

    `charset` is the charset of texts that the parser reads as Western letters, None where it reads them correctly;
    `errors` are the cells that hold an error, for each sheet in order.
    """

    content: bytes
    charset: str | None
    errors: list[Cells]


class _Stream(NamedTuple):
    """The records of a book, and the file positions of its pieces, which have one size."""

    records: bytes
    places: list[int]
    size: int


def prepared(content: bytes) -> OldBook:
    """The file, with a replaced code page where the parser would misread texts.

    Raises UnreadableSheet for a file with a password.
    """
    try:
        stream = _book_stream(content)
        errors = [_errors_from(stream.records, start) for start in _sheet_starts(stream.records)]
        return _with_readable_texts(content, stream, errors)
    except (struct.error, IndexError):
        return OldBook(content, None, [])


def recoded(text: str, charset: str) -> str:
    """Decodes a text that was read as Western letters by its real charset; unchanged where that fails."""
    if text.isascii():
        return text
    try:
        return text.encode("cp1252", "control-bytes").decode(charset)
    except UnicodeError:
        return text


def _control_bytes(error: UnicodeError) -> tuple[bytes, int]:
    """The bytes of control characters, to which the parser maps the five bytes that Windows-1252 leaves undefined."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return error.object[error.start : error.end].encode("latin-1"), error.end


codecs.register_error("control-bytes", _control_bytes)


def _with_readable_texts(content: bytes, stream: _Stream, errors: list[Cells]) -> OldBook:
    """Patches the code page of Excel 95 files; texts of Excel 97 are Unicode, whatever page is named."""
    page, position = _code_page(stream.records)
    version = stream.records[4:6]
    if version == _EXCEL_95:
        charset = _CHARSETS.get(page) if page is not None else _WITHOUT_PAGE
        is_named = charset is not None and page is not None
        return OldBook(_patched(content, stream, position, _WESTERN) if is_named else content, charset, errors)
    if version == _EXCEL_97 and page not in (None, _UNICODE):
        content = _patched(content, stream, position, _UNICODE)
    return OldBook(content, None, errors)


def _code_page(stream: bytes) -> tuple[int | None, int]:
    """The code page that the book names, and its position."""
    for kind, position, data in _records(stream, 0):
        if kind == _FILEPASS:
            raise UnreadableSheet(LOCKED)
        if kind == _CODEPAGE and len(data) == 2:
            return struct.unpack("<H", data)[0], position
        if kind == _EOF:
            break
    return None, 0


def _patched(content: bytes, stream: _Stream, position: int, page: int) -> bytes:
    """The file with another code page at this position of the stream, which may span two pieces."""
    changed = bytearray(content)
    for offset, byte in enumerate(struct.pack("<H", page), start=position):
        changed[stream.places[offset // stream.size] + offset % stream.size] = byte
    return bytes(changed)


def _errors_from(stream: bytes, start: int) -> Cells:
    found: Cells = {}
    depth = 0
    for kind, _, data in _records(stream, start):
        depth += (kind == _BOF) - (kind == _EOF)
        if depth == 0:
            break
        if kind == _BOOLERR and len(data) >= 8 and data[7] == 1:
            found[struct.unpack_from("<HH", data)] = ERROR_WORDS.get(data[6], "#N/A")
        elif kind == _FORMULA and len(data) >= 14 and data[6] == 2 and data[12:14] == b"\xff\xff":
            found[struct.unpack_from("<HH", data)] = ERROR_WORDS.get(data[8], "#N/A")
    return found


def _sheet_starts(stream: bytes) -> list[int]:
    starts = []
    for kind, _, data in _records(stream, 0):
        if kind == _BOUNDSHEET:
            starts.append(struct.unpack_from("<I", data)[0])
        elif kind == _EOF:
            break
    return starts


def _records(stream: bytes, position: int) -> Iterator[tuple[int, int, bytes]]:
    """The kind of each record, the position of its data, and the data."""
    while position + 4 <= len(stream):
        kind, length = struct.unpack_from("<HH", stream, position)
        yield kind, position + 4, stream[position + 4 : position + 4 + length]
        position += 4 + length


def _book_stream(content: bytes) -> _Stream:
    """The stream of the workbook; of two that of Excel 97; an empty one where there is none."""
    power = struct.unpack_from("<H", content, 30)[0]
    if power not in _SECTOR_POWERS:
        return _Stream(b"", [], 0)
    size = 1 << power
    table = _sector_table(content, size)
    directory = _joined(content, _places(size, table, struct.unpack_from("<I", content, 48)[0]), size)
    streams = {name: where for name, *where in _entries(directory)}
    for name in ("workbook", "book"):
        if name in streams:
            first, length = streams[name]
            if length < _SMALL_STREAM:
                places, piece = _small_places(content, size, table, streams["root entry"][0], first), _SMALL_SECTOR
            else:
                places, piece = _places(size, table, first), size
            return _Stream(_joined(content, places, piece)[:length], places, piece)
    return _Stream(b"", [], size)


def _entries(directory: bytes) -> Iterator[tuple[str, int, int]]:
    """The lower-case name of each entry, its first sector and its length."""
    for start in range(0, len(directory) - 127, 128):
        named = struct.unpack_from("<H", directory, start + 64)[0]
        name = directory[start : start + named].decode("utf-16-le", "replace")
        yield (name.rstrip("\0").lower(), *struct.unpack_from("<II", directory, start + 116))


def _sector_table(content: bytes, size: int) -> list[int]:
    """The next sector of each sector."""
    places = list(struct.unpack_from("<109I", content, 76))
    following, left = struct.unpack_from("<II", content, 68)
    left = min(left, len(content) // size)
    while following < _FREE and left:
        *more, following = struct.unpack_from(f"<{size // 4}I", content, (following + 1) * size)
        places += more
        left -= 1
    table: list[int] = []
    for place in places:
        if place < _FREE:
            table += struct.unpack_from(f"<{size // 4}I", content, (place + 1) * size)
    return table


def _places(size: int, table: list[int], sector: int) -> list[int]:
    """The file positions of the sectors of a chain."""
    return [(one + 1) * size for one in _chain(table, sector)]


def _small_places(content: bytes, size: int, table: list[int], container: int, sector: int) -> list[int]:
    """The file positions of the small sectors of a chain, which are all in one stream."""
    chain = _joined(content, _places(size, table, struct.unpack_from("<I", content, 60)[0]), size)
    small_table = list(struct.unpack(f"<{len(chain) // 4}I", chain))
    containing = _places(size, table, container)
    offsets = [one * _SMALL_SECTOR for one in _chain(small_table, sector)]
    return [containing[offset // size] + offset % size for offset in offsets]


def _chain(table: list[int], sector: int) -> Iterator[int]:
    """The sectors of a chain; raises UnreadableSheet for one that is a circle, which the parser follows without end."""
    for _ in range(len(table) + 1):
        if sector >= _FREE:
            return
        yield sector
        sector = table[sector]
    raise UnreadableSheet(DAMAGED)


def _joined(content: bytes, places: list[int], size: int) -> bytes:
    return b"".join(content[place : place + size] for place in places)
