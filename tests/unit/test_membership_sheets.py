"""Sheets of members: what is read of files that people and other programs make, and what comes back."""

import io
import random
import zipfile
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook

from services.membership import sheets
from tests.mothers import a_resident_number

HEADINGS = ("姓名", "证件类型", "证件号码")


def an_xlsx(*rows: Sequence[Any]) -> bytes:
    book = Workbook()
    sheet: Any = book.active
    for row in rows:
        sheet.append(list(row))
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def a_row(**changes: str) -> dict[str, str]:
    return {"姓名": "王芳", "证件类型": "居民身份证", "证件号码": a_resident_number(), **changes}


def read(content: bytes, file_name: str = "名册.xlsx") -> list[dict[str, str]]:
    return list(sheets.read_rows(file_name, content))


def test_a_filled_in_template_is_read_by_its_headings() -> None:
    book = load_workbook(io.BytesIO(sheets.template()))
    book.worksheets[0].append(["王芳", "居民身份证", "310115196501150016"])
    filled = io.BytesIO()
    book.save(filled)
    (row,) = read(filled.getvalue())
    assert [row[heading] for heading in HEADINGS] == ["王芳", "居民身份证", "310115196501150016"]


def test_the_template_keeps_numbers_as_text() -> None:
    sheet: Any = load_workbook(io.BytesIO(sheets.template())).worksheets[0]
    column = next(cell.column_letter for cell in sheet[1] if cell.value == "证件号码")
    assert sheet.column_dimensions[column].number_format == "@"


@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_csv_is_read_in_the_charsets_that_programs_write(charset: str) -> None:
    text = "姓名,证件类型,证件号码\r\n王𬎆,护照,E12345678\r\n"
    assert read(text.encode(charset), "名册.CSV") == [{"姓名": "王𬎆", "证件类型": "护照", "证件号码": "E12345678"}]


def test_blank_rows_are_left_out_and_starred_headings_are_known() -> None:
    content = an_xlsx(
        ["*姓名", "*证件类型", "*证件号码"], ["王芳", "护照", "E1"], [None, "", " "], ["王丽", "护照", "E2"]
    )
    assert [row["姓名"] for row in read(content)] == ["王芳", "王丽"]


@pytest.mark.parametrize(
    ("file_name", "content"),
    [
        ("a.xlsx", b"no zip at all"),
        ("a.xlsx", an_xlsx(["姓名", "地址"])),
        ("a.xlsx", an_xlsx()),
        ("a.csv", b"\xff\xff\xff"),
        ("a.csv", '姓名,证件类型,证件号码\n"'.encode() + b"x" * 200_000),
    ],
)
def test_what_is_no_sheet_of_members_is_refused_with_a_reason(file_name: str, content: bytes) -> None:
    with pytest.raises(sheets.UnreadableSheet, match=r"[一-龥]"):
        read(content, file_name)


def a_bomb(part: str, content: bytes, copies: int = 1) -> bytes:
    """A sheet with one more part, which came to be small by packing."""
    file = io.BytesIO(an_xlsx(HEADINGS, ["王芳", "护照", "E1"]))
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
        pytest.param(lambda: a_bomb("xl/theme/theme2.xml", _TAGS), id="a large part that is no sheet"),
        pytest.param(lambda: a_bomb("xl/{}.bin", b"", 1001), id="very many parts"),
        pytest.param(lambda: a_bomb("xl/x.xml", random.Random(1).randbytes(3_000_000).replace(b"<", b"")), id="a text"),
    ],
)
def test_a_file_made_to_burst_is_refused_before_it_is_opened(
    bomb: Callable[[], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sheets, "LARGEST_UNPACKED", 3_900_000)
    monkeypatch.setattr(sheets, "LARGEST_PART", 3_100_000)
    monkeypatch.setattr(sheets, "MOST_TIMES_SMALLER", 50)
    monkeypatch.setattr(sheets, "load_workbook", lambda *_, **__: pytest.fail("it was opened"))
    with pytest.raises(sheets.UnreadableSheet, match=r"过大|过长"):
        read(bomb())


def test_an_old_or_locked_file_is_named_as_such() -> None:
    with pytest.raises(sheets.UnreadableSheet, match="密码"):
        read(bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600))


def test_a_sheet_that_claims_to_be_as_wide_as_can_be_is_read_as_wide_as_members_are() -> None:
    book = Workbook()
    sheet: Any = book.active
    sheet.append(list(HEADINGS))
    sheet.append(["王芳", "护照", "E1"])
    sheet["XFD3"] = "far away"
    file = io.BytesIO()
    book.save(file)
    assert [row["姓名"] for row in read(file.getvalue())] == ["王芳"]


@pytest.mark.parametrize("filler", ["," * 100_000, ',"\n"' * 100_000])
def test_a_csv_row_without_end_is_refused(filler: str) -> None:
    with pytest.raises(sheets.UnreadableSheet, match="过长"):
        read(f"姓名,证件类型,证件号码\n王芳,护照,E1{filler}\n".encode(), "名册.csv")


