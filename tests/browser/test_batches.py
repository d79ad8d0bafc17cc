"""Batches 办卡批次管理 on the page: live updates of the bank's results, registers, attachments, filters."""

import io
import re
import zipfile
from dataclasses import dataclass

import pytest
from playwright.sync_api import Page, expect

from deploy.local.client import ApiClient
from deploy.local.stack import Stack
from tests.browser.accessibility import serious_findings
from tests.browser.bank import answer_batch
from tests.browser.conftest import ROWS, PageOf
from tests.desks import Desk, a_desk, people


@dataclass(frozen=True)
class Submitted:
    """A clerk with a batch that the bank has not looked at yet."""

    clerk: ApiClient
    reviewer: ApiClient
    batch_no: str


@pytest.fixture
def new_batch(desk: Desk) -> Submitted:
    return submitted(desk)


@pytest.fixture(scope="module")
def batch(pages_url: str) -> Submitted:
    """One that stays as it is."""
    return submitted(a_desk(pages_url))


def submitted(desk: Desk) -> Submitted:
    desk.register(*people(5))
    return Submitted(desk.clerk, desk.office.reviewer, desk.submit_all())


def open_batches(page: Page) -> None:
    page.goto("/batches")
    expect(page.locator(ROWS).first).to_contain_text("cbc")


def test_cards_that_the_bank_issues_are_counted_without_reloading_and_each_person_is_shown_masked(
    new_batch: Submitted, page_of: PageOf, stack: Stack
) -> None:
    batch_no = new_batch.batch_no
    page = page_of(new_batch.clerk)
    open_batches(page)
    row = page.locator(ROWS).first
    expect(row).to_contain_text("自行前往所选银行网点申办卡")

    answer_batch(stack, batch_no, {"outcome": "issued", "count": 3})
    expect(row.locator("td").nth(3)).to_have_text("3")
    answer_batch(stack, batch_no, {"outcome": "refused"})

    expect(row).to_contain_text("退回 2")
    expect(row).not_to_contain_text("自行前往所选银行网点申办卡")

    page.get_by_role("link", name=f"查看详情：批次 {batch_no}").click()
    expect(page.locator(ROWS)).to_have_count(5)
    page.get_by_role("combobox", name="状态").press("Enter")
    page.get_by_role("option", name="银行退回").click()
    page.get_by_role("button", name="搜索").click()

    expect(page.locator(ROWS)).to_have_count(2)
    refused = new_batch.clerk.get(f"batches/{batch_no}/members", state="refused")["items"]
    expect(page.locator(ROWS)).to_contain_text([one["reason"] for one in refused])
    assert page.url.endswith(f"/batches/{batch_no}?state=refused")
    listed = new_batch.clerk.get(f"batches/{batch_no}/members")["items"]
    assert all("*" in person["document_number"] for person in listed)


def test_who_was_refused_is_marked_in_card_information_and_queued_again_from_the_batch(
    new_batch: Submitted, page_of: PageOf, stack: Stack
) -> None:
    answer_batch(stack, new_batch.batch_no, {"outcome": "refused", "count": 2})
    page = page_of(new_batch.clerk)
    page.goto("/members?last_outcome=refused")
    expect(page.locator(ROWS)).to_have_count(2)
    expect(page.locator(ROWS).first).to_contain_text("银行退回")
    expect(page.locator(ROWS).first).to_contain_text("证件影像不清晰")
    expect(page.get_by_role("button", name="将全部退回、释放的会员重新加入待办")).to_be_visible()
    assert serious_findings(page) == []

    page.goto(f"/batches/{new_batch.batch_no}")
    page.get_by_role("button", name="退回、释放人员重新加入待办").click()
    page.get_by_role("dialog", name="重新加入待办").get_by_role("button", name="重新加入待办").click()

    expect(page.get_by_text("2 位会员已加入待办会员列表")).to_be_visible()
    page.get_by_role("button", name="查看待办会员列表").click()
    expect(page.locator(ROWS)).to_have_count(2)


def test_the_register_is_looked_at_in_the_page_and_saved(batch: Submitted, page_of: PageOf) -> None:
    page = page_of(batch.clerk)
    open_batches(page)

    page.get_by_role("button", name=f"打印清册：批次 {batch.batch_no}").click()
    dialog = page.get_by_role("dialog", name="打印清册")
    expect(dialog.get_by_title("办卡清册预览")).to_be_visible()
    expect(dialog.get_by_role("button", name="打印", exact=True)).to_be_enabled()
    with page.expect_download() as saved:
        dialog.get_by_role("button", name="下载 PDF 清册").click()

    assert batch.batch_no in saved.value.suggested_filename
    assert saved.value.path().read_bytes().startswith(b"%PDF")
    assert batch.clerk.get(f"batches/{batch.batch_no}")["register_state"] == "printed"


def test_attachments_to_print_are_saved_for_the_ticked_batch(batch: Submitted, page_of: PageOf) -> None:
    page = page_of(batch.clerk)
    open_batches(page)
    attachments = page.get_by_role("button", name="下载需打印附件")
    expect(attachments).to_be_disabled()

    page.get_by_role("checkbox", name=f"选择批次 {batch.batch_no}").check()
    with page.expect_download() as saved:
        attachments.click()

    names = zipfile.ZipFile(io.BytesIO(saved.value.path().read_bytes())).namelist()
    assert "办卡清册.pdf" in names


def test_filters_stand_in_the_address_and_the_way_back_leads_to_them(batch: Submitted, page_of: PageOf) -> None:
    page = page_of(batch.clerk)
    open_batches(page)

    page.get_by_role("combobox", name="办理通道").press("Enter")
    page.get_by_role("option", name="特殊").click()
    page.get_by_role("button", name="搜索").click()
    expect(page.get_by_text("没有符合条件的办卡批次")).to_be_visible()
    assert page.url.endswith("/batches?channel=special")
    page.go_back()

    expect(page.locator(ROWS).first).to_contain_text(batch.batch_no)


def test_a_reviewer_finds_the_batches_of_a_subordinate_union_and_prints_none(batch: Submitted, page_of: PageOf) -> None:
    union = batch.clerk.account["union"]["name"]
    page = page_of(batch.reviewer)
    page.goto("/batches")

    page.get_by_role("button", name=re.compile("^所属工会：")).click()
    panel = page.get_by_role("dialog", name="选择所属工会")
    panel.get_by_label("查找工会").fill(union)
    panel.get_by_role("button", name=re.compile(union)).click()
    page.get_by_role("button", name="搜索").click()

    expect(page.locator(ROWS)).to_have_count(1)
    expect(page.locator(ROWS)).to_contain_text([batch.batch_no])
    expect(page.get_by_role("button", name="打印清册")).to_have_count(0)


def test_axe_finds_nothing_serious_on_the_pages_of_batches(batch: Submitted, page_of: PageOf) -> None:
    page = page_of(batch.clerk)
    open_batches(page)
    assert serious_findings(page) == []

    page.get_by_role("button", name=f"打印清册：批次 {batch.batch_no}").click()
    expect(page.get_by_title("办卡清册预览")).to_be_visible()
    assert serious_findings(page) == []

    page.goto(f"/batches/{batch.batch_no}")
    expect(page.locator(ROWS)).to_have_count(5)
    expect(page.get_by_text("没有撤销申请")).to_be_visible()
    assert serious_findings(page) == []
