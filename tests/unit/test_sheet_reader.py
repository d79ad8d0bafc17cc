"""Files of members from many programs: what is read, what is skipped, and what is refused."""

import datetime
import io
import random
import re
import struct
import zipfile
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook
from openpyxl.styles import PatternFill

from services.kit.sheets import packed_sheets, sheet_files
from services.kit.sheets.unreadable import UnreadableSheet
from services.membership.imports import sheet_reader, sheets
from services.membership.imports.sheet_reader import Row, SheetReport
from tests.sheet_files import ERROR, an_ods, an_xls, an_xls_of_95, an_xlsb, ods_row

HEADINGS = ("姓名", "证件类型", "证件号码")
A_ROW = ("王芳", "护照", "E12345678")


def saved(book: Workbook) -> bytes:
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def an_xlsx(*rows: Sequence[Any]) -> bytes:
    book = Workbook()
    sheet: Any = book.active
    for row in rows:
        sheet.append(list(row))
    return saved(book)


def a_book(*titles: str) -> tuple[Workbook, list[Any]]:
    """A book with a sheet of one member for each title."""
    book = Workbook()
    book.remove(book.worksheets[0])
    made = [book.create_sheet(title) for title in titles]
    for number, sheet in enumerate(made):
        sheet.append(list(HEADINGS))
        sheet.append([f"王{'一二三四'[number]}", "护照", f"E{number:08}"])
    return book, made


