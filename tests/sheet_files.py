"""Writes spreadsheet files that no library here can write, record by record: .xls of 95 and 97, .xlsb and .ods."""

import io
import struct
import zipfile
from collections.abc import Sequence
from datetime import date
from typing import Any

ERROR = None
"""A cell that holds the error #N/A."""
_END = 0xFFFFFFFE
_NOTHING = 0xFFFFFFFF
_SECTOR, _SMALL_SECTOR = 512, 64
_SMALL_STREAM = 4096
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_DOCUMENT = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def an_xls(*rows: Sequence[Any], is_padded: bool = True, code_page: int = 1200, is_locked: bool = False) -> bytes:
    """Returns an .xls as written since 1997; without padding the stream is stored as a small one."""
    name = "名册".encode("utf-16-le")
    begin = [_record(0x0809, struct.pack("<HHHHII", 0x0600, kind, 0x0DBB, 0x07CC, 0, 6)) for kind in (5, 0x10)]
    page = _record(0x0042, struct.pack("<H", code_page)) + _formats(20)
    lock = _record(0x002F, bytes(6)) if is_locked else b""
    sheet = struct.pack("<HBB", 0, 2, 1) + name
    cells = b"".join(_cell_of_97(line, column, value) for line, column, value in _placed(rows))
    stream = _book(begin[0], lock + page, sheet, begin[1], cells)
    return _compound("Workbook", stream.ljust(_SMALL_STREAM, b"\0") if is_padded else stream)


def an_xls_of_95(*rows: Sequence[Any], charset: str = "gbk", code_page: int | None = 936, name: str = "名册") -> bytes:
    """Returns an .xls as of Excel 95 and many report programs: texts are in the code page that it names."""
    begin = [_record(0x0809, struct.pack("<HHHH", 0x0500, kind, 0x0DBB, 0x07CC)) for kind in (5, 0x10)]
    page = b"" if code_page is None else _record(0x0042, struct.pack("<H", code_page))
    page += _formats(16)
    named = name.encode(charset)
    sheet = struct.pack("<HB", 0, len(named)) + named
    cells = b"".join(_cell_of_95(line, column, value, charset) for line, column, value in _placed(rows))
    return _compound("Book", _book(begin[0], page, sheet, begin[1], cells).ljust(_SMALL_STREAM, b"\0"))


def an_xlsb(*rows: Sequence[Any]) -> bytes:
    """Returns an Excel binary workbook [MS-XLSB]; dates have a date format."""
    extent = struct.pack("<IIII", 0, len(rows) - 1, 0, max(map(len, rows)) - 1)
    records = [_long_record(129), _long_record(148, extent), _long_record(145)]
    for line, row in enumerate(rows):
        records.append(_long_record(0, struct.pack("<IIHBBII", line, 0, 300, 0, 0, 0, 0)))
        records += [_cell_of_xlsb(column, value) for column, value in enumerate(row)]
    sheet = b"".join([*records, _long_record(146), _long_record(130)])
    named = _long_record(156, struct.pack("<II", 0, 1) + _wide("rId1") + _wide("名册"))
    book = _long_record(131) + _long_record(143) + named + _long_record(144) + _long_record(132)
    formats = b"".join(_long_record(47, struct.pack("<HH", 0xFFFF, number) + bytes(12)) for number in (0, 14))
    styles = _long_record(278) + _long_record(617, struct.pack("<I", 2)) + formats
    styles += _long_record(618) + _long_record(279)
    relations = [("rId1", "worksheet", "worksheets/sheet1.bin"), ("rId2", "styles", "styles.bin")]
    return _zipped(
        {
            "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types"/>'.encode(),
            "xl/workbook.bin": book,
            "xl/_rels/workbook.bin.rels": _relations(relations),
            "xl/worksheets/sheet1.bin": sheet,
            "xl/styles.bin": styles,
        }
    )


def an_ods(*rows: str) -> bytes:
    """Returns an OpenDocument spreadsheet of one table; the rows are XML, see `ods_row`."""
    names = ("office", "table", "text", "manifest")
    spaces = [f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in names]
    spaces.append('xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"')
    table = f'<table:table table:name="名册">{"".join(rows)}</table:table>'
    body = f"<office:body><office:spreadsheet>{table}</office:spreadsheet></office:body>"
    content = f"<office:document-content {' '.join(spaces)}>{body}</office:document-content>"
    manifest = f"<manifest:manifest {' '.join(spaces)}/>"
    mime = "application/vnd.oasis.opendocument.spreadsheet"
    return _zipped(
        {"mimetype": mime.encode(), "META-INF/manifest.xml": manifest.encode(), "content.xml": content.encode()}
    )


def ods_row(*cells: Any, repeated: int = 1) -> str:
    """Returns a row as LibreOffice writes it: consecutive equal cells are one cell with a repeat count."""
    written: list[tuple[Any, int]] = []
    for cell in cells:
        if written and written[-1][0] == cell:
            written[-1] = (cell, written[-1][1] + 1)
        else:
            written.append((cell, 1))
    times = f' table:number-rows-repeated="{repeated}"' if repeated > 1 else ""
    return f"<table:table-row{times}>{''.join(_ods_cell(*one) for one in written)}</table:table-row>"


