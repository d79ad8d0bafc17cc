"""Sheets of members: the template, the reading of a row, and the sheet of rejected rows and warnings."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from marshmallow import ValidationError
from openpyxl import Workbook
from openpyxl.styles import Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation

from services.contracts.operations.membership.members import RegisterMemberRequest
from services.contracts.values import InvalidValue, clean_day, clean_expiry, clean_month
from services.kit.documents.sheet_cells import heading_row, saved, text_row
from services.kit.problems import invalid_fields
from services.kit.schemas import schema_of
from services.kit.sheets.packed_sheets import NOT_COMPUTED
from services.kit.text import clean_compatible
from services.membership.imports.headings import ERROR_HEADING, EXAMPLE, HEADINGS, REQUIRED

_ROWS_OF_TEMPLATE = 5000
_EXAMPLE_COLOUR = PatternFill("solid", fgColor="FFF2F2F2")
_REQUIRED_COLOUR = PatternFill("solid", fgColor="FFFDE9D9")

_DOCUMENT_TYPES = {
    "居民身份证": "resident_id",
    "港澳台居民居住证": "hmt_residence_permit",
    "外国人永久居留身份证": "foreign_permanent_resident_id",
    "港澳居民来往内地通行证": "mainland_travel_permit_hm",
    "台湾居民来往大陆通行证": "mainland_travel_permit_tw",
    "护照": "passport",
    "军官证": "military_officer_id",
}
_OTHER_DOCUMENT_TYPES = {
    **dict.fromkeys(("身份证", "二代身份证", "第二代居民身份证", "中华人民共和国居民身份证"), "resident_id"),
    **dict.fromkeys(
        ("港澳居民居住证", "台湾居民居住证", "中华人民共和国港澳居民居住证", "中华人民共和国台湾居民居住证"),
        "hmt_residence_permit",
    ),
    **dict.fromkeys(("外国人永久居留证", "外国人居留证", "永久居留证"), "foreign_permanent_resident_id"),
    **dict.fromkeys(("回乡证", "港澳来往内地通行证", "港澳居民通行证"), "mainland_travel_permit_hm"),
    **dict.fromkeys(("台胞证", "台湾来往大陆通行证", "台湾居民通行证"), "mainland_travel_permit_tw"),
    **dict.fromkeys(("中国护照", "外国护照", "普通护照", "因私护照"), "passport"),
    "中国人民解放军军官证": "military_officer_id",
}
_REMARK = re.compile(r"\([^()]*\)")
_SEXES = {"男": "male", "女": "female"}
_OTHER_SEXES = {"男性": "male", "女性": "female", "M": "male", "F": "female"}
DOCUMENT_TYPE_WORDS = {kind: word for word, kind in _DOCUMENT_TYPES.items()}
SEX_WORDS = {sex: word for word, sex in _SEXES.items()}
_CATEGORIES = {"男职工": "M60", "女干部": "F55", "女工人": "F50", "特殊工种": "special"}
_OTHER_CATEGORIES = {code: code for code in ("M60", "F55", "F50")}
_AFFILIATIONS = {"企业内": "employer", "灵活就业": "flexible", "企业外": "outside"}
_OTHER_AFFILIATIONS = {
    **dict.fromkeys(("本单位", "企业内会员", "在职", "企业内入会"), "employer"),
    **dict.fromkeys(("灵活就业人员", "灵活就业会员", "灵活就业入会"), "flexible"),
    **dict.fromkeys(("企业外入会", "企业外会员", "企业外入会人员"), "outside"),
}
_NATIONALITIES = ("中国", "中国香港", "中国澳门", "中国台湾", "美国", "日本", "韩国", "英国", "法国", "德国")
_ROUNDED = re.compile(r"-?[0-9](?:[.,][0-9]+[Ee]\+?|[Ee]\+)[0-9]+")
"""A number as programs shorten it; a passport's number may be like `5E1234567`."""
_ERROR_VALUE = re.compile(r"#(N/A|GETTING_DATA|NAME\?|DIV/0!|[A-Z]+!)|Err:[0-9]{3}")
"""What a cell with an error shows; newer programs have kinds of their own, such as #SPILL! and #BLOCKED!."""
_REQUEST = schema_of(RegisterMemberRequest)()


