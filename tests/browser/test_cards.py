"""Cards 领卡管理 on the page: who has not collected one, live reports of the bank, collection at the union."""

import re
from typing import Any
from uuid import uuid4

import pytest
import requests
from playwright.sync_api import Page, expect

from deploy.local.client import ApiClient, wait_until
from deploy.local.stack import Stack
from services.membership.seed import demo_password
from tests.browser.accessibility import serious_findings
from tests.browser.bank import answer_batch
from tests.browser.conftest import ROWS, PageOf, fill_sign_in
from tests.desks import DESK_PASSWORD, Desk, people


@pytest.fixture
def cards(desk: Desk, stack: Stack) -> list[dict[str, Any]]:
    """Three cards of the desk's union, which hands them out."""
    ApiClient(stack.gateway_url).sign_in("city", demo_password()).patch("branches/icbc-sh", {"union_hands_out": True})
    desk.register(*people(3))
    answer_batch(stack, desk.submit_all(), {"outcome": "issued"})
    wait_until(lambda: desk.clerk.get("cards")["total"] == 3, "the cards are made")
    found: list[dict[str, Any]] = desk.clerk.get("cards")["items"]
    return found


def open_cards(page: Page) -> None:
    page.goto("/cards")
    expect(page.locator(ROWS)).to_have_count(3)


def test_a_list_that_fits_its_page_does_not_scroll(desk: Desk, page_of: PageOf) -> None:
    page = page_of(desk.clerk)
    page.goto("/cards")
    expect(page.get_by_text("没有符合条件的卡")).to_be_visible()
    assert page.locator(".data-table .scroller").evaluate("(list) => list.scrollWidth - list.clientWidth") == 0


def test_a_clerk_sees_who_waits_prints_the_list_and_marks_collection_and_the_bank_goes_on(
    desk: Desk, cards: list[dict[str, Any]], page_of: PageOf, stack: Stack
) -> None:
    page = page_of(desk.clerk)
    open_cards(page)
    expect(page.get_by_role("status").filter(has_text="未领卡")).to_contain_text("未领卡 3 人")
    expect(page.locator(ROWS).first).to_contain_text("已等待 0 天")
    with page.expect_download() as printed:
        page.get_by_role("button", name="打印领卡签收单").click()
    assert printed.value.path().read_bytes().startswith(b"%PDF")

    name = cards[0]["name"]
    page.get_by_role("checkbox", name=f"选择{name}", exact=True).first.check()
    page.get_by_role("button", name="登记领卡").click()
    dialog = page.get_by_role("dialog", name="登记领卡")
    expect(dialog).to_contain_text("将所选 1 人登记为已领卡")
    dialog.get_by_role("button", name="登记", exact=True).click()

    expect(page.get_by_text("已登记 1 人领卡")).to_be_visible()
    row = page.locator(ROWS).filter(has_text=cards[0]["member_no"])
    expect(row).to_contain_text("已领卡")
    expect(page.get_by_role("status").filter(has_text="未领卡")).to_contain_text("未领卡 2 人")

    known = {"application_id": cards[0]["application_id"], "card_no": whole_number(desk, cards[0])}
    reported = {"cards": [{**known, "step": "activated"}, {**known, "step": "lost"}]}
    requests.post(f"{stack.simulator_urls['bank']}/cards/feedback", json=reported, timeout=10).raise_for_status()
    expect(row).to_contain_text("已挂失")
    assert serious_findings(page) == []

    page.goto(f"/members/{cards[0]['member_id']}")
    drawer = page.get_by_role("dialog", name=name)
    expect(drawer).to_contain_text("卡片记录")
    expect(drawer.get_by_role("listitem").filter(has_text="领卡")).to_contain_text("工会登记")
    expect(drawer.get_by_role("listitem").filter(has_text="挂失")).to_contain_text("银行反馈")
    assert serious_findings(page) == []


def test_a_superior_sees_the_cards_below_and_marks_none(
    desk: Desk, cards: list[dict[str, Any]], page_of: PageOf
) -> None:
    page = page_of(desk.office.reviewer)
    page.goto(f"/cards?union_id={desk.union_id}")
    expect(page.locator(ROWS)).to_have_count(3)
    expect(page.locator(ROWS).first).to_contain_text(desk.clerk.account["union"]["name"])
    expect(page.get_by_role("button", name="登记领卡")).to_have_count(0)
    with page.expect_download() as saved:
        page.get_by_role("button", name="导出").click()
    assert saved.value.suggested_filename.endswith(".xlsx")


def test_a_clerk_marks_collection_by_scanning_the_codes_on_paper(
    desk: Desk, cards: list[dict[str, Any]], page_of: PageOf
) -> None:
    first, second, _ = cards
    page = page_of(desk.clerk)
    open_cards(page)
    page.get_by_role("button", name="扫码领卡").click()
    scanner = page.get_by_role("textbox", name="领卡码")
    expect(scanner).to_be_focused()

    page.keyboard.type("6224781234567891\n")
    expect(page.get_by_role("alert")).to_contain_text("这不是领卡码")
    page.keyboard.type(f"https://cards.example/collect/{first['application_id']}\n")
    expect(page.get_by_role("heading", name=first["name"])).to_be_visible()
    expect(page.get_by_role("main")).to_contain_text(first["member_no"])
    assert serious_findings(page) == []
    page.get_by_role("button", name="登记领卡").click()
    expect(page.get_by_text("已登记领卡。请扫描下一位会员的领卡码。")).to_be_visible()
    expect(scanner).to_be_focused()

    page.keyboard.type(f"{second['application_id']}\n")
    page.get_by_role("button", name="登记领卡").click()
    expect(page.get_by_role("heading", name="本次已登记 2 人")).to_be_visible()
    statuses = {one["application_id"]: one["status"] for one in desk.clerk.get("cards")["items"]}
    assert [statuses[one["application_id"]] for one in cards] == ["collected", "collected", "made"]

    page.goto(f"/collect/{first['application_id']}")
    expect(page.get_by_text("已领卡，无需登记")).to_be_visible()
    expect(page.get_by_role("button", name="登记领卡")).to_have_count(0)
    page.goto(f"/collect/{uuid4()}")
    expect(page.get_by_role("alert")).to_contain_text("本工会没有这张卡")
    assert serious_findings(page) == []


def test_a_code_scanned_by_a_telephone_that_is_not_signed_in_comes_back_after_signing_in(
    desk: Desk, cards: list[dict[str, Any]], page_of: PageOf, page: Page
) -> None:
    page.goto(f"/collect/{cards[0]['application_id']}")
    expect(page).to_have_url(re.compile(r"/sign-in\?back=/collect/"))
    fill_sign_in(page, desk.account_name, DESK_PASSWORD)
    expect(page.get_by_role("heading", name=cards[0]["name"])).to_be_visible()
    reviewer = page_of(desk.office.reviewer)
    reviewer.goto(f"/collect/{cards[0]['application_id']}")
    expect(reviewer.get_by_role("heading", name="页面不存在")).to_be_visible()


def whole_number(desk: Desk, card: dict[str, Any]) -> str:
    shown = desk.clerk.post(f"members/{card['member_id']}/reveal", {"reason": "核对卡号"})
    return str(shown["card_no"])
