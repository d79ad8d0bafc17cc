"""Debian's Chromium without a window, which goes nowhere by itself, and what people do in it.

Its headless shell has the engine of Chromium and none of the window: a page takes half the processor time.
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
    """A browser for as long as it is needed."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=_ARGUMENTS)
        yield browser
        browser.close()


def answer_captcha_on_the_phone(page: Page) -> None:
    """Takes another captcha on the phone's first page, and fills its answer in."""
    another = page.get_by_role("button", name="看不清，换一张图形码")
    page.get_by_role("img", name="图形码图片").wait_for()
    with page.expect_response("**/api/v1/captchas") as made:
        another.click()
    page.get_by_placeholder("图中字符").fill(solve(made.value.json()["captcha_id"]))
