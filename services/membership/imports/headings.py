"""Headings of sheets of members: the known ones, their spellings, and the search for their row."""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

from services.kit.sheets.bounds import LAST_HEADING_ROW, MOST_COLUMNS

HEADINGS = {
    "姓名": "name",
    "证件类型": "document_type",
    "证件号码": "document_number",
    "证件到期日": "document_expiry",
    "证件签发日": "document_issued",
    "性别": "sex",
    "出生日期": "birth_date",
    "国籍": "nationality",
    "联系电话": "phone",
    "地址": "address",
    "退休类别": "retirement_category",
    "特殊工种退休年月": "special_retirement_month",
    "会员类别": "affiliation",
}
REQUIRED = ("姓名", "证件类型", "证件号码")

ERROR_HEADING = "错误原因"
"""The last column of a sheet of rejected rows; it is ignored when the sheet is imported again."""

EXAMPLE = {
    "姓名": "示例：韩梅梅",
    "证件类型": "居民身份证",
    "证件号码": "11010519491231002X",
    "证件到期日": "长期",
    "性别": "女",
    "国籍": "中国",
    "联系电话": "13800000000",
    "退休类别": "女干部",
    "会员类别": "企业内",
}
"""The example row of the template, which is never read as a member."""

_TERMS = tuple(document + term for document in ("证件", "身份证", "") for term in ("有效期", "有效期限"))
_STARTS = ("起", "自", "起始日", "起始日期", "开始日期")
_ENDS = ("止", "至", "截止", "截止日", "截止日期", "终止日期", "结束日期")
_OTHER_WORDS = {
    **dict.fromkeys(("会员姓名", "职工姓名", "员工姓名"), "姓名"),
    **dict.fromkeys(("证件种类", "证件名称"), "证件类型"),
    **dict.fromkeys(("证件号", "证件编号", "身份证号", "身份证号码", "身份证件号码"), "证件号码"),
    **dict.fromkeys(("证件到期日期", "证件截止日期", "身份证到期日", "身份证到期日期", "到期日"), "证件到期日"),
    **dict.fromkeys((term + end for term in _TERMS for end in ("", *_ENDS)), "证件到期日"),
    **dict.fromkeys(("证件签发日期", "签发日期", "签发日"), "证件签发日"),
    **dict.fromkeys((term + start for term in _TERMS for start in _STARTS), "证件签发日"),
    **dict.fromkeys(("出生年月日", "出生年月", "生日"), "出生日期"),
    **dict.fromkeys(("国籍/地区", "国籍(地区)", "国家", "国家/地区"), "国籍"),
    **dict.fromkeys(("手机号", "手机号码", "手机", "移动电话", "电话", "联系方式", "联系电话号码"), "联系电话"),
    **dict.fromkeys(("住址", "联系地址", "家庭住址", "家庭地址", "通讯地址"), "地址"),
    **dict.fromkeys(("所属类型", "入会类型", "会员类型"), "会员类别"),
}
_REMARK = re.compile(r"[(（\[【][^)）\]】]*[)）\]】]")
_DECORATION = re.compile(r"[\s*:：_\u200b-\u200f\ufeff]|^[0-9]+[.、]")


@dataclass(frozen=True)
class HeadingRow:
    """A row of headings.

    `columns` maps each known heading to its column, `others` each other column to its title. Without a `reason` the
    sheet can be read.
    """

    columns: Mapping[str, int]
    others: Mapping[int, str] = field(default_factory=dict)
    reason: str | None = None

    @property
    def missing(self) -> list[str]:
        """The required headings that are missing."""
        return [heading for heading in REQUIRED if heading not in self.columns]


def find_headings(rows: Sequence[Sequence[str]]) -> tuple[int, HeadingRow]:
    """How many of a sheet's first rows are above the members, and the headings among them.

    Headings may take two rows, the upper one of merged cells, which lower ones may continue (证件 above 类型, 号码).
    If no row has all required headings, the row with most of them is used, and its `reason` names the missing ones.
    """
    best, best_end = HeadingRow({}, reason=_lacks(REQUIRED)), 0
    for number, row in enumerate(rows[:LAST_HEADING_ROW]):
        found = _read(row)
        if number + 1 < len(rows):
            written, continued = _of_two_rows(row, rows[number + 1])
            below = _read(written)
            if not below.missing and (continued or (found.missing and found.columns)):
                return number + 2, below
        if not found.missing:
            return number + 1, found
        if len(found.columns) > len(best.columns):
            best, best_end = found, number + 1
    return best_end, best


def _of_two_rows(upper: Sequence[str], lower: Sequence[str]) -> tuple[list[str], bool]:
    """The headings of two rows: for each column the lower one, or both where it continues the upper one.

    The second value says whether any does.
    """
    headings = []
    above, continued = "", False
    for over, under in zip_longest(upper[:MOST_COLUMNS], lower[:MOST_COLUMNS], fillvalue=""):
        above = over or above
        is_continued = bool(under) and not _is_known(under) and _is_known(above + under)
        headings.append(above + under if is_continued else under or over)
        continued = continued or is_continued
    return headings, continued


def _is_known(cell: str) -> bool:
    plain = _plain(cell)
    return plain in HEADINGS or plain in _OTHER_WORDS


def _read(row: Sequence[str]) -> HeadingRow:
    written = [_plain(cell) for cell in row[:MOST_COLUMNS]]
    found = [cell if cell in HEADINGS else None for cell in written]
    known = set(found)
    for number, cell in enumerate(written):
        other = _OTHER_WORDS.get(cell)
        if other and other not in known:
            found[number] = other
    columns: dict[str, int] = {}
    for number, heading in enumerate(found):
        if heading:
            columns.setdefault(heading, number)
    others = {number: row[number].strip() for number, heading in enumerate(found) if not heading and written[number]}
    twice = [heading for heading, count in Counter(filter(None, found)).items() if count > 1]
    return HeadingRow(columns, others, _reason(columns, twice))


def _reason(columns: Mapping[str, int], twice: Sequence[str]) -> str | None:
    if missing := [heading for heading in REQUIRED if heading not in columns]:
        return _lacks(missing)
    if twice:
        return f"表头“{'”、“'.join(twice)}”重复出现，请只保留一列"
    return None


def _lacks(missing: Sequence[str]) -> str:
    return f"缺少表头：{'、'.join(missing)}"


def _plain(cell: str) -> str:
    """A heading without spaces, line breaks, stars, colons and text in brackets."""
    compatible = unicodedata.normalize("NFKC", cell)
    bare = _DECORATION.sub("", compatible)
    return bare if bare in HEADINGS or bare in _OTHER_WORDS else _DECORATION.sub("", _REMARK.sub("", compatible))
