"""The consent form 个人信息处理告知同意书 to print: the text in force, and a line for each member to sign."""

import time
from collections.abc import Sequence
from io import BytesIO

from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from services.contracts.consent import CONSENT_TEXTS
from services.kit.typeface import Typeface, document_typeface

WIDTH, HEIGHT = A4
_MARGIN = 56
_BOTTOM = 56
_SIZE = 10.5
_LINE = 17
_ROW = 26
_SMALL_SIZE = 8.5
_SMALL_LINE = 11
_COLUMNS = (("序号", 36), ("会员编号", 84), ("姓名", 150), ("本人签名", 120), ("日期", 93))

Signer = tuple[str, str]
"""A member's number and name."""


def consent_form(version: str, union_name: str, signers: Sequence[Signer]) -> bytes:
    """The form as a PDF; the same content always gives the same bytes."""
    typeface = document_typeface()
    text = CONSENT_TEXTS[version]
    buffer = BytesIO()
    canvas = typeface.new_canvas(buffer, text.title)
    typeface.draw(canvas, (WIDTH - typeface.width(text.title, 16)) / 2, HEIGHT - 64, text.title, 16)
    y = HEIGHT - 96
    words = "\n".join((*(f"　　{paragraph}" for paragraph in text.paragraphs), f"　　工会：{union_name}"))
    for line in typeface.wrap(words, WIDTH - 2 * _MARGIN, _SIZE):
        typeface.draw(canvas, _MARGIN, y, line, _SIZE)
        y -= _LINE
    page = 1
    y = _draw_row(canvas, typeface, y, [name for name, _ in _COLUMNS])
    for number, (member_no, name) in enumerate(signers, 1):
        texts = [str(number), member_no, name, "", ""]
        if y - _height(typeface, texts) < _BOTTOM:
            _end_page(canvas, typeface, version, page)
            page += 1
            y = _draw_row(canvas, typeface, HEIGHT - _MARGIN, [name for name, _ in _COLUMNS])
        y = _draw_row(canvas, typeface, y, texts)
    _end_page(canvas, typeface, version, page)
    canvas.save()
    return buffer.getvalue()


def _draw_row(canvas: Canvas, typeface: Typeface, top: float, texts: Sequence[str]) -> float:
    """Draws a row of boxes; a name too long for its box is smaller and wrapped. Returns the top of the next row."""
    canvas.setLineWidth(0.4)
    height = _height(typeface, texts)
    x: float = _MARGIN
    for text, (_, width) in zip(texts, _COLUMNS, strict=True):
        canvas.rect(x, top - height, width, height)
        if len(lines := _small_lines(typeface, text, width)) > 1:
            for number, line in enumerate(lines, 1):
                typeface.draw(canvas, x + 4, top - number * _SMALL_LINE, line, _SMALL_SIZE)
        else:
            size = min(_SIZE, _SIZE * (width - 8) / max(typeface.width(text, _SIZE), 1))
            typeface.draw(canvas, x + 4, top - _ROW + 9, text, size)
        x += width
    return top - height


def _height(typeface: Typeface, texts: Sequence[str]) -> float:
    most = max(len(_small_lines(typeface, text, width)) for text, (_, width) in zip(texts, _COLUMNS, strict=True))
    return max(_ROW, most * _SMALL_LINE + 4)


def _small_lines(typeface: Typeface, text: str, width: float) -> list[str]:
    return typeface.wrap(text, width - 8, _SMALL_SIZE)


def _end_page(canvas: Canvas, typeface: Typeface, version: str, page: int) -> None:
    typeface.draw(canvas, _MARGIN, 32, f"告知同意书版本：{version}", 8)
    number = f"第 {page} 页"
    typeface.draw(canvas, WIDTH - _MARGIN - typeface.width(number, 8), 32, number, 8)
    canvas.showPage()
    time.sleep(0)  # yields between pages to other requests and the broker's heartbeat
