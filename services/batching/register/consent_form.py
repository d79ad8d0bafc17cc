"""The consent form 个人信息处理告知同意书 to print: the text in force, and a line for each member to sign."""

from collections.abc import Sequence
from io import BytesIO

from services.batching.register.signing_table import HEIGHT, MARGIN, SIZE, WIDTH, SigningTable
from services.contracts.consent import CONSENT_TEXTS
from services.kit.documents.typeface import document_typeface

_LINE = 17
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
    for line in typeface.wrap(words, WIDTH - 2 * MARGIN, SIZE):
        typeface.draw(canvas, MARGIN, y, line, SIZE)
        y -= _LINE
    rows = [(*signer, "", "") for signer in signers]
    SigningTable(_COLUMNS, rows, f"告知同意书版本：{version}").draw(canvas, typeface, y)
    canvas.save()
    return buffer.getvalue()
