"""Reports 统计报表: from the monthly message to a union, its comparison, and the exported file."""

import os
import subprocess
import sys
from pathlib import Path

from openpyxl import load_workbook
from playwright.sync_api import expect

from deploy.local.client import wait_until
from deploy.local.stack import Stack
from tests.browser.accessibility import serious_findings
from tests.browser.bank import answer_batch
from tests.browser.conftest import PageOf
from tests.desks import Desk, people


def test_a_monthly_report_is_opened_from_the_inbox_down_to_a_union_and_exported(
    stack: Stack, desk: Desk, page_of: PageOf, tmp_path: Path
) -> None:
    desk.register(*people(3))
    answer_batch(stack, desk.submit_all(), {"outcome": "issued", "count": 2})
    wait_until(lambda: desk.clerk.get("reports")["current"]["issued"] == 2, "the cards are counted")
    month = desk.clerk.get("reports")["first_month"]
    _send_monthly_report(stack, desk.office.union["union_id"], month)
    page, union = page_of(desk.office.administrator), desk.clerk.account["union"]["name"]

    page.goto("/messages")
    page.get_by_role("button", name="办卡统计月报").first.click()
    expect(page.get_by_role("heading", name="统计报表", exact=True)).to_be_visible()
    assert f"first_month={month}&last_month={month}" in page.url
    expect(page.get_by_role("img", name="逐月办卡情况图")).to_be_visible()
    assert serious_findings(page) == []
    page.goto(f"{page.url}&size=200")
    page.get_by_role("region", name="分项统计").get_by_role("link", name=union).click()

    expect(page.get_by_role("heading", name=f"统计报表：{union}")).to_be_visible()
    figures = page.get_by_label("本期指标与上期对比").locator("div")
    issued = figures.filter(has=page.get_by_text("办卡成功", exact=True))
    expect(issued.locator("strong")).to_have_text("2")
    expect(issued).to_contain_text("上期 0")
    expect(figures.filter(has_text="办卡率").locator("strong")).to_have_text("66.7%")
    with page.expect_download() as downloading:
        page.get_by_role("button", name="导出 Excel").click()
    file = tmp_path / "report.xlsx"
    downloading.value.save_as(file)
    totals = {row[0]: row[1] for row in load_workbook(file)["合计"].iter_rows(values_only=True)}
    assert (union in totals, totals["办卡成功"]) == (True, 2)

    page.get_by_role("navigation", name="当前位置").get_by_role("link", name=desk.office.union["name"]).click()
    expect(page.get_by_role("heading", name="统计报表", exact=True)).to_be_visible()


def test_what_is_counted_is_chosen_and_stays_in_the_address(desk: Desk, page_of: PageOf) -> None:
    page = page_of(desk.clerk)
    page.goto("/reports")
    expect(page.get_by_role("heading", name="按下级工会")).to_have_count(0)

    page.get_by_role("combobox", name="统计方式").press("Enter")
    page.get_by_role("option", name="按月份").click()
    page.get_by_role("combobox", name="办理通道").press("Enter")
    page.get_by_role("option", name="特殊").click()
    page.get_by_role("button", name="搜索").click()

    expect(page.get_by_role("heading", name="按月份")).to_be_visible()
    assert "by=month&channel=special" in page.url
    page.reload()
    expect(page.get_by_role("region", name="分项统计").get_by_role("row")).to_have_count(2)
    assert serious_findings(page) == []


def _send_monthly_report(stack: Stack, union_id: str, month: str) -> None:
    """Puts the report of this month into the union's inbox, with the service's keys, as its timer does in time."""
    sent = [sys.executable, "-W", "ignore", "-c", _SEND, union_id, month.replace("-", "")]
    subprocess.run(sent, env={"PATH": os.environ["PATH"], **stack.environment("notification")}, check=True)


_SEND = """
import sys
from uuid import UUID
from sqlalchemy import create_engine
from sqlalchemy.orm import Session
from services.kit.settings import value_of
from services.notification.models import ReportUnion
from services.notification.reports.monthly import post_all

with Session(create_engine(value_of("DATABASE_URL"))) as session, session.begin():
    post_all(session, [session.get_one(ReportUnion, UUID(sys.argv[1]))], int(sys.argv[2]))
"""
