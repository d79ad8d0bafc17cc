"""The register as an .xlsx workbook for printing, with the same content and hash as the PDF."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC
from typing import Any

from openpyxl import Workbook
from openpyxl.styles import Alignment, Border, Font, Side
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.page import PageMargins
from openpyxl.worksheet.worksheet import Worksheet

from services.batching.register.register import CHANNEL_NAMES, HEADINGS, SEAL_DATE, SEALS, TITLE, Register
from services.kit.documents.sheet_cells import saved, text_row

WIDTHS = (6, 13, 22, 22, 22, 13, 14)
"""The widths of the columns in digits, in the order of HEADINGS; together they fill an A4 page."""

_LINE_HEIGHT = 16
_AT_ONCE = 100


@dataclass(frozen=True)
class _Style:
    """The layout of a row: how many columns each text spans, and its height, or None for the program's choice."""

    columns: Sequence[int]
    alignment: Alignment
    font: Font = field(default_factory=Font)
    border: Border = field(default_factory=Border)
    height: float | None = None


_LINE = Side(style="thin")
_BOX = Border(left=_LINE, right=_LINE, top=_LINE, bottom=_LINE)
_ALL = (len(HEADINGS),)
_EACH = (1,) * len(HEADINGS)
_WRAPPED = Alignment(vertical="center", wrap_text=True)
_CENTRED = Alignment(horizontal="center", vertical="center", wrap_text=True)
_SEAL_COLUMNS = (3, 2, 2)
_TITLE_STYLE = _Style(_ALL, _CENTRED, Font(bold=True, size=16), height=2 * _LINE_HEIGHT)
_FACT_STYLE = _Style((1, len(HEADINGS) - 1), _WRAPPED)
_HEADING_STYLE = _Style(_EACH, _CENTRED, Font(bold=True), _BOX, 20)
_PERSON_STYLE = _Style(_EACH, _WRAPPED, border=_BOX)
_TOTAL_STYLE = _Style(_ALL, _WRAPPED, border=_BOX, height=20)
_SEAL_STYLE = _Style(_SEAL_COLUMNS, Alignment(vertical="top", wrap_text=True), border=_BOX, height=64)
_SEAL_DATE_STYLE = _Style(_SEAL_COLUMNS, Alignment(horizontal="right", vertical="center"), border=_BOX, height=20)


def register_xlsx(register: Register) -> bytes:
    """A workbook of one sheet: the batch's facts, a line for each person, total and seals; all cells are text."""
    workbook = Workbook(write_only=True)
    workbook.properties.created = workbook.properties.modified = register.submitted_at.astimezone(UTC).replace(
        tzinfo=None
    )
    sheet = workbook.create_sheet("办卡清册")
    for number, width in enumerate(WIDTHS, 1):
        sheet.column_dimensions[get_column_letter(number)].width = width
    facts = _facts(register)
    _set_up(sheet, register.batch_no, heading_row=len(facts) + 2)
    rows = _Rows(sheet)
    rows.add((TITLE,), _TITLE_STYLE)
    for name, fact in facts:
        rows.add((name, fact), replace(_FACT_STYLE, height=_height_of(fact)))
    rows.add(HEADINGS, _HEADING_STYLE)
    for person in register.persons:
        rows.add(person.texts(), _PERSON_STYLE)
    rows.add((register.total_text(),), _TOTAL_STYLE)
    rows.add(SEALS, _SEAL_STYLE)
    rows.add((SEAL_DATE,) * len(SEALS), _SEAL_DATE_STYLE)
    return saved(workbook)


class _Rows:
    """Adds rows to a sheet from the top; their cells may span several columns."""

    def __init__(self, sheet: Any) -> None:
        self._sheet = sheet
        self._count = 0

    def add(self, texts: Iterable[str], style: _Style) -> None:
        """Adds a row below the others."""
        self._count += 1
        spread: list[str] = []
        for text, span in zip(texts, style.columns, strict=True):
            if span > 1:
                first, last = get_column_letter(len(spread) + 1), get_column_letter(len(spread) + span)
                self._sheet.merged_cells.add(f"{first}{self._count}:{last}{self._count}")
            spread += [text, *[""] * (span - 1)]
        cells = text_row(self._sheet, spread)
        for cell in cells:
            if not cell.value:
                cell.value = None  # spanned and unknown cells hold nothing instead of an empty text
            cell.alignment, cell.font, cell.border = style.alignment, style.font, style.border
        if style.height:
            self._sheet.row_dimensions[self._count].height = style.height
        self._sheet.append(cells)
        if self._count % _AT_ONCE == 0:
            time.sleep(0)  # yields between rows to other requests and the broker's heartbeat


def _facts(register: Register) -> Sequence[tuple[str, str]]:
    return (
        ("批次编号", register.batch_no),
        ("办理通道", CHANNEL_NAMES[register.channel]),
        ("工会", register.union_name),
        ("经办网点", f"{register.outlet_name} {register.outlet_address}"),
        ("联系人", f"{register.contact_name} {register.contact_phone}"),
        ("提交时间", register.submitted_text()),
        ("办理总人数", str(len(register.persons))),
        ("清册校验值", register.digest()),
    )


def _height_of(fact: str) -> float:
    """The height of a row with a merged cell, which no program computes; a Chinese character is two digits wide."""
    width = sum(2 if ord(character) > 0x2E7F else 1 for character in fact)
    return _LINE_HEIGHT * (1 + width // (sum(WIDTHS[1:]) - 4))


def _set_up(sheet: Any, batch_no: str, heading_row: int) -> None:
    """Sets up printing: A4, fitted to the page's width, headings on each page, page numbers at the foot.

    Must be called before the first row is added, for the file has these settings before the rows.
    """
    sheet.page_setup.paperSize = Worksheet.PAPERSIZE_A4
    sheet.page_setup.orientation = Worksheet.ORIENTATION_PORTRAIT
    sheet.page_setup.fitToWidth = 1
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    sheet.page_margins = PageMargins(left=0.5, right=0.5, top=0.7, bottom=0.7, header=0.3, footer=0.3)
    sheet.print_options.horizontalCentered = True
    sheet.print_title_rows = f"{heading_row}:{heading_row}"
    sheet.oddHeader.right.text = f"批次编号 {batch_no}"
    sheet.oddFooter.center.text = "第 &P 页 共 &N 页"
