"""The operations on imports of unions and accounts by one workbook."""

from dataclasses import dataclass
from typing import Annotated

from services.contracts.operations.roles import subordinates
from services.kit.fields import text
from services.kit.rpc.files import FileAnswer
from services.kit.rpc.operation import command, query

MOST_WRONG = 200


@dataclass(frozen=True, kw_only=True)
class ImportUnionsRequest:
    file_name: Annotated[str, text(200)]
    content: Annotated[str, "the .xlsx, .xls, .xlsb or .ods file, base64"]


@dataclass(frozen=True, kw_only=True)
class WrongRow:
    sheet: Annotated[str, "工会 or 账号"]
    line_no: int
    reason: Annotated[str, "in Chinese"]


@dataclass(frozen=True, kw_only=True)
class UnionImportAnswer:
    """What a workbook creates."""

    unions: int
    accounts: int
    wrong: Annotated[list[WrongRow], f"the first {MOST_WRONG} rows that cannot be created"]
    wrong_rows: Annotated[int, "all of them; while there is one, nothing can be imported"]
    not_read: Annotated[list[str], "sheets that are hidden or have other headings"]


@dataclass(frozen=True, kw_only=True)
class GetUnionTemplateRequest:
    """Has no parameters: there is one template."""


_ADMINISTRATORS = subordinates("administrator")

CHECK_UNION_IMPORT = command(
    "membership.check_union_import",
    ImportUnionsRequest,
    UnionImportAnswer,
    allow=_ADMINISTRATORS,
    title="检查工会和账号的导入",
)
IMPORT_UNIONS = command(
    "membership.import_unions", ImportUnionsRequest, UnionImportAnswer, allow=_ADMINISTRATORS, title="导入工会和账号"
)
GET_UNION_TEMPLATE = query("membership.get_union_template", GetUnionTemplateRequest, FileAnswer, allow=_ADMINISTRATORS)
