"""Revocations on the page: the clerk requests, the reviewer of the superior union decides, each in an own browser."""

import re

import pytest
from playwright.sync_api import Page, expect

from deploy.local.client import ApiClient, wait_until
from deploy.local.stack import Stack
from tests.browser.accessibility import serious_findings
from tests.browser.bank import answer_batch
from tests.browser.conftest import ROWS, PageOf
from tests.desks import Desk, a_desk_below, people


@pytest.fixture
def batch_no(desk: Desk) -> str:
    """A batch of three that the bank has not looked at yet."""
    desk.register(*people(3))
    return desk.submit_all()


def open_review(page: Page, batch_no: str) -> None:
    page.goto("/revocations")
    page.get_by_role("link", name=f"审核：批次 {batch_no}").click()
    expect(page.get_by_role("heading", name="审核", exact=True)).to_be_visible()


def test_clerk_and_reviewer_see_each_others_changes_without_reloading(
    desk: Desk, batch_no: str, page_of: PageOf
) -> None:
    clerk, reviewer = page_of(desk.clerk), page_of(desk.office.reviewer)
    clerk.goto("/batches")
    row = clerk.locator(ROWS).first
    expect(row).to_contain_text(batch_no)
    reviewer.goto("/revocations")
    expect(reviewer.get_by_role("heading", name="撤销审核")).to_be_visible()

    ask_for_nothing_in_particular(clerk)
    assert desk.clerk.get("revocations")["total"] == 0
    assert serious_findings(clerk) == []
    complete_request(clerk, batch_no)
    expect(row).to_contain_text("待审核")
    expect(reviewer.get_by_role("link", name=f"审核：批次 {batch_no}")).to_be_visible()
    assert serious_findings(reviewer) == []

    reviewer.get_by_role("link", name=f"审核：批次 {batch_no}").click()
    expect(reviewer.get_by_text("银行尚未办结的 3 人将释放")).to_be_visible()
    expect(reviewer.get_by_text("没有更早的撤销申请")).to_be_visible()
    assert serious_findings(reviewer) == []
    decline_the_question(reviewer)
    assert desk.clerk.get("revocations")["items"][0]["state"] == "requested"
    reviewer.get_by_role("button", name="审核通过").click()
    question = reviewer.get_by_role("dialog", name="审核通过")
    expect(question).to_contain_text("3 人将释放")
    question.get_by_role("button", name="审核通过").click()

    expect(row).to_contain_text("审核通过")
    expect(reviewer.get_by_text("已释放 3 人")).to_be_visible()
    clerk.goto("/members?card_state=none")
    expect(clerk.locator(ROWS)).to_have_count(3)


def ask_for_nothing_in_particular(clerk: Page) -> None:
    """Missing fields are shown before the request is sent."""
    clerk.get_by_role("button", name="撤销办卡批次申请").click()
    dialog = clerk.get_by_role("dialog", name="撤销办卡批次申请")
    expect(dialog.get_by_role("radio").first).to_be_visible()
    dialog.get_by_label("申请人联系电话").fill("12345")
    dialog.get_by_role("button", name="提交审核").click()
    expect(dialog).to_contain_text("请填写正确的手机号或固定电话")
    expect(dialog).to_contain_text("请选择要撤销的批次")
    expect(dialog).to_contain_text("请选择撤销原因")


def complete_request(clerk: Page, batch_no: str) -> None:
    dialog = clerk.get_by_role("dialog", name="撤销办卡批次申请")
    dialog.get_by_label("申请人姓名").fill("王芳")
    dialog.get_by_label("申请人联系电话").fill("13812345678")
    dialog.get_by_role("combobox", name="撤销原因").press("Enter")
    clerk.get_by_role("option", name="经办网点有误").click()
    dialog.get_by_label("原因说明").fill("网点选错")
    dialog.get_by_role("radio", name=batch_no).check()
    dialog.get_by_role("button", name="提交审核").click()
    expect(dialog).to_be_hidden()


def decline_the_question(reviewer: Page) -> None:
    reviewer.get_by_role("button", name="审核通过").click()
    question = reviewer.get_by_role("dialog", name="审核通过")
    question.get_by_role("button", name="取消").click()
    expect(question).to_be_hidden()
    expect(reviewer.get_by_role("button", name="审核通过")).to_be_enabled()


def test_a_rejection_needs_a_reason_which_the_clerk_reads(desk: Desk, batch_no: str, page_of: PageOf) -> None:
    desk.ask_back(batch_no)
    clerk, reviewer = page_of(desk.clerk), page_of(desk.office.reviewer)
    clerk.goto(f"/batches/{batch_no}")
    expect(clerk.get_by_text("待审核")).to_be_visible()
    open_review(reviewer, batch_no)

    reviewer.get_by_role("button", name="审核不通过").click()
    expect(reviewer.get_by_text("审核不通过时，请填写审核意见")).to_be_visible()
    expect(reviewer.get_by_label("审核意见")).to_be_focused()
    reviewer.get_by_label("审核意见").fill("银行已在制卡，请等待领卡")
    reviewer.get_by_role("button", name="审核不通过").click()
    question = reviewer.get_by_role("dialog", name="审核不通过")
    expect(question).to_contain_text("3 人继续锁定在批次中")
    question.get_by_role("button", name="审核不通过").click()

    expect(clerk.get_by_text("审核意见：银行已在制卡，请等待领卡")).to_be_visible()
    assert desk.clerk.get("members", card_state="submitted")["total"] == 3


