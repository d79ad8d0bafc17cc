"""The workbook of unions and accounts: its two sheets, and the template."""

from openpyxl import Workbook

from services.kit.documents.sheet_cells import heading_row, saved, text_row
from services.kit.sheets.forms import Form

NOTES = "填写说明"
"""The sheet of the template that explains the columns."""


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
