"""Branches that take no messages: batches wait as locked files, and the bank's files are judged as its messages are."""

import json
from base64 import b64decode
from collections.abc import Iterator
from datetime import datetime
from io import BytesIO
from typing import Any
from uuid import UUID, uuid4

import pytest
from openpyxl import Workbook, load_workbook
from sqlalchemy import Engine, select, text, update
from sqlalchemy.orm import Session

from deploy.simulators.bank_branch import answered, decided, lives, rows_of
from deploy.simulators.bank_ledger import card_number
from services.batching.bank import bank_operations
from services.batching.bank_files import files, result_files
from services.batching.batches import outlets
from services.batching.models import BankFeedback, Branch, Card
from services.contracts.events.batching import CARDS_ISSUED
from services.contracts.external import bank
from services.contracts.external import bank_files as contract
from services.contracts.operations.bank_files import (
    BankFileAnswer,
    BankFileRequest,
    ListBankFilesRequest,
    ListResultFilesRequest,
    RenewFilePasswordRequest,
    ResultFileAnswer,
    ResultFileRequest,
    UploadResultsRequest,
)
from services.contracts.operations.batching import ResendToBankRequest
from services.contracts.values import SHANGHAI
from services.kit.documents.sheet_cells import saved
from services.kit.problems import Conflict, Forbidden, Invalid, NotFound, Problem
from services.kit.rpc.files import file_answer
from services.kit.rpc.request import Caller
from services.kit.rpc.work import Work
from services.kit.sheets.locked import is_locked, lock, unlock
from tests.integration.batching.desk import OUTLET, Desk, fresh

BRANCH = OUTLET["branch_code"]
OPERATOR = Caller(account_id=str(uuid4()), account_name="ops", display_name="运维", roles=frozenset({"operator"}))


class Counter:
    """The operator who carries files, and the branch that fills them in."""

    def __init__(self, desk: Desk, password: str) -> None:
        self.desk = desk
        self.password = password

    def files(self, **request: Any) -> list[BankFileAnswer]:
        with self.desk.begin() as session:
            return files.list_bank_files(self._work(session), ListBankFilesRequest(**request)).items

    def fetch(self, file_id: UUID) -> bytes:
        with self.desk.begin() as session:
            return content_of(files.fetch_bank_file(self._work(session), BankFileRequest(file_id=file_id)))

    def file_of(self, batch_no: str) -> bytes:
        [file] = self.files(batch_no=batch_no)
        return self.fetch(file.file_id)

    def upload(self, content: bytes, branch_code: str = BRANCH, name: str = "结果.xlsx") -> ResultFileAnswer:
        request = UploadResultsRequest(
            branch_code=branch_code, file_name=name, content=file_answer(name, "", content).content
        )
        with self.desk.begin() as session:
            return result_files.upload_results(self._work(session), request)

    def fill_in(self, *rows: dict[str, str], form: Any = contract.RESULTS) -> bytes:
        """Returns a locked file with these rows, by field."""
        book = Workbook(write_only=True)
        sheet = book.create_sheet(form.title)
        sheet.append(list(map(form.written, form.headings)))
        for row in rows:
            sheet.append([row.get(name, "") for name in form.headings])
        return lock(saved(book), self.password)

    def _work(self, session: Session) -> Work:
        return Work(session, OPERATOR, self.desk.database)


def content_of(file: Any) -> bytes:
    return b64decode(file.content)


@pytest.fixture
def desk(engine: Engine) -> Iterator[Desk]:
    desk = fresh(engine)
    with desk.begin() as session:
        session.execute(update(Branch).where(Branch.code == BRANCH).values(by_file=True))
    yield desk
    with desk.begin() as session:
        session.execute(update(Branch).values(by_file=False, file_password=None, former_file_password=None))


@pytest.fixture
def counter(desk: Desk) -> Counter:
    return Counter(desk, renew_password(desk))


def renew_password(desk: Desk, superior_union_id: str | None = None) -> str:
    who = Caller(
        account_id=str(uuid4()),
        account_name="city",
        roles=frozenset({"administrator"}),
        union_id=str(uuid4()),
        superior_union_id=superior_union_id,
    )
    with desk.begin() as session:
        request = RenewFilePasswordRequest(code=BRANCH)
        return outlets.renew_file_password(Work(session, who, desk.database), request).password


