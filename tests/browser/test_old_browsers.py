"""The pages in the oldest browser that they are made for, Chromium 86, and what older ones are told."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from deploy.handbook.chromium import chromium as a_chromium
from deploy.local.client import wait_until
from deploy.local.stack import Stack
from tests.browser import test_phone as phone
from tests.browser.conftest import ROWS, NewPage, PageOf, fill_sign_in
from tests.browser.old_browser import installed_old_chromium
from tests.desks import DESK_PASSWORD, Desk, a_desk, form_of, people

pytestmark = pytest.mark.long("installs Chromium 86")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The old browser, in the place of the usual one."""
    with a_chromium(shell=installed_old_chromium()) as browser:
        assert browser.version.startswith("86.")
        yield browser


def test_a_clerk_signs_in_and_queues_members(desk: Desk, page: Page) -> None:
    desk.register(*people(3))
    page.goto("/members")
    fill_sign_in(page, desk.account_name, DESK_PASSWORD)
    expect(page.locator(ROWS)).to_have_count(3)
    page.get_by_role("checkbox", name="选择本页全部").check()
    page.get_by_role("button", name="至待办").first.click()
    wait_until(lambda: desk.clerk.get("pending")["total"] == 3, "they are on the list")
    page.goto("/pending")
    expect(page.locator(ROWS)).to_have_count(3)


@pytest.mark.parametrize("account", ["jianlang", "yangpu", "yangpu-admin", "city", "ops"])
def test_each_page_of_the_menu_opens(page_of: PageOf, account: str) -> None:
    page = page_of(account)
    page.goto("/")
    links = page.get_by_role("navigation", name="功能菜单").get_by_role("link")
    expect(links.first).to_be_visible()
    addresses = [str(link.get_attribute("href")) for link in links.all()]
    assert len(addresses) > 2
    for address in addresses:
        page.goto(address)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.get_by_text("正在打开…")).to_have_count(0)


def test_a_member_applies_on_the_phone(stack: Stack, pages_url: str, new_page: NewPage) -> None:
    desk, (person,) = a_desk(pages_url), people(1)
    unknown = {"document_expiry": None, "address": None}
    desk.clerk.post("members", form_of(person, affiliation="flexible", **unknown))
    desk.wait_for_numbers()
    page = new_page(viewport={"width": 360, "height": 740})
    phone.sign_in(page, stack, person.phone)
    phone.complete_profile(page)
    phone.choose_outlet(page)
    page.get_by_label("我已阅读并单独同意").check()
    page.get_by_role("button", name="确认提交").click()
    expect(page.get_by_text("银行办理中")).to_be_visible()
    assert phone.fits(page)


@pytest.mark.parametrize("path", ["/", "/m/"])
def test_an_older_browser_is_told_what_the_pages_need(page: Page, path: str) -> None:
    page.add_init_script("delete String.prototype.replaceAll")
    page.goto(path)
    expect(page.get_by_role("alert").filter(has_text="浏览器版本过低")).to_be_visible()
    expect(page.locator("#app")).to_be_hidden()
