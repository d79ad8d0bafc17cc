"""Several tabs of one browser, which share its session, and a session that ends while something is filled in."""

from playwright.sync_api import Page, expect

from deploy.local.client import ApiClient
from tests.browser.conftest import ROWS, PageOf
from tests.desks import Desk, a_desk, people


def sign_in_here(page: Page, client: ApiClient, url: str) -> None:
    """The browser has this client's session from now on, as after a sign-in in another of its tabs."""
    page.context.add_cookies(
        [{"name": cookie.name, "value": cookie.value or "", "url": url} for cookie in client.http.cookies]
    )


def test_another_account_in_a_second_tab_stops_the_first_one(desk: Desk, page_of: PageOf, pages_url: str) -> None:
    desk.register(*people(2))
    other = a_desk(pages_url)
    page = page_of(desk.clerk)
    page.goto("/members")
    expect(page.locator(ROWS)).to_have_count(2)

    second = page.context.new_page()
    sign_in_here(page, other.clerk, pages_url)
    second.goto("/members")
    expect(second.get_by_text("没有符合条件的会员")).to_be_visible()
    page.bring_to_front()
    page.get_by_role("button", name="搜索").click()

    notice = page.get_by_role("alertdialog")
    expect(notice).to_contain_text("此浏览器已改用其他账号登录")
    expect(notice).to_contain_text(desk.clerk.account["union"]["name"])
    expect(page.locator(".data-table")).to_have_count(0)
    notice.get_by_role("button", name="以现在的账号打开首页").click()
    expect(page.get_by_text(other.clerk.account["union"]["name"]).first).to_be_visible()


def test_what_was_filled_in_survives_a_session_that_ended(desk: Desk, page_of: PageOf, pages_url: str) -> None:
    [person] = people(1)
    page = page_of(desk.clerk)
    page.goto("/members")
    page.get_by_role("button", name="登记会员").click()
    dialog = page.get_by_role("dialog", name="登记会员")
    dialog.get_by_label("姓名").fill(person.name)
    dialog.get_by_label("证件号码").fill(person.document_number)
    again = ApiClient(pages_url).sign_in(desk.account_name, "pages-of-the-desk-2026")
    desk.clerk.delete("sessions/current")

    notice = page.get_by_role("alertdialog")
    expect(notice).to_contain_text("登录已失效，填写的内容还在")
    sign_in_here(page, again, pages_url)
    notice.get_by_role("button", name="已经登录，继续").click()
    expect(notice).to_be_hidden()
    dialog.get_by_role("button", name="登记", exact=True).click()

    expect(dialog).to_be_hidden()
    assert again.get("members")["total"] == 1
