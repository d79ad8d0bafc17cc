"""The form of consent 个人信息处理告知同意书 to print: the text in force, and a line for each member to sign."""

import time
from collections.abc import Sequence
from io import BytesIO

from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from services.batching.typeface import Typeface, register_typeface
from services.common.contracts.consent import CONSENT_TEXTS

WIDTH, HEIGHT = A4
_MARGIN = 56
_BOTTOM = 56
_SIZE = 10.5
_LINE = 17
_ROW = 26
_COLUMNS = (("序号", 36), ("会员编号", 84), ("姓名", 150), ("本人签名", 120), ("日期", 93))

Signer = tuple[str, str]
"""A member's number and name."""


def consent_form(version: str, union_name: str, signers: Sequence[Signer]) -> bytes:
    """The form as a PDF; the same content always gives the same bytes."""
    typeface = register_typeface()
    text = CONSENT_TEXTS[version]
    buffer = BytesIO()
    canvas = Canvas(buffer, pagesize=A4, invariant=1, pageCompression=1)
    canvas.setTitle(text.title)
    typeface.draw(canvas, (WIDTH - typeface.width(text.title, 16)) / 2, HEIGHT - 64, text.title, 16)
    y = HEIGHT - 96
    words = "\n".join((*(f"　　{paragraph}" for paragraph in text.paragraphs), f"　　工会：{union_name}"))
    for line in typeface.wrap(words, WIDTH - 2 * _MARGIN, _SIZE):
        typeface.draw(canvas, _MARGIN, y, line, _SIZE)
        y -= _LINE
    page = 1
    y = _draw_row(canvas, typeface, y, [name for name, _ in _COLUMNS])
    for number, (member_no, name) in enumerate(signers, 1):
        if y < _BOTTOM + _ROW:
            _end_page(canvas, typeface, version, page)
            page += 1
            y = _draw_row(canvas, typeface, HEIGHT - _MARGIN, [name for name, _ in _COLUMNS])
        y = _draw_row(canvas, typeface, y, [str(number), member_no, name, "", ""])
    _end_page(canvas, typeface, version, page)
    canvas.save()
    return buffer.getvalue()


def _draw_row(canvas: Canvas, typeface: Typeface, top: float, texts: Sequence[str]) -> float:
    """A row of boxes; a name too long for its box is written smaller. Answers where the next row begins."""
    canvas.setLineWidth(0.4)
    x: float = _MARGIN
    for text, (_, width) in zip(texts, _COLUMNS, strict=True):
        canvas.rect(x, top - _ROW, width, _ROW)
        size = min(_SIZE, _SIZE * (width - 8) / max(typeface.width(text, _SIZE), 1))
        typeface.draw(canvas, x + 4, top - _ROW + 9, text, size)
        x += width
    return top - _ROW


def _end_page(canvas: Canvas, typeface: Typeface, version: str, page: int) -> None:
    typeface.draw(canvas, _MARGIN, 32, f"告知同意书版本：{version}", 8)
    number = f"第 {page} 页"
    typeface.draw(canvas, WIDTH - _MARGIN - typeface.width(number, 8), 32, number, 8)
    canvas.showPage()
    time.sleep(0)  # other requests and the broker's heartbeat go on between pages
