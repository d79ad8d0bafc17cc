"""A report as an .xlsx workbook: one sheet for each table, each with the union's head; numbers are numbers."""

import re
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from services.kit.documents.sheet_cells import heading_row, saved, text_row
from services.notification.reports.documents import DocumentTable, ReportDocument

_NUMBER = re.compile(r"[+-]?[0-9][0-9,]*(\.[0-9]+)?%?")
_NAME_WIDTH, _WIDTH = 36, 14
_NOT_IN_TITLES = re.compile(r"[\[\]:*?/\\（）]")


def report_xlsx(document: ReportDocument) -> bytes:
    """The bytes of the workbook."""
    book = Workbook(write_only=True)
    for table in document.tables:
        _add_sheet(book, document, table)
    return saved(book)


def _add_sheet(book: Workbook, document: ReportDocument, table: DocumentTable) -> None:
    sheet = book.create_sheet(_NOT_IN_TITLES.split(table.title)[0][:31])
    _set_up(sheet, len(table.headings), first_rows=len(document.facts) + 4)
    for text in (document.union_name, document.title):
        [title] = text_row(sheet, [text])
        title.font, title.alignment = Font(bold=True, size=14), Alignment(horizontal="left")
        sheet.append([title])
    for fact in (*document.facts, table.title):
        sheet.append(text_row(sheet, [fact]))
    sheet.append(heading_row(sheet, table.headings))
    for first, *others in table.rows:
        sheet.append([*text_row(sheet, [first]), *(_number(sheet, one) for one in others)])
    if not table.rows:
        sheet.append(text_row(sheet, ["没有数据"]))


def _number(sheet: Any, shown: str) -> Any:
    """A cell that can be computed with; what is no number stays text."""
    if not _NUMBER.fullmatch(shown):
        return text_row(sheet, [shown])[0]
    plain = float(shown.rstrip("%").replace(",", ""))
    cell = WriteOnlyCell(sheet, round(plain / 100, 6) if shown.endswith("%") else int(plain))
    cell.number_format = "0.0%" if shown.endswith("%") else "#,##0"
    return cell


def _set_up(sheet: Any, columns: int, first_rows: int) -> None:
    """Widths and printing, which the file has before the rows."""
    for number in range(1, columns + 1):
        sheet.column_dimensions[get_column_letter(number)].width = _NAME_WIDTH if number == 1 else _WIDTH
    sheet.page_setup.paperSize = Worksheet.PAPERSIZE_A4
    sheet.page_setup.orientation = Worksheet.ORIENTATION_LANDSCAPE
    sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    sheet.print_title_rows = f"{first_rows}:{first_rows}"
    sheet.oddFooter.center.text = "第 &P 页 共 &N 页"
