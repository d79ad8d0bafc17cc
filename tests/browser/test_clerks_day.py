"""Five daily tasks of a clerk, and what each costs: clicks, filled-in fields, keys (hand.py counts them).

Before the pages were made for them the same tasks took (49, 10, 15), (6, 2, 0), (9, 3, 3), (2, 2, 1) and (4, 0, 0).
"""

from dataclasses import replace

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import ROWS, PageOf, saves_preference
from tests.browser.hand import Hand
from tests.desks import Desk, a_desk, expired, form_of, people, without_category

pytestmark = pytest.mark.long("counts the clicks of daily tasks, whose pages others test")


@pytest.fixture
def desk_with_failed(desk: Desk) -> Desk:
    """A clerk with ten people who fail: five whose document is out of date, five women without a category."""
    ten = people(10)
    desk.register(*[expired(person) for person in ten[:5]])
    for person in ten[5:]:
        desk.clerk.post("members", form_of(without_category(person), retirement_category=None))
    desk.wait_for_numbers()
    desk.queue_all()
    desk.check_all()
    return desk


def hand_on(page: Page) -> Hand:
    page.goto("/")
    return Hand(page)


def test_ten_failed_people_are_mended_where_the_check_found_fault(desk_with_failed: Desk, page_of: PageOf) -> None:
    page = page_of(desk_with_failed.clerk)
    hand = hand_on(page)
    hand.click(page.get_by_role("link", name="校验未通过，需处理"))
    for place in range(1, 11):
        dialog = page.get_by_role("dialog", name="处理：")
        expect(dialog).to_contain_text(f"第 {place} 人，共 10 人")
        if dialog.get_by_text("退休类别未填写").count():
            hand.click(dialog.locator("label", has_text="女工人"))
        else:
            hand.fill(dialog.locator(".expiry input").first, "2039-01-31")
        hand.click(dialog.locator("button[type=submit]"))

    page.get_by_role("button", name="重置").click()
    expect(page.get_by_text("待办会员共：10 人；校验通过：10 人")).to_be_visible()
    assert hand.cost == (16, 5, 0)


def test_the_third_batch_of_the_month_is_submitted_as_the_last_one_was(desk: Desk, page_of: PageOf) -> None:
    for _ in range(2):
        desk.register(*people(3))
        desk.submit_all()
    desk.register(*people(3))
    desk.queue_all()
    desk.check_all()
    page = page_of(desk.clerk)
    hand = hand_on(page)
    hand.click(page.get_by_role("link", name="校验已通过，可提交办卡"))
    dialog = page.get_by_role("dialog", name="请核对后确认提交")
    expect(dialog).to_contain_text("上海市杨浦区闸殷路1555号国华广场102室")
    expect(dialog).to_contain_text("138****5678")
    expect(dialog).to_contain_text("计入月份")
    hand.click(dialog.locator("label", has_text="均已签署"))
    hand.click(dialog.get_by_role("button", name="确认提交"))

    expect(page.get_by_role("dialog", name="提交成功")).to_contain_text("cbc")
    assert desk.clerk.get("batches")["total"] == 3
    assert hand.cost == (3, 0, 0)


def test_fifty_expiry_dates_are_checked_on_one_page_with_the_soonest_first(desk: Desk, page_of: PageOf) -> None:
    soon, *others = people(50)
    desk.import_members([replace(soon, document_expiry="2027-03-01"), *others])
    desk.queue_all()
    page = page_of(desk.clerk)
    page.goto("/pending")
    with page.expect_response(saves_preference):  # the size is kept: the next day begins with it
        page.locator(".sizes").click()
        page.get_by_role("option", name="50 条/页").click()
    expect(page.locator(ROWS)).to_have_count(50)

    hand = hand_on(page)
    hand.click(page.get_by_role("link", name="待办会员列表").first)
    expect(page.locator(ROWS)).to_have_count(50)
    hand.click(page.get_by_role("button", name="证件到期日", exact=True))
    expect(page.locator(ROWS).first).to_contain_text("2027-03-01")
    for place in (0, 20, 40):
        hand.click(page.locator(ROWS).nth(place).get_by_role("button", name="修改证件到期日"))
        dialog = page.get_by_role("dialog", name="修改证件到期日")
        hand.fill(dialog.locator("input").first, "2039-01-31")
        hand.press("Enter")
        expect(dialog).to_be_hidden()

    assert hand.cost == (5, 3, 3)


def test_a_person_of_a_common_name_is_found_while_one_types(desk: Desk, page_of: PageOf) -> None:
    same = [replace(person, name="王伟") for person in people(30)]
    desk.import_members([*same, *people(10)])
    page = page_of(desk.clerk)
    hand = hand_on(page)
    hand.click(page.get_by_role("link", name="卡片信息管理").first)
    hand.fill(page.get_by_label("手机号"), same[17].phone)
    expect(page.locator(ROWS)).to_have_count(1)
    hand.click(page.get_by_role("link", name="查看详情"))

    expect(page.get_by_role("dialog", name="王伟")).to_be_visible()
    assert hand.cost == (2, 1, 0)


def test_a_batch_is_printed_and_its_papers_are_fetched(desk: Desk, page_of: PageOf) -> None:
    desk.register(*people(3))
    desk.submit_all()
    page = page_of(desk.clerk)
    hand = hand_on(page)
    hand.click(page.get_by_role("link", name="待打印清册的批次"))
    dialog = page.get_by_role("dialog", name="打印清册")
    expect(dialog.get_by_title("办卡清册预览")).to_be_visible()
    with page.expect_download() as papers:
        hand.click(dialog.get_by_role("button", name="打印清册并下载附件"))

    assert papers.value.suggested_filename.endswith(".zip")
    assert hand.cost == (2, 0, 0)


def test_after_a_submission_the_register_is_one_click_away(pages_url: str, page_of: PageOf) -> None:
    desk = a_desk(pages_url)
    desk.register(*people(3))
    desk.submit_all()
    desk.register(*people(3))
    desk.queue_all()
    desk.check_all()
    page = page_of(desk.clerk)
    page.goto("/pending")
    page.get_by_role("button", name="提交办卡").click()
    page.get_by_role("dialog").locator("label", has_text="均已签署").click()
    page.get_by_role("button", name="确认提交").click()

    page.get_by_role("dialog", name="提交成功").get_by_role("button", name="打印清册").click()

    expect(page.get_by_title("办卡清册预览")).to_be_visible()
