"""Operations 运维: how services and queues do, and dead letters, which an operator sends back or discards."""

import re
from uuid import uuid4

from playwright.sync_api import Page, expect

from deploy.local.client import ApiClient, wait_until
from deploy.local.stack import Stack
from services.common.contracts import bank
from services.membership.seed import demo_password
from tests.browser.accessibility import serious_findings
from tests.browser.conftest import PageOf
from tests.dead_letters import letter_in, send_unsigned

NOTHING = "没有死信，所有消息都已处理"


def test_an_operator_finds_what_the_bank_sent_unsigned_and_discards_it_with_a_reason(
    page_of: PageOf, pages_url: str, stack: Stack
) -> None:
    operator = ApiClient(pages_url).sign_in("ops", demo_password())
    letter_id = send_unsigned(stack, str(uuid4()))
    wait_until(lambda: letter_in(operator, bank.REJECTED_QUEUE, letter_id), "the feedback is rejected")
    page = page_of(operator)

    page.goto("/operations")
    expect(page.get_by_text("membership")).to_be_visible()
    assert serious_findings(page) == []
    page.get_by_role("link", name=f"查看死信：{bank.REJECTED_QUEUE}").click()
    expect(page.get_by_role("heading", name="死信处理")).to_be_visible()

    # Who else looks at the queue has the letters in hand for a moment: then one looks, or discards, once more.
    wait_until(lambda: is_opened(page, letter_id), "the letter is shown")
    assert serious_findings(page) == []
    page.get_by_role("dialog", name="死信详情").get_by_role("button", name="丢弃").click()
    page.get_by_role("button", name="丢弃 1 条").click()
    expect(page.get_by_text("请填写丢弃原因")).to_be_visible()
    page.keyboard.press("Escape")
    wait_until(lambda: is_opened(page, letter_id) and is_discarded(page), "the letter is discarded")

    assert letter_in(operator, bank.REJECTED_QUEUE, letter_id) is None


def is_opened(page: Page, letter_id: str) -> bool:
    """Whether the letter is in the list and still there when it is looked at."""
    page.goto(f"/dead-letters?queue={bank.REJECTED_QUEUE}&size=100")
    details = page.get_by_role("link", name=f"查看详情：{bank.REJECTED_QUEUE} 的消息 {letter_id}")
    expect(page.get_by_role("link", name=re.compile("^查看详情")).first.or_(page.get_by_text(NOTHING))).to_be_visible()
    if not details.is_visible():
        return False
    assert serious_findings(page) == []
    details.click()
    drawer = page.get_by_role("dialog", name="死信详情")
    shown = drawer.get_by_role("region", name="消息内容")
    expect(shown.or_(drawer.get_by_role("alert"))).to_be_visible()
    return shown.is_visible()


def is_discarded(page: Page) -> bool:
    """The reason is given, and the page says how many were discarded."""
    page.get_by_role("dialog", name="死信详情").get_by_role("button", name="丢弃").click()
    page.get_by_label("丢弃原因").fill("测试时发送")
    page.get_by_role("button", name="丢弃 1 条").click()
    told = page.get_by_text(re.compile(r"已丢弃 \d 条消息"))
    expect(told).to_be_visible()
    return "已丢弃 1 条" in told.inner_text()
