"""The operations on files for branches that take no messages: operators fetch ours, and upload the bank's results."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from services.contracts.operations.batching import PlaceCode
from services.kit.events.contract import choice
from services.kit.fields import text
from services.kit.rpc.files import FileAnswer
from services.kit.rpc.operation import command, no_union, query
from services.kit.rpc.paging import PageAnswer, PageRequest
from services.kit.schemas import UNSET, Unset

FILE_KINDS = ("batch", "recall")
FILE_STATES = ("waiting", "fetched")


@dataclass(frozen=True, kw_only=True)
class ListBankFilesRequest(PageRequest):
    """Files in a state or of all, newest first."""

    state: Annotated[str | Unset, choice(*FILE_STATES)] = UNSET
    branch_code: PlaceCode | Unset = UNSET
    batch_no: Annotated[str | Unset, text(64), "the whole number"] = UNSET


@dataclass(frozen=True, kw_only=True)
class BankFileAnswer:
    """A file for a branch; contains no persons."""

    file_id: UUID
    kind: Annotated[str, choice(*FILE_KINDS)]
    batch_no: str
    union_name: str
    branch_code: str
    branch_name: str
    outlet_name: str
    persons: Annotated[int, "applicants, or those recalled by then"]
    repeated: Annotated[bool, "an operator has sent it again"]
    made_at: datetime
    fetched_at: Annotated[datetime | None, "when somebody fetched it last; null while it waits"]
    fetched_by: Annotated[str | None, "the name of that account"]


@dataclass(frozen=True, kw_only=True)
class ListBankFilesAnswer(PageAnswer):
    items: list[BankFileAnswer]
    waiting: Annotated[int, "files of all branches that nobody has fetched"]


@dataclass(frozen=True, kw_only=True)
class BankFileRequest:
    file_id: UUID


@dataclass(frozen=True, kw_only=True)
class UploadResultsRequest:
    branch_code: Annotated[PlaceCode, "whose results they are: the file may speak of its batches alone"]
    file_name: Annotated[str, text(200)]
    content: Annotated[str, "the .xlsx with the branch's password, or where the contract allows it any sheet, base64"]


@dataclass(frozen=True, kw_only=True)
class RejectedLines:
    """Lines of a file that were not taken, for one reason."""

    sheet: str
    lines: Annotated[list[int], "as the spreadsheet numbers them"]
    code: Annotated[str, "as in receipts of messages"]
    field: Annotated[str | None, "the heading"]
    reason: Annotated[str, "in Chinese"]


@dataclass(frozen=True, kw_only=True)
class ResultFileSummary:
    """An uploaded file of results: `lines` = `applied` + `repeated` + `rejected` + `skipped`."""

    result_file_id: UUID
    branch_code: str
    branch_name: str
    file_name: str
    uploaded_at: datetime
    uploaded_by: Annotated[str, "the name of the account"]
    lines: Annotated[int, "filled lines below the headings"]
    applied: Annotated[int, "lines that said something new and were taken"]
    repeated: Annotated[int, "lines that said nothing new: known, or overtaken"]
    rejected: int
    skipped: Annotated[int, "lines without a result"]


@dataclass(frozen=True, kw_only=True)
class ResultFileAnswer(ResultFileSummary):
    rejections: list[RejectedLines]
    not_read: Annotated[list[str], "sheets that are hidden or have other headings"]


@dataclass(frozen=True, kw_only=True)
class ListResultFilesRequest(PageRequest):
    """Uploaded files, newest first."""

    branch_code: PlaceCode | Unset = UNSET


@dataclass(frozen=True, kw_only=True)
class ListResultFilesAnswer(PageAnswer):
    items: list[ResultFileSummary]


@dataclass(frozen=True, kw_only=True)
class ResultFileRequest:
    result_file_id: UUID


@dataclass(frozen=True, kw_only=True)
class RenewFilePasswordRequest:
    code: Annotated[PlaceCode, "of the branch"]


@dataclass(frozen=True, kw_only=True)
class FilePasswordAnswer:
    password: Annotated[str, "locks the branch's files from now on; shown only once"]


LIST_BANK_FILES = query(
    "batching.list_bank_files", ListBankFilesRequest, ListBankFilesAnswer, allow=no_union("operator")
)
FETCH_BANK_FILE = command(
    "batching.fetch_bank_file", BankFileRequest, FileAnswer, allow=no_union("operator"), title="下载交银行的文件"
)
UPLOAD_RESULTS = command(
    "batching.upload_results",
    UploadResultsRequest,
    ResultFileAnswer,
    allow=no_union("operator"),
    title="上传银行结果文件",
)
LIST_RESULT_FILES = query(
    "batching.list_result_files", ListResultFilesRequest, ListResultFilesAnswer, allow=no_union("operator")
)
GET_RESULT_FILE = query("batching.get_result_file", ResultFileRequest, ResultFileAnswer, allow=no_union("operator"))
GET_RESULT_RECEIPT = query("batching.get_result_receipt", ResultFileRequest, FileAnswer, allow=no_union("operator"))
RENEW_FILE_PASSWORD = command(
    "batching.renew_file_password",
    RenewFilePasswordRequest,
    FilePasswordAnswer,
    allow=no_union("administrator"),
    title="更换支行文件密码",
)
