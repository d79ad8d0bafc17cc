"""System administration 系统管理 on the page: unions, accounts, and the audit log of their changes."""

import re

from playwright.sync_api import Page, expect

from deploy.local.client import wait_until
from deploy.local.first_password import newest_token
from tests.browser.accessibility import serious_findings
from tests.browser.conftest import PageOf, fill_sign_in
from tests.desks import DESK_PASSWORD, Desk, a_phone
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
    phone = a_phone()
    dialog.get_by_label("手机号").fill(phone)
    dialog.get_by_text("经办人", exact=False).first.click()
    assert serious_findings(office) == []
    dialog.get_by_role("button", name="新增").click()
    expect(office.get_by_text("设置密码的链接已发送至")).to_be_visible()
    expect(office.get_by_role("cell", name="李娜")).to_be_visible()

    page.goto(f"/reset#{wait_until(lambda: newest_token(phone), 'the link came by SMS')}")
    page.get_by_label("新密码", exact=True).fill(DESK_PASSWORD)
    page.get_by_label("再次输入新密码").fill(DESK_PASSWORD)
    page.get_by_role("button", name="确认").click()
    expect(page.get_by_text(f"您的账号是 founded{desk.number}")).to_be_visible()
    page.get_by_role("link", name="去登录").click()
    fill_sign_in(page, f"founded{desk.number}", DESK_PASSWORD)
    expect(page.get_by_role("navigation", name="功能菜单")).to_be_visible()


def test_an_account_is_found_closed_reopened_and_sent_a_link_and_the_log_tells_so(page_of: PageOf, desk: Desk) -> None:
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
    assert serious_findings(office) == []
    office.get_by_role("button", name="发送重置链接").click()
    expect(office.get_by_text("密码重置链接已发送至")).to_be_visible()

    account_id = desk.clerk.account["account_id"]
    office.goto(f"/audit?record_kind=account&record_id={account_id}&action=membership.update_account")
    details = office.get_by_role("link", name=re.compile("查看详情：修改账号"))
    expect(details).to_have_count(2)
    details.last.click()
    closed = office.get_by_role("row", name=re.compile("已停用"))
    expect(closed).to_contain_text("否")
    expect(closed).to_contain_text("是")
    assert serious_findings(office) == []


def test_a_telephone_is_changed_when_another_administrator_has_confirmed_it(page_of: PageOf, desk: Desk) -> None:
    name, account_id = desk.account_name, desk.clerk.account["account_id"]
    office = page_of(desk.office.administrator)
    office.goto(f"/accounts/{account_id}")
    office.get_by_role("button", name="更换手机号").click()
    dialog = office.get_by_role("dialog", name="更换手机号")
    dialog.get_by_label("新手机号").fill("13911112222")
    dialog.get_by_label("更换原因").fill("原手机遗失，已电话核实本人")
    assert serious_findings(office) == []
    dialog.get_by_role("button", name="提交申请").click()
    expect(office.get_by_text("待另一名管理员确认").first).to_be_visible()

    office.goto("/phone-changes")
    expect(office.get_by_role("button", name=f"撤回：{name}")).to_be_visible()
    expect(office.get_by_role("button", name=f"确认更换：{name}")).to_have_count(0)
    expect(office.get_by_role("row", name=re.compile(name))).to_contain_text("139****2222")
    assert serious_findings(office) == []

    city = page_of("city")
    city.goto("/phone-changes")
    expect(city.get_by_role("row", name=re.compile(name))).to_contain_text("13911112222")
    city.get_by_role("button", name=f"确认更换：{name}").click()
    assert serious_findings(city) == []
    expect(city.get_by_role("dialog", name="确认更换手机号")).to_contain_text("13911112222")
    city.get_by_role("dialog", name="确认更换手机号").get_by_role("button", name="确认更换").click()
    expect(city.get_by_text("手机号已更换")).to_be_visible()
    expect(city.get_by_role("row", name=re.compile(name))).to_contain_text("已更换")

    holder = page_of(desk.clerk)
    holder.goto("/messages")
    expect(holder.get_by_text("账号手机号已更换")).to_be_visible()


def test_the_log_is_read_on_where_it_has_more_than_one_part(page_of: PageOf, desk: Desk) -> None:
    administrator = desk.office.administrator
    for _ in range(51):
        desk.clerk.post("messages/read-all", {})
    asked = {"account_name": desk.account_name, "action": "notification.mark_all_messages_read"}
    wait_until(lambda: len(administrator.get("audit", **asked, size=100)["items"]) == 51, "all 51 are in the log")
    office = page_of(administrator)

    office.goto(f"/audit?account_name={desk.account_name}&action=notification.mark_all_messages_read")
    expect(office.get_by_text("已显示 50 条")).to_be_visible()
    office.get_by_role("button", name="加载更多").click()

    expect(office.get_by_text("已显示 51 条")).to_be_visible()
    expect(office.get_by_text("已全部显示")).to_be_visible()
