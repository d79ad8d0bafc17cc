"""Files that wait for an operator: listed, and made when somebody fetches one."""

from datetime import UTC, datetime

from prometheus_client import Gauge
from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from services.batching.bank.handing_over import frozen_persons, released_of
from services.batching.bank_files.workbooks import batch_workbook, recall_workbook
from services.batching.models import UNFETCHED, BankFile, Batch, Branch
from services.contracts.operations.bank_files import (
    BankFileAnswer,
    BankFileRequest,
    ListBankFilesAnswer,
    ListBankFilesRequest,
)
from services.kit import clock
from services.kit.concurrency import in_thread
from services.kit.data.lists.page_rows import page_of
from services.kit.documents.content_types import XLSX
from services.kit.operations import audit
from services.kit.problems import Conflict, NotFound
from services.kit.rpc.files import FileAnswer, file_answer
from services.kit.rpc.work import Work
from services.kit.schemas import UNSET
from services.kit.sheets.locked import lock

waiting_seconds = Gauge(
    "bank_files_waiting_seconds", "How long the oldest file for a branch has waited for an operator; 0 without one."
)
_NAMES = {"batch": "办卡批次", "recall": "撤回名单"}
_FACTS = (
    *(BankFile.file_id, BankFile.kind, BankFile.batch_no, Batch.union_name, Batch.branch_code),
    *(Branch.name.label("branch_name"), Batch.outlet_name, BankFile.persons, BankFile.repeated),
    *(BankFile.made_at, BankFile.fetched_at, BankFile.fetched_by),
)


def list_bank_files(work: Work, request: ListBankFilesRequest) -> ListBankFilesAnswer:
    """The files of all branches, newest first, and how many nobody has fetched."""
    matching = (
        select(*_FACTS)
        .join(Batch, Batch.batch_no == BankFile.batch_no)
        .join(Branch, Branch.code == Batch.branch_code)
        .order_by(BankFile.made_at.desc(), BankFile.file_id.desc())
    )
    if request.state is not UNSET:
        matching = matching.where(UNFETCHED if request.state == "waiting" else ~UNFETCHED)
    if request.branch_code is not UNSET:
        matching = matching.where(Batch.branch_code == request.branch_code)
    if request.batch_no is not UNSET:
        matching = matching.where(BankFile.batch_no == request.batch_no)
    rows, counted = page_of(work.session, matching, request)
    waiting = work.session.scalar(select(func.count()).select_from(BankFile).where(UNFETCHED)) or 0
    return ListBankFilesAnswer.of([_answer(row) for row in rows], request, counted, waiting=waiting)


def fetch_bank_file(work: Work, request: BankFileRequest) -> FileAnswer:
    """The file, locked by the branch's password; who fetched it is kept. Raises NotFound, Conflict `no_file_password`.

    A recall names all who are released by now.
    """
    session = work.session
    file = session.get(BankFile, request.file_id, with_for_update=True)
    if file is None:
        raise NotFound()
    batch = session.get_one(Batch, file.batch_no)
    password = session.get_one(Branch, batch.branch_code).file_password
    if password is None:
        advice = "请市总工会管理员在“发卡支行和网点”中为该支行生成文件密码，并告知银行。"
        raise Conflict("no_file_password", "该支行还没有文件密码", advice)
    if file.kind == "batch":
        content = batch_workbook(batch, frozen_persons(session, batch.batch_no), repeated=file.repeated)
    else:
        content = recall_workbook(batch, released_of(session, batch.batch_no), repeated=file.repeated)
    file.fetched_at, file.fetched_by = datetime.now(UTC), work.caller.account_name
    audit.record(session, ("batch", batch.batch_no), new={"kind": file.kind, "persons": file.persons})
    return file_answer(f"{_NAMES[file.kind]}-{batch.batch_no}.xlsx", XLSX, in_thread(lock, content, password))


def observe_waiting(session: Session) -> None:
    """Sets the metric of files that wait."""
    oldest = session.scalar(select(func.min(BankFile.made_at)).where(UNFETCHED))
    waiting_seconds.set((clock.now() - oldest).total_seconds() if oldest else 0)


def _answer(row: Row[*tuple[object, ...]]) -> BankFileAnswer:
    return BankFileAnswer(**row._mapping)
