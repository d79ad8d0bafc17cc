"""Videos of guides and announcements, played in the page by Chromium, with captions and by parts of the file."""

from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Response, expect

from deploy.handbook.videos import VIDEOS
from deploy.local.client import ApiClient
from services.notification import seed
from tests.browser.accessibility import serious_findings
from tests.browser.conftest import NewPage, PageOf
from tests.desks import Desk

_READY = "(video) => video.readyState >= 2"
_PLAYED = "(video) => video.readyState >= 3 && video.currentTime > 0.5"
_SEEK = """(video, seconds) => new Promise((seeked) => {
    video.addEventListener("seeked", () => seeked(video.currentTime), { once: true });
    video.currentTime = seconds;
})"""
_CAPTIONS = """(video) => ({
    cues: video.textTracks[0].cues?.length ?? 0, mode: video.textTracks[0].mode, language: video.textTracks[0].language,
    shown: [...(video.textTracks[0].activeCues ?? [])].map((cue) => cue.text),
})"""


def play(page: Page, video: Locator) -> None:
    """Plays by the keyboard, and waits until pictures move; the player takes no key before it has a picture."""
    page.wait_for_function(_READY, arg=video.element_handle())
    video.focus()
    expect(video).to_be_focused()
    page.keyboard.press("Space")
    page.wait_for_function(_PLAYED, arg=video.element_handle())


def captions(video: Locator) -> dict[str, Any]:
    page = video.page
    page.wait_for_function("(video) => video.textTracks[0].cues?.length > 0", arg=video.element_handle())
    found: dict[str, Any] = video.evaluate(_CAPTIONS)
    return found


def parts(page: Page, path: str) -> list[Response]:
    """The answers with parts of a file, as they come."""
    found: list[Response] = []
    page.on("response", lambda one: found.append(one) if path in one.url and one.status == 206 else None)
    return found


def test_a_guide_s_video_is_played_on_the_sign_in_page(page: Page) -> None:
    received = parts(page, "/videos/check.mp4")
    page.goto("/sign-in")
    page.get_by_role("list", name="查看视频").get_by_role("button", name="播放视频：系统校验").press("Enter")
    dialog = page.get_by_role("dialog", name="系统校验")
    video = dialog.locator("video")
    expect(video).to_have_attribute("poster", "/videos/check.jpg")
    expect(dialog).to_contain_text("逐一核对证件到期日")
    assert serious_findings(page) == []

    play(page, video)
    assert video.evaluate(_SEEK, 45) == pytest.approx(45, abs=1)
    told = captions(video)

    assert (told["mode"], told["language"]) == ("showing", "zh")
    assert told["cues"] >= 6
    assert "移除全部校验未通过" in told["shown"][0]
    assert {one.headers["content-range"].split("/")[1] for one in received} == {
        str((VIDEOS / "check.mp4").stat().st_size)
    }
    page.keyboard.press("Escape")
    expect(page.locator("video")).to_have_count(0)


def test_each_video_of_the_workbench_can_be_played_to_its_end(page_of: PageOf) -> None:
    page = page_of("jianlang")
    page.goto("/")
    for name, title, _ in seed.VIDEOS:
        page.get_by_role("button", name=f"播放视频：{title}").click()
        video = page.get_by_role("dialog", name=title).locator("video")
        expect(video).to_have_attribute("src", f"/videos/{name}.mp4")
        play(page, video)
        length = video.evaluate("(video) => video.duration")
        assert 30 <= length <= 90
        assert video.evaluate(_SEEK, length - 2) == pytest.approx(length - 2, abs=1)
        assert len(captions(video)["shown"]) == 1
        page.keyboard.press("Escape")
        expect(video).to_have_count(0)


@pytest.mark.parametrize("width", [390, 1920])
def test_a_video_fits_narrow_and_wide_screens(new_page: NewPage, width: int) -> None:
    page = new_page(viewport={"width": width, "height": 844})
    page.goto("/sign-in")
    for title in ("提交办卡", "手机申请"):
        page.get_by_role("button", name=f"播放视频：{title}").click()
        box = page.locator("video").bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert box["height"] <= 844 * 0.67
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.keyboard.press("Escape")
        expect(page.locator("video")).to_have_count(0)


def test_a_video_of_the_city_is_played_in_its_announcement_and_its_guide(page_of: PageOf, desk: Desk) -> None:
    city = page_of("city")
    titles = {"announcements": f"视频通知{desk.number}", "guides": f"视频指引{desk.number}"}
    for place, name in (("announcements", "通知公告"), ("guides", "新手指引")):
        city.goto(f"/{place}")
        city.get_by_role("button", name=f"发布{name}").click()
        dialog = city.get_by_role("dialog", name=f"发布{name}")
        dialog.get_by_label("标题").fill(titles[place])
        dialog.get_by_label("内容").fill("请观看视频。")
        dialog.get_by_label("选择附件").set_input_files([VIDEOS / "queueing.mp4", VIDEOS / "queueing.vtt"])
        expect(dialog).to_contain_text("queueing.mp4")
        dialog.get_by_role("button", name="发布", exact=True).click()
        expect(city.get_by_text(f"{name}已发布")).to_be_visible()

    clerk = page_of(desk.clerk)
    received = parts(clerk, "/api/v1/attachments/")
    clerk.goto("/")
    for open_by in (titles["announcements"], f"播放视频：{titles['guides']}"):
        clerk.get_by_role("button", name=open_by, exact=True).click()
        video = clerk.get_by_role("dialog").locator("video")
        play(clerk, video)
        assert video.evaluate(_SEEK, 40) == pytest.approx(40, abs=1)
        assert captions(video)["shown"] != []
        assert serious_findings(clerk) == []
        clerk.keyboard.press("Escape")
        expect(video).to_have_count(0)
    assert {one.headers["content-type"] for one in received} == {"video/mp4"}
    withdraw(city, desk.clerk, titles)


def withdraw(city: Page, clerk: ApiClient, titles: dict[str, str]) -> None:
    """Withdraws what was published, so that other tests find the demo's guides."""
    for place, title in titles.items():
        city.goto(f"/{place}")
        city.get_by_role("button", name=f"撤回：{title}").click()
        city.get_by_role("dialog").get_by_role("button", name="撤回").click()
        expect(city.get_by_role("cell", name=title)).to_have_count(0)
        assert title not in [one["title"] for one in clerk.get(place, size=200)["items"]]


def test_the_city_chooses_a_video_that_comes_with_the_pages(page_of: PageOf, desk: Desk) -> None:
    city = page_of("city")
    title = f"自带视频{desk.number}"
    city.goto("/guides")
    city.get_by_role("button", name="发布新手指引").click()
    dialog = city.get_by_role("dialog", name="发布新手指引")
    dialog.get_by_label("标题").fill(title)
    dialog.get_by_label("内容").fill("请观看视频。")
    dialog.get_by_role("button", name="打印清册").click()
    expect(dialog.get_by_label("视频地址")).to_have_value("/videos/register.mp4")
    assert serious_findings(city) == []
    dialog.get_by_role("button", name="发布", exact=True).click()
    expect(city.get_by_text("新手指引已发布")).to_be_visible()

    city.get_by_role("button", name=f"播放视频：{title}").click()
    play(city, city.get_by_role("dialog", name=title).locator("video"))
    city.keyboard.press("Escape")

    withdraw(city, desk.clerk, {"guides": title})
