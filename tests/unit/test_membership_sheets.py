"""Sheets of members: words and formats of a row, the template, and the sheet of errors."""

import io
from typing import Any

import pytest
from openpyxl import load_workbook

from services.membership.imports import sheet_reader, sheets
from services.membership.imports.headings import HEADINGS
from services.membership.imports.sheet_reader import Row
from tests.mothers import a_resident_number


def a_row(**changes: str) -> dict[str, str]:
    return {"姓名": "王芳", "证件类型": "居民身份证", "证件号码": a_resident_number(), **changes}


def read(content: bytes) -> list[dict[str, str]]:
    return [found.cells for found in sheet_reader.parse(content) if isinstance(found, Row)]


def test_the_template_keeps_numbers_as_text_marks_what_is_required_and_offers_choices() -> None:
    sheet: Any = load_workbook(io.BytesIO(sheets.template())).worksheets[0]
    columns = {str(cell.value): cell.column_letter for cell in sheet[1]}
    assert [heading for heading in columns if heading.startswith("*")] == ["*姓名", "*证件类型", "*证件号码"]
    assert [heading.strip("*") for heading in columns] == list(HEADINGS)
    assert sheet.column_dimensions[columns["*证件号码"]].number_format == "@"
    offered = {str(choice.sqref)[0]: choice.formula1 for choice in sheet.data_validations.dataValidation}
    by_heading = {heading: offered[letter] for heading, letter in columns.items() if letter in offered}
    assert by_heading.keys() == {"*证件类型", "性别", "国籍", "退休类别", "会员类别"}
    assert by_heading["性别"] == '"男,女"'
    assert all(len(choices) < 255 for choices in offered.values())


def fact_of(heading: str, cell: str) -> Any:
    """What a cell says of a member."""
    return getattr(sheets.facts_of(a_row(**{heading: cell})), HEADINGS[heading])


@pytest.mark.parametrize("heading", ["证件类型", "性别", "国籍", "退休类别", "会员类别"])
def test_each_choice_of_the_template_is_understood(heading: str) -> None:
    for choice in sheets._CHOICES[heading]:
        assert fact_of(heading, choice)


def test_the_example_of_the_template_is_a_row_as_it_should_be_but_for_its_name() -> None:
    example = sheets.EXAMPLE | {"姓名": "韩梅梅"}
    assert sheets.facts_of(example).nationality == "CHN"
    with pytest.raises(sheets.WrongRow, match=r"^姓名："):
        sheets.facts_of(sheets.EXAMPLE)


@pytest.mark.parametrize("rounded", ["3.10115196501150E+17", "3.10115E+17", "3.4e17"])
def test_a_number_that_the_spreadsheet_has_rounded_is_refused_as_such(rounded: str) -> None:
    with pytest.raises(sheets.WrongRow, match="证件号码：数字过长，已被表格软件取整"):
        sheets.facts_of(a_row(证件号码=rounded))


def test_a_number_with_an_e_of_its_own_is_not_taken_for_a_rounded_one() -> None:
    assert fact_of("证件号码", "5E1234567") == "5E1234567"


@pytest.mark.parametrize(
    "written",
    [
        "2038-06-13",
        "2038/6/13",
        "2038.6.13",
        "20380613",
        "2038年6月13日",
        "2038-06-13 00:00:00",
        "2018.06.13-2038.06.13",
    ],
)
def test_dates_are_read_as_people_write_them(written: str) -> None:
    assert str(sheets.facts_of(a_row(证件到期日=written)).document_expiry) == "2038-06-13"


@pytest.mark.parametrize("written", ["长期", "长期有效", "永久", "9999-12-31"])
def test_a_document_valid_for_life_is_so(written: str) -> None:
    assert str(sheets.facts_of(a_row(证件到期日=written)).document_expiry) == "9999-12-31"


