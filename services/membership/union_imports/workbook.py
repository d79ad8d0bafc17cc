"""The workbook of unions and accounts: its two sheets, the template, and the rows that somebody filled in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from openpyxl import Workbook

from services.kit.documents.sheet_cells import heading_row, saved, text_row
from services.kit.sheets.bounds import LAST_HEADING_ROW
from services.kit.sheets.unreadable import UnreadableSheet
from services.kit.sheets.workbook_reader import ReadSheet
from services.kit.text import clean_compatible

_EXAMPLE = "示例："
"""What the first cell of an example begins with; such a row is not read."""
NOTES = "填写说明"
"""The sheet of the template that explains the columns."""


@dataclass(frozen=True)
class Form:
    """A kind of sheet: its title, its headings by field, and the notes and the example of the template."""

    title: str
    headings: Mapping[str, str]
    required: Sequence[str]
    notes: Mapping[str, str]
    example: Sequence[str]

    def written(self, name: str) -> str:
        """The heading of a field in the template."""
        return f"*{self.headings[name]}" if name in self.required else self.headings[name]


@dataclass(frozen=True)
class FilledRow:
    """A row of a form: the texts by field; empty cells are left out."""

    form: Form
    line_no: int
    cells: Mapping[str, str] = field(default_factory=dict)


UNIONS = Form(
    "工会",
    {"name": "工会名称", "code": "统一社会信用代码", "kind": "工会类型", "superior_code": "上级工会代码"},
    ("name", "code"),
    {
        "kind": "区局（产业）工会、基层工会；不填的，市总工会下为区局（产业）工会，其他为基层工会",
        "superior_code": "上级工会的统一社会信用代码，可以是本表中的工会；不填为本工会",
    },
    ("示例：上海某某公司工会", "81310000000000001X", "基层工会", ""),
)
ACCOUNTS = Form(
    "账号",
    {
        "account_name": "账号",
        "display_name": "姓名",
        "phone": "手机号",
        "roles": "角色",
        "union_code": "所属工会代码",
    },
    ("account_name", "display_name", "phone", "roles", "union_code"),
    {
        "account_name": "3 至 40 个小写字母、数字或 . _ -，以字母开头",
        "phone": "使用人本人的手机号，设置密码的链接发送至此",
        "roles": "经办人、审核人、管理员，可填多个，以顿号分隔",
        "union_code": "所属工会的统一社会信用代码，可以是“工会”表中的工会",
    },
    ("示例：wangfang", "王芳", "13800000000", "经办人、管理员", "81310000000000001X"),
)
FORMS = (UNIONS, ACCOUNTS)


def template() -> bytes:
    """An .xlsx to fill in: a sheet for each form with an example row, and one that explains the columns."""
    book = Workbook(write_only=True)
    for form in FORMS:
        sheet = book.create_sheet(form.title)
        for letter in "ABCDE"[: len(form.headings)]:
            sheet.column_dimensions[letter].width = 26
        sheet.append(heading_row(sheet, map(form.written, form.headings)))
        sheet.append(text_row(sheet, form.example))
    notes = book.create_sheet(NOTES)
    notes.column_dimensions["A"].width, notes.column_dimensions["B"].width = 26, 80
    for form in FORMS:
        notes.append(heading_row(notes, (f"“{form.title}”表", "")))
        for name, heading in form.headings.items():
            needed = "必填。" if name in form.required else ""
            notes.append(text_row(notes, (heading, needed + form.notes.get(name, ""))))
    notes.append(text_row(notes, ("示例行", "以“示例：”开头的行不会导入，可删除或保留。")))
    return saved(book)


def filled_rows(sheets: Sequence[ReadSheet]) -> tuple[list[FilledRow], list[str]]:
    """The filled-in rows of all sheets that have the headings of a form, and the names of the sheets without.

    A sheet is recognised by its headings, whatever its name is. Raises UnreadableSheet if no row is filled in, and if a
    sheet has the name of a form without its headings.
    """
    rows: list[FilledRow] = []
    not_read = []
    for sheet in sheets:
        found = _rows(sheet)
        rows += found or []
        if found is None and sheet.name != NOTES and (sheet.rows or sheet.is_hidden):
            not_read.append(f"{sheet.name}（隐藏）" if sheet.is_hidden else sheet.name)
    if missing := [form for form in FORMS if form.title in not_read]:
        needed = "、".join(form.headings[name] for form in missing for name in form.required)
        raise UnreadableSheet(f"工作表“{missing[0].title}”缺少必填的表头：{needed}。请按模板填写后重新上传。")
    if not rows:
        raise UnreadableSheet("没有找到可以导入的行。请按模板在“工会”或“账号”表中填写后重新上传。")
    return rows, not_read


def _rows(sheet: ReadSheet) -> list[FilledRow] | None:
    """The filled-in rows below the headings of a form; None for a sheet without these."""
    lines = list(sheet.rows.items())
    for tried, (_, heading_cells) in enumerate(lines[:LAST_HEADING_ROW], start=1):
        if found := _form_of(heading_cells):
            filled = (_filled(*found, *line) for line in lines[tried:])
            return [row for row in filled if row is not None]
    return None


def _filled(form: Form, columns: Mapping[str, int], line_no: int, cells: Sequence[str]) -> FilledRow | None:
    """The row, unless it is empty or an example."""
    filled = {name: cells[at].strip() for name, at in columns.items() if at < len(cells) and cells[at].strip()}
    is_read = filled and not next(iter(filled.values())).startswith(_EXAMPLE)
    return FilledRow(form, line_no, filled) if is_read else None


def _form_of(cells: Sequence[str]) -> tuple[Form, dict[str, int]] | None:
    """The form whose required headings the cells are, with the columns of its fields; the first of two equal counts."""
    places: dict[str, int] = {}
    for at, cell in enumerate(cells):
        places.setdefault(clean_compatible(cell).strip().lstrip("*").strip(), at)
    for form in FORMS:
        columns = {name: places[heading] for name, heading in form.headings.items() if heading in places}
        if columns.keys() >= set(form.required):
            return form, columns
    return None
