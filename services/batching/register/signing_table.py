"""A table to print whose rows people sign, on as many A4 pages as it needs."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from services.batching.cards import collection_codes
from services.kit.documents.typeface import Typeface

WIDTH, HEIGHT = A4
MARGIN = 56
SIZE = 10.5
_BOTTOM = 56
_ROW = 26
_SMALL_SIZE = 8.5
_SMALL_LINE = 11

Column = tuple[str, float]
"""A column's heading and width."""


@dataclass(frozen=True)
class SigningTable:
    """The rows that people sign, without their numbers; each page ends with the `foot`.

    `codes` are the applications of the rows, where each row ends with a code for collection.
    """

    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    foot: str
    codes: Sequence[UUID] = ()

    def draw(self, canvas: Canvas, typeface: Typeface, top: float) -> None:
        """Draws the rows, numbered, below the headings from `top` on, and ends the last page."""
        page = 1
        headings = [name for name, _ in self.columns]
        y = self._draw_row(canvas, typeface, top, headings)
        for number, row in enumerate(self.rows, 1):
            texts = [str(number), *row]
            shortest = collection_codes.BOX if self.codes else _ROW
            if y - self._height(typeface, texts, shortest) < _BOTTOM:
                self._end_page(canvas, typeface, page)
                page += 1
                y = self._draw_row(canvas, typeface, HEIGHT - MARGIN, headings)
            top, y = y, self._draw_row(canvas, typeface, y, texts, shortest)
            if self.codes:
                right = MARGIN + sum(width for _, width in self.columns)
                collection_codes.draw_code(canvas, right - collection_codes.BOX, top, self.codes[number - 1])
        self._end_page(canvas, typeface, page)

    def _draw_row(
        self, canvas: Canvas, typeface: Typeface, top: float, texts: Sequence[str], shortest: float = _ROW
    ) -> float:
        """Draws a row of boxes; a text too long for its box is smaller and wrapped. Returns the top of the next row."""
        canvas.setLineWidth(0.4)
        height = self._height(typeface, texts, shortest)
        x: float = MARGIN
        for text, (_, width) in zip(texts, self.columns, strict=True):
            canvas.rect(x, top - height, width, height)
            if len(lines := _small_lines(typeface, text, width)) > 1:
                for number, line in enumerate(lines, 1):
                    typeface.draw(canvas, x + 4, top - number * _SMALL_LINE, line, _SMALL_SIZE)
            else:
                size = min(SIZE, SIZE * (width - 8) / max(typeface.width(text, SIZE), 1))
                typeface.draw(canvas, x + 4, top - _ROW + 9, text, size)
            x += width
        return top - height

    def _height(self, typeface: Typeface, texts: Sequence[str], shortest: float) -> float:
        columns = zip(texts, self.columns, strict=True)
        most = max(len(_small_lines(typeface, text, width)) for text, (_, width) in columns)
        return max(shortest, most * _SMALL_LINE + 4)

    def _end_page(self, canvas: Canvas, typeface: Typeface, page: int) -> None:
        typeface.draw(canvas, MARGIN, 32, self.foot, 8)
        number = f"第 {page} 页"
        typeface.draw(canvas, WIDTH - MARGIN - typeface.width(number, 8), 32, number, 8)
        canvas.showPage()
        time.sleep(0)  # yields between pages to other requests and the broker's heartbeat


def _small_lines(typeface: Typeface, text: str, width: float) -> list[str]:
    return typeface.wrap(text, width - 8, _SMALL_SIZE)