def test_a_batch_waits_as_a_locked_file_with_what_a_message_would_say(desk: Desk, counter: Counter) -> None:
    batch_no, application_ids = desk.a_batch(3)
    assert desk.sent_to_bank(bank.SUBMITTED) == []
    [file] = counter.files(state="waiting")
    assert (file.kind, file.batch_no, file.persons, file.repeated, file.fetched_at) == (
        "batch",
        batch_no,
        3,
        False,
        None,
    )
    content = counter.fetch(file.file_id)
    assert is_locked(content)
    applicants = rows_of(content, counter.password, contract.APPLICANTS_SHEET)
    submitted = [desk.application(one) for one in application_ids]
    assert {row["证件号码"] for row in applicants} == {one.document_number for one in submitted}
    assert {row["申请编号"] for row in applicants} == set(map(str, application_ids))
    facts = {row["项目"]: row["内容"] for row in rows_of(content, counter.password, contract.BATCH_SHEET)}
    assert (facts["批次编号"], facts["经办网点代码"], facts["人数"]) == (batch_no, OUTLET["outlet_code"], "3")


def test_who_fetched_a_file_is_kept_and_it_may_be_fetched_again(desk: Desk, counter: Counter) -> None:
    batch_no, _ = desk.a_batch(1)
    counter.file_of(batch_no)
    [file] = counter.files(batch_no=batch_no)
    assert (file.fetched_by, file.fetched_at is None) == ("ops", False)
    assert counter.files(state="waiting") == []
    assert rows_of(counter.file_of(batch_no), counter.password, contract.APPLICANTS_SHEET)


def test_results_in_a_file_have_the_effects_of_a_message(desk: Desk, counter: Counter) -> None:
    batch_no, _ = desk.a_batch(3)
    content = counter.file_of(batch_no)
    results = list(decided(content, counter.password))
    results[2] = {**results[2], "outcome": "refused", "card_no": None, "reason_code": "photo", "reason": "照片不清晰"}
    answer = counter.upload(answered(content, counter.password, results, lives(results)))
    assert (answer.applied, answer.rejected, answer.uploaded_by) == (answer.lines, 0, "ops")
    batch = desk.show_batch(batch_no)
    assert (batch["issued"], batch["refused"]) == (2, 1)
    issued = desk.published(CARDS_ISSUED)
    assert len(issued[0]["applications"]) == 2
    assert desk.sent_to_bank(bank.RECEIPT) == []
    assert desk.rejected_parts() == []
    with desk.begin() as session:
        assert len(session.scalars(select(Card)).all()) == 2
        assert set(session.scalars(select(BankFeedback.result_file_id))) == {answer.result_file_id}


def test_a_file_that_is_uploaded_again_changes_nothing(desk: Desk, counter: Counter) -> None:
    batch_no, _ = desk.a_batch(2)
    content = counter.file_of(batch_no)
    filled = answered(content, counter.password, decided(content, counter.password))
    first, second = counter.upload(filled), counter.upload(filled)
    assert (first.applied, second.applied, second.repeated) == (2, 0, 2)
    assert len(desk.published(CARDS_ISSUED)) == 1


def test_each_line_is_judged_by_itself_and_named_as_the_sheet_does(desk: Desk, counter: Counter) -> None:
    batch_no, (first, second, third) = desk.a_batch(3)
    rows = [
        {"batch_no": batch_no, "application_id": str(first), "outcome": "办理成功", "card_no": card_number(str(first))},
        {"batch_no": batch_no, "application_id": str(second), "outcome": "办理成功", "card_no": "6231620000000000012"},
        {"batch_no": batch_no, "application_id": str(third), "outcome": "丢失"},
        {"batch_no": batch_no, "application_id": str(third), "outcome": "退回"},
        {"batch_no": batch_no, "application_id": str(uuid4()), "outcome": "已受理"},
        {"batch_no": batch_no, "application_id": str(third)},
    ]
    for row in rows[:-1]:
        row["processed_at"] = now_text()
    answer = counter.upload(counter.fill_in(*rows))
    assert (answer.lines, answer.applied, answer.rejected, answer.skipped) == (6, 1, 4, 1)
    said = {(tuple(one.lines), one.code, one.field) for one in answer.rejections}
    assert said == {
        ((3,), "bad_schema", "卡号"),
        ((4,), "bad_schema", "结果"),
        ((5,), "bad_schema", "退回代码"),
        ((6,), "unknown_application", None),
    }
    assert all(one.sheet == "办理结果" and one.reason for one in answer.rejections)
    assert desk.states([first, second, third]) == ["issued", "submitted", "submitted"]


