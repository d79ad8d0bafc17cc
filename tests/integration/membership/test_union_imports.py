"""Imports of unions and accounts by a workbook: checked as a whole, created as a whole or not at all."""

import base64
from dataclasses import replace
from io import BytesIO
from typing import Any

import pytest
from openpyxl import load_workbook
from sqlalchemy import func, select

from services.contracts.events.membership import RESET_LINK_MADE, UNIONS_CHANGED
from services.contracts.operations.membership.union_imports import GetUnionTemplateRequest, ImportUnionsRequest
from services.kit.documents.sheet_cells import saved
from services.kit.operations import audit
from services.kit.problems import Problem
from services.kit.rpc.methods import Caller
from services.kit.rpc.operation import Scope
from services.kit.schemas import as_dict
from services.membership.models import Account, AccountControl, Union
from services.membership.union_imports import imports
from services.membership.union_imports.workbook import ACCOUNTS, UNIONS, Form
from tests.integration.membership.office import Office, an_account
from tests.mothers import a_union_code, a_union_workbook

DISTRICT, STREET, COMPANY = (a_union_code(number) for number in (601, 602, 603))


@pytest.fixture
def administrator(office: Office) -> Caller:
    return replace(an_account(office, office.superior, "administrator"), scope=Scope.SUBORDINATES)


def request_of(content: bytes) -> ImportUnionsRequest:
    return ImportUnionsRequest(file_name="工会.xlsx", content=base64.b64encode(content).decode())


def checked(office: Office, caller: Caller, content: bytes) -> dict[str, Any]:
    with office.begin() as session:
        answer: dict[str, Any] = as_dict(imports.check_union_import(office.work(session, caller), request_of(content)))
    return answer


def imported(office: Office, caller: Caller, content: bytes) -> dict[str, Any]:
    with office.begin() as session:
        answer: dict[str, Any] = as_dict(imports.import_unions(office.work(session, caller), request_of(content)))
    return answer


def refusal(office: Office, caller: Caller, content: bytes) -> Problem:
    with pytest.raises(Problem) as refused:
        imported(office, caller, content)
    return refused.value


def union_of(office: Office, code: str) -> Union | None:
    with office.begin() as session:
        return session.scalar(select(Union).where(Union.code == code))


RIGHT = a_union_workbook(
    [("公司工会", COMPANY, "", STREET), ("街道总工会", STREET, "区局（产业）工会", "")],
    [
        ("street-head", "张三", "13812340001", "管理员、审核人", STREET),
        ("company", "李四", "13812340002", "经办人", COMPANY),
    ],
)


ALL_RIGHT = {"unions": 2, "accounts": 2, "wrong": [], "wrong_rows": 0, "not_read": []}


def test_unions_and_accounts_are_created_in_whatever_order_the_rows_are(office: Office, administrator: Caller) -> None:
    assert imported(office, administrator, RIGHT) == ALL_RIGHT
    street, company = union_of(office, STREET), union_of(office, COMPANY)
    assert street is not None
    assert company is not None
    assert (street.kind, street.superior_union_id) == ("superior", office.superior.union_id)
    assert company.superior_ids == [office.city.union_id, office.superior.union_id, street.union_id]
    with office.begin() as session:
        head = session.scalars(select(Account).where(Account.account_name == "street-head")).one()
        assert (head.roles, head.union_id, head.must_change_password) == (
            ["administrator", "reviewer"],
            street.union_id,
            True,
        )
        assert session.scalar(select(func.count()).select_from(AccountControl)) == 2
    published = [one["code"] for event in office.published(UNIONS_CHANGED) for one in event["unions"]]
    assert set(published) >= {STREET, COMPANY}
    assert len(office.published(RESET_LINK_MADE)) == 2


def test_a_check_says_what_would_be_created_and_creates_nothing(office: Office, administrator: Caller) -> None:
    assert checked(office, administrator, RIGHT) == ALL_RIGHT
    assert union_of(office, STREET) is None
    assert office.published(RESET_LINK_MADE) == []


def test_the_audit_log_names_what_was_created_and_nothing_of_a_check(office: Office, administrator: Caller) -> None:
    for act, created in ((imports.check_union_import, 0), (imports.import_unions, 4)):
        event = audit.AuditEvent("membership.import_unions", administrator)
        with office.begin() as session:
            audit.begin(session, event)
            act(office.work(session, administrator), request_of(RIGHT))
        assert len(event.records) == created
        assert event.new["file_name"] == "工会.xlsx"
        assert "account_name" not in event.new


