"""Starts Debian's headless Chromium without its background requests, and does there what people do.

The headless shell has Chromium's engine without the window, so that a page takes half the processor time. It has no
viewer of PDF documents either, which the whole Chromium has.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, sync_playwright

from deploy.handbook.working_day import signed_in_client
from deploy.local.captcha_solver import solve
from deploy.local.stack import Stack

_SHELL, _WHOLE = "/usr/bin/chromium-headless-shell", "/usr/bin/chromium"
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
_PATIENCE_MS = 30_000


@contextmanager
def chromium(*, shows_pdf: bool = False) -> Iterator[Browser]:
    """Yields a browser, closed at the end; one that shows PDF documents needs Debian's package `chromium`."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=_WHOLE if shows_pdf else _SHELL,
            headless=not shows_pdf,  # Playwright knows the shell's way only
            args=(*ARGUMENTS, "--headless=new") if shows_pdf else ARGUMENTS,
        )
        yield browser
        browser.close()


def open_page(
    browser: Browser, running: Stack, size: tuple[int, int], account: str | None = None, *, scale: float = 1
) -> Page:
    """Opens a tab of a separate browser in Shanghai, in which the demo account is signed in, if one is named."""
    context = browser.new_context(
        base_url=running.gateway_url,
        viewport={"width": size[0], "height": size[1]},
        device_scale_factor=scale,
        locale="zh-CN",
        timezone_id="Asia/Shanghai",
        reduced_motion="reduce",
    )
    context.set_default_timeout(_PATIENCE_MS)
    if account:
        cookies = signed_in_client(running, account).http.cookies
        url = running.gateway_url
        context.add_cookies([{"name": one.name, "value": one.value or "", "url": url} for one in cookies])
    return context.new_page()


def choose_day_on_the_phone(page: Page, label: str, day: str) -> None:
    """Turns the wheels of a date to a day: `2040-01-02`."""
    for wheel, part in zip("年月日", day.split("-"), strict=True):
        page.get_by_label(f"{label}：{wheel}").select_option(part)


def answer_captcha_on_the_phone(page: Page) -> None:
    """Requests a new captcha on the phone's first page and fills in its answer."""
    another = page.get_by_role("button", name="看不清，换一张图形码")
    page.get_by_role("img", name="图形码图片").wait_for()
    with page.expect_response("**/api/v1/captchas") as made:
        another.click()
    page.get_by_placeholder("图中字符").fill(solve(made.value.json()["captcha_id"]))
