"""The pages in the oldest browser that they are made for, Chromium 86, and what older ones are told."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from deploy.handbook.chromium import ARGUMENTS
from deploy.local.client import wait_until
from deploy.local.stack import Stack
from tests import phones
from tests.browser.conftest import PageOf
from tests.browser.old_browser import installed_old_chromium
from tests.browser.old_page import OldPage
from tests.desks import Desk, a_desk, form_of, people

_MENU = (
    "[...document.querySelectorAll('.side-menu a')].map((one) => [one.getAttribute('href'), one.textContent.trim()])"
)

pytestmark = pytest.mark.long("installs Chromium 86")


@pytest.fixture(scope="module")
def chromium(chromium: Browser) -> Iterator[Browser]:
    """The old browser, in the place of the usual one."""
    old = chromium.browser_type.launch(executable_path=installed_old_chromium(), args=ARGUMENTS)
    assert old.version.startswith("86.")
    yield old
    old.close()


def test_a_clerk_finds_members_and_queues_them(desk: Desk, page_of: PageOf) -> None:
    first, *_ = members = people(3)
    desk.register(*members)
    page = OldPage(page_of(desk.clerk))
    page.open("/members", first.name)
    page.tick("选择本页全部")
    page.press("添加选中的未办卡会员至待办")
    wait_until(lambda: desk.clerk.get("pending")["total"] == 3, "they are on the list")
    page.open("/pending", first.name)


@pytest.mark.parametrize("account", ["jianlang", "yangpu", "yangpu-admin", "city", "ops"])
def test_each_page_of_the_menu_opens(page_of: PageOf, account: str) -> None:
    page = OldPage(page_of(account))
    page.open("/", "业务工作台")
    titles = page.page.evaluate(_MENU)
    assert len(titles) > 2
    for address, title in titles:
        page.open(address, title)
        wait_until(lambda: page.page.evaluate("document.querySelector('h1') !== null"), f"{address} is open")


def test_a_member_applies_on_the_phone(stack: Stack, pages_url: str, page_of: PageOf) -> None:
    desk, (person,) = a_desk(pages_url), people(1)
    unknown = {"document_expiry": None, "address": None}
    desk.clerk.post("members", form_of(person, affiliation="flexible", **unknown))
    desk.wait_for_numbers()
    page = OldPage(page_of(phones.signed_in(stack, person.phone), viewport={"width": 360, "height": 740}))
    page.open("/m/", "会员信息梳理")
    for wheel, part in {"年": "2040", "月": "01", "日": "02"}.items():
        page.fill(f"证件到期日：{wheel}", part)
    page.fill("联系地址", "上海市长宁区古北路555弄8号")
    page.tick("我已核对以上信息")
    page.press("下一步：选择网点")
    page.wait_for("交通银行古北路支行")
    page.tick("交通银行古北路支行")
    page.press("下一步：同意并确认")
    page.wait_for("版本")
    page.tick("我已阅读并单独同意")
    page.press("确认提交")
    page.wait_for("银行办理中")
    assert page.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("path", ["/", "/m/"])
def test_an_older_browser_is_told_what_the_pages_need(page: Page, path: str) -> None:
    page.add_init_script("delete String.prototype.replaceAll")
    old = OldPage(page)
    old.open(path, "浏览器版本过低")
    assert "正在打开" not in old.text()
