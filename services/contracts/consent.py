"""The consent 告知同意书 that a member gives before personal data goes to a bank (PIPL, articles 23, 29 and 30).

Each version that was ever in force stays here verbatim: a receipt names the version that the member agreed to.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from services.kit.problems import FieldProblem, Invalid

CONSENT_TITLE = "会员服务卡办理个人信息处理告知同意书"
BASES = ("signed_form", "phone")
"""How consent was given: on a signed form that the clerk attests to, or by the member on the phone."""


@dataclass(frozen=True)
class ConsentText:
    """One version of the text that a member reads and agrees to."""

    version: str
    in_force_from: date
    title: str
    paragraphs: tuple[str, ...]


CONSENT_TEXTS: Mapping[str, ConsentText] = {
    text.version: text
    for text in (
        ConsentText(
            "2026-01",
            date(2026, 1, 1),
            CONSENT_TITLE,
            (
                "为您办理工会会员服务卡，需要处理您的个人信息，并将其提供给发卡银行。请在同意前仔细阅读：",
                "一、处理者：您所在的工会及上海市总工会。如有疑问，可联系所在工会。",
                "二、接收方：您或您所在工会在提交时选定的发卡支行及其经办网点（名称、地址和电话以提交页面和办卡清册所载为准）。",
                "三、处理目的：核验身份和退休状态，制作、发放会员服务卡，并将办卡结果反馈给工会。",
                "四、处理方式：以加密方式传输和保存；发卡银行依照法律和银行业监管规定保存。",
                "五、提供的个人信息种类：姓名、性别、出生日期、国籍、联系电话、联系地址、会员编号；"
                "以及敏感个人信息：证件类型、证件号码、证件签发日和到期日。银行将向工会反馈您的银行卡号。",
                "六、敏感个人信息的必要性及影响：证件信息用于银行依法识别客户身份，不提供则无法办卡；"
                "一旦泄露可能危及您的人身、财产安全，工会和银行将采取严格的保护措施。",
                "七、您的权利：您可以查阅、复制、更正、删除您的个人信息；可以随时撤回同意，撤回前已进行的处理不受影响。"
                "提交前撤回的，将从待办会员列表移除；提交后撤回的，由所在工会提出撤销申请，银行尚未制卡的不再制卡。",
                "八、保存期限：自办卡结束之日起，至法律规定的最短期限届满；日志保存不少于六个月。",
                "我已阅读并理解以上内容，单独同意工会处理上述敏感个人信息，并单独同意将上述个人信息提供给发卡银行用于办理会员服务卡。",
            ),
        ),
    )
}

CURRENT_CONSENT = max(CONSENT_TEXTS.values(), key=lambda text: text.in_force_from)
"""The version in force, to which members must agree."""


def refuse_unless_current(version: str | None) -> None:
    """Raises Invalid: `consent_required` without a version, `consent_outdated` for another version than the current."""
    if not version:
        raise _refusal("consent_required", "尚未确认已取得会员同意", "请由每位会员阅读并签署告知同意书，确认后再提交。")
    if version != CURRENT_CONSENT.version:
        raise _refusal(
            "consent_outdated", "告知同意书已更新", f"请刷新页面，按现行版本（{CURRENT_CONSENT.version}）重新取得同意。"
        )


def _refusal(code: str, title: str, detail: str) -> Invalid:
    return Invalid([FieldProblem("consent_version", code, title)], code, title, detail)