def replaced(content: bytes, part: str, old: bytes, new: bytes) -> bytes:
    """The same file with another text in one of its parts."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            unpacked = source.read(name)
            assert name != part or old in unpacked
            target.writestr(name, unpacked.replace(old, new) if name == part else unpacked)
    return file.getvalue()


SHEET = "xl/worksheets/sheet1.xml"


def read(content: bytes) -> tuple[list[dict[str, str]], list[SheetReport]]:
    """The cells of all rows, and the report on each sheet."""
    rows, reports = [], []
    for found in sheet_reader.parse(content):
        if isinstance(found, Row):
            rows.append(found.cells)
        else:
            reports.append(found)
    return rows, reports


def rows_of(content: bytes) -> list[dict[str, str]]:
    return read(content)[0]


def why_not(content: bytes) -> str:
    with pytest.raises(UnreadableSheet) as refused:
        read(content)
    return str(refused.value)


def left_of(content: bytes) -> list[tuple[str, int, int]]:
    """What the first sheet has that was not read."""
    return [(one.reason, one.rows, one.cells) for one in read(content)[1][0].not_read]


def test_a_file_is_read_by_another_process_as_it_is_in_this_one() -> None:
    content = an_xlsx(HEADINGS, *[A_ROW] * 1200)
    assert list(sheet_reader.read_file(content)) == list(sheet_reader.parse(content))
    with pytest.raises(UnreadableSheet, match="PDF"):
        list(sheet_reader.read_file(b"%PDF-1.7"))


def test_a_file_that_ends_the_process_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet_reader, "_MEMORY_BYTES", 8 * 1024 * 1024)
    with pytest.raises(UnreadableSheet, match="过大或已损坏"):
        list(sheet_reader.read_file(an_xlsx(HEADINGS, A_ROW)))


def test_a_filled_in_template_is_read_without_its_example() -> None:
    book = load_workbook(io.BytesIO(sheets.template()))
    book.worksheets[0].append(["王芳", "居民身份证", "310115196501150016"])
    content = saved(book)
    assert [row["姓名"] for row in rows_of(content)] == ["王芳"]
    assert left_of(content) == [("模板的示例行", 1, 0)]
    assert [report.reason is None for report in read(content)[1]] == [True, False]


TEXT = "姓名{0}证件类型{0}证件号码\r\n王𬎆{0}护照{0}E12345678\r\n"


@pytest.mark.parametrize("separator", [",", "\t", ";", "|"])
@pytest.mark.parametrize(
    ("charset", "mark"),
    [
        ("utf-8", b""),
        ("utf-8-sig", b""),
        ("gb18030", b""),
        ("utf-16-le", b"\xff\xfe"),
        ("utf-16-be", b"\xfe\xff"),
        ("utf-16-le", b""),
        ("utf-16-be", b""),
        ("utf-32", b""),
    ],
)
def test_texts_are_read_in_the_charsets_and_with_the_separators_of_programs(
    charset: str, mark: bytes, separator: str
) -> None:
    content = mark + TEXT.format(separator).encode(charset)
    assert rows_of(content) == [{"姓名": "王𬎆", "证件类型": "护照", "证件号码": "E12345678"}]


@pytest.mark.parametrize(("mark", "charset"), [(b"\xef\xbb\xbf" * 2, "utf-8"), (b"\x841\x953", "gb18030")])
def test_other_marks_before_a_quoted_heading_are_no_part_of_it(mark: bytes, charset: str) -> None:
    quoted = '"姓名","证件类型","证件号码"\n"王芳","护照","E12345678"\n'
    assert rows_of(mark + quoted.encode(charset)) == [dict(zip(HEADINGS, A_ROW, strict=True))]


@pytest.mark.parametrize("line", ["sep=;", "SEP=;", '"sep=;"'])
def test_the_line_that_names_the_separator_is_no_row(line: str) -> None:
    assert [row["姓名"] for row in rows_of(f"{line}\r\n{TEXT.format(';')}".encode())] == ["王𬎆"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_may_end_as_on_any_computer(end: str) -> None:
    assert len(rows_of(TEXT.format(",").replace("\r\n", end).encode())) == 1


@pytest.mark.parametrize(
    "tail",
    [
        '"上海市\n王丽,护照,E2,上海\n王明,护照,E3,上海\n',
        '"上海市\n王丽,护照,E2,上海\n王明,护照,E3,"上海"\n',
        '"上海市\n王丽,护照,E2,上海\n王明,护照,E3,上海"\n',
    ],
)
def test_a_quote_that_swallows_rows_is_refused_with_its_line(tail: str) -> None:
    content = f"姓名,证件类型,证件号码,地址\n王一,护照,E0,上海\n王芳,护照,E1,{tail}".encode()
    assert "第 3 行的双引号" in why_not(content)


def test_quoted_cells_may_hold_line_breaks_and_separators() -> None:
    content = '姓名,证件类型,证件号码,地址\n王芳,护照,E1,"上海市,杨浦区\n闸殷路 1 号"\n王丽,护照,E2,\n'.encode()
    assert [row.get("地址") for row in rows_of(content)] == ["上海市,杨浦区\n闸殷路 1 号", None]


@pytest.mark.parametrize(
    "headings",
    [
        ["*姓名", "＊证件类型", "*证件号码"],
        ["姓 名", "证件\n类型", " 证件号码　"],
        ["姓名（必填）", "证件类型:", "证件号码 (18位)"],
        ["职工姓名", "证件种类", "身份证号"],
        ["1.姓名", "2、证件类型", "证件号码_x000D_"],
        ["\ufeff姓名", "证件\u200b类型", "'证件号码"],
    ],
)
def test_headings_are_known_as_people_write_them(headings: list[str]) -> None:
    assert rows_of(an_xlsx(headings, A_ROW)) == [dict(zip(HEADINGS, A_ROW, strict=True))]


def test_headings_stand_below_titles_or_in_two_rows_of_merged_cells() -> None:
    titled = an_xlsx(["某某公司会员名册"], [], ["填表人：王芳"], HEADINGS, A_ROW)
    assert len(rows_of(titled)) == 1
    assert left_of(titled) == [("表头上方的标题、说明等", 2, 0)]
    continued = an_xlsx(["会员名册"], ["姓名", "证件", None], [None, "类型", "号码"], A_ROW)
    assert rows_of(continued) == [dict(zip(HEADINGS, A_ROW, strict=True))]
    assert left_of(continued) == [("表头上方的标题、说明等", 1, 0)]
    of_term = [*HEADINGS, "证件有效期", None], [None, None, None, "起", "止"]
    (row,) = rows_of(an_xlsx(*of_term, [*A_ROW, "2018-06-13", "2038-06-13"]))
    assert (row["证件签发日"], row["证件到期日"]) == ("2018-06-13", "2038-06-13")
    merged = an_xlsx(["姓名", "证件", None], [None, "证件类型", "证件号码"], A_ROW)
    assert rows_of(merged) == [dict(zip(HEADINGS, A_ROW, strict=True))]
    assert left_of(merged) == []


@pytest.mark.parametrize("headings", [[*HEADINGS, "姓名"], [*HEADINGS, "姓 名"], [*HEADINGS, "手机号", "联系方式"]])
def test_a_heading_that_comes_twice_is_refused_by_its_name(headings: list[str]) -> None:
    assert "重复出现" in why_not(an_xlsx(headings, A_ROW))


def test_a_column_by_another_word_gives_way_to_the_heading_itself() -> None:
    content = an_xlsx([*HEADINGS, "联系电话", "电话"], [*A_ROW, "13800000000", "021-1"])
    assert rows_of(content)[0]["联系电话"] == "13800000000"
    assert left_of(content) == [("第 5 列“电话”不是系统的表头", 0, 1)]


def test_columns_without_a_heading_that_we_know_are_named_with_what_they_hold() -> None:
    content = an_xlsx([*HEADINGS, "备注", None], [*A_ROW, "老员工", None], [*A_ROW, None, "多余"])
    assert [row.get("备注") for row in rows_of(content)] == ["老员工", None]
    assert left_of(content) == [("第 4 列“备注”不是系统的表头", 0, 1), ("第 5 列没有表头", 0, 1)]


def test_rows_without_anything_of_a_member_are_named_and_not_judged() -> None:
    content = an_xlsx(["序号", *HEADINGS, "备注"], [1, *A_ROW], [2], [3], ["合计", None, None, None, "1 人"])
    assert [row["姓名"] for row in rows_of(content)] == ["王芳"]
    assert ("系统识别的各列都为空的行，如只有序号或备注", 3, 0) in left_of(content)


def test_a_hidden_sheet_is_left_with_its_reason() -> None:
    book, (first, second, _) = a_book("字典", "旧名册", "名册")
    first.sheet_state, second.sheet_state = "hidden", "veryHidden"
    rows, reports = read(saved(book))
    assert [row["姓名"] for row in rows] == ["王三"]
    assert [(one.name, one.reason) for one in reports] == [
        ("字典", "隐藏的工作表"),
        ("旧名册", "隐藏的工作表"),
        ("名册", None),
    ]


def test_all_sheets_with_the_headings_are_read() -> None:
    book, _ = a_book("甲车间", "乙车间")
    rows, reports = read(saved(book))
    assert [row["姓名"] for row in rows] == ["王一", "王二"]
    assert [(one.sheet_no, one.rows) for one in reports] == [(1, 1), (2, 1)]


def cell(value: Any) -> str:
    """The text of a cell of the column 地址."""
    book = Workbook()
    sheet: Any = book.active
    sheet.append([*HEADINGS, "地址"])
    sheet.append(list(A_ROW))
    sheet["D2"] = value
    return rows_of(saved(book))[0].get("地址", "")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (13800000001, "13800000001"),
        (123456789012345, "123456789012345"),
        (310115196501150016, "3.10115196501150E+17"),
        (0.5, "0.5"),
        (True, "TRUE"),
        (datetime.date(2038, 6, 13), "2038-06-13"),
        (datetime.datetime(2038, 6, 13, 8, 30, tzinfo=None), "2038-06-13 08:30:00"),  # noqa: DTZ001
        (datetime.date(9999, 12, 31), "9999-12-31"),
        ("'2038-06-13", "2038-06-13"),
        ("'n Betje", "'n Betje"),
        ("上海_x000D_", "上海"),
    ],
)
def test_cells_become_the_texts_that_people_see(value: Any, text: str) -> None:
    assert cell(value) == text


def test_a_date_counted_from_1904_is_the_same_day() -> None:
    book = Workbook()
    book.epoch = datetime.datetime(1904, 1, 1)  # noqa: DTZ001
    sheet: Any = book.active
    sheet.append([*HEADINGS, "证件到期日"])
    sheet.append([*A_ROW, datetime.date(2038, 6, 13)])
    assert rows_of(saved(book))[0]["证件到期日"] == "2038-06-13"


@pytest.mark.parametrize("error", ["#N/A", "#REF!", "#DIV/0!", "#VALUE!", "#NAME?"])
def test_a_cell_with_an_error_is_not_taken_for_an_empty_one(error: str) -> None:
    assert cell(error) == error
    (row,) = rows_of(an_xlsx([*HEADINGS, "国籍"], [*A_ROW, error]))
    with pytest.raises(sheets.WrongRow, match="国籍：单元格是错误值"):
        sheets.facts_of(row)


@pytest.mark.parametrize("error", ["#SPILL!", "#CALC!", "#GETTING_DATA", "#FIELD!", "#BLOCKED!"])
def test_an_error_of_newer_programs_is_one_of_its_row_alone(error: str) -> None:
    content = an_xlsx([*HEADINGS, "国籍"], [*A_ROW, "#N/A"], [*A_ROW, "#REF!"], [*A_ROW, "中国"])
    rows = rows_of(replaced(content, SHEET, b"#N/A", error.encode()))
    assert [row["国籍"] for row in rows] == [error, "#REF!", "中国"]
    with pytest.raises(sheets.WrongRow, match="国籍：单元格是错误值"):
        sheets.facts_of(rows[0])


def test_a_number_that_is_none_is_an_error_of_its_row() -> None:
    content = an_xlsx([*HEADINGS, "地址"], [*A_ROW, 4711])
    for none in (b"NaN", b"INF", b"-1E+400"):
        assert rows_of(replaced(content, SHEET, b"<v>4711</v>", b"<v>%s</v>" % none))[0]["地址"] == "#NUM!"


@pytest.mark.parametrize("extent", ["", "#REF!", "$A$1:$C$2", "A:C", "A1:C2 E1:F2"])
def test_a_sheet_whose_writer_gives_no_right_range_is_read(extent: str) -> None:
    content = replaced(an_xlsx(HEADINGS, A_ROW), SHEET, b'ref="A1:C2"', f'ref="{extent}"'.encode())
    assert rows_of(content) == [dict(zip(HEADINGS, A_ROW, strict=True))]


def test_a_formula_without_a_value_is_not_taken_for_an_empty_cell() -> None:
    (row,) = rows_of(an_xlsx([*HEADINGS, "地址"], [*A_ROW, '=CONCATENATE("上海","市")']))
    with pytest.raises(sheets.WrongRow, match="地址：单元格是公式"):
        sheets.facts_of(row)
    computed = replaced(an_xlsx(HEADINGS, ["=A9", "护照", "E12345678"]), SHEET, b"<v />", b"<v>7</v>")
    assert rows_of(computed)[0]["姓名"] == "7"


@pytest.mark.parametrize("pattern", [rb'<c r="[A-Z]+[0-9]+"', rb'(?:<row r="[0-9]+"|<c r="[A-Z]+[0-9]+")'])
def test_errors_are_found_in_sheets_whose_cells_or_rows_do_not_say_where_they_are(pattern: bytes) -> None:
    content = an_xlsx([*HEADINGS, "国籍", "地址"], [*A_ROW, "#N/A", "=A9"], [*A_ROW, "中国", "上海"])
    written = zipfile.ZipFile(io.BytesIO(content)).read(SHEET)
    without = re.sub(pattern, lambda match: match[0].partition(b" r=")[0], written)
    assert without != written
    first, second = rows_of(replaced(content, SHEET, written, without))
    assert (first["国籍"], first["地址"]) == ("#N/A", packed_sheets.NOT_COMPUTED)
    assert (second["国籍"], second["地址"]) == ("中国", "上海")


def test_blank_and_styled_rows_down_to_the_last_are_left_out() -> None:
    book, (sheet,) = a_book("名册")
    sheet.append([None, "", " "])
    sheet.append(list(A_ROW))
    sheet["XFD1048576"].fill = PatternFill("solid", fgColor="FFFF0000")
    assert [row["姓名"] for row in rows_of(saved(book))] == ["王一", "王芳"]


def test_cells_beyond_the_columns_that_are_read_are_named() -> None:
    book, (sheet,) = a_book("名册")
    sheet["XFD3"] = "far away"
    content = saved(book)
    assert [row["姓名"] for row in rows_of(content)] == ["王一"]
    assert left_of(content) == [("第 200 列以后的内容", 0, 1)]


def test_a_cell_in_the_last_row_and_column_is_named_before_memory_is_taken_for_all_between() -> None:
    book, (sheet,) = a_book("名册")
    sheet["XFD1048576"] = "x"
    assert "第 1048576 行、第 16384 列" in why_not(saved(book))


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"", "空的"),
        (b"\xef\xbb\xbf\r\n", "空的"),
        (b"%PDF-1.7", "PDF"),
        (b"\x89PNG\r\n", "图片"),
        (b"PK no zip at all", "损坏"),
        ("<html><meta charset=utf-8><table><tr><td>姓名</td></tr></table></html>".encode(), "HTML"),
        (b'<?xml version="1.0"?><Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet">', "XML"),
        (bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600), "损坏"),
        (bytes.fromhex("d0cf11e0a1b11ae1") + "EncryptedPackage".encode("utf-16-le"), "密码"),
        (bytes.fromhex("d0cf11e0a1b11ae1") + b"x" * 600, "损坏"),
        ("\ufeff<table><tr><td>姓名</td></tr></table>".encode("utf-16-le"), "HTML"),
        (b"MIME-Version: 1.0\r\nContent-Type: multipart/related", "MHTML"),
        (b"\x1f\x8b\x08\0 a compressed file", "压缩包"),
        (bytes(range(256)) * 20, "不是表格"),
        (an_xlsx(["姓名", "地址"]), "缺少表头：证件类型、证件号码"),
        (an_xlsx(), "缺少表头"),
        ("姓名,证件类型,证件号码\n王芳,护照,E1\n".encode() + b"\xff\xff\xff", "第 3 行"),
        ('姓名,证件类型,证件号码\n"'.encode() + b"x" * 200_000, "过长的单元格"),
        (b"\x01\x02\x03\x04\x05\x06" * 50, "不是表格"),
    ],
)
def test_what_is_no_sheet_of_members_is_refused_with_the_real_cause(content: bytes, cause: str) -> None:
    assert cause in why_not(content)


@pytest.mark.parametrize("at", [0, 30 + len(SHEET)])
def test_a_file_that_came_damaged_is_named_as_such(at: int) -> None:
    content = bytearray(an_xlsx(HEADINGS, *[A_ROW] * 50))
    start = zipfile.ZipFile(io.BytesIO(content)).getinfo(SHEET).header_offset + at
    content[start : start + 20] = b"\xff" * 20
    assert "不完整或已损坏" in why_not(bytes(content))


def test_a_file_with_nothing_but_headings_has_no_rows() -> None:
    rows, (report,) = read(an_xlsx(HEADINGS))
    assert (rows, report.reason, report.rows) == ([], None, 0)


def test_a_nul_stays_where_it_is_for_the_row_to_be_refused() -> None:
    (bad, good) = rows_of(
        "姓名,证件类型,证件号码,地址\n王芳,护照,E12345678,上\0海\n王丽,护照,E12345679,上海\n".encode()
    )
    with pytest.raises(sheets.WrongRow, match="地址：含有损坏的字符"):
        sheets.facts_of(bad)
    assert sheets.facts_of(good).address == "上海"


MEMBERS = (
    (*HEADINGS, "国籍", "证件到期日"),
    (*A_ROW, "英国", date(2038, 6, 13)),
    ("王丽", "护照", "E2", ERROR, "长期"),
    ("王明", "身份证", 310115196501150016.0, "中国", ""),
)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(an_xlsb(*MEMBERS), id="xlsb"),
        pytest.param(an_ods(*(ods_row(*row) for row in MEMBERS)), id="ods"),
        pytest.param(an_xls(*MEMBERS), id="xls"),
        pytest.param(an_xls(*MEMBERS, is_padded=False), id="xls whose stream is small"),
        pytest.param(an_xls(*MEMBERS, code_page=936), id="xls that names a code page"),
        pytest.param(an_xls_of_95(*MEMBERS), id="xls of 95"),
        pytest.param(an_xls_of_95(*MEMBERS, charset="gb18030", code_page=54936), id="xls of 95 in GB18030"),
        pytest.param(an_xls_of_95(*MEMBERS, code_page=None), id="xls of 95 without a code page"),
    ],
)
def test_texts_numbers_dates_and_errors_are_read_of_each_kind_of_file(content: bytes) -> None:
    rows, (report,) = read(content)
    assert (report.name, report.rows) == ("名册", 3)
    assert rows == [
        {**dict(zip(HEADINGS, A_ROW, strict=True)), "国籍": "英国", "证件到期日": "2038-06-13"},
        {"姓名": "王丽", "证件类型": "护照", "证件号码": "E2", "国籍": "#N/A", "证件到期日": "长期"},
        {"姓名": "王明", "证件类型": "身份证", "证件号码": "3.10115196501150E+17", "国籍": "中国"},
    ]
    with pytest.raises(sheets.WrongRow, match="国籍：单元格是错误值 #N/A"):
        sheets.facts_of(rows[1])


def test_the_bytes_of_rare_characters_are_not_taken_for_spaces_in_an_xls_of_95() -> None:
    content = an_xls_of_95(HEADINGS, ("王仩", "护照", "E12345678"), ("丂丂", "护照", "E2"))
    assert [row["姓名"] for row in rows_of(content)] == ["王仩", "丂丂"]


def test_an_xls_of_95_in_a_western_charset_is_read() -> None:
    western = an_xls_of_95(["Prénom"], charset="cp1252", code_page=1252, name="Été")
    assert [sheet.name for sheet in sheet_files.sheets_of(western)] == ["Été"]
    assert [row for sheet in sheet_files.sheets_of(western) for _, row in sheet.rows] == [["Prénom"]]


def test_an_xls_whose_sectors_form_a_circle_is_refused_at_once() -> None:
    content = bytearray(an_xls(*MEMBERS))
    table, directory = (struct.unpack_from("<I", content, place)[0] for place in (76, 48))
    struct.pack_into("<I", content, (table + 1) * 512 + 4 * directory, directory)
    assert "损坏" in why_not(bytes(content))


def test_a_small_file_may_keep_a_processor_busy_for_seconds_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    allowed: list[int] = []

    def run(_module: str, _content: bytes, *, memory: int, cpu_seconds: int) -> Iterator[bytes]:
        allowed.append(cpu_seconds)
        return iter(())

    monkeypatch.setattr(sheet_reader, "run_limited", run)
    for size in (1, 20 * 1024 * 1024):
        list(sheet_reader.read_file(bytes(size)))
    assert allowed == [20, 180]


def test_an_xls_with_a_password_is_refused() -> None:
    assert "密码" in why_not(an_xls(*MEMBERS, is_locked=True))


@pytest.mark.parametrize("cut", [b"</table:table>", b"</office:document-content>", b"<table:table-row>"])
def test_an_ods_that_ends_before_its_elements_is_refused_at_once(cut: bytes) -> None:
    assert "损坏" in why_not(replaced(an_ods(ods_row(*HEADINGS), ods_row(*A_ROW)), "content.xml", cut, b""))


def test_an_ods_with_a_password_is_refused() -> None:
    locked = b"><manifest:encryption-data/></manifest:manifest>"
    content = replaced(an_ods(ods_row(*HEADINGS)), "META-INF/manifest.xml", b"/>", locked)
    assert "密码" in why_not(replaced(content, "content.xml", b"<", b"\x8e"))


def test_cells_and_rows_that_an_ods_holds_once_for_many_are_read_as_often() -> None:
    content = an_ods(
        ods_row(*HEADINGS, "国籍", "地址"),
        ods_row(*[""] * 5, repeated=3),
        ods_row("王芳", "护照", "护照", ERROR, ERROR, repeated=2),
        ods_row("王丽", "护照", "E2", "", "上海", *[""] * 16379),
        ods_row(*[""] * 16384, repeated=1_048_569),
    )
    one = {"姓名": "王芳", "证件类型": "护照", "证件号码": "护照", "国籍": "#N/A", "地址": "#N/A"}
    assert rows_of(content) == [one, one, {"姓名": "王丽", "证件类型": "护照", "证件号码": "E2", "地址": "上海"}]


def test_a_note_at_a_cell_of_an_ods_is_no_part_of_it() -> None:
    note = "<office:annotation><text:p>曾用名</text:p></office:annotation><text:p>王芳</text:p>"
    row = ods_row(*A_ROW).replace("<text:p>王芳</text:p>", note)
    assert rows_of(an_ods(ods_row(*HEADINGS), row)) == [dict(zip(HEADINGS, A_ROW, strict=True))]


@pytest.mark.parametrize("end", ["", "\x1a", "\0" * 100, "\r\n\r\n"])
def test_what_fills_up_the_end_of_a_text_is_no_row(end: str) -> None:
    assert rows_of((TEXT.format(",") + end).encode("gb18030")) == [
        {"姓名": "王𬎆", "证件类型": "护照", "证件号码": "E12345678"}
    ]


def test_marks_that_keep_a_number_a_text_and_spaces_before_quotes_are_taken_off() -> None:
    content = '姓名, 证件类型, 证件号码\n="王芳", "身份证", "=""310115196501150016"""\n'.encode("gbk")
    assert rows_of(content) == [{"姓名": "王芳", "证件类型": "身份证", "证件号码": "310115196501150016"}]


