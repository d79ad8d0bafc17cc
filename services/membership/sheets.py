"""Sheets of members: the template, reading .xlsx and .csv row by row, what a row says, the sheet of bad rows."""

import csv
import io
import re
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from marshmallow import ValidationError
from openpyxl import Workbook, load_workbook
from openpyxl.utils import get_column_letter

from services.common.contracts.rpc.membership import RegisterMemberRequest
from services.common.problems import invalid_fields
from services.common.sheets import heading_row, saved, text_row, unmarked_text
from services.common.values import LONG_TERM

LARGEST_FILE = 20 * 1024 * 1024
MOST_ROWS = 200_000
MOST_COLUMNS = 200
LARGEST_UNPACKED = 400 * 1024 * 1024
"""An .xlsx that would unpack to more is no sheet of members."""
LARGEST_TEXTS = 100 * 1024 * 1024
"""The table of texts of an .xlsx, which is held in memory as a whole."""
LARGEST_PART = 5 * 1024 * 1024
"""Any other part that is held in memory as a whole, such as the styles."""
MOST_PARTS = 1000
MOST_TIMES_SMALLER = 200
"""A part of some size that was packed to less than one of so many is made to burst."""

ERROR_HEADING = "错误原因"
_LONGEST_CELL = 500
_PIECE = 1024 * 1024
_OLD_OR_LOCKED = bytes.fromhex("d0cf11e0a1b11ae1")
"""How files of spreadsheet programs before 2007 begin, and newer ones with a password."""
_EXACT_NUMBERS = 10**15
"""Excel keeps 15 digits of a number and makes the others zero."""

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
}
_REQUIRED = ("姓名", "证件类型", "证件号码")
_DOCUMENT_TYPES = {
    "居民身份证": "resident_id",
    "身份证": "resident_id",
    "港澳台居民居住证": "hmt_residence_permit",
    "外国人永久居留身份证": "foreign_permanent_resident_id",
    "港澳居民来往内地通行证": "mainland_travel_permit_hm",
    "台湾居民来往大陆通行证": "mainland_travel_permit_tw",
    "护照": "passport",
    "军官证": "military_officer_id",
}
_SEXES = {"男": "male", "女": "female"}
DOCUMENT_TYPE_WORDS = {kind: word for word, kind in reversed(_DOCUMENT_TYPES.items())}
SEX_WORDS = {sex: word for word, sex in _SEXES.items()}
_CATEGORIES = {
    **{code: code for code in ("M60", "F55", "F50")},
    "男职工": "M60",
    "女干部": "F55",
    "女工人": "F50",
    "特殊工种": "special",
}
_EXAMPLE = ("韩梅梅", "居民身份证", "11010519491231002X", "长期", "", "女", "", "CHN", "13800000000", "", "F55", "")


class UnreadableSheet(ValueError):
    """The file is no sheet of members; the message says in Chinese what to do."""


class WrongRow(ValueError):
    """A row cannot be a member's; the message says in Chinese where and why."""


def template() -> bytes:
    """An empty .xlsx to fill in, with a second sheet that explains the columns."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet("会员名册")
    for position in range(1, len(HEADINGS) + 1):
        # As text, or the program that fills it in would make a number of a document's.
        sheet.column_dimensions[get_column_letter(position)].number_format = "@"
    sheet.append(heading_row(sheet, HEADINGS))
    notes = book.create_sheet("填写说明")
    notes.append(heading_row(notes, ("列", "说明", "示例")))
    for heading, example in zip(HEADINGS, _EXAMPLE, strict=True):
        notes.append(text_row(notes, (heading, _note(heading), example)))
    return saved(book)


def read_rows(file_name: str, content: bytes) -> Iterator[dict[str, str]]:
    """The rows of a file, each heading with its cell's text; empty rows are left out. Raises UnreadableSheet."""
    rows = _xlsx_rows(content) if file_name.lower().endswith(".xlsx") else _csv_rows(content)
    headings = _headings(next(rows, ()))
    for number, row in enumerate(rows):
        if number >= MOST_ROWS:
            raise UnreadableSheet(f"一次最多导入 {MOST_ROWS} 行，请拆分后分别上传。")
        cells = {heading: cell for heading, cell in zip(headings, row, strict=False) if heading}
        if any(cells.values()):
            yield cells