def test_a_branch_may_speak_of_its_own_batches_and_cards_alone(desk: Desk, counter: Counter) -> None:
    other = "ccb-sh"
    with desk.begin() as session:
        session.execute(update(Branch).where(Branch.code == other).values(file_password=counter.password))
    batch_no, [application_id] = desk.a_batch(1)
    content = counter.file_of(batch_no)
    filled = answered(content, counter.password, decided(content, counter.password))
    refused = counter.upload(filled, branch_code=other)
    assert [(one.code, one.lines) for one in refused.rejections] == [("unknown_batch", [2])]
    assert desk.states([application_id]) == ["submitted"]
    assert counter.upload(filled).applied == 1
    report = {"card_no": card_number(str(application_id)), "step": "领卡", "happened_at": now_text()}
    lost = counter.upload(counter.fill_in(report, form=contract.CARDS), branch_code=other)
    assert [one.code for one in lost.rejections] == ["unknown_card"]
    assert counter.upload(counter.fill_in(report, form=contract.CARDS)).applied == 1


def test_released_applicants_wait_as_a_recall(desk: Desk, counter: Counter) -> None:
    batch_no, application_ids = desk.a_batch(2)
    desk.revoke(batch_no)
    assert desk.sent_to_bank(bank.RECALLED) == []
    recall, batch = counter.files(batch_no=batch_no)
    assert (recall.kind, recall.persons, batch.kind) == ("recall", 2, "batch")
    recalled = rows_of(counter.fetch(recall.file_id), counter.password, contract.RECALL_SHEET)
    assert {row["申请编号"] for row in recalled} == set(map(str, application_ids))


def test_an_operator_has_a_batch_wait_once_more(desk: Desk, counter: Counter) -> None:
    batch_no, _ = desk.a_batch(2)
    with desk.begin() as session:
        request = ResendToBankRequest(batch_no=batch_no, what="batch", reason="银行遗失")
        bank_operations.resend(Work(session, OPERATOR, desk.database), request)
    [again] = counter.files(batch_no=batch_no)
    assert again.repeated
    facts = rows_of(counter.fetch(again.file_id), counter.password, contract.BATCH_SHEET)
    assert {row["项目"]: row["内容"] for row in facts}["是否重新发送"] == "是"


