"""My account 账号设置 on the page: the sessions of the own account, and ending them."""

from playwright.sync_api import expect

from deploy.local.client import ApiClient, ApiProblem, wait_until
from tests.browser.accessibility import serious_findings
from tests.browser.conftest import PageOf
from tests.desks import DESK_PASSWORD, Desk


def test_a_clerk_ends_a_sign_in_elsewhere(page_of: PageOf, desk: Desk, pages_url: str) -> None:
    elsewhere = ApiClient(pages_url).sign_in(desk.account_name, DESK_PASSWORD)
    page = page_of(desk.clerk)
    page.goto("/")
    page.get_by_role("button", name="王芳").click()
    page.get_by_role("link", name="账号设置").click()
    expect(page.get_by_text("当前登录")).to_be_visible()
    assert serious_findings(page) == []

    page.get_by_role("button", name="结束登录").click()
    page.get_by_role("dialog", name="结束登录").get_by_role("button", name="结束登录").click()

    expect(page.get_by_text("该设备已退出登录")).to_be_visible()
    expect(page.get_by_role("button", name="结束登录")).to_have_count(0)
    wait_until(lambda: is_signed_out(elsewhere), "the other sign-in has ended")


def is_signed_out(client: ApiClient) -> bool:
    try:
        client.get("me")
    except ApiProblem as problem:
        return problem.status == 401
    return False
