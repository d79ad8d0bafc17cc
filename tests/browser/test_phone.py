"""A member applies on the phone 个人办卡, at 360 pixels: one-time password, own data, outlet, consent, progress."""

from dataclasses import dataclass
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, Route, expect

from deploy.handbook.chromium import answer_captcha_on_the_phone, choose_day_on_the_phone
from deploy.local.client import wait_until
from deploy.local.stack import Stack
from tests.browser.accessibility import serious_findings
from tests.browser.bank import answer_batch
from tests.browser.conftest import NewPage
from tests.browser.phone_page import fits, is_fit, is_large, small_texts
from tests.desks import Desk, a_desk, a_phone, form_of, people
from tests.phones import messages_to, requested_code

_LOOKS_EVERY_MS = 16_000
_PHONE = {"width": 360, "height": 740}


@dataclass(frozen=True)
class Flexible:
    """A member in flexible employment, who applies without a clerk."""

    member_id: str
    name: str
    phone: str


@pytest.fixture(scope="module")
def desk(pages_url: str) -> Desk:
    """The clerk of the members' union."""
    return a_desk(pages_url)


@pytest.fixture
def member(desk: Desk) -> Flexible:
    """A member with a number, of whom the expiry date and the address are not known yet."""
    (person,) = people(1)
    unknown = {"document_expiry": None, "address": None}
    member_id = desk.clerk.post("members", form_of(person, affiliation="flexible", **unknown))["member_id"]
    wait_until(lambda: desk.clerk.get(f"members/{member_id}")["member_no"], "the member has a number")
    return Flexible(member_id, person.name, person.phone)


@pytest.fixture
def page(new_page: NewPage) -> Page:
    """The phone's browser."""
    return new_page(viewport=_PHONE)


def sign_in(page: Page, stack: Stack, phone: str) -> None:
    page.goto("/m/")
    page.get_by_label("手机号").fill(phone)
    page.get_by_label("验证码").fill(requested_code(stack, phone, lambda: request_code(page)))
    page.get_by_role("button", name="登录").click()
    expect(page.get_by_role("heading", name="会员信息梳理")).to_be_visible()


def request_code(page: Page) -> None:
    answer_captcha_on_the_phone(page)
    page.get_by_role("button", name="获取验证码").click()
    expect(page.get_by_text("验证码已发送")).to_be_visible()


def complete_profile(page: Page) -> None:
    choose_day_on_the_phone(page, "证件到期日", "2040-01-02")
    page.get_by_label("联系地址").fill("上海市长宁区古北路555弄8号")
    page.get_by_label("我已核对以上信息").check()
    page.get_by_role("button", name="下一步：选择网点").click()
    expect(page.get_by_role("heading", name="选择经办网点")).to_be_visible()


def choose_outlet(page: Page) -> None:
    page.get_by_label("查找网点").fill("古北")
    expect(page.get_by_role("radio")).to_have_count(1)
    page.get_by_role("radio").check()
    page.get_by_role("button", name="下一步：同意并确认").click()
    expect(page.get_by_role("heading", name="同意并确认")).to_be_visible()


def agree_and_submit(page: Page) -> None:
    page.get_by_label("我已阅读并单独同意").check()
    page.get_by_role("button", name="确认提交").click()


def shows_when_it_looks_again(page: Page, text: str) -> bool:
    """The page asks every few seconds; its clock is put forward until it does."""
    if page.get_by_text(text).is_visible():
        return True
    page.clock.fast_forward(_LOOKS_EVERY_MS)
    return False


def test_a_member_applies_and_follows_the_card_until_it_is_issued_on_pages_that_fit_a_phone(
    member: Flexible, page: Page, stack: Stack, desk: Desk
) -> None:
    page.clock.install()
    page.goto("/m/")
    expect(page.get_by_label("手机号")).to_be_visible()
    assert is_fit(page)
    sign_in(page, stack, member.phone)
    expect(page.get_by_text(member.name)).to_be_visible()
    assert is_fit(page)
    complete_profile(page)
    expect(page.get_by_role("radio").first).to_be_visible()
    assert is_fit(page)
    choose_outlet(page)
    expect(page.get_by_text("上海市长宁区古北路555弄8号").first).to_be_visible()
    expect(page.get_by_label("我已阅读并单独同意")).to_be_visible()
    assert is_fit(page)

    agree_and_submit(page)

    expect(page.get_by_role("heading", name="办理进度").first).to_be_visible()
    expect(page.get_by_text("银行办理中")).to_be_visible()
    assert is_fit(page)
    batch_no = desk.clerk.get(f"members/{member.member_id}")["applications"][0]["batch_no"]
    answer_batch(stack, batch_no, {"outcome": "accepted"})
    wait_until(lambda: shows_when_it_looks_again(page, "银行已受理"), "the page tells that the bank has accepted")
    answer_batch(stack, batch_no, {"outcome": "issued"})
    wait_until(lambda: shows_when_it_looks_again(page, "请携带本人身份证原件到经办网点领卡"), "the card is told of")
    expect(page.get_by_text("银行卡号")).to_be_visible()
    assert fits(page)
    address = desk.clerk.get("outlets", q="古北")["items"][0]["address"]
    assert (
        page.get_by_role("link", name=address).get_attribute("href")
        == f"geo:0,0?q={quote(f'交通银行古北路支行 {address}')}"
    )
    assert page.get_by_role("link", name="021-62750301").get_attribute("href") == "tel:02162750301"
    assert page.get_by_role("link", name="帮助热线").get_attribute("href") == "tel:02112351"
    wait_until(lambda: [text for text in messages_to(stack, member.phone) if address in text], "where to collect it")

    wanted = page.get_by_role("switch", name="办卡进度和领卡短信")
    expect(wanted).to_be_checked()
    wanted.click()
    expect(page.get_by_text("不再发送新的通知，请在本页面查看进度")).to_be_visible()
    assert is_fit(page)
    page.reload()
    expect(page.get_by_role("switch", name="办卡进度和领卡短信")).not_to_be_checked()


