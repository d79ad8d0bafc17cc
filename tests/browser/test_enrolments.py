"""Enrolments 参保 on the pages: a clerk finds and exports them, a superior looks down, a member reads the own ones."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from deploy.local.client import ApiClient, wait_until
from deploy.local.stack import Stack
from tests.browser.accessibility import serious_findings
from tests.browser.bank import answer_batch
from tests.browser.conftest import ROWS, PageOf
from tests.browser.insurer import enrolment, report, this_year
from tests.browser.phone_page import is_fit, is_large
from tests.desks import Desk, a_desk, form_of, people
from tests.phones import signed_in

_PHONE = {"width": 320, "height": 640}
_YEAR = this_year()


@pytest.fixture(scope="module")
def desk(pages_url: str) -> Desk:
    """The clerk of a union whose members' enrolments do not change."""
    return a_desk(pages_url)


@pytest.fixture(scope="module")
def insured(desk: Desk, stack: Stack) -> None:
    """Three members: one is insured for this year, one was, and one will be in the next."""
    persons = people(3)
    desk.register(*persons)
    answer_batch(stack, desk.submit_all(), {"outcome": "issued"})
    wait_until(lambda: desk.clerk.get("members", card_state="issued")["total"] == 3, "the cards are made")
    now, former, coming = [number_of(desk.clerk, person.document_number) for person in persons]
    ended = {"state": "ended", "ended_on": f"{_YEAR}-01-31", "reason": "会员退会", "kinds": ["illness", "hospital"]}
    report(
        stack,
        enrolment(now, _YEAR),
        enrolment(former, _YEAR, way="immediate", covers_from=f"{_YEAR}-01-02", **ended),
        enrolment(coming, _YEAR + 1),
    )
    wait_until(lambda: desk.clerk.get("enrolments")["total"] == 3, "the enrolments have come")


def number_of(clerk: ApiClient, document_number: str) -> str:
    return str(clerk.get("members", document_number=document_number)["items"][0]["member_no"])


