"""The attachments to print 需打印附件 in one .zip: register, pledge, letter of authorisation, consent form."""

import zipfile
from io import BytesIO

from reportlab.lib.pagesizes import A4

from services.batching.register.consent_form import consent_form
from services.batching.register.register import CHANNEL_NAMES, Register
from services.batching.register.register_pdf import register_pdf
from services.contracts.consent import CONSENT_TITLE
from services.contracts.values import SHANGHAI
from services.kit.documents.typeface import document_typeface

PLEDGE = "会员服务卡申领承诺书"
AUTHORISATION = "会员服务卡办卡委托书"
_MARGIN = 72
_SIZE = 12
_LINE = 24


def attachments_zip(register: Register, consent_version: str) -> bytes:
    """The .zip file; raises Problem `font_lacks` as the register does."""
    signers = [(person.member_no, person.name) for person in register.persons]
    files = {
        "办卡清册.pdf": register_pdf(register),
        f"{PLEDGE}.pdf": _pledge(register),
        f"{AUTHORISATION}.pdf": _authorisation(register),
        f"{CONSENT_TITLE}.pdf": consent_form(consent_version, register.union_name, signers),
    }
    submitted = register.submitted_at.astimezone(SHANGHAI).timetuple()[:6]
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, submitted), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _pledge(register: Register) -> bytes:
    return _form(
        register,
        PLEDGE,
        (
            f"{register.outlet_name}：",
            f"　　本工会（{register.union_name}，统一社会信用代码 {register.union_code} ）"
            f"现为所属会员申领工会会员服务卡，批次编号 {register.batch_no} ，"
            f"办理通道为{CHANNEL_NAMES[register.channel]}，共 {len(register.persons)} 人。本工会承诺：",
            "　　一、所附清册中的会员均为本工会在册会员，其姓名、证件类型、证件号码、证件到期日与本人有效证件一致。",
            "　　二、已将个人信息提供给发卡银行用于制卡一事告知每位会员，并取得其单独同意。",
            "　　三、所留联系人和联系方式准确，便于银行通知领卡；如有变更，将及时告知经办网点。",
            "　　四、卡片由会员本人凭有效证件原件领取并激活，本工会不代为保管卡片和密码。",
            f"　　联系人：{register.contact_name}　　联系方式：{register.contact_phone}",
        ),
        ("工会（盖章）：", "负责人（签字）："),
    )


def _authorisation(register: Register) -> bytes:
    return _form(
        register,
        AUTHORISATION,
        (
            f"{register.outlet_name}：",
            "　　兹委托 ________________ （身份证号码： __________________________ ）代表本工会"
            f"（{register.union_name}），前往贵网点（{register.outlet_address}）办理工会会员服务卡申领手续。",
            f"　　批次编号：{register.batch_no}",
            f"　　办理总人数：{len(register.persons)} 人　　提交时间：{register.submitted_text()}",
            "　　委托事项：递交办卡清册和申领承诺书，确认批次信息，接收银行的受理回执。",
            "　　委托期限：自签署之日起三十日内有效。被委托人须出示本人有效证件原件。",
        ),
        ("委托单位（盖章）：", "被委托人（签字）："),
    )


def _form(register: Register, title: str, paragraphs: tuple[str, ...], signatures: tuple[str, ...]) -> bytes:
    """A PDF of one page: the centred title, the paragraphs, and at the right the signatures with the date."""
    typeface = document_typeface()
    buffer = BytesIO()
    canvas = typeface.new_canvas(buffer, f"{title} {register.batch_no}")
    width, height = A4
    typeface.draw(canvas, (width - typeface.width(title, 20)) / 2, height - 110, title, 20)
    y = height - 160
    for line in typeface.wrap("\n".join(paragraphs), width - 2 * _MARGIN, _SIZE):
        typeface.draw(canvas, _MARGIN, y, line, _SIZE)
        y -= _LINE
    for line in (*signatures, "　　　　　年　　　月　　　日"):
        y -= _LINE
        typeface.draw(canvas, width / 2, y, line, _SIZE)
    canvas.save()
    return buffer.getvalue()
