"""Passwords on the page: reset links of the superior union, and the first password of a new account."""

from playwright.sync_api import Page, expect
from pyotp import TOTP

from deploy.local.client import wait_until
from deploy.local.first_password import newest_token
from tests.browser.accessibility import serious_findings
from tests.browser.conftest import PageOf, fill_sign_in
from tests.desks import DESK_PASSWORD, Desk, a_phone

_NEW_PASSWORD = "chosen-by-the-link-2026"


def test_the_link_in_an_sms_lets_one_choose_a_password_once(desk: Desk, page: Page) -> None:
    phone, name = a_phone(), f"new{desk.number}"
    given = {"account_name": name, "display_name": "李娜", "roles": ["clerk"], "phone": phone}
    desk.office.administrator.post(f"unions/{desk.union_id}/accounts", given)
    path = f"/reset#{wait_until(lambda: newest_token(phone), 'the link came by SMS')}"
    page.goto(path)

    page.get_by_label("新密码", exact=True).fill("my-card-2026")
    page.get_by_label("再次输入新密码").fill("my-card-2026")
    page.get_by_role("button", name="确认").click()
    expect(page.get_by_text("密码不能包含本系统常用的词“card”，请换一个")).to_be_visible()
    page.get_by_label("新密码", exact=True).fill(_NEW_PASSWORD)
    page.get_by_label("再次输入新密码").fill(_NEW_PASSWORD)
    assert serious_findings(page) == []
    page.get_by_role("button", name="确认").click()
    expect(page.get_by_text(f"您的账号是 {name}")).to_be_visible()
    page.get_by_role("link", name="去登录").click()
    fill_sign_in(page, name, _NEW_PASSWORD)
    expect(page.get_by_role("navigation", name="功能菜单")).to_be_visible()

    page.goto("/messages")
    expect(page.get_by_text("密码已修改").first).to_be_visible()
    page.goto(path)
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_text("请联系上级工会的管理员重新发送")).to_be_visible()


def test_a_wrong_current_password_is_told_at_its_field_and_nowhere_else(desk: Desk, page_of: PageOf) -> None:
    page = page_of(desk.clerk)
    page.goto("/account")
    page.get_by_role("link", name="修改密码").click()
    current = page.get_by_label("当前密码")
    expect(current).to_be_focused()
    page.get_by_role("button", name="确认修改").click()
    expect(page.get_by_text("请输入当前密码")).to_be_visible()
    expect(current).to_be_focused()

    current.fill("not-the-current-one")
    page.get_by_label("新密码", exact=True).fill(_NEW_PASSWORD)
    page.get_by_label("再次输入新密码").fill(_NEW_PASSWORD)
    page.get_by_role("button", name="确认修改").click()

    expect(page.get_by_text("当前密码不正确")).to_have_count(1)
    expect(page.get_by_text("当前密码不正确")).to_be_visible()
    expect(current).to_be_focused()
    assert serious_findings(page) == []


def test_a_second_factor_is_turned_on_and_then_asked_for(desk: Desk, page_of: PageOf, page: Page) -> None:
    own = page_of(desk.clerk)
    own.goto("/second-factor")
    enrolment = own.locator(".panel").filter(has_text="启用动态口令")
    enrolment.get_by_label("当前密码").fill(DESK_PASSWORD)
    enrolment.get_by_role("button", name="下一步").click()
    secret = enrolment.locator("code").inner_text()
    assert serious_findings(own) == []
    expect(enrolment.get_by_label("6 位数字")).to_be_focused()
    enrolment.get_by_label("6 位数字").fill(TOTP(secret).now())
    enrolment.get_by_role("button", name="启用").click()
    recovery_code = own.locator(".codes li").first.inner_text()
    own.get_by_role("button", name="已保管好，继续").click()

    page.goto("/members")
    fill_sign_in(page, desk.account_name, DESK_PASSWORD)
    page.get_by_label("动态口令", exact=True).fill("000000")
    page.get_by_role("button", name="确认").click()
    expect(page.get_by_role("alert")).to_have_text("动态口令不正确或已使用。请输入验证器上新的口令，或使用恢复码。")
    page.get_by_label("动态口令", exact=True).fill(recovery_code)
    page.get_by_role("button", name="确认").click()

    expect(page.get_by_role("heading", name="卡片信息管理")).to_be_visible()