def test_files_of_another_kind_or_without_the_password_are_refused_with_a_reason(
    desk: Desk, counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_no, [application_id] = desk.a_batch(1)
    row = {
        "batch_no": batch_no,
        "application_id": str(application_id),
        "outcome": "已受理",
        "processed_at": now_text(),
    }
    locked = counter.fill_in(row)
    clear = unlock(locked, [counter.password])
    assert "打开密码不正确" in refusal(counter, lock(clear, "another"))
    assert "没有找到" in refusal(counter, counter.fill_in())
    assert "PDF" in refusal(counter, b"%PDF-1.7 ...")
    monkeypatch.setattr(result_files, "clear_text", lambda: "no")
    assert "文件密码加密" in refusal(counter, clear)
    monkeypatch.setattr(result_files, "clear_text", lambda: "all")
    assert counter.upload(clear).applied == 1


def test_the_former_password_still_opens_files_of_the_bank_for_one_change(desk: Desk, counter: Counter) -> None:
    batch_no, _ = desk.a_batch(2)
    content = counter.file_of(batch_no)
    filled = answered(content, counter.password, decided(content, counter.password))
    former, counter.password = counter.password, renew_password(desk)
    assert former != counter.password
    assert counter.upload(filled).applied == 2
    assert rows_of(counter.file_of(batch_no), counter.password, contract.APPLICANTS_SHEET)
    renew_password(desk)
    assert "打开密码不正确" in refusal(counter, filled)


def test_a_password_that_nobody_has_used_does_not_push_the_former_one_out(desk: Desk, counter: Counter) -> None:
    batch_no, _ = desk.a_batch(2)
    content = counter.file_of(batch_no)
    filled = answered(content, counter.password, decided(content, counter.password))
    for _ in range(3):
        renew_password(desk)
    assert counter.upload(filled).applied == 2


def test_what_is_sent_again_replaces_a_file_that_nobody_has_fetched(desk: Desk, counter: Counter) -> None:
    batch_no, _ = desk.a_batch(1)
    for by_file in (True, False):
        with desk.begin() as session:
            session.execute(update(Branch).where(Branch.code == BRANCH).values(by_file=by_file))
        with desk.begin() as session:
            request = ResendToBankRequest(batch_no=batch_no, what="batch", reason="银行遗失")
            bank_operations.resend(Work(session, OPERATOR, desk.database), request)
        assert len(counter.files(batch_no=batch_no)) == by_file
    assert len(desk.sent_to_bank(bank.SUBMITTED)) == 1


def test_wrong_lines_are_told_together_and_nothing_is_left_unread_in_silence(desk: Desk, counter: Counter) -> None:
    batch_no, _ = desk.a_batch(1)
    wrong = [{"batch_no": batch_no, "outcome": "丢失", "processed_at": now_text()}] * 300
    [rejection] = counter.upload(counter.fill_in(*wrong)).rejections
    assert len(rejection.lines) == 300

    book = Workbook(write_only=True)
    for number in range(101):
        book.create_sheet(f"第{number}张").append(["x"])
    assert "最多 100 张工作表" in refusal(counter, lock(saved(book), counter.password))
    book = Workbook(write_only=True)
    sheet = book.create_sheet("损坏\n的名称".replace("\n", "") + "长" * 20)
    sheet.append(["\ufffd 说明"])
    sheet.append(list(map(contract.RESULTS.written, contract.RESULTS.headings)))
    sheet.append([batch_no, "", "1", "丢失", now_text()])
    assert counter.upload(lock(saved(book), counter.password)).rejected == 1


def test_a_file_with_more_text_than_the_service_could_hold_is_refused(desk: Desk, counter: Counter) -> None:
    book = Workbook(write_only=True)
    sheet = book.create_sheet("办理结果")
    for _ in range(4000):
        sheet.append(["x" * 60] * 50)
    assert "内容过大" in refusal(counter, lock(saved(book), counter.password))


def test_without_a_password_no_file_leaves_or_comes(desk: Desk) -> None:
    counter = Counter(desk, "")
    batch_no, _ = desk.a_batch(1)
    for act in (lambda: counter.file_of(batch_no), lambda: counter.upload(b"x")):
        with pytest.raises(Conflict) as refused:
            act()
        assert refused.value.code == "no_file_password"


def test_only_the_city_renews_a_password_and_it_is_nowhere_in_clear(desk: Desk) -> None:
    with pytest.raises(Forbidden):
        renew_password(desk, superior_union_id=str(uuid4()))
    password = renew_password(desk)
    with desk.begin() as session:
        rows = session.execute(text("select branch::text, encode(file_password, 'escape') from branch")).all()
        sent = session.execute(text("select body from outbox")).scalars().all()
    assert password not in json.dumps([list(row) for row in rows])
    assert not any(password.encode() in bytes(body) for body in sent)


def test_nobody_is_told_of_a_file_or_branch_that_is_not_there(desk: Desk, counter: Counter) -> None:
    with pytest.raises(NotFound):
        counter.fetch(uuid4())
    with pytest.raises(NotFound):
        counter.upload(b"x", branch_code="none")


def test_uploaded_files_are_listed_with_a_receipt_for_the_bank(desk: Desk, counter: Counter) -> None:
    batch_no, [application_id] = desk.a_batch(1)
    row = {"batch_no": batch_no, "application_id": str(application_id), "outcome": "退回", "processed_at": now_text()}
    uploaded = counter.upload(counter.fill_in(row), name="杨浦 11月.xlsx")
    with desk.begin() as session:
        work = Work(session, OPERATOR, desk.database)
        [listed] = result_files.list_result_files(work, ListResultFilesRequest()).items
        request = ResultFileRequest(result_file_id=uploaded.result_file_id)
        assert result_files.get_result_file(work, request) == uploaded
        receipt = result_files.get_result_receipt(work, request)
    assert (listed.file_name, listed.rejected) == ("杨浦 11月.xlsx", 1)
    assert receipt.file_name == "回执-杨浦 11月.xlsx"
    rejected = load_workbook(BytesIO(content_of(receipt)))["未采用的行"]
    assert [[cell.value for cell in line] for line in rejected.iter_rows(min_row=2)] == [
        ["办理结果", "2", "退回代码", "填写有误：退回的必填，银行自定，50 字以内"]
    ]


def now_text() -> str:
    """The present moment in Shanghai, as somebody types it."""
    return f"{datetime.now(SHANGHAI):%Y-%m-%d %H:%M:%S}"


def refusal(counter: Counter, content: bytes) -> str:
    """Why a file is refused; nothing may have changed."""
    with pytest.raises((Invalid, Problem)) as refused:
        counter.upload(content)
    return str(refused.value.fields[0].reason)
