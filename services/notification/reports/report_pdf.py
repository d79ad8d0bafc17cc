"""A report as a PDF on A4 in landscape: the union's head, a chart of the months, and the tables."""

import time
from collections.abc import Sequence
from io import BytesIO

from reportlab.lib.pagesizes import A4, landscape
from reportlab.pdfgen.canvas import Canvas

from services.kit.documents.typeface import Typeface, document_typeface
from services.notification.reports.documents import DocumentTable, ReportDocument

WIDTH, HEIGHT = landscape(A4)
MARGIN = 36
INNER = WIDTH - 2 * MARGIN
SIZE = 8.0
LINE = 11.0
BOTTOM = 44
_FIRST_SHARE = 2.6
"""How many times wider the first column is than the others."""
_CHART_HEIGHT = 120


def report_pdf(document: ReportDocument) -> bytes:
    """The bytes of the document; the same content always gives the same bytes."""
    buffer = BytesIO()
    typeface = document_typeface()
    canvas = typeface.new_canvas(buffer, f"{document.title} {document.union_name}")
    canvas.setPageSize((WIDTH, HEIGHT))
    _Pages(canvas, typeface, document).draw()
    canvas.save()
    return buffer.getvalue()


class _Pages:
    """The pages of one report, drawn from the top of the first one down."""

    def __init__(self, canvas: Canvas, typeface: Typeface, document: ReportDocument) -> None:
        self._canvas, self._typeface, self._document = canvas, typeface, document
        self._number = 1
        self._y = float(HEIGHT - MARGIN)

    def draw(self) -> None:
        """Draws everything."""
        self._draw_head()
        first, *others = self._document.tables
        self._draw_table(first)
        self._draw_chart()
        for table in others:
            self._draw_table(table)
        self._end_page()

    def _draw_head(self) -> None:
        for text, size in ((self._document.union_name, 16), (self._document.title, 13)):
            self._y -= size + 6
            x = (WIDTH - self._typeface.width(text, size)) / 2
            self._typeface.draw(self._canvas, x, self._y, text, size)
        self._y -= 18
        for line in self._typeface.wrap("　".join(self._document.facts), INNER, 9):
            self._typeface.draw(self._canvas, MARGIN, self._y, line, 9)
            self._y -= 13

    def _draw_table(self, table: DocumentTable) -> None:
        widths = _widths(len(table.headings))
        rows = [self._wrapped(row, widths) for row in table.rows or [("没有数据", *[""] * (len(widths) - 1))]]
        heading = self._wrapped(table.headings, widths)
        self._need(_height(heading) + _height(rows[0]) + 28)
        self._y -= 18
        self._typeface.draw(self._canvas, MARGIN, self._y, table.title, 10)
        self._y -= 6
        self._draw_row(heading, widths, shaded=True)
        for row in rows:
            if self._y - _height(row) < BOTTOM:
                self._end_page()
                self._draw_row(heading, widths, shaded=True)
            self._draw_row(row, widths)

    def _draw_row(self, row: Sequence[Sequence[str]], widths: Sequence[float], shaded: bool = False) -> None:
        height = _height(row)
        if shaded:
            self._canvas.setFillGray(0.92)
            self._canvas.rect(MARGIN, self._y - height, INNER, height, stroke=0, fill=1)
            self._canvas.setFillGray(0)
        x = float(MARGIN)
        self._canvas.setLineWidth(0.4)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True)):
            self._canvas.rect(x, self._y - height, width, height)
            for number, text in enumerate(cell):
                left = x + 3 if column == 0 else x + width - 3 - self._typeface.width(text, SIZE)
                self._typeface.draw(self._canvas, left, self._y - LINE * (number + 1) + 0.5, text, SIZE)
            x += width
        self._y -= height

    def _draw_chart(self) -> None:
        """The cards issued in each month, as bars."""
        bars = self._document.bars
        most = max((count for _, count in bars), default=0)
        if not most:
            return
        self._need(_CHART_HEIGHT + 40)
        self._y -= 18
        self._typeface.draw(self._canvas, MARGIN, self._y, "逐月办卡成功人数", 10)
        base = self._y - _CHART_HEIGHT - 6
        width = INNER / len(bars)
        self._canvas.setFillGray(0.45)
        for number, (_, count) in enumerate(bars):
            height = (_CHART_HEIGHT - 20) * count / most
            self._canvas.rect(MARGIN + number * width + width * 0.2, base, width * 0.6, height, stroke=0, fill=1)
        self._canvas.setFillGray(0)
        self._canvas.line(MARGIN, base, WIDTH - MARGIN, base)
        for number, (month, count) in enumerate(bars):
            middle = MARGIN + (number + 0.5) * width
            for text, y in ((month, base - 10), (f"{count:,}", base + (_CHART_HEIGHT - 20) * count / most + 3)):
                self._typeface.draw(self._canvas, middle - self._typeface.width(text, 7) / 2, y, text, 7)
        self._y = base - 16

    def _wrapped(self, texts: Sequence[str], widths: Sequence[float]) -> list[list[str]]:
        return [self._typeface.wrap(text, width - 6, SIZE) for text, width in zip(texts, widths, strict=True)]

    def _need(self, height: float) -> None:
        if self._y - height < BOTTOM:
            self._end_page()

    def _end_page(self) -> None:
        foot = f"{self._document.union_name}　第 {self._number} 页"
        self._typeface.draw(self._canvas, WIDTH - MARGIN - self._typeface.width(foot, 8), 26, foot, 8)
        self._canvas.showPage()
        self._number += 1
        self._y = HEIGHT - MARGIN
        time.sleep(0)  # yields between pages to other requests and the broker's heartbeat


def _widths(columns: int) -> list[float]:
    share = INNER / (_FIRST_SHARE + columns - 1)
    return [share * _FIRST_SHARE, *[share] * (columns - 1)]


def _height(row: Sequence[Sequence[str]]) -> float:
    return max(len(cell) for cell in row) * LINE + 4
