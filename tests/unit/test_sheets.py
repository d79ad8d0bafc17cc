"""Cells of exported sheets: a text that looks like a formula stays a text."""

import io
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook

from services.kit.documents.csv_injection import csv_safe, csv_unescaped
from services.kit.documents.sheet_cells import heading_row, saved, text_row

FORMULAS = (
    '=HYPERLINK("http://evil.example","x")',
    "+1+1",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1+9)*cmd|' /C calc'!A0",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "  =1+1",
    "'=1+1",
    "＝1+1",
    "|calc",
    "%0A=1",
)
HARMLESS = ("王芳", "3-2", "a=b", "", "O'Neil", "'n Betje", "13800000001")


def round_trip(texts: tuple[str, ...]) -> list[Any]:
    book = Workbook(write_only=True)
    sheet = book.create_sheet("x")
    sheet.append(text_row(sheet, texts))
    return list(load_workbook(io.BytesIO(saved(book))).worksheets[0][1])


def test_each_cell_is_a_text_cell_with_its_value_unchanged() -> None:
    texts = FORMULAS + tuple(text for text in HARMLESS if text)

    cells = round_trip(texts)

    assert {(cell.data_type, cell.number_format) for cell in cells} == {("s", "@")}
    assert [cell.value.replace("\r", "").strip() for cell in cells] == [
        text.replace("\r", "").strip() for text in texts
    ]


def test_what_looks_like_a_formula_stays_text_when_it_is_edited() -> None:
    assert all(cell.quotePrefix for cell in round_trip(FORMULAS))
    assert not any(cell.quotePrefix for cell in round_trip(HARMLESS))


def test_characters_that_no_sheet_can_hold_are_left_out() -> None:
    assert [cell.value for cell in round_trip(("\x0b老\x00李", "\ufffe王\uffff"))] == ["老李", "王"]


def test_headings_are_bold_texts() -> None:
    book = Workbook(write_only=True)
    sheet = book.create_sheet("x")
    sheet.append(heading_row(sheet, ["=姓名"]))

    (cell,) = load_workbook(io.BytesIO(saved(book))).worksheets[0][1]
    assert (cell.value, cell.data_type, cell.font.bold) == ("=姓名", "s", True)


@pytest.mark.parametrize("text", FORMULAS)
def test_a_csv_cell_never_begins_like_a_formula(text: str) -> None:
    assert csv_safe(text)[0] == "'"


@pytest.mark.parametrize("text", HARMLESS)
def test_a_harmless_csv_cell_is_not_marked(text: str) -> None:
    assert csv_safe(text) == text


@pytest.mark.parametrize("text", FORMULAS + HARMLESS)
def test_a_csv_cell_is_read_back_as_it_was(text: str) -> None:
    assert csv_unescaped(csv_safe(text)) == text
