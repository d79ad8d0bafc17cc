"""Operations 运维 on the page: status of services and queues, and dead letters to replay or discard."""

import re
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import requests
from playwright.sync_api import Page, Route, expect

from deploy.local.client import ApiClient, wait_until
from deploy.local.environment import keep_secrets
from deploy.local.stack import Stack
from services.contracts.external import bank
from services.membership.seed import demo_password
from tests.browser.accessibility import serious_findings
from tests.browser.bank import answer_batch
from tests.browser.conftest import PageOf
from tests.dead_letters import letter_in, send_unsigned, settle
from tests.desks import Desk, people

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
    page.reload()
    drawer = page.get_by_role("dialog", name="死信详情")
    expect(drawer.get_by_text("银行反馈：签名不正确")).to_be_visible()
    expect(drawer.get_by_role("region", name="技术原因")).to_contain_text("bad_signature")
    assert serious_findings(page) == []
    wait_until(lambda: is_opened(page, letter_id) and is_discarded(page), "the letter is discarded")

    assert letter_in(operator, bank.REJECTED_QUEUE, letter_id) is None


def test_an_operator_sends_a_batch_again_and_puts_the_banks_time_right(
    page_of: PageOf, stack: Stack, desk: Desk
) -> None:
    desk.register(*people(1))
    batch_no = desk.submit_all()
    ahead = {"outcome": "issued", "ahead_seconds": 20 * 3600}
    answer_batch(stack, batch_no, ahead)
    wait_until(lambda: desk.clerk.get(f"batches/{batch_no}")["issued"], "the card is issued")
    page = page_of("ops")
    page.goto("/bank-batches")
    page.get_by_label("批次编号").fill(batch_no)
    page.keyboard.press("Enter")
    expect(page.get_by_text("早于提交时间，或晚于现在")).to_be_visible()
    assert serious_findings(page) == []

    page.get_by_role("button", name="重新发送批次").click()
    page.get_by_label("原因").fill("银行告知未收到该批次")
    assert serious_findings(page) == []
    page.get_by_role("button", name="重新发送", exact=True).click()
    expect(page.get_by_text("已重新发送 1 人的批次")).to_be_visible()
    bank_desk = f"{stack.simulator_urls['bank']}/batches/{batch_no}"
    wait_until(lambda: requests.get(bank_desk, timeout=10).json()["repetitions"], "the bank has it again")

    page.get_by_role("button", name=re.compile("^改正处理时间")).click()
    page.get_by_label("正确的处理时间").fill("2000-01-01 00:00:00")
    page.keyboard.press("Enter")
    page.get_by_label("原因").fill("银行系统时钟有误")
    page.get_by_role("button", name="改正", exact=True).click()
    expect(page.get_by_text("应在提交时间之后，且不晚于现在")).to_be_visible()
    now = datetime.now(ZoneInfo("Asia/Shanghai"))
    page.get_by_label("正确的处理时间").fill(f"{now:%Y-%m-%d %H:%M:%S}")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="改正", exact=True).click()
    expect(page.get_by_text("已改正 1 人的银行处理时间")).to_be_visible()
    expect(page.get_by_text("早于提交时间，或晚于现在")).to_be_hidden()


def test_an_alert_is_shown_live_with_its_runbook_and_what_others_did_before(
    page_of: PageOf, stack: Stack, pages_url: str
) -> None:
    page = page_of(ApiClient(pages_url).sign_in("ops", demo_password()))
    page.goto("/operations")
    expect(page.get_by_role("img", name=re.compile("^等待处理的事件："))).to_be_visible()
    queue = f"batching.{uuid4().hex}"
    firing = {
        "status": "firing",
        "labels": {"alertname": "QueueGrows", "severity": "page", "queue": queue},
        "annotations": {"notice": "该队列持续积压。"},
        "startsAt": datetime.now(UTC).isoformat(),
        "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": uuid4().hex,
    }
    tell_alert(stack, firing)

    alert = page.get_by_role("list", name="正在告警").get_by_role("listitem").filter(has_text=queue)
    expect(alert).to_contain_text("紧急")
    assert serious_findings(page) == []
    tell_alert(stack, {**firing, "status": "resolved", "endsAt": datetime.now(UTC).isoformat()})
    expect(alert).to_be_hidden()
    page.get_by_text(re.compile(r"近一天已恢复 \d+ 项")).click()
    over = page.get_by_role("list", name="已恢复的告警").get_by_role("listitem").filter(has_text=queue)
    over.get_by_role("link", name="处置手册：QueueGrows").click()

    expect(page.get_by_role("heading", name="QueueGrows").first).to_be_visible()
    assert serious_findings(page) == []
    page.get_by_role("article").get_by_role("link", name="RetriesGoOn").click()
    expect(page).to_have_url(re.compile("/runbooks/RetriesGoOn$"))
    page.goto("/messages")
    expect(page.get_by_text(f"{queue}：该队列持续积压。").first).to_be_visible()


def test_the_next_shift_reads_why_a_dead_letter_was_discarded(page_of: PageOf, stack: Stack, pages_url: str) -> None:
    operator = ApiClient(pages_url).sign_in("ops", demo_password())
    letter_id, reason = send_unsigned(stack, str(uuid4())), f"测试 {uuid4().hex[:8]}"
    wait_until(lambda: letter_in(operator, bank.REJECTED_QUEUE, letter_id), "the feedback is rejected")
    settle(operator, bank.REJECTED_QUEUE, "discard", ids=[letter_id], reason=reason)
    wait_until(lambda: reason in str(operator.get("operations/interventions")), "it is on record")
    page = page_of(operator)

    page.goto("/operations")

    act = page.get_by_role("listitem").filter(has_text=reason)
    expect(act).to_contain_text("ops")
    act.get_by_role("link", name="丢弃死信").click()
    drawer = page.get_by_role("dialog", name="丢弃死信")
    expect(drawer.get_by_text(reason)).to_be_visible()
    assert serious_findings(page) == []


def test_a_missing_queue_is_named_with_what_restores_it(page_of: PageOf, pages_url: str) -> None:
    page = page_of(ApiClient(pages_url).sign_in("ops", demo_password()))
    missing = "batching.members_queued"

    def lose_it(route: Route) -> None:
        answer = route.fetch()
        document = answer.json()
        for one in document["items"]:
            one["is_missing"] |= one["queue"] == missing
        route.fulfill(response=answer, json=document)

    page.route("**/api/v1/operations/queues", lose_it)
    page.goto("/operations")

    alert = page.get_by_role("alert").filter(has_text=missing)
    expect(alert).to_contain_text("python -m deploy.broker declare")
    row = page.get_by_role("row").filter(has_text=missing)
    expect(row.get_by_text("缺失")).to_be_visible()
    assert serious_findings(page) == []


def tell_alert(stack: Stack, alert: dict[str, Any]) -> None:
    """Alertmanager tells the gateway of an alert."""
    headers = {"Authorization": f"Bearer {keep_secrets(stack.folder)['ALERTS_TOKEN']}"}
    url = f"{stack.gateway_url}/api/v1/operations/alerts"
    requests.post(url, json={"alerts": [alert]}, headers=headers, timeout=60).raise_for_status()


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
    document = page.get_by_text(re.compile(r"已丢弃 \d 条消息"))
    expect(document).to_be_visible()
    return "已丢弃 1 条" in document.inner_text()
