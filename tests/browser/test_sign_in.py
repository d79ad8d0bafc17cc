"""Sign-in on the page: return to the requested page, announcements and support beside the form."""

from playwright.sync_api import Page, expect

from services.membership.seed import demo_password
from tests.browser.accessibility import serious_findings
from tests.browser.conftest import PageOf, fill_sign_in


def test_a_clerk_signs_in_and_comes_to_the_page_that_was_asked_for(page: Page) -> None:
    page.goto("/messages?unread=true")

    expect(page.get_by_role("heading", name="登录")).to_be_visible()
    fill_sign_in(page, "jianlang")

    expect(page.get_by_role("heading", name="消息提醒")).to_be_visible()
    assert page.url.endswith("/messages?unread=true")
    expect(page.get_by_text("上海建朗信息科技有限公司工会")).to_be_visible()


def test_a_wrong_password_is_reported_without_saying_which_part_is_wrong(page: Page) -> None:
    page.goto("/sign-in")

    fill_sign_in(page, "nobody-at-all", "wrong-password")

    expect(page.get_by_role("alert")).to_contain_text("账号或密码")
    expect(page.get_by_role("button", name="登录", exact=True)).to_be_focused()


def test_empty_fields_are_reported_before_anything_is_sent(page: Page) -> None:
    page.goto("/sign-in")
    expect(page.get_by_label("账号")).to_be_focused()
    page.get_by_label("账号").fill("jianlang")

    page.get_by_role("button", name="登录", exact=True).click()

    expect(page.get_by_text("请输入密码")).to_be_visible()
    expect(page.get_by_text("请输入验证码")).to_be_visible()
    expect(page.get_by_label("密码", exact=True)).to_be_focused()


def test_a_wrong_captcha_is_reported_and_another_one_shown(page: Page) -> None:
    page.goto("/sign-in")
    picture = page.get_by_role("img", name="验证码图片")
    expect(picture).to_be_visible()
    page.get_by_label("账号").fill("jianlang")
    page.get_by_label("密码", exact=True).fill("whatever it is")
    page.get_by_label("验证码", exact=True).fill("00000")
    before = picture.get_attribute("src")

    page.get_by_role("button", name="登录", exact=True).click()

    expect(page.get_by_role("alert")).to_contain_text("验证码不正确")
    expect(picture).not_to_have_attribute("src", before or "")
    expect(page.get_by_label("验证码", exact=True)).to_have_value("")
    expect(page.get_by_label("验证码", exact=True)).to_be_focused()


def test_who_cannot_see_the_captcha_signs_in_by_keyboard_without_it(page: Page) -> None:
    page.goto("/sign-in")

    expect(page.get_by_role("img", name="验证码图片")).to_be_visible()
    page.get_by_role("button", name="不使用图片（等待较久）").press("Enter")
    expect(page.get_by_label("验证码", exact=True)).to_have_count(0)
    expect(page.get_by_role("status").filter(has_text="安全验证已完成")).to_be_visible()
    assert serious_findings(page) == []
    page.get_by_label("账号").fill("jianlang")
    page.get_by_label("密码", exact=True).fill(demo_password())
    page.get_by_label("密码", exact=True).press("Enter")

    expect(page.get_by_role("navigation", name="功能菜单")).to_be_visible()


def test_who_forgot_the_password_is_sent_to_the_superior_union(page: Page) -> None:
    page.goto("/sign-in")

    page.get_by_role("button", name="忘记账号或密码").click()

    expect(page.get_by_text("请联系上级工会")).to_be_visible()


def test_announcements_and_guides_can_be_read_before_signing_in(page: Page) -> None:
    page.goto("/sign-in")

    page.get_by_role("button", name="关于核对会员证件到期日的提示").click()

    expect(page.get_by_role("dialog")).to_contain_text("发布")


def test_who_signs_out_sees_nothing_more(page_of: PageOf) -> None:
    page = page_of("jianlang")
    page.goto("/")

    page.get_by_role("button", name="王芳").click()
    page.get_by_role("button", name="退出登录").click()
    expect(page.get_by_role("heading", name="登录")).to_be_visible()
    page.goto("/messages")

    expect(page.get_by_role("heading", name="登录")).to_be_visible()


def test_a_session_that_ended_leads_to_the_sign_in_page_and_back(page_of: PageOf) -> None:
    page = page_of("gubei")
    page.goto("/messages")
    expect(page.get_by_role("heading", name="消息提醒")).to_be_visible()
    page.context.clear_cookies()

    page.get_by_role("link", name="卡片信息管理").click()
    expect(page.get_by_text("登录已失效")).to_be_visible()
    fill_sign_in(page, "gubei")

    expect(page.get_by_role("heading", name="卡片信息管理")).to_be_visible()


def test_a_link_to_another_site_is_not_followed_after_signing_in(page: Page, pages_url: str) -> None:
    page.goto("/sign-in?back=//example.org/")

    fill_sign_in(page, "jianlang")

    expect(page.get_by_role("navigation", name="功能菜单")).to_be_visible()
    assert page.url == f"{pages_url}/"


def test_axe_finds_nothing_serious_on_the_sign_in_page(page: Page) -> None:
    page.goto("/sign-in")
    expect(page.get_by_text("会员服务卡线上办理功能上线")).to_be_visible()

    assert serious_findings(page) == []


def test_axe_finds_nothing_serious_on_the_messages_page(page_of: PageOf) -> None:
    page = page_of("jianlang")
    page.goto("/")
    page.get_by_role("link", name="消息提醒").click()
    expect(page.get_by_role("heading", name="消息提醒")).to_be_visible()

    assert serious_findings(page) == []
