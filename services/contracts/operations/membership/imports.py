"""The operations on imports of members: preview, confirmation, progress, errors, the template."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from marshmallow import fields, validate

from services.contracts.shared import IMPORT_STATES
from services.kit.events.contract import choice
from services.kit.fields import text
from services.kit.rpc.files import FileAnswer
from services.kit.rpc.operation import command, no_union, own_union, query
from services.kit.rpc.paging import PageAnswer, PageRequest
from services.kit.schemas import UNSET, Unset

ROW_VERDICTS = ("new", "wrong")


@dataclass(frozen=True, kw_only=True)
class StartImportRequest:
    file_name: Annotated[str, text(200)]
    content: Annotated[str, "the .xlsx, .xls, .xlsb, .ods or .csv file, base64"]


@dataclass(frozen=True, kw_only=True)
class ImportRequest:
    import_id: UUID


@dataclass(frozen=True, kw_only=True)
class ConfirmImportRequest(ImportRequest):
    """Confirms that the previewed members are to be registered. Repeating it changes nothing."""

    sheets: Annotated[
        list[Annotated[int, fields.Integer(strict=True, validate=validate.Range(1))]] | Unset,
        validate.Length(1, 100, error="请至少选择一个工作表"),
        "the numbers of the sheets to register; all that can be read where absent",
    ] = UNSET


@dataclass(frozen=True, kw_only=True)
class NotRead:
    """What was skipped on a sheet, and why."""

    reason: str
    rows: Annotated[int, "rows that are not empty"]
    cells: Annotated[int, "cells that are not empty"]


@dataclass(frozen=True, kw_only=True)
class ImportSheet:
    """A sheet of the file."""

    sheet_no: int
    name: Annotated[str, "empty for a text file"]
    is_hidden: bool
    reason: Annotated[str | None, "why it cannot be registered"]
    headings: Annotated[list[str], "those that were recognized"]
    rows: Annotated[int, "rows that were read"]
    not_read: list[NotRead]
    is_chosen: Annotated[bool | None, "whether its rows are registered; null until confirmed"]


@dataclass(frozen=True, kw_only=True)
class ImportAnswer:
    """An import and its progress.

    A file is read (`reading`), previewed (`previewed`), and after confirmation registered (`running`). The import is
    `finished` when all its members have their numbers.
    """

    import_id: UUID
    file_name: str
    state: Annotated[str, choice(*IMPORT_STATES)]
    failure: Annotated[str | None, "why the file cannot be read, or the import ended"]
    sheets: Annotated[list[ImportSheet], "empty until read"]
    rows_total: Annotated[int | None, "null until counted"]
    rows_new: Annotated[int, "of the preview: rows that can be registered, unless another member has the number"]
    rows_known: Annotated[int, "rejected rows of members; 0 until confirmed"]
    rows_wrong: Annotated[int, "of the preview: rows that cannot be registered"]
    rows_read: Annotated[int, "rows that were registered or rejected"]
    rows_accepted: int
    rows_rejected: int
    rows_warned: Annotated[int, "accepted rows with warnings"]
    started_at: datetime
    expires_at: Annotated[datetime | None, "until when a preview can be confirmed"]
    finished_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class PreviewedRow:
    """A row of the file; numbers are masked, and unrecognized columns are left out."""

    sheet_no: int
    line_no: int
    cells: Annotated[dict[str, str], "by headings"]
    verdict: Annotated[str, choice(*ROW_VERDICTS)]
    reason: Annotated[str | None, "why it cannot be registered"]
    warning: str | None


@dataclass(frozen=True, kw_only=True)
class ImportPreviewAnswer:
    """The content of a file before its members are registered."""

    rows: Annotated[list[PreviewedRow], "the first rows of each sheet"]
    wrong: Annotated[list[PreviewedRow], "the first invalid rows"]


@dataclass(frozen=True, kw_only=True)
class ListImportsRequest(PageRequest):
    state: Annotated[str | Unset, choice(*IMPORT_STATES)] = UNSET


@dataclass(frozen=True, kw_only=True)
class ListImportsAnswer(PageAnswer):
    items: list[ImportAnswer]


@dataclass(frozen=True, kw_only=True)
class GetImportTemplateRequest:
    """Has no parameters: there is one template."""


START_IMPORT = command(
    "membership.start_import", StartImportRequest, ImportAnswer, allow=own_union("clerk"), title="批量导入会员"
)


PREVIEW_IMPORT = command(
    "membership.preview_import", ImportRequest, ImportPreviewAnswer, allow=own_union("clerk"), title="预览批量导入"
)


CONFIRM_IMPORT = command(
    "membership.confirm_import", ConfirmImportRequest, ImportAnswer, allow=own_union("clerk"), title="确认批量导入"
)


CANCEL_IMPORT = command(
    "membership.cancel_import", ImportRequest, ImportAnswer, allow=own_union("clerk"), title="取消批量导入"
)


GET_IMPORT = query("membership.get_import", ImportRequest, ImportAnswer, allow=own_union("clerk"))


LIST_IMPORTS = query("membership.list_imports", ListImportsRequest, ListImportsAnswer, allow=own_union("clerk"))


GET_IMPORT_ERRORS = command(
    "membership.get_import_errors", ImportRequest, FileAnswer, allow=own_union("clerk"), title="下载导入错误清单"
)


GET_IMPORT_TEMPLATE = query(
    "membership.get_import_template", GetImportTemplateRequest, FileAnswer, allow=no_union("clerk")
)
