"""The register as an .xlsx workbook, with the same content and hash as the printed one."""

from collections.abc import Sequence
from datetime import UTC

from openpyxl import Workbook

from services.batching.register import CHANNEL_NAMES, DOCUMENT_NAMES, Register, expiry_text
from services.common.sheets import saved, text_row

HEADINGS = ("序号", "会员编号", "姓名", "证件类型", "证件号码", "证件到期日", "国籍")
WIDTHS = (8, 14, 24, 24, 24, 14, 8)


def register_xlsx(register: Register) -> bytes:
    """One sheet: the batch's facts above, then a line for each person; all cells are text."""
    workbook = Workbook(write_only=True)
    workbook.properties.created = workbook.properties.modified = register.submitted_at.astimezone(UTC).replace(
        tzinfo=None
    )
    sheet = workbook.create_sheet("办卡清册")
    for letter, width in zip("ABCDEFG", WIDTHS, strict=True):
        sheet.column_dimensions[letter].width = width
    for facts in _facts(register):
        sheet.append(text_row(sheet, facts))
    sheet.append(text_row(sheet, HEADINGS))
    for person in register.persons:
        texts = (
            str(person.position),
            person.member_no,
            person.name,
            DOCUMENT_NAMES[person.document_type],
            person.document_number,
            expiry_text(person.document_expiry),
            person.nationality or "",
        )
        sheet.append(text_row(sheet, texts))
    return saved(workbook)


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
