"""System administration 系统管理: unions and accounts, and the log of what was done to them."""

import re

from playwright.sync_api import Page, expect

from tests.browser.accessibility import serious_findings
from tests.browser.conftest import PageOf, fill_sign_in
from tests.desks import Desk
from tests.mothers import a_union_code


def test_an_administrator_founds_a_union_and_opens_an_account_whose_holder_signs_in(
    page_of: PageOf, desk: Desk, page: Page
) -> None:
    office = page_of(desk.office.administrator)
    name = f"上海新设第{desk.number}号公司工会"
    office.goto("/unions")
    office.get_by_role("button", name="新增工会").click()
    office.get_by_label("工会名称", exact=True).fill(name)
    office.get_by_label("统一社会信用代码").fill(a_union_code(desk.number + 500_000_000))
    assert serious_findings(office) == []
    office.get_by_role("dialog").get_by_role("button", name="新增").click()
    expect(office.get_by_text(f"已新增 {name}")).to_be_visible()

    office.get_by_label("工会", exact=True).fill(name)
    office.get_by_role("button", name="搜索").click()
    office.get_by_role("link", name=f"查看账号：{name}").click()
    expect(office.get_by_text("没有符合条件的账号")).to_be_visible()
    assert serious_findings(office) == []
    office.get_by_role("button", name="新增账号").click()
    dialog = office.get_by_role("dialog", name="新增账号")
    dialog.get_by_label("账号", exact=True).fill(f"founded{desk.number}")
    dialog.get_by_label("姓名").fill("李娜")
    dialog.get_by_text("经办人", exact=False).first.click()
    assert serious_findings(office) == []
    dialog.get_by_role("button", name="新增").click()
    password = office.get_by_role("region", name="初始密码").inner_text()
    office.get_by_role("button", name="我已保存，关闭").click()
    expect(office.get_by_role("cell", name="李娜")).to_be_visible()
    expect(office.get_by_text(password)).to_have_count(0)

    page.goto("/")
    fill_sign_in(page, f"founded{desk.number}", password)
    expect(page.get_by_text("须先设置新密码才能继续使用")).to_be_visible()


def test_an_account_is_found_closed_reopened_and_given_a_link_and_the_log_tells_so(
    page_of: PageOf, desk: Desk, page: Page
) -> None:
    office = page_of(desk.office.administrator)
    office.goto("/accounts")
    office.get_by_label("账号", exact=True).fill(desk.account_name)
    office.get_by_role("button", name="搜索").click()
    office.get_by_role("link", name=f"管理：{desk.account_name}").click()
    drawer = office.get_by_role("dialog", name=desk.account_name)
    drawer.get_by_role("button", name="停用").click()
    office.get_by_role("dialog", name="停用账号").get_by_role("button", name="停用").click()
    expect(drawer.get_by_text("已停用")).to_be_visible()
    drawer.get_by_role("button", name="启用").click()
    expect(drawer.get_by_text("正常")).to_be_visible()
    drawer.get_by_role("button", name="重置密码").click()
    office.get_by_role("button", name="生成重置链接").click()
    link = office.get_by_role("region", name="链接").inner_text()
    assert serious_findings(office) == []
    office.get_by_role("button", name="我已保存，关闭").click()

    page.goto(link)
    expect(page.get_by_role("heading", name="重置密码")).to_be_visible()

    account_id = desk.clerk.account["account_id"]
    office.goto(f"/audit?record_kind=account&record_id={account_id}&action=membership.update_account")
    details = office.get_by_role("link", name=re.compile("查看详情：修改账号"))
    expect(details).to_have_count(2)
    details.last.click()
    closed = office.get_by_role("row", name=re.compile("已停用"))
    expect(closed).to_contain_text("否")
    expect(closed).to_contain_text("是")
    assert serious_findings(office) == []


def test_the_log_is_read_on_where_it_has_more_than_one_part(page_of: PageOf, desk: Desk) -> None:
    for _ in range(51):
        desk.clerk.post("messages/read-all", {})
    office = page_of(desk.office.administrator)

    office.goto(f"/audit?account_name={desk.account_name}&action=notification.mark_all_messages_read")
    expect(office.get_by_text("已显示 50 条")).to_be_visible()
    office.get_by_role("button", name="加载更多").click()

    expect(office.get_by_text("已显示 51 条")).to_be_visible()
    expect(office.get_by_text("已全部显示")).to_be_visible()
