"""The collection list 领卡签收单 to print: a line for each member whose card waits, to sign on receiving it."""

from collections.abc import Sequence
from io import BytesIO
from uuid import UUID

from services.batching.cards import collection_codes
from services.batching.register.signing_table import HEIGHT, MARGIN, SIZE, WIDTH, SigningTable
from services.kit.documents.typeface import document_typeface

TITLE = "工会会员服务卡领卡签收单"
_ADVICE = "　　会员本人凭身份证件原件领取，核对姓名与卡号后签收，不得由他人代领。"
_COLUMNS = (("序号", 34), ("会员编号", 76), ("姓名", 96), ("卡号", 112), ("本人签收", 90), ("日期", 75))
_COLUMNS_BESIDE_CODES = (
    *(("序号", 34), ("会员编号", 70), ("姓名", 84), ("卡号", 104), ("本人签收", 80), ("日期", 61)),
    (collection_codes.HEADING, collection_codes.BOX),
)
_LINE = 17

Recipient = tuple[str, str, str]
"""A member's number, name and masked card number."""


def collection_list(
    union_name: str, printed_on: str, recipients: Sequence[Recipient], codes: Sequence[UUID] = ()
) -> bytes:
    """The list as a PDF, with a code for collection for each recipient's application where `codes` has them.

    The same content always gives the same bytes.
    """
    typeface = document_typeface()
    buffer = BytesIO()
    canvas = typeface.new_canvas(buffer, TITLE)
    typeface.draw(canvas, (WIDTH - typeface.width(TITLE, 16)) / 2, HEIGHT - 64, TITLE, 16)
    y = HEIGHT - 92
    facts = f"　　工会：{union_name}　　共 {len(recipients)} 人"
    for line in typeface.wrap(f"{facts}\n{_ADVICE}", WIDTH - 2 * MARGIN, SIZE):
        typeface.draw(canvas, MARGIN, y, line, SIZE)
        y -= _LINE
    columns = _COLUMNS_BESIDE_CODES if codes else _COLUMNS
    rows = [(*recipient, *[""] * (len(columns) - 4)) for recipient in recipients]
    SigningTable(columns, rows, f"打印日期：{printed_on}", codes).draw(canvas, typeface, y)
    canvas.save()
    return buffer.getvalue()
