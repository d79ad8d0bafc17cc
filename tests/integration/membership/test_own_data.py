"""A member's own data as a sheet: all that membership keeps, with masked numbers, and nothing of others."""

import io
from base64 import b64decode
from uuid import UUID

from openpyxl import load_workbook

from services.contracts.events.batching import BATCH_SUBMITTED, CARDS_ISSUED
from services.contracts.operations.membership.members import ExportOwnDataRequest
from services.kit.rpc.methods import Caller
from services.membership.applications import own_data
from tests.integration.membership.office import Office, a_transfer


def sheets(office: Office, member_id: UUID) -> dict[str, list[tuple[str, ...]]]:
    """The rows of each sheet, without its headings."""
    caller = Caller(member_id=str(member_id), roles=frozenset({"member"}), union_id=str(office.union.union_id))
    with office.begin() as session:
        answer = own_data.export_own_data(office.work(session, caller), ExportOwnDataRequest())
    book = load_workbook(io.BytesIO(b64decode(answer.content)))
    return {
        sheet.title: [tuple(str(cell or "") for cell in row) for row in sheet.iter_rows(min_row=2, values_only=True)]
        for sheet in book.worksheets
    }


def facts_in(shown: dict[str, list[tuple[str, ...]]]) -> dict[str, str]:
    return {row[0]: row[1] for row in shown["本人信息"]}


def test_the_sheet_has_all_that_is_kept_of_the_member(office: Office) -> None:
    member_id, application_id = office.queued(name="王芳", address="上海市杨浦区黄兴路1号")
    office.deliver(BATCH_SUBMITTED, (application_id, 1))
    office.deliver(CARDS_ISSUED, (application_id, 2))
    office.report_card(application_id, 1, "collected", "collected")
    with office.begin() as session:
        session.add(a_transfer(member_id, office.union, office.other, office.registrar))

    shown = sheets(office, member_id)

    facts = facts_in(shown)
    assert (facts["姓名"], facts["联系地址"], facts["办卡状态"]) == ("王芳", "上海市杨浦区黄兴路1号", "已办卡")
    assert [row[5] for row in shown["办卡申请"]] == ["待办中", "办理中", "已办卡"]
    assert [row[1] for row in shown["卡片"]] == ["领卡"]
    assert [row[1:4] for row in shown["转会"]] == [(office.union.name, office.other.name, "待原工会确认")]


def test_whole_numbers_are_not_in_the_sheet(office: Office) -> None:
    member_id, application_id = office.queued(phone="13812345678")
    office.deliver(BATCH_SUBMITTED, (application_id, 1))
    office.deliver(CARDS_ISSUED, (application_id, 2))
    (number, phone, card_no) = office.kept(member_id, "document_number", "phone", "card_no")
    text = str(sheets(office, member_id))
    assert number not in text
    assert card_no not in text
    assert phone not in text


def test_who_looked_a_member_up_by_number_is_named_by_the_union(office: Office) -> None:
    member_id, _ = office.queued(name="王芳")
    (number,) = office.kept(member_id, "document_number")
    office.listed(document_number=number)
    rows = sheets(office, member_id)["号码查看记录"]
    assert [row[1:] for row in rows] == [(office.union.name, "按号码查询", "卡片信息管理")]


def test_nothing_of_another_member_is_in_the_sheet(office: Office) -> None:
    mine, _ = office.queued(name="王芳")
    office.queued(name="李娜")
    assert "李娜" not in str(sheets(office, mine))


def test_a_member_of_whom_little_is_kept_gets_a_sheet_too(office: Office) -> None:
    (member_id,) = office.numbered()
    shown = sheets(office, member_id)
    assert facts_in(shown)["办卡状态"] == "未办卡"
    assert shown["办卡申请"] == shown["卡片"] == shown["参保"] == []
