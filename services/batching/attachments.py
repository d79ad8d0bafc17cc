"""The attachments to print 需打印附件: register, application pledge and letter of authorisation, in one .zip."""

import zipfile
from io import BytesIO

from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from services.batching.register import CHANNEL_NAMES, LOCAL_TIME, Register
from services.batching.register_pdf import refuse_unprintable, register_pdf
from services.batching.typeface import register_typeface

PLEDGE = "会员服务卡申领承诺书"
AUTHORISATION = "会员服务卡办卡委托书"
_MARGIN = 72
_SIZE = 12
_LINE = 24


def attachments_zip(register: Register) -> bytes:
    """The .zip; raises Problem `font_lacks` as the register does."""
    files = {
        "办卡清册.pdf": register_pdf(register),
        f"{PLEDGE}.pdf": _form(register, PLEDGE, _pledge(register)),
        f"{AUTHORISATION}.pdf": _form(register, AUTHORISATION, _authorisation(register)),
    }
    submitted = register.submitted_at.astimezone(LOCAL_TIME).timetuple()[:6]
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, submitted), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _pledge(register: Register) -> tuple[str, ...]:
    return (
        f"{register.outlet_name}：",
        f"　　本工会（{register.union_name}，统一社会信用代码 {register.union_code}）现为所属会员申领工会会员服务卡，"
        f"批次编号 {register.batch_no}，办理通道为{CHANNEL_NAMES[register.channel]}，共 {len(register.persons)} 人。"
        "本工会承诺：",
        "　　一、所附清册中的会员均为本工会在册会员，其姓名、证件类型、证件号码、证件到期日与本人有效证件一致。",
        "　　二、已将个人信息提供给发卡银行用于制卡一事告知每位会员，并取得其单独同意。",
        "　　三、所留联系人和联系方式准确，便于银行通知领卡；如有变更，将及时告知经办网点。",
        "　　四、卡片由会员本人凭有效证件原件领取并激活，本工会不代为保管卡片和密码。",
        f"　　联系人：{register.contact_name}　　联系方式：{register.contact_phone}",
        *_signature("工会（盖章）：", "负责人（签字）："),
    )


def _authorisation(register: Register) -> tuple[str, ...]:
    return (
        f"{register.outlet_name}：",
        f"　　兹委托　　　　　　　　（身份证号码：　　　　　　　　　　　　　　　）代表本工会（{register.union_name}），"
        f"前往贵网点（{register.outlet_address}）办理工会会员服务卡申领手续。",
        f"　　批次编号：{register.batch_no}　　办理总人数：{len(register.persons)} 人　　"
        f"提交时间：{register.submitted_text()}",
        "　　委托事项：递交办卡清册和申领承诺书，确认批次信息，接收银行的受理回执。",
        "　　委托期限：自签署之日起三十日内有效。被委托人须出示本人有效证件原件。",
        *_signature("委托单位（盖章）：", "被委托人（签字）："),
    )


def _signature(*lines: str) -> tuple[str, ...]:
    return ("", *(f"{line}　　　　　　　　　　　" for line in lines), "　　　　年　　月　　日")


def _form(register: Register, title: str, paragraphs: tuple[str, ...]) -> bytes:
    """One page of text: the title in the middle, then the paragraphs."""
    typeface = register_typeface()
    refuse_unprintable(register, typeface)
    buffer = BytesIO()
    canvas = Canvas(buffer, pagesize=A4, invariant=1, pageCompression=1)
    canvas.setTitle(f"{title} {register.batch_no}")
    width, height = A4
    typeface.draw(canvas, (width - typeface.width(title, 20)) / 2, height - 110, title, 20)
    lines = typeface.wrap("\n".join(paragraphs), width - 2 * _MARGIN, _SIZE)
    for number, line in enumerate(lines):
        typeface.draw(canvas, _MARGIN, height - 160 - number * _LINE, line, _SIZE)
    canvas.save()
    return buffer.getvalue()
