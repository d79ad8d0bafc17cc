"""The evidence of findings in Chinese: what each value is called, and what codes among the values mean."""

from services.contracts.rules.documents import DOCUMENT_TITLES
from services.contracts.values.dates import LONG_TERM

EVIDENCE_TITLES = {
    "birth_date": "出生日期",
    "birth_month": "出生年月",
    "age": "退休年龄",
    "category": "退休类别",
    "characters": "有问题的字",
    "checked_on": "校验日期",
    "code_points": "字符编码",
    "date": "登记日期",
    "document_type": "证件类型",
    "expected": "应为",
    "expiry": "证件到期日",
    "flexible_window": "弹性退休年月",
    "in_form": "登记的内容",
    "in_number": "证件号码中的内容",
    "issued": "证件签发日期",
    "length": "姓名字数",
    "name": "姓名",
    "nationality": "国籍",
    "number": "证件号码",
    "province": "省级代码",
    "region": "行政区划代码",
    "registry": "退休登记",
    "retirement_month": "退休年月",
    "sex": "性别",
    "source": "登记来源",
}
"""What every value in a finding's evidence is called."""

_SEXES = {"male": "男", "female": "女"}
_VALUES = {
    "document_type": DOCUMENT_TITLES,
    "registry": {"unknown": "无记录", "working": "在职", "retired": "已退休"},
    "category": {
        "M60": "男职工（原60周岁）",
        "F55": "女干部（原55周岁）",
        "F50": "女工人（原50周岁）",
        "special": "特殊工种",
    },
    "sex": _SEXES,
    "in_form": _SEXES,
    "in_number": _SEXES,
    "expiry": {str(LONG_TERM): "长期"},
}


def in_chinese(evidence: dict[str, str]) -> list[tuple[str, str]]:
    """The titles and values of evidence, without empty values and without those that only former releases stored."""
    return [
        (EVIDENCE_TITLES[name], _VALUES.get(name, {}).get(value, value))
        for name, value in evidence.items()
        if value and name in EVIDENCE_TITLES
    ]