def _ods_cell(value: Any, times: int) -> str:
    repeated = f' table:number-columns-repeated="{times}"' if times > 1 else ""
    if value == "":
        return f"<table:table-cell{repeated}/>"
    if value is ERROR:
        kind, shown = 'table:formula="of:=NA()" office:value-type="string" office:string-value=""', "#N/A"
        kind += ' calcext:value-type="error"'
    elif isinstance(value, float):
        kind, shown = f'office:value-type="float" office:value="{value!r}"', f"{value:g}"
    elif isinstance(value, date):
        kind, shown = f'office:value-type="date" office:date-value="{value.isoformat()}"', f"{value:%d.%m.%y}"
    else:
        kind, shown = 'office:value-type="string"', value
    return f"<table:table-cell{repeated} {kind}><text:p>{shown}</text:p></table:table-cell>"


def _placed(rows: Sequence[Sequence[Any]]) -> list[tuple[int, int, Any]]:
    return [(line, column, value) for line, row in enumerate(rows) for column, value in enumerate(row)]


def _book(begin: bytes, page: bytes, sheet: bytes, begin_sheet: bytes, cells: bytes) -> bytes:
    end = _record(0x000A, b"")
    start = len(begin) + len(page) + 4 + 4 + len(sheet) + len(end)
    return begin + page + _record(0x0085, struct.pack("<I", start) + sheet) + end + begin_sheet + cells + end


def _record(kind: int, data: bytes) -> bytes:
    return struct.pack("<HH", kind, len(data)) + data


def _formats(size: int) -> bytes:
    """Returns two number formats: general and date."""
    return b"".join(_record(0x00E0, struct.pack("<HH", 0, number).ljust(size, b"\0")) for number in (0, 14))


def _cell_of_97(line: int, column: int, value: Any) -> bytes:
    if isinstance(value, str):
        text = struct.pack("<HB", len(value), 1) + value.encode("utf-16-le")
        return _record(0x0204, struct.pack("<HHH", line, column, 0) + text)
    return _cell_of_95(line, column, value, "")


def _cell_of_95(line: int, column: int, value: Any, charset: str) -> bytes:
    place = struct.pack("<HHH", line, column, 0)
    if value is ERROR:
        return _record(0x0205, place + b"\x2a\x01")
    if isinstance(value, date):
        return _record(0x0203, struct.pack("<HHHd", line, column, 1, _day_number(value)))
    if isinstance(value, float):
        return _record(0x0203, place + struct.pack("<d", value))
    text = str(value).encode(charset)
    return _record(0x0204, place + struct.pack("<H", len(text)) + text)


def _compound(name: str, stream: bytes) -> bytes:
    """Returns a compound file [MS-CFB] of one stream: sector 0 is the table, 1 the directory, then the stream."""
    small = len(stream) < _SMALL_STREAM
    content = _filled(stream, _SMALL_SECTOR) if small else stream
    sectors = _filled(content, _SECTOR)
    first = 3 if small else 2
    count = len(sectors) // _SECTOR
    following = [0xFFFFFFFD, _END, *([_END] if small else []), *range(first + 1, first + count), _END]
    table = _numbers(following)
    chain = _numbers([*range(1, len(content) // _SMALL_SECTOR), _END]) if small else b""
    header = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(16) + struct.pack("<HHHHH", 62, 3, 0xFFFE, 9, 6) + bytes(6)
    header += struct.pack("<IIIIIIIII", 0, 1, 1, 0, _SMALL_STREAM, 2 if small else _END, int(small), _END, 0)
    header += struct.pack("<109I", 0, *[_NOTHING] * 108)
    entries = _entry("Root Entry", 5, 1, first if small else _END, len(content) if small else 0)
    entries += _entry(name, 2, _NOTHING, 0 if small else first, len(stream))
    return header + table + entries.ljust(_SECTOR, b"\0") + chain + sectors


def _entry(name: str, kind: int, child: int, start: int, size: int) -> bytes:
    written = name.encode("utf-16-le") + b"\0\0"
    named = written.ljust(64, b"\0") + struct.pack("<HBB", len(written), kind, 1)
    return named + struct.pack("<III", _NOTHING, _NOTHING, child) + bytes(36) + struct.pack("<IQ", start, size)


def _numbers(numbers: Sequence[int]) -> bytes:
    return struct.pack("<128I", *numbers, *[_NOTHING] * (128 - len(numbers)))


def _filled(content: bytes, size: int) -> bytes:
    return content.ljust(-(-len(content) // size) * size, b"\0")


def _long_record(kind: int, data: bytes = b"") -> bytes:
    number = bytes([kind]) if kind < 128 else bytes([kind & 127 | 128, kind >> 7])
    length, size = b"", len(data)
    while size > 127:
        length, size = length + bytes([size & 127 | 128]), size >> 7
    return number + length + bytes([size]) + data


def _cell_of_xlsb(column: int, value: Any) -> bytes:
    place = struct.pack("<II", column, isinstance(value, date))
    if value is ERROR:
        return _long_record(3, place + b"\x2a")
    if isinstance(value, date):
        value = _day_number(value)
    if isinstance(value, float):
        return _long_record(5, place + struct.pack("<d", value))
    return _long_record(6, place + _wide(str(value)))


def _day_number(day: date) -> float:
    return float((day - date(1899, 12, 30)).days)


def _wide(text: str) -> bytes:
    return struct.pack("<I", len(text)) + text.encode("utf-16-le")


def _relations(relations: Sequence[tuple[str, str, str]]) -> bytes:
    each = "".join(
        f'<Relationship Id="{name}" Type="{_DOCUMENT}/{kind}" Target="{target}"/>' for name, kind, target in relations
    )
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{each}</Relationships>'.encode()


def _zipped(parts: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in parts.items():
            packed.writestr(name, content)
    return file.getvalue()