def test_a_member_whom_the_bank_refused_reads_why_at_the_next_visit_and_applies_again(
    member: Flexible, page: Page, stack: Stack, desk: Desk
) -> None:
    sign_in(page, stack, member.phone)
    complete_profile(page)
    choose_outlet(page)
    agree_and_submit(page)
    expect(page.get_by_text("银行办理中")).to_be_visible()
    batch_no = desk.clerk.get(f"members/{member.member_id}")["applications"][0]["batch_no"]
    answer_batch(stack, batch_no, {"outcome": "refused"})
    wait_until(lambda: desk.clerk.get(f"members/{member.member_id}")["card_state"] == "none", "the bank has refused")

    page.goto("/m/")

    expect(page.get_by_text("请查看退回原因，更正信息后可重新申请")).to_be_visible()
    page.get_by_role("button", name="重新申请").click()
    expect(page.get_by_role("heading", name="会员信息梳理")).to_be_visible()


def test_what_is_missing_is_told_and_a_reload_and_the_way_back_lose_nothing(
    member: Flexible, page: Page, stack: Stack, desk: Desk
) -> None:
    sign_in(page, stack, member.phone)
    page.get_by_role("button", name="下一步：选择网点").click()
    expect(page.get_by_text("请填写证件到期日")).to_be_visible()
    expect(page.get_by_text("请填写联系地址")).to_be_visible()
    expect(page.get_by_text("请核对信息后勾选")).to_be_visible()
    expect(page.get_by_label("证件到期日：年")).to_be_focused()

    complete_profile(page)
    choose_outlet(page)
    expect(page.get_by_label("我已阅读并单独同意")).to_be_visible()
    page.get_by_role("button", name="确认提交").click()
    expect(page.get_by_text("请阅读并勾选同意后再提交")).to_be_visible()
    assert desk.clerk.get(f"members/{member.member_id}")["applications"] == []

    page.reload()
    expect(page.get_by_text("交通银行古北路支行")).to_be_visible()
    page.go_back()
    expect(page.get_by_text("已选：交通银行古北路支行")).to_be_visible()


def test_no_code_is_asked_for_before_the_captcha_is_answered(page: Page) -> None:
    page.goto("/m/")
    page.get_by_label("手机号").fill(a_phone())
    expect(page.get_by_text("安全验证已完成")).to_be_visible()
    page.get_by_role("button", name="获取验证码").click()
    expect(page.get_by_text("请输入图中的字符")).to_be_visible()

    page.get_by_placeholder("图中字符").fill("00000")
    page.get_by_role("button", name="获取验证码").click()

    expect(page.get_by_role("alert")).to_contain_text("验证码不正确")
    expect(page.get_by_placeholder("图中字符")).to_be_focused()


def test_who_cannot_see_the_picture_gets_a_code_by_waiting(member: Flexible, page: Page, stack: Stack) -> None:
    page.goto("/m/")
    page.get_by_label("手机号").fill(member.phone)
    expect(page.get_by_role("img", name="图形码图片")).to_be_visible()
    page.get_by_role("button", name="不使用图片（等待较久）").press("Enter")
    expect(page.get_by_placeholder("图中字符")).to_have_count(0)
    assert is_fit(page)

    page.get_by_role("button", name="获取验证码").press("Enter")

    expect(page.get_by_text("验证码已发送")).to_be_visible()


def test_a_wrong_one_time_password_is_reported(page: Page) -> None:
    page.goto("/m/")
    page.get_by_label("手机号").fill(a_phone())
    page.get_by_label("验证码").fill("123456")

    page.get_by_role("button", name="登录").click()

    expect(page.get_by_role("alert")).to_contain_text("验证码不正确或已失效")


