"""The pages in Firefox and in WebKit, the engine of Safari: a clerk's pages, and an application on the phone."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from selenium.webdriver import Keys
from selenium.webdriver.remote.webdriver import WebDriver

from deploy.local.client import ApiClient, wait_until
from deploy.local.stack import Stack
from services.membership.seed import demo_password
from tests import phones
from tests.browser.conftest import ROWS
from tests.browser.engines.drivers import firefox, webkit
from tests.browser.engines.engine_page import EnginePage
from tests.desks import Desk, a_desk, form_of, people

_MENU = "return [...document.querySelectorAll('.side-menu a')].map((one) => one.textContent.trim())"
_HEADING = "return document.querySelector('h1')?.textContent.trim()"
_ROWS = f"return [...document.querySelectorAll('{ROWS}')].map((one) => one.textContent)"
_DRAWER = "return [...document.querySelectorAll('.el-drawer')].some((one) => one.getClientRects().length)"
_TYPE = "return parseFloat(getComputedStyle(document.querySelector('h1')).fontSize)"
_ADDRESS = "上海市长宁区古北路555弄8号"

pytestmark = pytest.mark.long("installs Firefox and WebKit")


@pytest.fixture(params=[firefox, webkit], ids=["firefox", "webkit"])
def page(request: pytest.FixtureRequest, pages_url: str) -> Iterator[EnginePage]:
    """A page without a session; errors of its scripts fail the test at the end."""
    engine: Callable[[], AbstractContextManager[WebDriver]] = request.param
    with engine() as driver:
        driver.set_window_rect(0, 0, 1366, 900)
        page = EnginePage(driver, pages_url)
        yield page
        assert page.take_errors() == []


@pytest.fixture
def desk(pages_url: str) -> Desk:
    """The clerk of a new union without members."""
    return a_desk(pages_url)


def open_each_page_of_the_menu(page: EnginePage) -> None:
    page.wait_for("业务工作台")
    _, *titles = page.run(_MENU)
    assert len(titles) > 2
    for title in titles:
        page.press(title, ".side-menu a")
        page.wait_until_it_is(_HEADING, title)


def test_errors_of_the_pages_are_noticed(page: EnginePage) -> None:
    page.open("/", "登录")
    page.run("console.error('logged'); setTimeout(() => { throw new Error('thrown'); });")
    page.run("setTimeout(() => Promise.reject(new Error('rejected')));")
    unseen = {"logged", "thrown", "rejected"}

    def are_all_seen() -> bool:
        for error in page.take_errors():
            unseen.difference_update([word for word in unseen if word in error])
        return not unseen

    wait_until(are_all_seen, "all three errors are noticed")


def test_a_clerk_signs_in_and_opens_each_page_of_the_menu(page: EnginePage) -> None:
    page.open("/", "登录")
    page.fill("账号", "jianlang")
    page.fill("密码", demo_password())
    page.fill("验证码", page.answer_captcha())
    page.press("登录")
    open_each_page_of_the_menu(page)


def test_reviewers_administrators_and_operators_open_each_page_of_the_menu(page: EnginePage, pages_url: str) -> None:
    for account in ("yangpu", "yangpu-admin", "city", "ops"):
        page.sign_in(ApiClient(pages_url).sign_in(account, demo_password()))
        page.open("/", "业务工作台")
        open_each_page_of_the_menu(page)


def test_a_clerk_searches_and_looks_at_the_details(page: EnginePage, desk: Desk) -> None:
    first, *_ = members = people(3)
    desk.register(*members)
    page.sign_in(desk.clerk)
    page.open("/members", first.name)
    assert len(page.run(_ROWS)) == 3
    page.fill("姓名", first.name).send_keys(Keys.ENTER)
    wait_until(lambda: len(page.run(_ROWS)) == 1, "the others are filtered out")
    assert first.name in page.run(_ROWS)[0]
    page.press("查看详情")
    wait_until(lambda: page.run(_DRAWER), "the drawer is open")
    page.wait_for("办卡记录")
    page.keys(Keys.ESCAPE)
    wait_until(lambda: not page.run(_DRAWER), "the drawer is closed")


def test_a_member_applies_on_the_phone(page: EnginePage, stack: Stack, desk: Desk) -> None:
    (person,) = people(1)
    unknown = {"document_expiry": None, "address": None}
    member_id = desk.clerk.post("members", form_of(person, affiliation="flexible", **unknown))["member_id"]
    desk.wait_for_numbers()
    page.narrow()
    page.sign_in(phones.signed_in(stack, person.phone))
    page.open("/m/", "会员信息梳理")
    normal = page.run(_TYPE)
    page.press("大字")
    wait_until(lambda: page.run(_TYPE) > normal, "the type is large")
    for wheel, part in {"年": "2040", "月": "01", "日": "02"}.items():
        page.choose(f"证件到期日：{wheel}", part)
    page.fill("联系地址", _ADDRESS)
    page.press("我已核对以上信息", "label")
    page.press("下一步：选择网点")
    page.press("交通银行古北路支行", "label")
    page.press("下一步：同意并确认")
    page.press("我已阅读并单独同意", "label")
    page.press("确认提交")
    page.wait_for("银行办理中")
    assert desk.clerk.get(f"members/{member_id}")["address"] == _ADDRESS
    assert page.run("return document.documentElement.scrollWidth <= innerWidth")