class WrongRow(ValueError):
    """The row is invalid; the message says in Chinese where and why."""


def template() -> bytes:
    """An .xlsx to fill in, with an example row, lists to choose from, and a second sheet that explains the columns."""
    book = Workbook()
    sheet: Any = book.active
    sheet.title = "会员名册"
    for position, heading in enumerate(HEADINGS, start=1):
        letter = get_column_letter(position)
        column = sheet.column_dimensions[letter]
        # As text, or the spreadsheet program would convert document numbers to numbers.
        column.number_format, column.width = "@", 12 + 8 * (heading in ("证件类型", "证件号码", "地址"))
        cell = sheet.cell(1, position, f"*{heading}" if heading in REQUIRED else heading)
        cell.font = Font(bold=True)
        if heading in REQUIRED:
            cell.fill = _REQUIRED_COLOUR
        example = sheet.cell(2, position, EXAMPLE.get(heading, ""))
        example.number_format, example.fill, example.font = "@", _EXAMPLE_COLOUR, Font(italic=True, color="FF7F7F7F")
        if heading in _CHOICES:
            _offer(sheet, letter, heading)
    sheet.freeze_panes = "A2"
    notes = book.create_sheet("填写说明")
    for row in [("列", "说明", "示例"), *((heading, _note(heading), EXAMPLE.get(heading, "")) for heading in HEADINGS)]:
        notes.append(text_row(notes, row))
    notes.append(text_row(notes, ("示例行", "名册第 2 行是示例，不会导入，可删除或保留。带 * 的列必填。", "")))
    notes.column_dimensions["A"].width, notes.column_dimensions["B"].width = 18, 80
    return saved(book)


def facts_of(cells: Mapping[str, str]) -> RegisterMemberRequest:
    """The request that registers the member of a row; raises WrongRow."""
    given: dict[str, str] = {}
    wrong = []
    for heading, field in HEADINGS.items():
        text = cells.get(heading, "").strip()
        try:
            if text:
                _refuse_no_value(text)
                given[field] = _PARSERS.get(field, str)(text)
            elif heading in REQUIRED:
                raise WrongRow("必填")
        except (WrongRow, InvalidValue) as error:
            wrong.append(f"{heading}：{error}")
    if wrong:
        raise WrongRow("；".join(wrong))
    try:
        request: RegisterMemberRequest = _REQUEST.load(given)
    except ValidationError as error:
        fields = invalid_fields(error.messages).fields
        raise WrongRow("；".join(reason_of(field.field, field.reason) for field in fields)) from error
    return request


def reason_of(field: str, reason: str) -> str:
    """A reason with the heading of its field in front."""
    heading = next((heading for heading, name in HEADINGS.items() if name == field), None)
    return f"{heading}：{reason}" if heading else reason


def error_sheet(
    headings: Sequence[str],
    rows: Iterable[tuple[Mapping[str, str], str]],
    warned: Iterable[tuple[int, str, str]] = (),
) -> bytes:
    """An .xlsx of the rejected rows as they came, each with its reason in the last column.

    Rows that were registered with a warning (line, name, warning) are on a second sheet, which is not read when the
    file is imported again.
    """
    book = Workbook(write_only=True)
    sheet = book.create_sheet("错误清单")
    columns = [heading for heading in headings if heading != ERROR_HEADING]
    sheet.append(heading_row(sheet, [*columns, ERROR_HEADING]))
    for cells, reason in rows:
        sheet.append(text_row(sheet, [*(cells.get(heading, "") for heading in columns), reason]))
    notes = None
    for line_no, name, warning in warned:
        if notes is None:
            notes = book.create_sheet("已登记但请核对")
            notes.append(heading_row(notes, ("原行号", "姓名", "提示")))
        notes.append(text_row(notes, (str(line_no), name, warning)))
    return saved(book)