def test_a_wrong_one_time_password_is_reported_also_after_too_many_requests(
    member: Flexible, page: Page, stack: Stack
) -> None:
    page.goto("/m/")
    page.get_by_label("手机号").fill(member.phone)
    request_code(page)
    page.reload()
    page.get_by_label("手机号").fill(member.phone)
    answer_captcha_on_the_phone(page)
    page.get_by_role("button", name="获取验证码").click()
    expect(page.get_by_role("alert")).to_contain_text("秒后再")
    page.get_by_label("验证码").fill("000000")

    page.get_by_role("button", name="登录").click()

    expect(page.get_by_role("alert")).to_contain_text("验证码不正确或已失效")
    expect(page.get_by_role("alert")).not_to_contain_text("秒后再")


def test_a_member_is_told_where_an_application_can_be_cancelled_no_more(
    member: Flexible, page: Page, stack: Stack, desk: Desk
) -> None:
    sign_in(page, stack, member.phone)
    complete_profile(page)
    choose_outlet(page)
    page.get_by_label("我已阅读并单独同意").check()
    page.route("**/api/v1/personal/applications", as_it_was_at_first)
    page.get_by_role("button", name="确认提交").click()
    wait_until(lambda: desk.clerk.get(f"members/{member.member_id}")["card_state"] == "submitted", "it is at the bank")
    page.get_by_role("button", name="取消申请并撤回同意").click()
    assert is_fit(page)
    page.get_by_role("dialog").get_by_role("button", name="继续办理").click()
    page.get_by_role("button", name="取消申请并撤回同意").click()
    page.get_by_role("dialog").get_by_role("button", name="取消申请", exact=True).click()

    expect(page.get_by_role("alert")).to_contain_text("请联系所在工会提出撤销申请")
    assert desk.clerk.get(f"members/{member.member_id}")["card_state"] == "submitted"


def as_it_was_at_first(route: Route) -> None:
    """Answers as before the bank had the application, whatever happened since."""
    if route.request.method != "GET":
        route.continue_()
        return
    answer = route.fetch()
    items = [{**one, "state": "queued", "steps": one["steps"][:1]} for one in answer.json()["items"]]
    route.fulfill(response=answer, json={"items": items})


def test_large_type_is_chosen_once_and_kept_on_every_page(
    member: Flexible, page: Page, stack: Stack, desk: Desk
) -> None:
    page.goto("/m/")
    expect(page.get_by_text("办理流程")).to_be_visible()
    page.get_by_role("button", name="大字").click()
    expect(page.get_by_text("办理流程")).to_be_hidden()
    expect(page.get_by_role("img", name="图形码图片")).to_be_visible()
    page.get_by_role("button", name="登录").click()
    expect(page.get_by_text("请输入 11 位手机号")).to_be_visible()
    assert is_large(page)
    sign_in(page, stack, member.phone)
    expect(page.get_by_role("button", name="大字")).to_have_attribute("aria-pressed", "true")
    assert is_large(page)
    complete_profile(page)
    expect(page.get_by_role("radio").first).to_be_visible()
    assert is_large(page)
    choose_outlet(page)
    expect(page.get_by_label("我已阅读并单独同意")).to_be_visible()
    assert is_large(page)
    agree_and_submit(page)
    expect(page.get_by_text("银行办理中")).to_be_visible()
    assert is_large(page)

    page.get_by_role("button", name="大字").click()
    wait_until(lambda: small_texts(page), "the type is small again")


def test_outlets_of_the_members_district_come_first_and_are_found_by_several_words(
    member: Flexible, page: Page, stack: Stack
) -> None:
    sign_in(page, stack, member.phone)
    complete_profile(page)
    expect(page.get_by_role("radiogroup").locator("label").first).to_contain_text("长宁区")
    page.get_by_label("查找网点").fill("杨浦 建设银行")
    expect(page.get_by_role("radio")).to_have_count(1)
    expect(page.get_by_role("radiogroup")).to_contain_text("黄兴路支行")


def test_who_signs_out_leaves_nothing_on_the_phone(member: Flexible, page: Page, stack: Stack) -> None:
    sign_in(page, stack, member.phone)

    page.get_by_role("button", name="退出").click()
    expect(page.get_by_label("手机号")).to_be_visible()
    page.goto("/m/profile")

    expect(page.get_by_label("手机号")).to_be_visible()
    expect(page.get_by_text(member.name)).to_have_count(0)


def test_a_member_whose_phone_was_changed_sees_until_when_nothing_can_be_done(
    stack: Stack, desk: Desk, member: Flexible, page: Page
) -> None:
    phone = a_phone()
    desk.clerk.patch(f"members/{member.member_id}", {"phone": phone})
    sign_in(page, stack, phone)
    expect(page.get_by_text("手机号刚变更")).to_be_visible()
    expect(page.get_by_text("后才能办理")).to_be_visible()
    expect(page.get_by_role("button", name="下一步：选择网点")).to_have_count(0)
    assert serious_findings(page) == []
