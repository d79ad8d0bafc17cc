"""The register as a PDF to print for the bank; the same content always gives the same bytes."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from uuid import UUID

from reportlab.graphics.barcode.qr import QrCode
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from services.batching.cards import collection_codes
from services.batching.register.register import CHANNEL_NAMES, HEADINGS, SEAL_DATE, SEALS, TITLE, Register
from services.kit.documents.typeface import Typeface, document_typeface
from services.kit.problems import Problem

WIDTH, HEIGHT = A4
MARGIN = 36
INNER = WIDTH - 2 * MARGIN
SIZE = 8.5
LINE = 11.5
COLUMNS = (30, 62, 112, 94, 112, 58, INNER - 468)
"""The widths of the columns, in the order of HEADINGS."""
COLUMNS_BESIDE_CODES = (30, 62, 94, 78, 112, 58, INNER - 434 - collection_codes.BOX, collection_codes.BOX)
"""The same where each person has a code for collection."""
QR_SIZE = 64
QR_FORM = "batch_no"
HEAD_TOP = HEIGHT - 76
HEAD_SIZE = 9
HEAD_LINE = 13
HEAD_COLUMNS = (292, INNER - 292 - QR_SIZE - 8)
"""The widths of the left and right facts in the head; the QR code is beside them."""
TABLE_BOTTOM = 52
SEALS_HEIGHT = 104
NAMES_IN_PROBLEM = 10

Line = list[list[str]]
"""The cells of one row, each wrapped into lines."""


@dataclass(frozen=True)
class _Row:
    """A row of the table, with the application whose code for collection its last cell shows."""

    cells: Line
    code: UUID | None = None

    @property
    def height(self) -> float:
        return max(max(map(len, self.cells)) * LINE + 5, collection_codes.BOX if self.code else 0)


_SHORTEST = _Row([[""]]).height


def register_pdf(register: Register, codes: Sequence[UUID] = ()) -> bytes:
    """The register on A4 pages; raises Problem `font_lacks` naming the names that cannot be printed.

    `codes` are the applications of the persons, in order, where each row has a code for collection.
    """
    typeface = document_typeface()
    refuse_unprintable(register, typeface)
    buffer = BytesIO()
    canvas = typeface.new_canvas(buffer, f"办卡清册 {register.batch_no}")
    _define_qr(canvas, register.batch_no)
    head = _wrapped_facts(register, typeface)
    table_top = HEAD_TOP - max(sum(map(_head_height, head)), QR_SIZE) - 4
    columns = COLUMNS_BESIDE_CODES if codes else COLUMNS
    code_of_row: Sequence[UUID | None] = codes or [None] * len(register.persons)
    rows = [
        _Row(_cells(person.texts(), columns, typeface), code)
        for person, code in zip(register.persons, code_of_row, strict=True)
    ]
    pages = list(_paginate(rows, table_top - TABLE_BOTTOM - _SHORTEST))
    digest = register.digest()
    for number, page in enumerate(pages, 1):
        _draw_head(canvas, typeface, head)
        bottom = _draw_table(canvas, typeface, page, columns, table_top)
        if number == len(pages):
            _draw_end(canvas, typeface, register, bottom)
        _draw_foot(canvas, typeface, digest, f"第 {number} 页 共 {len(pages)} 页")
        canvas.showPage()
        time.sleep(0)  # yields between pages to other requests and the broker's heartbeat
    canvas.save()
    return buffer.getvalue()


def refuse_unprintable(register: Register, typeface: Typeface) -> None:
    """Raises Problem `font_lacks` unless the fonts have every character to print."""
    printed = [(fact, fact) for facts in _facts(register) for fact in facts]
    printed += [(person.name, "".join(person.texts())) for person in register.persons]
    unprintable = [(name, lacking) for name, text in printed if (lacking := typeface.missing_characters(text))]
    if not unprintable:
        return
    named = "、".join(f"{name}（{lacking}）" for name, lacking in unprintable[:NAMES_IN_PROBLEM])
    more = f"等 {len(unprintable)} 处" if len(unprintable) > NAMES_IN_PROBLEM else ""
    raise Problem(
        "font_lacks", 422, "清册字体缺少部分文字", f"无法打印：{named}{more}。请联系技术支持补充字体后重新打印。"
    )


def _facts(register: Register) -> tuple[tuple[str, ...], ...]:
    """The lines of the head: each has a left and a right fact, or one of the whole width."""
    return (
        (f"批次编号：{register.batch_no}", f"办理通道：{CHANNEL_NAMES[register.channel]}"),
        (f"工会：{register.union_name}", f"办理总人数：{len(register.persons)} 人"),
        (f"经办网点：{register.outlet_name}", f"提交时间：{register.submitted_text()}"),
        (f"网点地址：{register.outlet_address}",),
        (f"联系人：{register.contact_name}", f"联系方式：{register.contact_phone}"),
    )


def _wrapped_facts(register: Register, typeface: Typeface) -> list[Line]:
    return [
        [typeface.wrap(fact, width - 6, HEAD_SIZE) for fact, width in zip(facts, _head_widths(facts), strict=True)]
        for facts in _facts(register)
    ]


def _head_widths(facts: Sequence[object]) -> tuple[float, ...]:
    return HEAD_COLUMNS if len(facts) > 1 else (sum(HEAD_COLUMNS),)


def _head_height(facts: Line) -> float:
    return max(map(len, facts)) * HEAD_LINE + 2


def _cells(texts: Sequence[str], columns: Sequence[float], typeface: Typeface) -> Line:
    return [typeface.wrap(text, width - 6, SIZE) for text, width in zip(texts, columns, strict=False)]


def _paginate(rows: Sequence[_Row], available: float) -> Iterator[list[_Row]]:
    """The rows of each page; total and seals follow on the last page, with at least one person."""
    page: list[_Row] = []
    left = available
    for row in rows:
        if page and row.height > left:
            yield page
            page, left = [], available
        page.append(row)
        left -= row.height
    if left < _SHORTEST + SEALS_HEIGHT and len(page) > 1:
        yield page[:-1]
        page = page[-1:]
    yield page


def _define_qr(canvas: Canvas, text: str) -> None:
    canvas.beginForm(QR_FORM, 0, 0, QR_SIZE, QR_SIZE)
    QrCode(text, width=QR_SIZE, height=QR_SIZE, qrLevel="M", qrBorder=0).drawOn(canvas, 0, 0)
    canvas.endForm()


def _draw_head(canvas: Canvas, typeface: Typeface, head: Sequence[Line]) -> None:
    typeface.draw(canvas, (WIDTH - typeface.width(TITLE, 16)) / 2, HEIGHT - 50, TITLE, 16)
    top = HEAD_TOP
    for facts in head:
        x: float = MARGIN
        for fact, width in zip(facts, _head_widths(facts), strict=True):
            for number, text in enumerate(fact):
                typeface.draw(canvas, x, top - HEAD_LINE * number - HEAD_SIZE, text, HEAD_SIZE)
            x += width
        top -= _head_height(facts)
    canvas.saveState()
    canvas.translate(WIDTH - MARGIN - QR_SIZE, HEAD_TOP - QR_SIZE)
    canvas.doForm(QR_FORM)
    canvas.restoreState()


def _draw_table(
    canvas: Canvas, typeface: Typeface, rows: Sequence[_Row], columns: Sequence[float], top: float
) -> float:
    """Draws heading and rows; returns where they end."""
    names = HEADINGS if columns is COLUMNS else (*HEADINGS, collection_codes.HEADING)
    heading = _Row([[name] for name in names])
    y = top
    canvas.setFillGray(0.92)
    canvas.rect(MARGIN, y - heading.height, INNER, heading.height, stroke=0, fill=1)
    canvas.setFillGray(0)
    canvas.setLineWidth(0.4)
    lines: list[tuple[float, float, float, float]] = [(MARGIN, y, WIDTH - MARGIN, y)]
    for row in (heading, *rows):
        _draw_row(canvas, typeface, row, columns, y)
        y -= row.height
        lines.append((MARGIN, y, WIDTH - MARGIN, y))
    x: float = MARGIN
    for width in (0, *columns):
        x += width
        lines.append((x, top, x, y))
    canvas.lines(lines)
    return y


def _draw_end(canvas: Canvas, typeface: Typeface, register: Register, top: float) -> None:
    """Draws the total, and the boxes in which union, clerk and bank confirm it."""
    canvas.rect(MARGIN, top - _SHORTEST, INNER, _SHORTEST)
    typeface.draw(canvas, MARGIN + 3, top - LINE + 0.5, register.total_text(), SIZE)
    top -= _SHORTEST
    width = INNER / len(SEALS)
    for number, seal in enumerate(SEALS):
        x = MARGIN + number * width
        canvas.rect(x, top - SEALS_HEIGHT, width, SEALS_HEIGHT)
        typeface.draw(canvas, x + 6, top - 16, seal, HEAD_SIZE)
        typeface.draw(
            canvas, x + width - 6 - typeface.width(SEAL_DATE, HEAD_SIZE), top - SEALS_HEIGHT + 8, SEAL_DATE, HEAD_SIZE
        )


def _draw_row(canvas: Canvas, typeface: Typeface, row: _Row, columns: Sequence[float], top: float) -> None:
    x: float = MARGIN
    for cell, width in zip(row.cells, columns, strict=False):
        for number, text in enumerate(cell):
            typeface.draw(canvas, x + 3, top - LINE * (number + 1) + 0.5, text, SIZE)
        x += width
    if row.code:
        collection_codes.draw_code(canvas, x, top, row.code)


def _draw_foot(canvas: Canvas, typeface: Typeface, digest: str, page: str) -> None:
    typeface.draw(canvas, MARGIN, 30, f"清册校验值 SHA-256：{digest}", 7)
    typeface.draw(canvas, WIDTH - MARGIN - typeface.width(page, 9), 30, page, 9)
