"""Fixtures for browser tests: Debian's Chromium, driven by Playwright, on the whole stack with the demo's accounts."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Error, Locator, Page, Response, expect

from deploy.handbook.chromium import chromium as a_chromium
from deploy.local import web
from deploy.local.captcha_solver import solve
from deploy.local.client import ApiClient
from deploy.local.stack import Stack
from services.membership.seed import demo_password
from tests.desks import Desk, a_desk

_DESK = {"width": 1366, "height": 768}
_PATIENCE_MS = 45_000
ROWS = ".data-table tbody tr:not(.skeleton)"
"""The rows of a list, without those that are shown while it is loaded."""

NewPage = Callable[..., Page]
PageOf = Callable[..., Page]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The browser, for all tests."""
    expect.set_options(timeout=_PATIENCE_MS)
    with a_chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def pages_url(stack: Stack) -> str:
    """The address of the running system's pages."""
    web.build()
    return stack.gateway_url


@pytest.fixture
def new_page(chromium: Browser, pages_url: str, tmp_path: Path) -> Iterator[NewPage]:
    """`new_page()` opens a tab of a separate browser; errors in its console fail the test at the end."""
    complaints: list[str] = []
    contexts = []

    def listen(message: ConsoleMessage) -> None:
        # The browser logs each 4xx or 5xx answer; the test decides which ones are right.
        if message.type == "error" and "Failed to load resource" not in message.text:
            complaints.append(message.text)

    def broken(error: Error) -> None:
        complaints.append(str(error))

    def open_page(viewport: dict[str, int] = _DESK) -> Page:
        context = chromium.new_context(
            base_url=pages_url,
            viewport={"width": viewport["width"], "height": viewport["height"]},
            locale="zh-CN",
            timezone_id="Europe/Berlin",  # times must be Shanghai's wherever the computer is
            accept_downloads=True,
            reduced_motion="reduce",  # no checks while things fade in
        )
        context.set_default_timeout(_PATIENCE_MS)
        contexts.append(context)
        page = context.new_page()
        page.on("console", listen)
        page.on("pageerror", broken)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def page(new_page: NewPage) -> Page:
    """A tab without a session."""
    return new_page()


@pytest.fixture
def page_of(new_page: NewPage, pages_url: str) -> PageOf:
    """`page_of(client)` is a tab in which the client's account is signed in; `page_of("yangpu")` signs in first."""

    def open_page(who: str | ApiClient, **options: Any) -> Page:
        client = ApiClient(pages_url).sign_in(who, demo_password()) if isinstance(who, str) else who
        page = new_page(**options)
        page.context.add_cookies(
            [{"name": cookie.name, "value": cookie.value or "", "url": pages_url} for cookie in client.http.cookies]
        )
        return page

    return open_page


@pytest.fixture
def desk(pages_url: str) -> Desk:
    """The clerk of a new union without members."""
    return a_desk(pages_url)


def fill_sign_in(page: Page, account_name: str, password: str | None = None) -> None:
    """Fills in the sign-in form, with the answer of another captcha, and sends it."""
    another = page.get_by_role("button", name="看不清？换一张", exact=True)
    expect(page.get_by_role("img", name="验证码图片")).to_be_visible()
    expect(another).to_be_enabled()
    with page.expect_response("**/api/v1/captchas") as made:
        another.click()
    page.get_by_label("验证码", exact=True).fill(solve(made.value.json()["captcha_id"]))
    page.get_by_label("账号").fill(account_name)
    page.get_by_label("密码", exact=True).fill(password or demo_password())
    page.get_by_role("button", name="登录", exact=True).click()


def saves_preference(response: Response) -> bool:
    """Whether the system has kept a choice of columns or page size; for `expect_response`."""
    return response.request.method == "POST" and response.url.endswith("/api/v1/me/preferences")


def subordinate_of(page: Page, union: str) -> Locator:
    """The link of a subordinate union on the workbench, after turning to the page of the table that it is on."""
    link = page.get_by_role("region", name="下级工会的办卡情况").get_by_role("link", name=union, exact=True)
    further = page.get_by_role("button", name="下一页")
    expect(link.or_(further).first).to_be_visible()
    while not link.is_visible():
        further.click()
    return link
