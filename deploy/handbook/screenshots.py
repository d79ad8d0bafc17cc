"""Takes the pictures of docs/images from a separate stack with demo data: `make screenshots`."""

import argparse
import io
import sys
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page

from deploy.handbook.chromium import answer_captcha_on_the_phone, choose_day_on_the_phone, chromium, open_page
from deploy.handbook.pictures import OVERDUE_PICTURES, PICTURES, Picture
from deploy.handbook.working_day import WorkingDay, one_time_password, work
from deploy.local import stack, web
from deploy.local.captcha_solver import use_secret_of
from deploy.local.environment import ROOT
from deploy.local.stack import Stack

IMAGES = ROOT / "docs" / "images"
_FOLDER = ROOT / ".local" / "screenshots"
_DESK, _PHONE = (1366, 768), (360, 740)
_COLOURS = 128
_MEMBER_ON_THE_PHONE = "13900000001"
_A_WEEK = timedelta(weeks=1)


def main() -> int:
    """Takes all pictures from a temporary stack with fresh demo data, or from one that is running."""
    parser = argparse.ArgumentParser(prog="python -m deploy.handbook.screenshots", description="The pictures.")
    parser.add_argument("--of", type=Path, help="the folder of a running stack with unchanged demo data")
    folder = parser.parse_args().of
    if folder:
        take_all(stack.find(folder.absolute()))
        return 0
    web.build()
    stack.reset(_FOLDER)
    try:
        take_all(stack.start(_FOLDER))
    finally:
        stack.reset(_FOLDER)
    return 0


def take_all(running: Stack) -> None:
    """Takes all pictures from a stack whose demo data are unchanged."""
    use_secret_of(running.folder)
    IMAGES.mkdir(exist_ok=True)
    day = work(running)
    with chromium(shows_pdf=True) as browser:
        _take_console(browser, running, day, PICTURES)
        _take_phone(browser, running)
        _move_clock(running, _A_WEEK)
        try:
            _take_console(browser, running, day, OVERDUE_PICTURES)
        finally:
            _move_clock(running, timedelta())


def _take_console(browser: Browser, running: Stack, day: WorkingDay, pictures: Iterable[Picture]) -> None:
    words = {"batch_no": day.answered_batch, "revocation_id": day.revocation_id}
    pages: dict[str | None, Page] = {}
    for picture in pictures:
        if picture.account not in pages:
            pages[picture.account] = open_page(browser, running, _DESK, picture.account)
        page = pages[picture.account]
        page.goto(picture.path.format(**words))
        page.get_by_text(picture.ready).first.wait_for()
        picture.audit_event(page)
        _keep(page, picture.name)


def _move_clock(running: Stack, ahead: timedelta) -> None:
    """Moves the clock of deadlines, which restarts the services."""
    stack.change_settings(running.folder, {"CLOCK_AHEAD_SECONDS": str(int(ahead.total_seconds()))})


def _take_phone(browser: Browser, running: Stack) -> None:
    page = open_page(browser, running, _PHONE)
    page.goto("/m/")
    page.get_by_label("手机号").fill(_MEMBER_ON_THE_PHONE)
    _keep(page, "phone-sign-in")
    answer_captcha_on_the_phone(page)
    page.get_by_role("button", name="获取验证码").click()
    page.get_by_text("验证码已发送").wait_for()
    page.get_by_label("验证码").fill(one_time_password(running, _MEMBER_ON_THE_PHONE))
    page.get_by_role("button", name="登录").click()
    page.get_by_role("heading", name="会员信息梳理").wait_for()
    _keep(page, "phone-profile")
    choose_day_on_the_phone(page, "证件到期日", "2040-01-02")
    page.get_by_label("联系地址").fill("上海市长宁区古北路555弄8号")
    page.get_by_label("我已核对以上信息").check()
    page.get_by_role("button", name="下一步：选择网点").click()
    page.get_by_role("radio").first.check()
    _keep(page, "phone-outlet")
    page.get_by_role("button", name="下一步：同意并确认").click()
    page.get_by_role("heading", name="同意并确认").wait_for()
    _keep(page, "phone-confirm")
    page.get_by_label("我已阅读并单独同意").check()
    page.get_by_role("button", name="确认提交").click()
    page.get_by_text("银行办理中").first.wait_for()
    _keep(page, "phone-progress")


def _keep(page: Page, name: str) -> None:
    """Saves a picture with a reduced palette: pages have few colours, and the files are a third of the size."""
    page.locator(".el-skeleton, .skeleton").first.wait_for(state="hidden")
    taken = Image.open(io.BytesIO(page.screenshot(animations="disabled", caret="hide"))).convert("RGB")
    taken.quantize(_COLOURS, dither=Image.Dither.NONE).save(IMAGES / f"{name}.png", optimize=True)
    print(f"docs/images/{name}.png", flush=True)


if __name__ == "__main__":
    sys.exit(main())
