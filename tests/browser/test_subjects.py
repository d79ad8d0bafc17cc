"""个人信息请求 on the page: a copy is taken in at the member and downloaded; an erasure says what is in the way."""

import pytest
from playwright.sync_api import expect

from tests.browser.accessibility import serious_findings
from tests.browser.conftest import PageOf
from tests.desks import Desk, people


def test_a_copy_is_taken_in_at_the_member_and_downloaded(page_of: PageOf, desk: Desk) -> None:
    desk.register(*people(1))
    [member] = desk.clerk.get("members")["items"]
    page = page_of(desk.office.administrator)
    page.goto(f"/members/{member['member_id']}")
    page.get_by_role("link", name="受理个人信息请求").click()
    dialog = page.get_by_role("dialog", name="受理个人信息请求")
    expect(dialog.get_by_label("会员编号")).to_have_value(member["member_no"])
    dialog.get_by_role("button", name="受理", exact=True).click()
    expect(dialog.get_by_text("请填写理由，至少 2 个字")).to_be_visible()
    assert serious_findings(page) == []
    dialog.get_by_label("理由").fill("本人书面申请")
    dialog.get_by_role("button", name="受理", exact=True).click()
    expect(page.get_by_text("已受理，各系统应答后即可下载副本")).to_be_visible()

    page.get_by_role("link", name=f"详情：{member['member_no']} 查阅、复制").click()
    drawer = page.get_by_role("dialog", name="个人信息请求")
    expect(drawer.get_by_role("button", name="下载副本")).to_be_visible()
    expect(drawer.get_by_text("系统校验")).to_be_visible()
    assert serious_findings(page) == []
    with page.expect_download() as copy:
        drawer.get_by_role("button", name="下载副本").click()
    assert copy.value.suggested_filename == f"个人信息副本-{member['member_no']}.xlsx"
    with page.expect_download() as receipt:
        drawer.get_by_role("button", name="下载回执").click()
    assert receipt.value.suggested_filename == f"个人信息处理回执-{member['member_no']}.pdf"


def test_an_erasure_before_the_term_says_what_is_in_the_way(page_of: PageOf, desk: Desk) -> None:
    desk.register(*people(1))
    [member] = desk.clerk.get("members")["items"]
    page = page_of(desk.office.administrator)
    page.goto("/subject-requests")
    page.get_by_role("button", name="受理请求").click()
    dialog = page.get_by_role("dialog", name="受理个人信息请求")
    dialog.get_by_label("会员编号").fill(member["member_no"])
    dialog.get_by_text("删除", exact=True).click()
    expect(dialog.get_by_text("退会满三年")).to_be_visible()
    dialog.get_by_label("理由").fill("本人书面申请")
    dialog.get_by_role("button", name="受理", exact=True).click()
    expect(dialog.get_by_text("会员没有退会")).to_be_visible()


@pytest.mark.parametrize("width", [390, 1366, 1920])
def test_the_page_fits_the_screen(page_of: PageOf, desk: Desk, width: int) -> None:
    desk.register(*people(1))
    [member] = desk.clerk.get("members")["items"]
    request = {"member_no": member["member_no"], "kind": "copy", "reason": "本人书面申请"}
    desk.office.administrator.post("subject-requests", request)
    page = page_of(desk.office.administrator)
    page.set_viewport_size({"width": width, "height": 800})
    page.goto("/subject-requests")
    expect(page.get_by_role("heading", name="个人信息请求", exact=True)).to_be_visible()
    expect(page.get_by_text(member["member_no"]).first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