def _refuse_no_value(text: str) -> None:
    if _ERROR_VALUE.fullmatch(text):
        raise WrongRow(f"单元格是错误值 {text}，请改正公式或直接填写内容")
    if text == NOT_COMPUTED:
        raise WrongRow("单元格是公式，文件中没有其结果，请在表格软件中打开、保存后重新上传，或直接填写内容")
    if text in ("TRUE", "FALSE"):
        raise WrongRow(f"单元格是逻辑值 {text}，不是文字，请直接填写内容")
    if _ROUNDED.fullmatch(text):
        raise WrongRow("数字过长，已被表格软件取整（第 16 位起的数字已丢失），请将单元格设为文本格式后重新填写完整号码")


def _one_of(words: Mapping[str, str], others: Mapping[str, str]) -> Callable[[str], str]:
    @lru_cache(maxsize=64)
    def parse(text: str) -> str:
        word = clean_compatible(text).replace(" ", "")
        bare = _REMARK.sub("", word)
        found = words.get(word) or others.get(word) or words.get(bare) or others.get(bare)
        if found is None:
            raise WrongRow(f"“{word[:20]}”无法识别，应为：{'、'.join(words)}")
        return found

    return parse


_PARSERS: Mapping[str, Callable[[str], str]] = {
    "document_type": _one_of(_DOCUMENT_TYPES, _OTHER_DOCUMENT_TYPES),
    "sex": _one_of(_SEXES, _OTHER_SEXES),
    "retirement_category": _one_of(_CATEGORIES, _OTHER_CATEGORIES),
    "affiliation": _one_of(_AFFILIATIONS, _OTHER_AFFILIATIONS),
    "document_expiry": lambda text: clean_expiry(text).isoformat(),
    "document_issued": lambda text: clean_day(text).isoformat(),
    "birth_date": lambda text: clean_day(text).isoformat(),
    "special_retirement_month": lambda text: clean_month(text).isoformat(),
}
_CHOICES: Mapping[str, Sequence[str]] = {
    "证件类型": tuple(_DOCUMENT_TYPES),
    "性别": tuple(_SEXES),
    "国籍": _NATIONALITIES,
    "退休类别": tuple(_CATEGORIES),
    "会员类别": tuple(_AFFILIATIONS),
}
_FREE_CHOICES = frozenset({"国籍"})
"""Headings whose columns allow other values than the offered list."""


def _offer(sheet: Any, letter: str, heading: str) -> None:
    choice = DataValidation("list", formula1=f'"{",".join(_CHOICES[heading])}"', allow_blank=True)
    choice.showErrorMessage = heading not in _FREE_CHOICES
    choice.errorTitle, choice.error = heading, "请从下拉列表中选择"
    choice.add(f"{letter}2:{letter}{_ROWS_OF_TEMPLATE}")
    sheet.add_data_validation(choice)


def _note(heading: str) -> str:
    notes = {
        "证件类型": "、".join(_DOCUMENT_TYPES),
        "证件号码": "请保持单元格为文本格式，否则表格软件会丢失第 16 位起的数字",
        "证件到期日": "如 2030-01-31；长期有效的填“长期”",
        "证件签发日": "如 2020-01-31；填写后可核对有效期",
        "性别": "男、女；居民身份证可不填",
        "出生日期": "如 1990-01-31；居民身份证可不填",
        "国籍": "国家名称或三位代码，如 中国、CHN；居民身份证可不填",
        "退休类别": "、".join(_CATEGORIES) + "；男职工可不填",
        "特殊工种退休年月": "仅特殊工种填写，如 2035-01",
        "会员类别": "、".join(_AFFILIATIONS) + "；不填为企业内。灵活就业和企业外入会人员自行在手机上申请办卡",
    }
    return ("必填。" if heading in REQUIRED else "") + notes.get(heading, "")