def test_each_wrong_row_is_named_with_its_reason_and_nothing_is_created(office: Office, administrator: Caller) -> None:
    content = a_union_workbook(
        [
            ("公司工会", COMPANY, "", ""),
            ("又一家", COMPANY, "", ""),
            ("", a_union_code(604), "", ""),
            ("错码", "81310000000000000", "", ""),
            ("错类", a_union_code(605), "分会", ""),
            ("无上级", a_union_code(606), "", DISTRICT),
            ("在别处", a_union_code(607), "", office.other.code),
        ],
        [
            ("ok", "张三", "13812340001", "经办人", COMPANY),
            ("fine", "张三", "13812340001", "经办人", COMPANY),
            ("fine", "李四", "13812340002", "经办人", COMPANY),
            ("other", "李四", "12345", "经办人", COMPANY),
            ("third", "李四", "13812340002", "主席", COMPANY),
            ("fourth", "李四", "13812340002", "经办人", office.other.code),
        ],
    )
    answer = checked(office, administrator, content)
    found = [(one["sheet"], one["line_no"], one["reason"]) for one in answer["wrong"]]
    assert [(sheet, line) for sheet, line, _ in found] == [
        *(("工会", line) for line in (4, 5, 6, 7, 8, 9)),
        *(("账号", line) for line in (3, 5, 6, 7, 8)),
    ]
    reasons = {(sheet, line): reason for sheet, line, reason in found}
    assert "已有工会使用" in reasons["工会", 4]
    assert reasons["工会", 5].startswith("工会名称：")
    assert reasons["工会", 6].startswith("统一社会信用代码：")
    assert reasons["工会", 7] == "工会类型：应为区局（产业）工会或基层工会"
    assert reasons["工会", 8].startswith("上级工会代码：上级工会不存在")
    assert reasons["账号", 3].startswith("账号：账号应为 3 至 40 个")
    assert "该账号已被使用" in reasons["账号", 5]
    assert reasons["账号", 6].startswith("手机号：")
    assert reasons["账号", 7].startswith("角色：应为")
    assert reasons["账号", 8].startswith("所属工会代码：所属工会不存在")
    assert (answer["unions"], answer["accounts"]) == (1, 1)
    refused = refusal(office, administrator, content)
    assert [one.field for one in refused.fields][:2] == ["工会.4", "工会.5"]
    assert union_of(office, COMPANY) is None


def test_the_template_is_read_and_its_examples_are_not(office: Office, administrator: Caller) -> None:
    with office.begin() as session:
        file = imports.get_union_template(office.work(session, administrator), GetUnionTemplateRequest())
    refused = refusal(office, administrator, base64.b64decode(file.content))
    assert [one.reason for one in refused.fields] == [
        "没有找到可以导入的行。请按模板在“工会”或“账号”表中填写后重新上传。"
    ]


def test_sheets_that_are_not_read_are_named(office: Office, administrator: Caller) -> None:
    book = load_workbook(BytesIO(RIGHT))
    book.create_sheet("备忘").append(["记得盖章"])
    book.create_sheet("旧账号").sheet_state = "hidden"
    assert checked(office, administrator, saved(book))["not_read"] == ["备忘", "旧账号（隐藏）"]


def test_a_sheet_of_a_form_without_its_headings_is_refused(office: Office, administrator: Caller) -> None:
    book = load_workbook(BytesIO(RIGHT))
    book["账号"]["C2"] = "电话"
    (problem,) = refusal(office, administrator, saved(book)).fields
    assert "工作表“账号”缺少必填的表头" in problem.reason


@pytest.mark.parametrize("content", [b"", b"%PDF-1.7", b"PK\x03\x04 broken", b"x" * (5 * 1024**2 + 1)])
def test_a_file_that_is_no_workbook_is_refused_with_a_reason(
    office: Office, administrator: Caller, content: bytes
) -> None:
    refused = refusal(office, administrator, content)
    assert [one.field for one in refused.fields] == ["file"]


def test_more_than_one_transaction_should_create_is_refused(
    office: Office, administrator: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "MOST_ACCOUNTS", 1)
    assert refusal(office, administrator, RIGHT).fields[0].code == "too_many_rows"


def test_accounts_of_unions_that_exist_are_created_by_a_sheet_alone(office: Office, administrator: Caller) -> None:
    content = a_union_workbook(accounts=[("clerk-two", "张三", "13812340001", "经办人", office.union.code)])
    assert imported(office, administrator, content)["accounts"] == 1


def test_every_heading_of_a_form_has_a_place_in_its_example() -> None:
    assert all(len(form.example) == len(form.headings) for form in (UNIONS, ACCOUNTS))
    assert all(isinstance(form, Form) and set(form.required) <= form.headings.keys() for form in (UNIONS, ACCOUNTS))


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_a_text_file_is_read_with_its_own_separator(office: Office, administrator: Caller, separator: str) -> None:
    rows = (
        ["工会名称", "统一社会信用代码", "工会类型", "上级工会代码"],
        ["上海新街道，总工会", STREET, "", office.superior.code],
    )
    content = "\r\n".join(separator.join(row) for row in rows).encode()
    assert imported(office, administrator, content)["unions"] == 1
