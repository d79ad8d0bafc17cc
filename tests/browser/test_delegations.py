"""Deputies on the page: a reviewer names one, who decides in its name; the clerk reads in whose, and either ends it."""

import pytest
from playwright.sync_api import Page, expect

from deploy.local.client import ApiClient
from services.contracts.overdue import today
from services.membership.seed import demo_password
from tests.browser.accessibility import serious_findings
from tests.browser.conftest import PageOf
from tests.desks import DESK_PASSWORD, Desk, an_account, people

ROWS = ".data-table tbody tr"


@pytest.fixture
def batch_no(desk: Desk) -> str:
    """A batch of two whose revocation is requested."""
    desk.register(*people(2))
    batch_no = desk.submit_all()
    desk.ask_back(batch_no)
    return batch_no


@pytest.fixture
def deputy_name(desk: Desk, pages_url: str) -> str:
    """The account of another clerk in the reviewer's union, made by nobody who has to do with the request."""
    city = ApiClient(pages_url).sign_in("city", demo_password())
    name = f"deputy{desk.number}"
    an_account(city, desk.office.union["union_id"], name, "clerk")
    return name


def test_a_deputy_decides_in_the_name_of_the_reviewer_who_named_it(
    desk: Desk, batch_no: str, deputy_name: str, page_of: PageOf, pages_url: str
) -> None:
    before = page_of(ApiClient(pages_url).sign_in(deputy_name, DESK_PASSWORD))
    before.goto("/")
    menu = before.get_by_role("navigation", name="功能菜单")
    expect(menu.get_by_role("link", name="待办会员列表")).to_be_visible()
    expect(menu.get_by_role("link", name="撤销审核")).to_have_count(0)

    reviewer = page_of(desk.office.reviewer)
    name_deputy(reviewer, deputy_name)
    row = reviewer.locator(ROWS).first
    expect(row).to_contain_text("生效中")
    assert serious_findings(reviewer) == []

    deputy = page_of(ApiClient(pages_url).sign_in(deputy_name, DESK_PASSWORD))
    deputy.goto("/revocations?can_decide=true")
    deputy.get_by_role("link", name=f"审核：批次 {batch_no}").click()
    expect(deputy.get_by_text("您代 王芳 审核")).to_be_visible()
    assert serious_findings(deputy) == []
    deputy.get_by_role("button", name="审核通过").click()
    deputy.get_by_role("dialog", name="审核通过").get_by_role("button", name="审核通过").click()
    expect(deputy.get_by_text("审核通过（代 王芳 审核）").first).to_be_visible()

    clerk = page_of(desk.clerk)
    clerk.goto(f"/batches/{batch_no}")
    expect(clerk.get_by_text("审核通过（代 王芳 审核）")).to_be_visible()

    row.get_by_role("button", name="结束委托").click()
    reviewer.get_by_role("dialog", name="结束委托").get_by_role("button", name="结束委托").click()
    expect(row).to_contain_text("已结束")


def name_deputy(reviewer: Page, deputy_name: str) -> None:
    """Fills the form in, first without anything."""
    reviewer.goto("/delegations")
    reviewer.get_by_role("button", name="委托代审").click()
    dialog = reviewer.get_by_role("dialog", name="委托代审")
    send = dialog.get_by_role("button", name="委托", exact=True)
    send.click()
    expect(dialog).to_contain_text("请选择代审人")
    expect(dialog).to_contain_text("请选择结束日期")
    dialog.get_by_role("combobox", name="代审人").fill(deputy_name)
    reviewer.get_by_role("option", name=deputy_name).click()
    dialog.get_by_label("结束日期").fill(today().isoformat())
    dialog.get_by_label("结束日期").press("Tab")
    dialog.get_by_label("委托原因").fill("出差")
    send.click()
    expect(dialog).to_be_hidden()
