"""Operations 运维: how services and queues do, and dead letters, which an operator sends back or discards."""

import re

from playwright.sync_api import expect

from deploy.local.client import ApiClient, wait_until
from deploy.local.stack import Stack
from services.common.contracts import bank
from services.membership.seed import demo_password
from tests.browser.accessibility import serious_findings
from tests.browser.conftest import PageOf
from tests.e2e.test_operations import letters, send_feedback


def test_an_operator_finds_what_the_bank_sent_unsigned_and_discards_it_with_a_reason(
    page_of: PageOf, pages_url: str, stack: Stack
) -> None:
    operator = ApiClient(pages_url).sign_in("ops", demo_password())
    before = len(letters(operator, bank.REJECTED_QUEUE))
    send_feedback(stack, feedback_id="unsigned-on-page", batch_no="cbc1", results=[])
    wait_until(lambda: len(letters(operator, bank.REJECTED_QUEUE)) > before, "the feedback is rejected")
    page = page_of(operator)

    page.goto("/operations")
    expect(page.get_by_text("membership")).to_be_visible()
    assert serious_findings(page) == []
    page.get_by_role("link", name=f"查看死信：{bank.REJECTED_QUEUE}").click()
    details = page.get_by_role("link", name=re.compile("^查看详情"))
    expect(details).to_have_count(before + 1)
    assert serious_findings(page) == []
    details.last.click()
    drawer = page.get_by_role("dialog", name="死信详情")
    expect(drawer.get_by_role("region", name="消息内容")).to_be_visible()
    assert serious_findings(page) == []
    drawer.get_by_role("button", name="丢弃").click()
    page.get_by_role("button", name="丢弃 1 条").click()
    expect(page.get_by_text("请填写丢弃原因")).to_be_visible()
    page.get_by_label("丢弃原因").fill("测试时发送")
    page.get_by_role("button", name="丢弃 1 条").click()

    expect(page.get_by_text("已丢弃 1 条消息")).to_be_visible()
    # The page looks at the queue at the same time: who looks has the letters in hand for a moment.
    wait_until(
        lambda: len(letters(operator, bank.REJECTED_QUEUE)) == before, "the letter is gone and the others are there"
    )
