"""The pending list 待办会员列表 on the page: check, findings, changes, removal, submission."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessibility import serious_findings
from tests.browser.conftest import ROWS, PageOf
from tests.desks import Desk, a_desk, a_foreigner, expired, people, rare


@pytest.fixture
def queued(desk: Desk) -> Desk:
    """A clerk with people on both lists: three who pass, one expired, a rare character, a passport."""
    return queue_some(desk)


@pytest.fixture(scope="module")
def checked(pages_url: str) -> Desk:
    """The same after the check; it stays so."""
    desk = queue_some(a_desk(pages_url))
    desk.check_all()
    return desk


@pytest.fixture
def passed(desk: Desk) -> Desk:
    """A clerk whose list has passed and is ready to be submitted."""
    desk.register(*people(3))
    desk.queue_all()
    desk.check_all()
    return desk


def queue_some(desk: Desk) -> Desk:
    *passing, late, odd = people(5)
    desk.register(*passing, expired(late), rare(odd), a_foreigner())
    desk.queue_all()
    return desk


def open_pending(page: Page, query: str = "") -> None:
    page.goto(f"/pending{query}")
    expect(page.locator(ROWS).first).to_be_visible()


def fill_in_outlet(page: Page) -> None:
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("查找网点").fill("国华广场")
    dialog.get_by_role("radio", name="工商银行国华支行").check()
    dialog.get_by_label("联系方式").fill("13812345678")
    dialog.locator("label", has_text="均已签署").click()
    dialog.get_by_role("button", name="下一步").click()


def test_results_of_the_check_come_in_and_who_passed_is_submitted_after_all_was_shown_to_be_confirmed(
    queued: Desk, page_of: PageOf
) -> None:
    page = page_of(queued.clerk)
    open_pending(page)
    expect(page.get_by_role("button", name="提交办卡")).to_be_disabled()
    page.get_by_role("button", name="提交系统校验").click()
    expect(page.get_by_text("待办会员共：4 人；校验通过：3 人；未通过：1 人")).to_be_visible()
    expect(page.get_by_text("请移除校验未通过及未校验的会员，才能进行提交办卡。")).to_be_visible()

    page.get_by_role("button", name="移除全部校验未通过及未校验会员").click()
    expect(page.get_by_role("dialog")).to_contain_text("校验未通过的 1 人和未校验的 0 人将移出待办会员列表")
    page.get_by_role("button", name="全部移除").click()
    expect(page.get_by_text("待办会员共：3 人；校验通过：3 人")).to_be_visible()
    expect(page.get_by_role("button", name="提交办卡")).to_be_enabled()

    page.get_by_role("button", name="提交办卡").click()
    see_what_is_missing(page)
    fill_in_outlet(page)
    dialog = page.get_by_role("dialog", name="请核对后确认提交")
    expect(dialog).to_contain_text("3 人")
    expect(dialog).to_contain_text("上海市杨浦区闸殷路1555号国华广场102室")
    counting = queued.clerk.get("outlets", q="国华广场")["items"][0]["counting"]
    expect(dialog).to_contain_text(f"计入 {int(counting['month'][5:])} 月")
    expect(dialog).to_contain_text("如填写错误号码将导致银行无法及时联系")
    dialog.get_by_role("button", name="确认提交").click()

    expect(page.get_by_role("dialog", name="提交成功")).to_contain_text("cbc")
    [batch] = queued.clerk.get("batches")["items"]
    assert (batch["total"], batch["count_month"]) == (3, counting["month"])


def see_what_is_missing(page: Page) -> None:
    """A wrong telephone number is shown before the request is sent."""
    dialog = page.get_by_role("dialog", name="完善网点信息")
    dialog.get_by_label("联系方式").fill("12345")
    dialog.get_by_role("button", name="下一步").click()
    expect(dialog).to_contain_text("请填写正确的手机号或固定电话")
    expect(dialog).to_contain_text("请选择经办网点")
    expect(dialog).to_contain_text("请先由会员签署同意书")


def test_each_finding_is_explained_with_what_to_do(checked: Desk, page_of: PageOf) -> None:
    page = page_of(checked.clerk)
    open_pending(page, "?check_state=failed")

    page.get_by_role("button", name="的校验说明").click()

    mending = page.get_by_role("dialog", name="处理：")
    expect(mending).to_contain_text("证件已于2024-01-31到期，请换领新证后点击“修改证件到期日”更新")
    expect(mending.get_by_label("姓名")).to_have_count(0)
    assert serious_findings(page) == []
    mending.get_by_role("button", name="查看依据").click()
    grounds = page.get_by_role("dialog", name="的系统校验")
    grounds.get_by_text("依据", exact=True).first.click()
    expect(grounds).to_contain_text("证件到期日（第 1 版），本系统约定：到期前90日提醒")
    expect(grounds).to_contain_text("证件到期日2024-01-31")


def test_a_question_that_is_declined_changes_nothing(checked: Desk, page_of: PageOf) -> None:
    page = page_of(checked.clerk)
    open_pending(page)

    page.locator(ROWS).first.get_by_role("button", name="移除").click()
    page.get_by_role("button", name="取消").click()

    expect(page.get_by_role("button", name="普通办卡通道（4）")).to_be_visible()
    assert checked.clerk.get("pending")["counts"]["ordinary"]["total"] == 4


def test_a_corrected_expiry_date_passes_the_next_check_and_a_special_entry_is_completed(
    queued: Desk, page_of: PageOf
) -> None:
    queued.check_all()
    page = page_of(queued.clerk)
    open_pending(page, "?check_state=failed")
    page.get_by_role("button", name="修改证件到期日", exact=True).click()
    dialog = page.get_by_role("dialog", name="修改证件到期日")
    dialog.locator("label", has_text="长期").click()
    dialog.get_by_role("button", name="保存").click()
    expect(dialog).to_be_hidden()
    page.goto("/pending")
    page.get_by_role("button", name="提交系统校验").click()
    expect(page.get_by_text("校验通过：4 人")).to_be_visible()

    page.get_by_role("button", name="转换为特殊办卡通道").first.click()
    dialog = page.get_by_role("dialog", name="转换至特殊办卡通道")
    dialog.get_by_role("button", name="转换", exact=True).click()
    expect(dialog).to_contain_text("请选择转入特殊办卡通道的原因")
    dialog.locator(".el-select").click()
    page.get_by_role("option", name="其他").click()
    dialog.get_by_label("说明").fill("曾用名")
    dialog.get_by_role("button", name="转换", exact=True).click()
    expect(page.get_by_role("button", name="特殊办卡通道（3）")).to_be_visible()
    page.get_by_role("button", name="特殊办卡通道（3）").click()
    expect(page.locator(ROWS).filter(has_text="其他：曾用名")).to_have_count(1)
    expect(page.get_by_role("button", name="提交办卡")).to_be_disabled()
    passport = page.locator(ROWS).filter(has_text="SMITH JOHN")
    expect(passport).to_contain_text("非居民身份证件")
    expect(passport.get_by_role("button", name="转换为")).to_have_count(0)

    passport.get_by_role("button", name="完善信息").click()
    dialog = page.get_by_role("dialog", name="完善信息")
    dialog.get_by_label("国籍").fill("加拿大")
    page.get_by_role("option", name="加拿大 CAN").click()
    dialog.get_by_label("证件号码").fill("C1234567")
    dialog.get_by_role("button", name="保存").click()
    expect(dialog).to_be_hidden()
    page.get_by_role("button", name="提交系统校验").click()
    expect(page.get_by_role("button", name="提交办卡")).to_be_enabled()
    expect(passport).to_contain_text("已通过")
    entries = queued.clerk.get("pending", channel="special")["items"]
    assert next(entry["nationality"] for entry in entries if entry["name"] == "SMITH JOHN") == "CAN"


def test_a_batch_is_submitted_by_keyboard_alone(passed: Desk, page_of: PageOf) -> None:
    page = page_of(passed.clerk)
    open_pending(page)

    tab_to(page, "提交办卡")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    tab_to(page, "查找网点")
    page.keyboard.type("国华广场")  # of all outlets, one may be closed at any moment
    expect(dialog.get_by_role("radio")).to_have_count(1)
    tab_to(page, "outlet")
    page.keyboard.press("Space")
    tab_to(page, "联系方式")
    page.keyboard.type("13812345678")
    tab_to(page, "均已签署")
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="请核对后确认提交")).to_be_visible()
    tab_to(page, "确认提交")
    page.keyboard.press("Enter")

    expect(page.get_by_role("dialog", name="提交成功")).to_be_visible()
    assert passed.clerk.get("batches")["total"] == 1


def test_a_long_list_is_paged_by_the_server(desk: Desk, page_of: PageOf) -> None:
    desk.import_members(people(995))
    desk.queue_all()
    page = page_of(desk.clerk)
    open_pending(page)
    expect(page.locator(".total")).to_have_text("共 995 条")
    expect(page.locator(ROWS)).to_have_count(20)
    first = page.locator(ROWS).first.inner_text()

    with page.expect_response("**/api/v1/pending?*page=50*") as asked:
        page.get_by_role("listitem", name="第 50 页").click()

    assert len(asked.value.json()["items"]) == 15
    expect(page.locator(ROWS)).to_have_count(15)
    expect(page.locator(ROWS).first).not_to_have_text(first)
    assert "page=50" in page.url


def test_axe_finds_nothing_serious_on_the_pending_list_and_its_dialogs(checked: Desk, page_of: PageOf) -> None:
    page = page_of(checked.clerk)
    open_pending(page)
    assert serious_findings(page) == []

    page.get_by_role("button", name="的校验说明").first.click()
    expect(page.get_by_role("dialog")).to_contain_text("依据")
    assert serious_findings(page) == []

    checked.check_all("special")
    open_pending(page, "?channel=special")
    assert serious_findings(page) == []
    page.get_by_role("button", name="完善信息").first.click()
    expect(page.get_by_role("dialog", name="完善信息")).to_be_visible()
    assert serious_findings(page) == []

    page.keyboard.press("Escape")
    page.get_by_role("button", name="提交办卡").click()
    expect(page.get_by_role("radio").first).to_be_visible()
    assert serious_findings(page) == []


def tab_to(page: Page, name: str) -> None:
    """Presses Tab until what has the focus is called so, in part: by its text, its label or its name."""
    asked = """() => {
        const {textContent, name, labels, ariaLabel} = document.activeElement;
        return [textContent, ariaLabel, name, labels?.[0]?.textContent].map((text) => (text ?? "").trim());
    }"""
    for _ in range(80):
        page.keyboard.press("Tab")
        if any(name in text for text in page.evaluate(asked)):
            return
    raise AssertionError(f"Tab does not reach {name}")