def enrolments_of(desk: Desk, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = desk.clerk.get("enrolments", **query)["items"]
    return found


def open_enrolments(page: Page, query: str = "", rows: int = 2) -> None:
    page.goto(f"/enrolments{query}")
    expect(page.locator(ROWS)).to_have_count(rows)


def choose(page: Page, filter_name: str, option: str) -> None:
    page.get_by_role("combobox", name=filter_name, exact=True).press("Enter")
    page.get_by_role("option", name=option, exact=True).click()


def search(page: Page) -> None:
    page.get_by_role("button", name="搜索").click()


def test_a_clerk_finds_enrolments_by_year_way_status_and_name(desk: Desk, insured: None, page_of: PageOf) -> None:
    page = page_of(desk.clerk)
    page.goto("/")
    page.get_by_role("navigation", name="功能菜单").get_by_role("link", name="参保信息查询").click()
    rows = page.locator(ROWS)
    expect(rows).to_have_count(2)
    expect(rows.filter(has_text="集中参保")).to_contain_text(f"{_YEAR}-01-01 至 {_YEAR}-12-31")
    expect(rows.filter(has_text="集中参保")).to_contain_text("保障中")
    assert serious_findings(page) == []

    choose(page, "参保方式", "即时参保")
    search(page)
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("已终止")
    expect(rows).to_contain_text("会员退会")
    expect(rows).to_contain_text("住院、重大疾病")
    assert "way=immediate" in page.url
    page.get_by_role("button", name="重置").click()
    expect(rows).to_have_count(2)

    choose(page, "年度", str(_YEAR + 1))
    search(page)
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("未生效")
    choose(page, "年度", "全部")
    search(page)
    expect(rows).to_have_count(3)
    choose(page, "状态", "未生效")
    choose(page, "保障项目", "身故保障")
    search(page)
    expect(rows).to_have_count(1)

    page.go_back()
    expect(rows).to_have_count(3)
    (shown,) = enrolments_of(desk, status="covered")
    page.get_by_role("textbox", name="姓名").fill(shown["name"])
    expect(rows).to_have_count(len(enrolments_of(desk, name=shown["name"])))
    page.get_by_role("textbox", name="会员编号").fill(shown["member_no"])
    expect(rows).to_have_count(1)
    choose(page, "状态", "已终止")
    search(page)
    expect(page.get_by_text("没有符合条件的参保信息，请调整或重置查询条件")).to_be_visible()
    assert serious_findings(page) == []


def test_a_part_of_a_document_number_says_what_is_needed_and_a_whole_one_finds_its_member(
    desk: Desk, insured: None, page_of: PageOf
) -> None:
    page = page_of(desk.clerk)
    open_enrolments(page)
    number = page.get_by_role("textbox", name="证件号码")
    number.fill("310106")
    page.keyboard.press("Enter")
    expect(page.get_by_text("请填写完整的证件号码（居民身份证 18 位），或按姓名查找")).to_be_visible()
    expect(page.locator(ROWS)).to_have_count(2)

    (shown,) = enrolments_of(desk, status="covered")
    whole = desk.clerk.post(f"members/{shown['member_id']}/reveal", {"reason": "核对参保信息"})["document_number"]
    number.fill(whole)
    page.keyboard.press("Enter")
    expect(page.locator(ROWS)).to_have_count(1)
    expect(page.locator(ROWS)).to_contain_text(shown["member_no"])
    assert whole not in page.locator(ROWS).inner_text()


def test_a_clerk_opens_details_goes_to_the_next_and_to_the_member_and_exports(
    desk: Desk, insured: None, page_of: PageOf
) -> None:
    page = page_of(desk.clerk)
    open_enrolments(page, "?year=all", 3)
    with page.expect_download() as saved:
        page.get_by_role("button", name="导出").click()
    assert saved.value.suggested_filename.endswith(".xlsx")

    page.get_by_role("link", name="查看详情").first.click()
    drawer = page.get_by_role("dialog")
    expect(drawer.get_by_text("1 / 3")).to_be_visible()
    expect(drawer).to_contain_text("住院保障、重大疾病保障、意外伤害保障、身故保障")
    expect(drawer.get_by_role("button", name="复制参保编号")).to_be_visible()
    assert serious_findings(page) == []
    drawer.get_by_role("button", name="下一条").click()
    expect(page.get_by_role("dialog").get_by_text("2 / 3")).to_be_visible()
    page.reload()
    expect(page.get_by_role("dialog").get_by_text("2 / 3")).to_be_visible()
    page.get_by_role("dialog").get_by_role("button", name="关闭详情").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert page.url.endswith("/enrolments?year=all")

    (ended,) = enrolments_of(desk, status="ended")
    page.get_by_role("link", name=f"查看详情：{ended['name']}，{ended['enrolment_no']}").click()
    page.get_by_role("link", name="查看会员详情").click()
    member = page.get_by_role("dialog", name=ended["name"])
    section = member.get_by_role("listitem").filter(has_text=ended["enrolment_no"])
    expect(section).to_contain_text(f"{_YEAR} 年度 即时参保")
    expect(section).to_contain_text("已终止")
    expect(section).to_contain_text("会员退会")
    assert serious_findings(page) == []


def test_a_superior_sees_enrolments_below_with_their_union(desk: Desk, insured: None, page_of: PageOf) -> None:
    page = page_of(desk.office.reviewer)
    page.goto("/enrolments?year=all")
    expect(page.locator(ROWS).filter(has_text=desk.clerk.account["union"]["name"])).to_have_count(3)
    open_enrolments(page, f"?union_id={desk.union_id}")
    expect(page.get_by_role("columnheader", name="所属工会")).to_be_visible()
    assert serious_findings(page) == []

    page.get_by_text("含下级工会").click()
    search(page)
    expect(page).to_have_url(re.compile("below=false"))
    expect(page.locator(ROWS)).to_have_count(2)
    page.goto("/enrolments?below=false")
    expect(page.get_by_text(f"所选工会还没有 {_YEAR} 年度的参保信息")).to_be_visible()


def test_a_union_without_enrolments_is_told_so(pages_url: str, page_of: PageOf) -> None:
    page = page_of(a_desk(pages_url).clerk)
    open_enrolments(page, rows=1)
    expect(page.get_by_text(f"本工会还没有 {_YEAR} 年度的参保信息")).to_be_visible()
    expect(page.get_by_role("button", name="导出")).to_be_disabled()


def test_a_member_reads_the_own_enrolments_on_the_phone(desk: Desk, page_of: PageOf, stack: Stack) -> None:
    member, member_no = a_holder_on_the_phone(desk, stack)
    ended = {"state": "ended", "ended_on": f"{_YEAR}-01-31", "reason": "会员退会", "kinds": ["illness", "hospital"]}
    report(stack, enrolment(member_no, _YEAR, way="immediate", covers_from=f"{_YEAR}-01-02", **ended))
    wait_until(lambda: member.get("personal/enrolments")["items"], "the enrolment has come")
    page = page_of(member, viewport=_PHONE)
    page.goto("/m/")
    page.get_by_role("link", name="我的参保").click()
    expect(page.get_by_role("heading", name="我的参保")).to_be_focused()
    main = page.get_by_role("main")
    for word in (f"{_YEAR} 年度", "已终止", "即时参保", f"{_YEAR}-01-02 至 {_YEAR}-01-31", "会员退会"):
        expect(main).to_contain_text(word)
    expect(main).to_contain_text("住院保障、重大疾病保障")
    assert is_fit(page)
    page.get_by_role("button", name="大字").click()
    assert is_large(page)

    page.get_by_role("button", name="返回").click()
    expect(page.get_by_role("heading", name="办理进度").first).to_be_visible()
    page.goto("/m/enrolments")
    expect(main).to_contain_text(f"{_YEAR} 年度")
    page.get_by_role("button", name="返回").click()
    expect(page.get_by_role("heading", name="办理进度").first).to_be_visible()


def test_a_member_without_enrolments_is_told_when_they_come(desk: Desk, page_of: PageOf, stack: Stack) -> None:
    page = page_of(a_member_on_the_phone(desk, stack), viewport=_PHONE)
    page.goto("/m/enrolments")
    expect(page.get_by_text("暂无参保信息。办卡成功后由工会为您参保。")).to_be_visible()
    assert is_fit(page)


def test_a_member_reads_messages_and_takes_the_own_data_along(desk: Desk, page_of: PageOf, stack: Stack) -> None:
    member, _ = a_holder_on_the_phone(desk, stack)
    wait_until(lambda: member.get("personal/messages")["unread"] == 2, "submission and issue were told")
    page = page_of(member, viewport=_PHONE)
    page.goto("/m/")
    link = page.get_by_role("link", name="消息")
    expect(link).to_contain_text("2 条未读")
    with page.expect_download() as downloading:
        page.get_by_role("button", name="下载我的信息").click()
    assert downloading.value.suggested_filename.endswith(".xlsx")

    link.click()
    expect(page.get_by_role("heading", name="消息")).to_be_focused()
    messages = page.get_by_role("list", name="消息").get_by_role("listitem")
    expect(messages).to_have_count(2)
    expect(messages.first).to_contain_text("新")
    expect(messages.first).to_contain_text("领卡")
    assert is_fit(page)
    page.get_by_role("button", name="大字").click()
    assert is_large(page)

    page.get_by_role("button", name="返回").click()
    expect(page.get_by_role("link", name="消息")).not_to_contain_text("未读")


def test_a_member_without_messages_is_told_so(desk: Desk, page_of: PageOf, stack: Stack) -> None:
    page = page_of(a_member_on_the_phone(desk, stack), viewport=_PHONE)
    page.goto("/m/messages")
    expect(page.get_by_text("暂无消息")).to_be_visible()
    assert is_fit(page)


def a_member_on_the_phone(desk: Desk, stack: Stack) -> ApiClient:
    """A member in flexible employment, signed in."""
    (person,) = people(1)
    desk.clerk.post("members", form_of(person, affiliation="flexible"))
    member = signed_in(stack, person.phone)
    wait_until(lambda: member.get("personal/profile")["can_apply"], "the member has a number")
    return member


def a_holder_on_the_phone(desk: Desk, stack: Stack) -> tuple[ApiClient, str]:
    """Such a member with a card, and the member's number."""
    member = a_member_on_the_phone(desk, stack)
    outlet = member.get("outlets", q="古北")["items"][0]
    agreed = member.get("consent-text")["version"]
    member.post("personal/applications", {"outlet_code": outlet["code"], "consent_version": agreed})
    application = wait_until(
        lambda: next((one for one in member.get("personal/applications")["items"] if one["batch_no"]), None),
        "the application is in a batch",
    )
    answer_batch(stack, application["batch_no"], {"outcome": "issued"})
    wait_until(lambda: member.get("personal/profile")["card_state"] == "issued", "the card is made")
    return member, str(member.get("personal/profile")["member_no"])
