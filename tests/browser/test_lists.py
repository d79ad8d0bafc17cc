"""What all lists do: order, chosen columns, ticks and place that stay; narrow and dark screens, paper."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessibility import serious_findings
from tests.browser.conftest import ROWS, PageOf, saves_preference
from tests.desks import Desk, a_desk, people

pytestmark = pytest.mark.long("details of lists, narrow and dark pages; stories are told in make test")

_PHONE = {"width": 390, "height": 844}
_PAGES = {
    "/": "会员证数",
    "/members": "共 60 条",
    "/pending": "待办会员列表是空的",
    "/batches": "没有符合条件的办卡批次",
    "/messages": "会员导入完成",
    "/account": "当前登录",
}
"""Pages of a clerk, and what is on each once it has loaded."""


@pytest.fixture(scope="module")
def desk_with_60(pages_url: str) -> Desk:
    """A clerk with three pages of members, none of whom changes."""
    desk = a_desk(pages_url)
    desk.import_members(people(60))
    return desk


def open_members(page: Page, query: str = "") -> None:
    page.goto(f"/members{query}")
    expect(page.locator(ROWS)).to_have_count(20)


def test_a_press_on_a_columns_head_orders_all_pages_by_it(desk_with_60: Desk, page_of: PageOf) -> None:
    page = page_of(desk_with_60.clerk)
    open_members(page, "?page=2")
    head = page.get_by_role("columnheader", name="会员编号")

    head.get_by_role("button").click()
    expect(head).to_have_attribute("aria-sort", "ascending")
    lowest = desk_with_60.clerk.get("members", sort="member_no", size=1)["items"][0]["member_no"]
    expect(page.locator(ROWS).first).to_contain_text(lowest)
    head.get_by_role("button").click()

    expect(head).to_have_attribute("aria-sort", "descending")
    highest = desk_with_60.clerk.get("members", sort="-member_no", size=1)["items"][0]["member_no"]
    expect(page.locator(ROWS).first).to_contain_text(highest)
    assert "sort=-member_no" in page.url
    assert "page=2" not in page.url


def test_chosen_columns_and_the_size_of_a_page_are_there_on_another_computer(desk: Desk, page_of: PageOf) -> None:
    desk.import_members(people(30))
    page = page_of(desk.clerk)
    open_members(page)
    page.get_by_role("button", name="列设置").click()
    with page.expect_response(saves_preference):
        page.get_by_role("group", name="列设置").get_by_role("checkbox", name="银行卡号").uncheck()
    expect(page.get_by_role("columnheader", name="银行卡号")).to_have_count(0)
    page.keyboard.press("Escape")
    with page.expect_response(saves_preference):
        page.locator(".sizes").click()
        page.get_by_role("option", name="50 条/页").click()

    other = page_of(desk.clerk)
    other.goto("/members")

    expect(other.locator(ROWS)).to_have_count(30)
    expect(other.get_by_role("columnheader", name="银行卡号")).to_have_count(0)
    expect(other.get_by_role("columnheader", name="姓名")).to_be_visible()


def test_details_lead_from_row_to_row_and_leave_the_list_where_it_was(desk_with_60: Desk, page_of: PageOf) -> None:
    page = page_of(desk_with_60.clerk)
    open_members(page)
    names = page.locator(f"{ROWS} td:nth-child(3)").all_inner_texts()
    last = page.locator(ROWS).nth(17).get_by_role("link", name="查看详情")
    last.scroll_into_view_if_needed()
    place = page.evaluate("scrollY")
    assert place > 0

    last.click()
    drawer = page.get_by_role("dialog")
    expect(drawer.get_by_role("heading", level=2)).to_have_text(names[17])
    drawer.get_by_role("button", name="下一条").click()
    expect(page.get_by_role("dialog").get_by_role("heading", level=2)).to_have_text(names[18])
    assert page.evaluate("scrollY") == place
    page.get_by_role("button", name="关闭详情").click()

    expect(page.get_by_role("dialog")).to_have_count(0)
    assert page.evaluate("scrollY") == place


def test_ticked_rows_are_ticked_when_one_comes_back_and_the_head_stays_in_sight(
    desk_with_60: Desk, page_of: PageOf
) -> None:
    page = page_of(desk_with_60.clerk)
    open_members(page)
    page.locator(ROWS).nth(2).get_by_role("checkbox").check()
    page.get_by_role("navigation", name="功能菜单").get_by_role("link", name="办卡批次管理").click()
    expect(page.get_by_role("heading", name="办卡批次管理")).to_be_visible()
    page.get_by_role("navigation", name="功能菜单").get_by_role("link", name="卡片信息管理").click()
    expect(page.get_by_text("已选 1 人")).to_be_visible()

    page.mouse.wheel(0, 900)
    page.locator(ROWS).last.scroll_into_view_if_needed()

    expect(page.get_by_role("columnheader", name="姓名")).to_be_in_viewport()
    expect(page.get_by_role("button", name="添加选中的未办卡会员至待办")).to_be_in_viewport()


def test_a_part_of_a_document_number_says_what_is_needed_and_asks_nothing(desk_with_60: Desk, page_of: PageOf) -> None:
    page = page_of(desk_with_60.clerk)
    open_members(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "document_number" in request.url else None)

    page.get_by_label("证件号码", exact=True).fill("310106")
    page.keyboard.press("Enter")

    expect(page.get_by_text("请填写完整的证件号码（居民身份证 18 位）；只知道末尾的，请填后四位")).to_be_visible()
    expect(page.locator(ROWS)).to_have_count(20)
    assert asked == []


def test_a_search_that_is_refused_names_its_field_and_shows_no_rows_of_another(
    desk_with_60: Desk, page_of: PageOf
) -> None:
    page = page_of(desk_with_60.clerk)
    open_members(page)

    page.get_by_label("地址").fill("路")
    page.keyboard.press("Enter")

    expect(page.locator(".el-form-item.is-error")).to_contain_text("地址")
    expect(page.locator(ROWS)).to_have_count(0)


def test_what_was_filled_in_is_not_dropped_by_escape(desk_with_60: Desk, page_of: PageOf) -> None:
    page = page_of(desk_with_60.clerk)
    open_members(page)
    page.get_by_role("button", name="登记会员").click()
    dialog = page.get_by_role("dialog", name="登记会员")
    dialog.get_by_label("姓名").fill("王芳")
    page.keyboard.press("Escape")
    question = page.get_by_role("dialog", name="放弃填写的内容")
    expect(question).to_be_visible()
    question.get_by_role("button", name="取消").click()
    expect(question).to_be_hidden()
    expect(dialog.get_by_label("姓名")).to_have_value("王芳")

    page.keyboard.press("Escape")
    page.get_by_role("button", name="放弃", exact=True).click()

    expect(dialog).to_be_hidden()


def test_shortcuts_are_listed_and_lead_to_search_and_pages(desk_with_60: Desk, page_of: PageOf) -> None:
    page = page_of(desk_with_60.clerk)
    open_members(page)
    page.keyboard.press("?")
    help_ = page.get_by_role("dialog", name="键盘快捷键")
    expect(help_).to_contain_text("打开待办会员列表")
    assert serious_findings(page) == []
    page.keyboard.press("?")
    expect(help_).to_be_hidden()

    page.keyboard.press("/")
    expect(page.get_by_label("姓名", exact=True)).to_be_focused()
    page.locator("h1").click()
    page.keyboard.press("]")
    expect(page).to_have_url("/members?page=2")
    page.keyboard.press("g")
    page.keyboard.press("3")

    expect(page.get_by_role("heading", name="待办会员列表")).to_be_visible()


def test_a_drawer_is_no_landmark_of_the_page(desk_with_60: Desk, page_of: PageOf) -> None:
    page = page_of(desk_with_60.clerk)
    open_members(page)
    page.get_by_role("link", name="查看详情").first.click()
    expect(page.get_by_role("dialog").locator("dl")).to_be_visible()

    assert serious_findings(page) == []
    assert [one for one in serious_findings(page, "moderate") if one.startswith("landmark")] == []


@pytest.mark.parametrize("path", _PAGES)
def test_pages_fit_a_narrow_screen_and_the_menu_opens_over_them(desk_with_60: Desk, page_of: PageOf, path: str) -> None:
    page = page_of(desk_with_60.clerk, viewport=_PHONE)
    page.goto(path)
    expect(page.get_by_text(_PAGES[path]).first).to_be_visible()

    assert page.evaluate("document.documentElement.scrollWidth") <= _PHONE["width"]
    page.get_by_role("button", name="打开功能菜单").click()
    page.get_by_role("navigation", name="功能菜单").get_by_role("link", name="办卡批次管理").click()
    expect(page.get_by_role("heading", name="办卡批次管理")).to_be_visible()
    expect(page.get_by_role("navigation", name="功能菜单")).to_be_hidden()
    assert serious_findings(page) == []


def test_a_narrow_screen_keeps_the_action_of_each_row_in_sight(desk_with_60: Desk, page_of: PageOf) -> None:
    page = page_of(desk_with_60.clerk, viewport=_PHONE)
    open_members(page)

    place = page.locator(ROWS).first.get_by_role("link", name="查看详情").bounding_box()

    assert place is not None
    assert place["x"] + place["width"] <= _PHONE["width"]


@pytest.mark.parametrize("path", _PAGES)
def test_axe_finds_nothing_serious_in_the_dark(desk_with_60: Desk, page_of: PageOf, path: str) -> None:
    page = page_of(desk_with_60.clerk)
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    page.goto(path)
    expect(page.get_by_text(_PAGES[path]).first).to_be_visible()

    assert page.evaluate("getComputedStyle(document.body).color") != "rgb(29, 37, 48)"
    assert serious_findings(page) == []


def test_a_list_on_paper_is_its_rows(desk_with_60: Desk, page_of: PageOf, tmp_path: Path) -> None:
    page = page_of(desk_with_60.clerk)
    open_members(page)

    page.emulate_media(media="print")

    expect(page.locator(ROWS).first).to_be_visible()
    for left_out in (".side-menu", ".search-form", ".data-table .actions", ".pager"):
        expect(page.locator(left_out)).to_be_hidden()
    page.pdf(path=tmp_path / "list.pdf")
    assert (tmp_path / "list.pdf").stat().st_size > 10_000
