"""The register as a PDF to print and take to the bank: the same content always gives the same bytes."""

import time
from collections.abc import Iterator, Sequence
from io import BytesIO

from reportlab.graphics import renderPDF
from reportlab.graphics.barcode.qr import QrCodeWidget
from reportlab.graphics.shapes import Drawing
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from services.batching.register import CHANNEL_NAMES, DOCUMENT_NAMES, Register, RegisteredPerson, expiry_text
from services.batching.typeface import Typeface, register_typeface
from services.common.problems import Problem

WIDTH, HEIGHT = A4
MARGIN = 36
SIZE = 8.5
LINE = 11.5
COLUMNS = (
    ("序号", 34),
    ("会员编号", 66),
    ("姓名", 126),
    ("证件类型", 104),
    ("证件号码", 110),
    ("证件到期日", 54),
    ("国籍", 29),
)
QR_SIZE = 64
QR_FORM = "batch_no"
TABLE_TOP = HEIGHT - 148
TABLE_BOTTOM = 52
NAMES_IN_PROBLEM = 10

Line = list[list[str]]
"""The cells of one row, each wrapped into lines."""


def register_pdf(register: Register) -> bytes:
    """The register on A4 pages; raises Problem `font_lacks` naming the names that cannot be printed."""
    typeface = register_typeface()
    refuse_unprintable(register, typeface)
    buffer = BytesIO()
    canvas = Canvas(buffer, pagesize=A4, invariant=1, pageCompression=1)
    canvas.setTitle(f"办卡清册 {register.batch_no}")
    _define_qr(canvas, register.batch_no)
    rows = [_cells(person, typeface) for person in register.persons]
    pages = list(_paginate(rows))
    digest = register.digest()
    for number, page in enumerate(pages, 1):
        _draw_head(canvas, typeface, register)
        _draw_table(canvas, typeface, page)
        _draw_foot(canvas, typeface, digest, f"第 {number} 页 共 {len(pages)} 页")
        canvas.showPage()
        time.sleep(0)  # other requests and the broker's heartbeat go on between pages
    canvas.save()
    return buffer.getvalue()


def refuse_unprintable(register: Register, typeface: Typeface) -> None:
    """Raises Problem `font_lacks` unless the fonts have every character that is to be printed."""
    texts = [register.union_name, register.outlet_name, register.outlet_address, register.contact_name]
    texts += [person.name for person in register.persons]
    unprintable = [(text, lacking) for text in texts if (lacking := typeface.lacking(text))]
    if not unprintable:
        return
    named = "、".join(f"{text}（{lacking}）" for text, lacking in unprintable[:NAMES_IN_PROBLEM])
    more = f"等 {len(unprintable)} 处" if len(unprintable) > NAMES_IN_PROBLEM else ""
    raise Problem(
        "font_lacks", 422, "清册字体缺少部分文字", f"无法打印：{named}{more}。请联系技术支持补充字体后重新打印。"
    )


def _cells(person: RegisteredPerson, typeface: Typeface) -> Line:
    texts = (
        str(person.position),
        person.member_no,
        person.name,
        DOCUMENT_NAMES[person.document_type],
        person.document_number,
        expiry_text(person.document_expiry),
        person.nationality or "",
    )
    return [typeface.wrap(text, width - 6, SIZE) for text, (_, width) in zip(texts, COLUMNS, strict=True)]


def _paginate(rows: Sequence[Line]) -> Iterator[list[Line]]:
    page: list[Line] = []
    left = available = TABLE_TOP - TABLE_BOTTOM - _height([[""]])
    for row in rows:
        if page and _height(row) > left:
            yield page
            page, left = [], available
        page.append(row)
        left -= _height(row)
    yield page


def _height(row: Line) -> float:
    return max(len(cell) for cell in row) * LINE + 5


def _define_qr(canvas: Canvas, text: str) -> None:
    widget = QrCodeWidget(text, barLevel="M", barWidth=QR_SIZE, barHeight=QR_SIZE, barBorder=0)
    drawing = Drawing(QR_SIZE, QR_SIZE)
    drawing.add(widget)
    canvas.beginForm(QR_FORM, 0, 0, QR_SIZE, QR_SIZE)
    renderPDF.draw(drawing, canvas, 0, 0)
    canvas.endForm()


def _draw_head(canvas: Canvas, typeface: Typeface, register: Register) -> None:
    title = "上海工会会员服务卡办卡清册"
    typeface.draw(canvas, (WIDTH - typeface.width(title, 16)) / 2, HEIGHT - 50, title, 16)
    facts = (
        (f"批次编号：{register.batch_no}", f"办理通道：{CHANNEL_NAMES[register.channel]}"),
        (f"工会：{register.union_name}", f"办理总人数：{len(register.persons)} 人"),
        (f"经办网点：{register.outlet_name}", f"提交时间：{register.submitted_text()}"),
        (f"网点地址：{register.outlet_address}", f"联系人：{register.contact_name} {register.contact_phone}"),
    )
    for number, (left, right) in enumerate(facts):
        y = HEIGHT - 76 - number * 15
        typeface.draw(canvas, MARGIN, y, typeface.wrap(left, 286, 9)[0], 9)
        typeface.draw(canvas, MARGIN + 292, y, typeface.wrap(right, 160, 9)[0], 9)
    canvas.saveState()
    canvas.translate(WIDTH - MARGIN - QR_SIZE, HEIGHT - 132)
    canvas.doForm(QR_FORM)
    canvas.restoreState()


def _draw_table(canvas: Canvas, typeface: Typeface, rows: Sequence[Line]) -> None:
    heading: Line = [[name] for name, _ in COLUMNS]
    y = TABLE_TOP
    canvas.setFillGray(0.92)
    canvas.rect(MARGIN, y - _height(heading), WIDTH - 2 * MARGIN, _height(heading), stroke=0, fill=1)
    canvas.setFillGray(0)
    canvas.setLineWidth(0.4)
    lines: list[tuple[float, float, float, float]] = [(MARGIN, y, WIDTH - MARGIN, y)]
    for row in (heading, *rows):
        _draw_row(canvas, typeface, row, y)
        y -= _height(row)
        lines.append((MARGIN, y, WIDTH - MARGIN, y))
    x: float = MARGIN
    for width in (0, *(width for _, width in COLUMNS)):
        x += width
        lines.append((x, TABLE_TOP, x, y))
    canvas.lines(lines)


def _draw_row(canvas: Canvas, typeface: Typeface, row: Line, top: float) -> None:
    x: float = MARGIN
    for cell, (_, width) in zip(row, COLUMNS, strict=True):
        for number, text in enumerate(cell):
            typeface.draw(canvas, x + 3, top - LINE * (number + 1) + 0.5, text, SIZE)
        x += width


def _draw_foot(canvas: Canvas, typeface: Typeface, digest: str, page: str) -> None:
    typeface.draw(canvas, MARGIN, 30, f"清册校验值 SHA-256：{digest}", 7)
    typeface.draw(canvas, WIDTH - MARGIN - typeface.width(page, 9), 30, page, 9)