def test_a_batch_that_the_bank_has_decided_on_cannot_be_chosen_and_it_is_said_why(
    desk: Desk, batch_no: str, page_of: PageOf, stack: Stack
) -> None:
    answer_batch(stack, batch_no, {"outcome": "issued"})
    page = page_of(desk.clerk)
    page.goto("/batches?state=decided")
    expect(page.locator(ROWS).first).to_contain_text(batch_no)

    page.get_by_role("button", name="撤销办卡批次申请").click()
    dialog = page.get_by_role("dialog", name="撤销办卡批次申请")

    expect(dialog.get_by_role("radio", name=batch_no)).to_be_disabled()
    expect(dialog).to_contain_text("不可选择：银行已全部反馈，不能撤销")


def test_a_request_that_the_bank_overtakes_closes_before_both_their_eyes(
    desk: Desk, batch_no: str, page_of: PageOf, stack: Stack
) -> None:
    desk.ask_back(batch_no)
    clerk, reviewer = page_of(desk.clerk), page_of(desk.office.reviewer)
    clerk.goto("/batches")
    row = clerk.locator(ROWS).first
    expect(row).to_contain_text("待审核")
    open_review(reviewer, batch_no)

    answer_batch(stack, batch_no, {"outcome": "issued"})

    expect(row).to_contain_text("无需审核")
    expect(row).to_contain_text("银行已全部办结")
    expect(reviewer.get_by_text("系统自动关闭了该申请，批次不撤销")).to_be_visible()
    expect(reviewer.get_by_role("button", name="审核通过")).to_have_count(0)
    assert serious_findings(clerk) == []
    assert serious_findings(reviewer) == []
    clerk.goto(f"/batches/{batch_no}")
    expect(clerk.get_by_text("已全部反馈")).to_be_visible()
    expect(clerk.get_by_text("无需审核（银行已全部办结）")).to_be_visible()
    reviewer.goto(f"/revocations?state=closed&batch_no={batch_no}")
    expect(reviewer.locator(ROWS).first).to_contain_text(batch_no)


def test_a_reviewer_decides_on_several_requests_at_once_each_by_itself(desk: Desk, page_of: PageOf) -> None:
    other = a_desk_below(desk.office)
    batch_nos = []
    for one in (desk, other):
        one.register(*people(2))
        batch_nos.append(one.submit_all())
        one.ask_back(batch_nos[-1])
    approved, rejected = batch_nos
    page = page_of(desk.office.reviewer)
    page.goto("/")
    page.get_by_role("link", name=re.compile("待审核的撤销申请")).click()
    for batch_no in batch_nos:
        page.get_by_role("checkbox", name=f"选择批次 {batch_no}").check()

    page.get_by_role("button", name="批量审核").click()
    dialog = page.get_by_role("dialog", name="批量审核")
    dialog.get_by_role("button", name="全部选通过").click()
    no = dialog.get_by_role("group", name=f"批次 {rejected} 的审核结果").get_by_role("radio", name="审核不通过")
    no.check()
    dialog.get_by_role("button", name="提交审核").click()
    expect(dialog).to_contain_text("审核不通过时，请填写审核意见")
    assert desk.office.reviewer.get("revocations", state="requested")["total"] >= 2
    assert serious_findings(page) == []
    dialog.get_by_label(f"批次 {rejected} 的审核意见").fill("银行已在制卡")
    dialog.get_by_role("button", name="提交审核").click()

    expect(dialog).to_be_hidden()
    expect(page.get_by_text("已审核 2 件申请")).to_be_visible()
    [kept] = other.clerk.get("revocations", batch_no=rejected)["items"]
    assert (kept["state"], kept["remark"]) == ("rejected", "银行已在制卡")
    assert desk.clerk.get("revocations", batch_no=approved)["items"][0]["state"] == "approved"
    wait_until(lambda: _told(desk.clerk) == ["revocation_approved"], "the clerk has one message of the decision")
    wait_until(lambda: _told(other.clerk) == ["revocation_rejected"], "the other clerk has one too")
    wait_until(lambda: _unread(desk.office.reviewer) == [], "messages about decided requests have read themselves")


def test_a_reviewer_steps_through_requests_and_calls_the_applicant(desk: Desk, page_of: PageOf) -> None:
    for _ in range(2):
        desk.register(*people(1))
        desk.ask_back(desk.submit_all())
    page = page_of(desk.office.reviewer)
    page.goto(f"/revocations?batch_no={desk.clerk.get('batches')['items'][0]['batch_no'][:-1]}")
    page.get_by_role("link", name="审核：批次").first.click()
    expect(page.get_by_text("1 / 2", exact=True)).to_be_visible()
    expect(page.get_by_text("人员信息有误：3 人的证件到期日填错")).to_be_visible()
    page.get_by_role("button", name="下一条").click()
    expect(page.get_by_text("2 / 2", exact=True)).to_be_visible()
    expect(page.get_by_text("138****5678").first).to_be_visible()

    page.get_by_role("button", name="显示完整电话").click()
    dialog = page.get_by_role("dialog", name="显示申请人电话")
    dialog.get_by_label("查看原因").fill("电话核实撤销原因")
    dialog.get_by_role("button", name="显示", exact=True).click()

    expect(page.get_by_text("13812345678")).to_be_visible()
    assert serious_findings(page) == []


def _told(clerk: ApiClient) -> list[str]:
    """The kinds of the clerk's messages about decisions."""
    return [one["kind"] for one in clerk.all_pages("messages") if one["kind"].startswith(("revocation", "batch_rel"))]


def _unread(reviewer: ApiClient) -> list[str]:
    """The reviewer's unread messages about requests that wait for nobody."""
    open_requests = reviewer.get("revocations", can_decide=True)["items"]
    waiting = {one["batch_no"] for one in open_requests}
    unread = reviewer.all_pages("messages", unread="true")
    requests = [one["body"] for one in unread if one["kind"] == "revocation_requested"]
    return [body for body in requests if not any(batch_no in body for batch_no in waiting)]