def a_bomb(part: str, content: bytes, copies: int = 1) -> bytes:
    """A file with one more part, which came to be small by packing."""
    file = io.BytesIO(an_xlsx(HEADINGS, A_ROW))
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as packed:
        for number in range(copies):
            packed.writestr(part.format(number), content)
    return file.getvalue()


_TAGS = b"".join(b"<a>%d</a>" % number for number in range(280_000))


@pytest.mark.parametrize(
    "bomb",
    [
        pytest.param(lambda: a_bomb("xl/worksheets/sheet2.xml", b"<a/>" * 500_000), id="one that packs very well"),
        pytest.param(lambda: a_bomb("xl/worksheets/s{}.xml", _TAGS, 2), id="one that unpacks to much"),
        pytest.param(lambda: a_bomb("xl/worksheets/s{}.bin", _TAGS, 2), id="a binary one that unpacks to much"),
        pytest.param(lambda: a_bomb("xl/theme/theme2.xml", _TAGS), id="a large part that is no sheet"),
        pytest.param(lambda: a_bomb("xl/{}.bin", b"", 1001), id="very many parts"),
        pytest.param(lambda: a_bomb("xl/x.xml", random.Random(1).randbytes(3_000_000).replace(b"<", b"")), id="a text"),
    ],
)
def test_a_file_made_to_burst_is_refused_before_it_is_opened(
    bomb: Callable[[], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed_sheets, "LARGEST_UNPACKED", 3_900_000)
    monkeypatch.setattr(packed_sheets, "LARGEST_PART", 3_100_000)
    monkeypatch.setattr(packed_sheets, "MOST_TIMES_SMALLER", 50)
    assert any(word in why_not(bomb()) for word in ("过大", "过长"))


def test_a_file_with_entities_is_refused() -> None:
    entities = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><worksheet'
    assert "DTD" in why_not(replaced(an_xlsx(HEADINGS, A_ROW), SHEET, b"<worksheet", entities))


def test_more_sheets_than_allowed_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet_reader, "MOST_SHEETS", 2)
    assert len(rows_of(saved(a_book("一", "二")[0]))) == 2
    assert "最多 2 张工作表" in why_not(saved(a_book("一", "二", "三")[0]))


def test_more_rows_than_allowed_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet_reader, "MOST_ROWS", 2)
    assert len(rows_of(an_xlsx(HEADINGS, A_ROW, A_ROW))) == 2
    assert "2 行" in why_not(an_xlsx(HEADINGS, A_ROW, A_ROW, A_ROW))