def test_a_sheet_with_an_entity_bomb_is_refused() -> None:
    original, bomb = io.BytesIO(an_xlsx(HEADINGS, ["王芳", "护照", "E12345678"])), io.BytesIO()
    with zipfile.ZipFile(original) as source, zipfile.ZipFile(bomb, "w") as target:
        for name in source.namelist():
            part = source.read(name)
            if name == "xl/worksheets/sheet1.xml":
                start = part.index(b"<worksheet")
                part = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>' + part[start:]
            target.writestr(name, part)
    with pytest.raises(sheets.UnreadableSheet):
        read(bomb.getvalue())


def test_more_rows_than_allowed_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "MOST_ROWS", 2)
    assert len(read(an_xlsx(HEADINGS, *[["王芳", "护照", "E1"]] * 2))) == 2
    with pytest.raises(sheets.UnreadableSheet, match="2 行"):
        read(an_xlsx(HEADINGS, *[["王芳", "护照", "E1"]] * 3))


def test_others_get_their_turn_while_a_large_sheet_is_opened_and_read(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [[f"王{number:05}", "护照", f"E{number:08}"] for number in range(3000)]
    content = an_xlsx(HEADINGS, *rows)
    turns: list[float] = []
    monkeypatch.setattr(sheets.time, "sleep", turns.append)
    reading = sheets.read_rows("名册.xlsx", content)
    next(reading)
    while_opened = len(turns)
    assert len(list(reading)) == 2999
    assert (while_opened > 10, len(turns) - while_opened > 3, set(turns)) == (True, True, {0})


def test_a_document_number_whose_last_digits_excel_lost_is_refused() -> None:
    (row,) = read(an_xlsx(HEADINGS, ["王芳", "居民身份证", 310115196501150000.0]))
    with pytest.raises(sheets.WrongRow, match="文本格式"):
        sheets.facts_of(row)


def test_a_phone_number_typed_as_a_number_is_read() -> None:
    (row,) = read(an_xlsx([*HEADINGS, "联系电话"], ["王芳", "护照", "E12345678", 13800000001]))
    assert sheets.facts_of(row)["phone"] == "13800000001"


@pytest.mark.parametrize("written", ["2038-06-13", "2038/6/13", "2038.6.13", "20380613", "2038年6月13日"])
def test_dates_are_read_as_people_write_them(written: str) -> None:
    assert str(sheets.facts_of(a_row(证件到期日=written))["document_expiry"]) == "2038-06-13"


def test_a_document_valid_for_life_is_so() -> None:
    assert str(sheets.facts_of(a_row(证件到期日="长期"))["document_expiry"]) == "9999-12-31"


@pytest.mark.parametrize(
    ("heading", "cell"),
    [
        ("姓名", ""),
        ("证件类型", "图书证"),
        ("证件号码", ""),
        ("出生日期", "2026-02-30"),
        ("出生日期", "昨天"),
        ("性别", "未知"),
        ("国籍", "地球"),
        ("联系电话", "12345"),
        ("退休类别", "M65"),
    ],
)
def test_a_cell_that_cannot_be_is_named_with_a_reason(heading: str, cell: str) -> None:
    with pytest.raises(sheets.WrongRow, match=r"[一-龥]"):
        sheets.facts_of(a_row(**{heading: cell}))


def test_bad_rows_come_back_as_they_were_with_the_reason_last() -> None:
    row = a_row(姓名="=HYPERLINK(1)", 备注="\x0b老\x00李")
    sheet: Any = load_workbook(io.BytesIO(sheets.error_sheet([(row, "姓名：不对")]))).worksheets[0]
    headings, cells = ([cell.value for cell in line] for line in sheet.iter_rows())
    assert headings == [*row, "错误原因"]
    assert cells == ["=HYPERLINK(1)", "居民身份证", row["证件号码"], "老李", "姓名：不对"]
    assert {cell.data_type for cell in sheet[2]} == {"s"}


def test_a_sheet_of_bad_rows_is_read_again_as_it_was_sent() -> None:
    row = a_row(姓名="=王", 证件类型="+护照", 地址="-1 号", 联系电话="@139")
    (again,) = read(sheets.error_sheet([(row, "姓名：不对")]))
    assert {heading: again[heading] for heading in row} == row


def test_a_csv_whose_formulas_another_program_marked_is_read_without_the_marks() -> None:
    (row,) = read("姓名,证件类型,证件号码\r\n'=王,护照,'+E1\r\n".encode(), "名册.csv")
    assert row == {"姓名": "=王", "证件类型": "护照", "证件号码": "+E1"}


def test_a_sheet_that_came_back_twice_has_its_reasons_once() -> None:
    first = sheets.error_sheet([(a_row(), "旧的原因")])
    (row,) = read(first)
    again: Any = load_workbook(io.BytesIO(sheets.error_sheet([(row, "新的原因")]))).worksheets[0]
    assert [cell.value for cell in again[1]].count("错误原因") == 1
    assert again[2][3].value == "新的原因"
