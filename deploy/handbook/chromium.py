"""Starts Debian's headless Chromium without its background requests, and does there what people do.

The headless shell has Chromium's engine without the window, so that a page takes half the processor time.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, sync_playwright

from deploy.local.captcha_solver import solve

_CHROMIUM = "/usr/bin/chromium-headless-shell"
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Yields a browser, closed at the end."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=_ARGUMENTS)
        yield browser
        browser.close()


def answer_captcha_on_the_phone(page: Page) -> None:
    """Requests a new captcha on the phone's first page and fills in its answer."""
    another = page.get_by_role("button", name="看不清，换一张图形码")
    page.get_by_role("img", name="图形码图片").wait_for()
    with page.expect_response("**/api/v1/captchas") as made:
        another.click()
    page.get_by_placeholder("图中字符").fill(solve(made.value.json()["captcha_id"]))
