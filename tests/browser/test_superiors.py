"""What superiors see on the pages: from a figure down to a person and back, one union of thousands, one person."""

import re

from playwright.sync_api import Page, expect

from tests.browser.accessibility import serious_findings
from tests.browser.conftest import ROWS, PageOf, subordinate_of
from tests.desks import Desk, people


def test_a_city_official_goes_from_a_figure_to_a_person_and_back(desk: Desk, page_of: PageOf) -> None:
    person, other = people(2)
    desk.register(person, other)
    street, company = desk.office.union["name"], desk.clerk.account["union"]["name"]
    page = page_of("city")
    page.goto("/")
    table = page.get_by_role("region", name="下级工会的办卡情况")
    subordinate_of(page, "杨浦区总工会").click()
    subordinate_of(page, street).click()
    crumbs = page.get_by_role("navigation", name="所属工会的层级")
    expect(crumbs.get_by_role("link")).to_have_text(["上海市总工会", "杨浦区总工会", street])
    assert serious_findings(page) == []

    expect(subordinate_of(page, company)).to_be_visible()
    table.get_by_role("link", name=f"{company} 未办卡 2 人").click()

    expect(page.get_by_role("heading", name="卡片信息管理")).to_be_visible()
    expect(page.locator(ROWS)).to_have_count(2)
    expect(page.get_by_text("共 2 条")).to_be_visible()
    expect(page.locator(ROWS).first).to_contain_text(company)
    for act in ("添加选中的未办卡会员至待办", "登记会员", "批量导入"):
        expect(page.get_by_role("button", name=act)).to_have_count(0)
    page.get_by_role("link", name=f"查看详情：{person.name}").first.click()
    drawer = page.get_by_role("dialog", name=re.compile(person.name))
    expect(drawer.get_by_text("未办卡").first).to_be_visible()
    expect(drawer.get_by_role("button", name="修改信息")).to_have_count(0)
    assert person.document_number not in drawer.inner_text()
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()

    crumbs.get_by_role("link", name=street).click()
    expect(page.get_by_role("link", name="未办卡会员 ")).to_be_visible()
    expect(subordinate_of(page, company)).to_be_visible()


def test_a_superior_reads_the_pending_list_and_the_batches_below(desk: Desk, page_of: PageOf) -> None:
    desk.register(*people(2))
    batch_no = desk.submit_all()
    [waiting] = people(1)
    desk.register(waiting)
    desk.queue_all()
    page = page_of(desk.office.reviewer)
    page.goto(f"/pending?union_id={desk.union_id}")
    expect(page.locator(ROWS)).to_have_count(1)
    expect(page.locator(ROWS).first).to_contain_text(waiting.name)
    for act in ("提交系统校验", "提交办卡", f"移除{waiting.name}"):
        expect(page.get_by_role("button", name=act)).to_have_count(0)
    assert serious_findings(page) == []

    page.goto(f"/?union_id={desk.union_id}")
    page.get_by_role("link", name=re.compile("待银行反馈 2")).click()

    expect(page.locator(ROWS)).to_have_count(1)
    expect(page.locator(ROWS).first).to_contain_text(batch_no)


def test_a_union_is_found_among_thousands_by_keyboard(desk: Desk, page_of: PageOf) -> None:
    [person] = people(1)
    desk.register(person)
    company = desk.clerk.account["union"]["name"]
    page = page_of("city")
    page.goto("/members")
    field = page.get_by_role("button", name=re.compile("^所属工会："))
    field.press("Enter")
    panel = page.get_by_role("dialog", name="选择所属工会")
    expect(panel.get_by_role("treeitem").nth(1)).to_be_visible()
    panel.get_by_label("查找工会").press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(panel.get_by_role("treeitem").nth(1)).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(panel.get_by_role("treeitem").nth(1)).to_have_attribute("aria-expanded", "true")
    assert serious_findings(page) == []
    panel.get_by_label("查找工会").fill(company)
    expect(panel.get_by_role("button", name=re.compile(company))).to_be_visible()
    panel.get_by_label("查找工会").press("Enter")
    expect(panel).to_be_hidden()
    expect(field).to_have_accessible_name(f"所属工会：{company}")
    expect(field).to_be_focused()
    page.get_by_role("button", name="搜索").click()

    expect(page.locator(ROWS)).to_have_count(1)
    expect(page.locator(ROWS).first).to_contain_text(person.name)
    page.go_back()
    page.go_forward()
    expect(field).to_have_accessible_name(f"所属工会：{company}")


def test_it_is_told_whether_a_person_is_a_member_and_where(desk: Desk, page_of: PageOf) -> None:
    person, stranger = people(2)
    desk.register(person)
    page = page_of(desk.office.reviewer)
    page.goto("/members")

    _look_up(page, person.document_number)
    result = page.get_by_role("dialog", name="核查结果")
    expect(result).to_contain_text(desk.clerk.account["union"]["name"])
    expect(result).to_contain_text("未办卡")
    assert person.document_number not in result.inner_text()
    assert serious_findings(page) == []
    result.get_by_role("button", name="关闭").last.click()

    _look_up(page, stranger.document_number)
    expect(result).to_contain_text("没有使用该证件号码的会员")


def _look_up(page: Page, number: str) -> None:
    page.get_by_role("button", name="会员核查").click()
    dialog = page.get_by_role("dialog", name="会员核查")
    dialog.get_by_label("证件号码").fill(number)
    dialog.get_by_role("button", name="核查", exact=True).click()