@pytest.mark.parametrize(
    ("heading", "words", "fact"),
    [
        ("证件类型", ["身份证", "居民身份证", "二代身份证", "中华人民共和国居民身份证", "居民 身份证"], "resident_id"),
        ("性别", ["女", "女性", " 女 "], "female"),
        ("国籍", ["中国", "CHN", "chn", "中国籍", "中华人民共和国"], "CHN"),
        ("证件类型", ["台胞证", "台湾居民来往大陆通行证（台胞证）"], "mainland_travel_permit_tw"),
        ("证件类型", ["外国人永久居留身份证(五星卡)"], "foreign_permanent_resident_id"),
        ("退休类别", ["女干部", "F55", "Ｆ55"], "F55"),
        ("会员类别", ["灵活就业", "灵活就业人员"], "flexible"),
        ("会员类别", ["企业外", "企业外入会"], "outside"),
        ("会员类别", ["", "企业内", "本单位"], "employer"),
        (
            "联系电话",
            ["+8613800138000", "138 0013 8000", "\u202d13800138000\u202c"],
            "13800138000",
        ),
    ],
)
def test_words_that_people_use_are_understood(heading: str, words: list[str], fact: str) -> None:
    assert {fact_of(heading, word) for word in words} == {fact}


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
        ("会员类别", "兼职"),
        ("姓名", "TRUE"),
        ("姓名", "#N/A"),
    ],
)
def test_a_cell_that_cannot_be_is_named_with_a_reason(heading: str, cell: str) -> None:
    with pytest.raises(sheets.WrongRow, match=r"[一-龥]"):
        sheets.facts_of(a_row(**{heading: cell}))


def test_all_errors_of_a_row_are_reported_at_once() -> None:
    with pytest.raises(sheets.WrongRow) as wrong:
        sheets.facts_of(a_row(姓名="", 性别="未知", 出生日期="昨天"))
    assert [reason.partition("：")[0] for reason in str(wrong.value).split("；")] == ["姓名", "性别", "出生日期"]


def errors_of(*rows: dict[str, str], reason: str = "姓名：不对") -> bytes:
    headings = list(dict.fromkeys(heading for row in rows for heading in row))
    return sheets.error_sheet(headings, [(row, reason) for row in rows])


def test_bad_rows_come_back_as_they_were_with_the_reason_last() -> None:
    row = a_row(姓名="=HYPERLINK(1)", 备注="\x0b老\x00李")
    sheet: Any = load_workbook(io.BytesIO(errors_of(row))).worksheets[0]
    headings, cells = ([cell.value for cell in line] for line in sheet.iter_rows())
    assert headings == [*row, "错误原因"]
    assert cells == ["=HYPERLINK(1)", "居民身份证", row["证件号码"], "老李", "姓名：不对"]
    assert {cell.data_type for cell in sheet[2]} == {"s"}


def test_a_sheet_of_bad_rows_is_read_again_as_it_was_sent() -> None:
    row = a_row(姓名="=王", 证件类型="+护照", 地址="-1 号", 联系电话="@139")
    (again,) = read(errors_of(row))
    assert {heading: again[heading] for heading in row} == row


def test_a_csv_whose_formulas_another_program_marked_is_read_without_the_marks() -> None:
    (row,) = read("姓名,证件类型,证件号码\r\n'=王,护照,'+E1\r\n".encode())
    assert row == {"姓名": "=王", "证件类型": "护照", "证件号码": "+E1"}


def test_a_sheet_that_came_back_twice_has_its_reasons_once() -> None:
    (row,) = read(errors_of(a_row(), reason="旧的原因"))
    again: Any = load_workbook(io.BytesIO(errors_of(row, reason="新的原因"))).worksheets[0]
    assert [cell.value for cell in again[1]].count("错误原因") == 1
    assert again[2][3].value == "新的原因"


def test_rows_to_look_at_stand_on_a_sheet_that_is_no_sheet_of_members() -> None:
    file = sheets.error_sheet(list(a_row()), [(a_row(), "姓名：不对")], [(7, "王芳", "证件到期日：请核对")])
    reports = [found for found in sheet_reader.parse(file) if not isinstance(found, Row)]
    assert [(one.name, one.rows) for one in reports] == [("错误清单", 1), ("已登记但请核对", 0)]