def facts_of(cells: Mapping[str, str]) -> dict[str, Any]:
    """The fields of RegisterMemberRequest that a row says, loaded; raises WrongRow."""
    given = {}
    for heading, field in HEADINGS.items():
        text = cells.get(heading, "").strip()
        if text:
            given[field] = _PARSERS.get(field, str)(text)
        elif heading in _REQUIRED:
            raise WrongRow(f"{heading}：必填")
    try:
        facts: dict[str, Any] = RegisterMemberRequest().load(given)
    except ValidationError as error:
        fields = invalid_fields(error.messages).fields
        raise WrongRow("；".join(reason_of(field.field, field.reason) for field in fields)) from error
    return facts


def reason_of(field: str, reason: str) -> str:
    """A reason in front of which stands the heading of the field that it is about."""
    heading = next((heading for heading, name in HEADINGS.items() if name == field), None)
    return f"{heading}：{reason}" if heading else reason


def error_sheet(rows: Iterable[tuple[Mapping[str, str], str]]) -> bytes:
    """The bad rows as they came, each with its reason in a last column."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet("错误清单")
    headings: list[str] = []
    for cells, reason in rows:
        if not headings:
            headings = [heading for heading in cells if heading != ERROR_HEADING]
            sheet.append(heading_row(sheet, [*headings, ERROR_HEADING]))
        sheet.append(text_row(sheet, [*(cells.get(heading, "") for heading in headings), reason]))
    if not headings:
        sheet.append(heading_row(sheet, [*HEADINGS, ERROR_HEADING]))
    return saved(book)


class _PausingFile(io.BytesIO):
    """A file in memory that gives others a turn at each read: a large sheet is seconds of computing."""

    def read(self, size: int | None = -1, /) -> bytes:
        time.sleep(0)
        return super().read(size)


def _headings(row: Sequence[str]) -> list[str]:
    headings = [cell.strip().strip("*＊").strip() for cell in row]
    missing = [heading for heading in _REQUIRED if heading not in headings]
    if missing:
        raise UnreadableSheet(f"第一行缺少表头：{'、'.join(missing)}。请使用系统提供的模板重新填写后上传。")
    return headings


def _xlsx_rows(content: bytes) -> Iterator[Sequence[str]]:
    if content.startswith(_OLD_OR_LOCKED):
        raise UnreadableSheet("文件是旧版 .xls 表格或设有密码。请取消密码，另存为 .xlsx 后上传。")
    try:
        with zipfile.ZipFile(_PausingFile(content)) as packed:
            _check_parts(packed)
        book = load_workbook(_PausingFile(content), read_only=True, data_only=True)
        for row in book.worksheets[0].iter_rows(values_only=True, max_col=MOST_COLUMNS):
            yield [_cell_text(value) for value in row]
    except UnreadableSheet:
        raise
    except Exception as error:
        raise UnreadableSheet("文件不是有效的 .xlsx 表格。请用系统提供的模板填写，另存为 .xlsx 后上传。") from error


def _check_parts(packed: zipfile.ZipFile) -> None:
    """Raises UnreadableSheet for what would burst on opening; no part unpacks to more than it says."""
    parts = packed.infolist()
    if len(parts) > MOST_PARTS or sum(part.file_size for part in parts) > LARGEST_UNPACKED:
        raise UnreadableSheet("文件内容过大，请拆分后分别上传。")
    for part in parts:
        if part.filename.endswith((".xml", ".rels")):
            if part.file_size > _largest(part.filename) or _bursts(part):
                raise UnreadableSheet("文件内容过大，请用系统提供的模板重新填写，拆分后分别上传。")
            _check_texts(packed, part)


def _largest(part: str) -> int:
    if part.startswith("xl/worksheets/"):
        return LARGEST_UNPACKED
    return LARGEST_TEXTS if part == "xl/sharedStrings.xml" else LARGEST_PART


def _bursts(part: zipfile.ZipInfo) -> bool:
    return part.file_size > _PIECE and part.file_size > part.compress_size * MOST_TIMES_SMALLER


def _check_texts(packed: zipfile.ZipFile, part: zipfile.ZipInfo) -> None:
    """Raises UnreadableSheet for a text of a megabyte: the parser would hold each in memory as a whole."""
    with packed.open(part) as unpacked:
        while piece := unpacked.read(_PIECE):
            if len(piece) == _PIECE and b"<" not in piece:
                raise UnreadableSheet("文件中有过长的单元格，请用系统提供的模板重新填写后上传。")


def _csv_rows(content: bytes) -> Iterator[Sequence[str]]:
    lines = _Lines(_decoded(content))
    try:
        for row in csv.reader(lines):
            lines.commas = 0
            yield [unmarked_text(cell[:_LONGEST_CELL].strip()) for cell in row[:MOST_COLUMNS]]
    except csv.Error as error:
        raise UnreadableSheet("文件不是有效的 .csv 表格，请另存为 .xlsx 后上传。") from error


class _Lines:
    """The lines of a text; who takes them says after each row that the next begins. Raises UnreadableSheet."""

    def __init__(self, text: str) -> None:
        self._lines = io.StringIO(text, newline="")
        self.commas = 0

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.commas += line.count(",")
            if self.commas > MOST_COLUMNS * 10:
                raise UnreadableSheet("文件中有过长的行，请用系统提供的模板重新填写后上传。")
            yield line


def _decoded(content: bytes) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise UnreadableSheet("文件编码无法识别，请另存为 UTF-8 编码的 .csv 或 .xlsx 后上传。")


def _cell_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime | date):
        return value.strftime("%Y-%m-%d")
    if isinstance(value, float) and abs(value) >= _EXACT_NUMBERS:
        return f"{value:.14E}"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value)[:_LONGEST_CELL].strip()


def _day(text: str) -> str:
    if text == "长期":
        return LONG_TERM.isoformat()
    found = re.fullmatch(r"(\d{4})[-/.年]?(\d{1,2})[-/.月]?(\d{1,2})日?", text)
    if not found:
        raise WrongRow(f"日期“{text}”无法识别，请按 2030-01-31 的格式填写")
    return "-".join(part.zfill(2) for part in found.groups())


def _number(text: str) -> str:
    if re.fullmatch(r"\d(\.\d+)?[Ee]\+\d+", text):
        raise WrongRow("证件号码：已被表格软件改为科学计数，请将单元格设为文本格式后重新填写")
    return text


def _month(text: str) -> str:
    found = re.fullmatch(r"(\d{4})[-/.年]?(\d{1,2})月?", text)
    return f"{found[1]}-{found[2].zfill(2)}-01" if found else _day(text)


def _one_of(words: Mapping[str, str], heading: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in words:
            raise WrongRow(f"{heading}“{text}”无法识别，应为：{'、'.join(words)}")
        return words[text]

    return parse


_PARSERS: Mapping[str, Callable[[str], str]] = {
    "document_type": _one_of(_DOCUMENT_TYPES, "证件类型"),
    "document_number": _number,
    "sex": _one_of(_SEXES, "性别"),
    "retirement_category": _one_of(_CATEGORIES, "退休类别"),
    "document_expiry": _day,
    "document_issued": _day,
    "birth_date": _day,
    "special_retirement_month": _month,
}


def _note(heading: str) -> str:
    notes = {
        "证件类型": "、".join(_DOCUMENT_TYPES),
        "证件到期日": "如 2030-01-31；长期有效的填“长期”",
        "性别": "男、女；居民身份证可不填",
        "出生日期": "如 1990-01-31；居民身份证可不填",
        "国籍": "三位国家代码，如 CHN",
        "退休类别": "、".join(_CATEGORIES) + "；男职工可不填",
        "特殊工种退休年月": "仅特殊工种填写，如 2035-01",
    }
    return ("必填。" if heading in _REQUIRED else "") + notes.get(heading, "")
