"""Card information 卡片信息管理 on the page: finding, registering, importing and queueing members."""

from pathlib import Path

import pytest
from openpyxl import Workbook, load_workbook
from playwright.sync_api import Download, Page, expect

from deploy.local.demo_people import fill_in
from tests.browser.accessibility import serious_findings
from tests.browser.conftest import ROWS, PageOf
from tests.desks import Desk, a_desk, a_desk_below, an_administrator_of, people

_WATCH_FOR_PROGRESS = """() => {
    const seen = {progress: false};
    const bar = '[role=progressbar][aria-label$="导入进度"]';
    const look = () => { seen.progress ||= document.querySelector(bar) !== null; };
    new MutationObserver(look).observe(document.body, {childList: true, subtree: true, attributes: true});
    return seen;
}"""


@pytest.fixture(scope="module")
def desk_with_25(pages_url: str) -> Desk:
    """A clerk with more members than one page shows, all without a card; it stays so."""
    desk = a_desk(pages_url)
    desk.import_members(people(25))
    return desk


@pytest.fixture(scope="module")
def desk_with_queued(pages_url: str) -> Desk:
    """A clerk all of whose members are queued."""
    desk = a_desk(pages_url)
    desk.register(*people(2))
    desk.queue_all()
    return desk


def open_members(page: Page, query: str = "") -> None:
    page.goto(f"/members{query}")
    expect(page.locator(ROWS).first).to_be_visible()


def exported(download: Download, folder: Path) -> list[dict[str, str]]:
    """The rows of a sheet, by their headings."""
    path = folder / "exported.xlsx"
    download.save_as(path)
    headings, *rows = load_workbook(path).worksheets[0].iter_rows(values_only=True)
    return [{str(name): str(cell or "") for name, cell in zip(headings, row, strict=True)} for row in rows]


def test_members_ticked_on_two_pages_are_queued_together_and_all_others_after_one_question(
    desk: Desk, page_of: PageOf
) -> None:
    desk.import_members(people(25))
    page = page_of(desk.clerk)
    open_members(page)

    page.get_by_label("选择本页全部").check()
    page.get_by_role("button", name="下一页").click()
    expect(page.locator(ROWS)).to_have_count(5)
    page.locator(ROWS).first.get_by_role("checkbox").check()
    expect(page.get_by_text("已选 21 人")).to_be_visible()
    page.get_by_role("button", name="添加选中的未办卡会员至待办").click()
    expect(page.get_by_role("dialog")).to_contain_text("21 位会员已加入待办会员列表")
    assert desk.clerk.get("members", card_state="pending")["total"] == 21

    open_members(page)
    page.get_by_role("button", name="添加全部的未办卡会员至待办").click()
    expect(page.get_by_role("dialog")).to_contain_text("本工会全部 4 位未办卡会员将加入待办会员列表")
    page.get_by_role("button", name="确认添加").click()
    expect(page.get_by_role("dialog", name="添加至待办")).to_contain_text("4 位会员已加入待办会员列表")


@pytest.mark.long("a detail of a page; stories are told in make test")
def test_who_is_queued_already_cannot_be_ticked_and_the_reason_is_told(desk_with_queued: Desk, page_of: PageOf) -> None:
    page = page_of(desk_with_queued.clerk)
    open_members(page)

    locked = page.locator(ROWS).first.get_by_role("checkbox")

    expect(locked).to_have_attribute("aria-disabled", "true")
    assert "待办中" in (locked.get_attribute("aria-label") or "")
    locked.click(force=True)
    expect(locked).not_to_be_checked()


@pytest.mark.long("a detail of a page; stories are told in make test")
def test_a_search_stands_in_the_address_and_the_back_button_undoes_it(desk_with_25: Desk, page_of: PageOf) -> None:
    name = desk_with_25.clerk.get("members")["items"][0]["name"]
    page = page_of(desk_with_25.clerk)
    open_members(page)

    page.get_by_label("姓名", exact=True).fill(name)
    page.keyboard.press("Enter")
    expect(page.locator(".total")).not_to_have_text("共 25 条")
    assert "name=" in page.url
    page.reload()
    expect(page.get_by_label("姓名", exact=True)).to_have_value(name)
    page.go_back()

    expect(page.locator(".total")).to_have_text("共 25 条")
    expect(page.get_by_label("姓名", exact=True)).to_have_value("")


def test_a_new_member_appears_and_gets_a_number_without_a_reload(desk: Desk, page_of: PageOf) -> None:
    [person] = people(1)
    page = page_of(desk.clerk)
    page.goto("/members")
    page.get_by_role("button", name="登记会员").click()
    dialog = page.get_by_role("dialog", name="登记会员")
    expect(dialog.get_by_label("姓名")).to_be_focused()

    dialog.get_by_label("姓名").fill(person.name)
    dialog.get_by_label("证件号码").fill(person.document_number)
    expect(dialog.get_by_label("出生日期")).to_have_value(person.birth_date)
    dialog.get_by_role("button", name="登记", exact=True).click()

    expect(page.locator(ROWS).first).to_contain_text(person.name)
    expect(page.locator(ROWS).first).to_contain_text("00700")


def test_a_wrong_number_is_reported_while_typing(desk: Desk, page_of: PageOf) -> None:
    page = page_of(desk.clerk)
    page.goto("/members")
    page.get_by_role("button", name="登记会员").click()
    dialog = page.get_by_role("dialog", name="登记会员")

    dialog.get_by_label("证件号码").fill("310101197503080021")
    dialog.get_by_label("姓名").click()
    expect(dialog).to_contain_text("证件号码校验码不正确")
    dialog.get_by_label("证件号码").fill("3101")
    dialog.get_by_label("姓名").click()

    expect(dialog).to_contain_text("居民身份证号码应为18位")


def test_a_refusal_of_the_server_is_shown_at_its_field(desk: Desk, page_of: PageOf) -> None:
    [person] = people(1)
    desk.register(person)
    page = page_of(desk.clerk)
    open_members(page)
    page.get_by_role("button", name="登记会员").click()
    dialog = page.get_by_role("dialog", name="登记会员")

    dialog.get_by_label("姓名").fill(person.name)
    dialog.get_by_label("证件号码").fill(person.document_number)
    dialog.get_by_role("button", name="登记", exact=True).click()

    expect(dialog).to_contain_text("该证件号码已登记过会员")


@pytest.mark.long("a detail of a page; stories are told in make test")
def test_details_open_over_the_list_and_have_a_link_of_their_own(desk_with_queued: Desk, page_of: PageOf) -> None:
    page = page_of(desk_with_queued.clerk)
    open_members(page, "?size=50")

    page.get_by_role("link", name="查看详情").first.click()
    expect(page.get_by_role("dialog")).to_contain_text("办卡记录")
    page.reload()
    expect(page.get_by_role("dialog")).to_contain_text("待办中")
    page.keyboard.press("Escape")

    expect(page.get_by_role("dialog")).to_have_count(0)
    assert page.url.endswith("/members?size=50")


def test_a_long_sheet_is_previewed_confirmed_and_its_bad_rows_come_back(
    desk: Desk, page_of: PageOf, tmp_path: Path
) -> None:
    nameless, *named = people(1_000)
    nameless.name = ""
    sheet = tmp_path / "会员名册.xlsx"
    sheet.write_bytes(fill_in(desk.clerk.download("members/imports/template.xlsx"), [nameless, *named]))
    page = page_of(desk.clerk)
    page.goto("/members/imports")
    seen = page.evaluate_handle(_WATCH_FOR_PROGRESS)

    page.get_by_label("选择要导入的表格").set_input_files(sheet)

    dialog = page.get_by_role("dialog", name="预览：会员名册.xlsx")
    expect(dialog).to_contain_text("可登记 999", timeout=180_000)
    expect(dialog).to_contain_text("姓名：必填")
    expect(dialog).not_to_contain_text(named[0].document_number)
    assert serious_findings(page) == []
    assert desk.clerk.get("members")["total"] == 0, "nobody is registered before the clerk has said so"
    dialog.get_by_role("button", name="确认导入 999 行").click()
    expect(dialog).to_be_hidden()
    expect(page.get_by_text("已完成")).to_be_visible(timeout=180_000)
    assert seen.evaluate("seen => seen.progress"), "a progress bar was there meanwhile"
    expect(page.get_by_text("共 1,000 行")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="下载有误的行及原因").click()
    download.value.save_as(tmp_path / "errors.xlsx")
    returned = load_workbook(tmp_path / "errors.xlsx").worksheets[0]
    assert returned.cell(1, returned.max_column).value == "错误原因"
    assert "姓名" in str(returned.cell(2, returned.max_column).value)


@pytest.mark.long("a detail of a page; stories are told in make test")
def test_of_a_file_with_two_rosters_one_is_chosen_by_keyboard_and_the_other_named(
    desk: Desk, page_of: PageOf, tmp_path: Path
) -> None:
    first, second = people(2)
    book = Workbook()
    for title, person in (("甲车间", first), ("乙车间", second)):
        sheet = book.create_sheet(title)
        sheet.append(["姓 名", "*证件类型", "证件号码", "备注"])
        sheet.append([person.name, "身份证", person.document_number, "老员工"])
    book.remove(book.worksheets[0])
    book.save(tmp_path / "两个车间.xlsx")
    page = page_of(desk.clerk)
    page.goto("/members/imports")

    page.get_by_label("选择要导入的表格").set_input_files(tmp_path / "两个车间.xlsx")

    dialog = page.get_by_role("dialog", name="预览：两个车间.xlsx")
    dialog.get_by_label("甲车间").focus()
    page.keyboard.press("Space")
    dialog.get_by_role("button", name="确认导入所选工作表").press("Enter")
    expect(page.get_by_text("已完成")).to_be_visible(timeout=180_000)
    page.get_by_text("未读取的内容 3 项").click()
    expect(page.get_by_text("工作表“甲车间”：确认时未选择该工作表（1 行）")).to_be_visible()
    assert [member["name"] for member in desk.clerk.get("members")["items"]] == [second.name]


@pytest.mark.long("a detail of a page; stories are told in make test")
def test_a_preview_is_found_by_its_link_and_can_be_given_up(desk: Desk, page_of: PageOf, tmp_path: Path) -> None:
    (person,) = people(1)
    (tmp_path / "名册.csv").write_text(f"姓名\t证件类型\t证件号码\n{person.name}\t身份证\t{person.document_number}\n")
    page = page_of(desk.clerk)
    page.goto("/members/imports")
    page.get_by_label("选择要导入的表格").set_input_files(tmp_path / "名册.csv")
    expect(page.get_by_role("dialog")).to_contain_text("可登记 1")
    [job] = desk.clerk.get("members/imports")["items"]
    page.goto(f"/members/imports/{job['import_id']}")

    page.get_by_role("dialog").get_by_role("button", name="取消导入").click()

    expect(page.get_by_text("已取消", exact=True)).to_be_visible()
    assert desk.clerk.get("members")["total"] == 0


@pytest.mark.long("a detail of a page; stories are told in make test")
def test_a_file_that_is_no_sheet_is_refused_with_what_to_do(desk: Desk, page_of: PageOf, tmp_path: Path) -> None:
    picture = tmp_path / "照片.png"
    picture.write_bytes(b"no sheet")
    page = page_of(desk.clerk)
    page.goto("/members/imports")

    page.get_by_label("选择要导入的表格").set_input_files(picture)

    expect(page.get_by_role("alert")).to_contain_text("请上传 .xlsx、.xls、.xlsb、.ods 或 .csv 文件")


def test_a_clerk_exports_what_the_list_is_filtered_by_with_masked_numbers(
    desk_with_25: Desk, page_of: PageOf, tmp_path: Path
) -> None:
    member = desk_with_25.clerk.get("members")["items"][0]
    page = page_of(desk_with_25.clerk)
    open_members(page, f"?name={member['name']}")
    page.get_by_role("button", name="导出", exact=True).click()
    dialog = page.get_by_role("dialog", name="导出会员名单")
    expect(dialog).to_contain_text("符合当前查询条件的全部")
    expect(dialog.get_by_text("完整号码")).to_have_count(0)
    assert serious_findings(page) == []

    with page.expect_download() as download:
        dialog.get_by_role("button", name="导出", exact=True).click()

    expect(dialog).to_be_hidden()
    rows = exported(download.value, tmp_path)
    assert {row["姓名"][: len(member["name"])] for row in rows} == {member["name"]}
    assert all("*" in row["证件号码"] for row in rows)


@pytest.mark.long("a detail of a page; stories are told in make test")
def test_an_administrator_exports_whole_numbers_after_saying_why(
    desk_with_25: Desk, page_of: PageOf, tmp_path: Path
) -> None:
    page = page_of(an_administrator_of(desk_with_25))
    open_members(page)
    page.get_by_role("button", name="导出", exact=True).click()
    dialog = page.get_by_role("dialog", name="导出会员名单")

    dialog.locator("label", has_text="完整号码").click()
    dialog.get_by_role("button", name="导出", exact=True).click()
    expect(dialog).to_contain_text("请填写原因")
    assert serious_findings(page) == []
    dialog.get_by_label("导出原因").fill("与银行核对名单")
    with page.expect_download() as download:
        dialog.get_by_role("button", name="导出", exact=True).click()

    rows = exported(download.value, tmp_path)
    assert len(rows) == 25
    assert not any("*" in row["证件号码"] for row in rows)


def test_whole_numbers_are_shown_after_saying_why_and_hidden_again(desk: Desk, page_of: PageOf) -> None:
    [person] = people(1)
    desk.register(person)
    page = page_of(desk.clerk)
    open_members(page)
    page.get_by_role("link", name="查看详情").click()
    drawer = page.get_by_role("dialog", name=person.name)
    expect(drawer).to_contain_text("证件号码")
    expect(drawer).not_to_contain_text(person.document_number)
    expect(drawer).to_contain_text(f"{person.document_number[:5]}***********{person.document_number[-2:]}")
    expect(drawer).not_to_contain_text(person.birth_date)

    page.get_by_role("button", name="显示完整号码").click()
    dialog = page.get_by_role("dialog", name="显示完整号码")
    dialog.get_by_role("button", name="显示", exact=True).click()
    expect(dialog).to_contain_text("请填写原因")
    assert serious_findings(page) == []
    dialog.get_by_label("查看原因").fill("会员来电核对")
    dialog.get_by_role("button", name="显示", exact=True).click()
    expect(drawer).to_contain_text(person.document_number)
    expect(drawer).to_contain_text(person.birth_date)
    page.get_by_role("button", name="隐藏完整号码").click()

    expect(drawer).not_to_contain_text(person.document_number)
    expect(drawer).not_to_contain_text(person.birth_date)
    expect(page.get_by_role("button", name="显示完整号码")).to_be_visible()


def test_members_are_found_by_the_last_four_characters_and_changed_without_their_birth_date(
    desk: Desk, page_of: PageOf
) -> None:
    [person] = people(1)
    desk.register(person)
    page = page_of(desk.clerk)
    open_members(page)
    page.get_by_label("证件号码后四位").fill(person.document_number[-4:])
    page.get_by_role("button", name="搜索").click()
    expect(page.locator(ROWS)).to_have_count(1)
    page.get_by_role("link", name="查看详情").click()
    page.get_by_role("button", name="修改信息").click()
    dialog = page.get_by_role("dialog", name="修改会员信息")
    expect(dialog.get_by_label("出生日期")).to_be_disabled()
    expect(dialog.get_by_label("性别")).to_have_value("由证件号码确定")
    assert serious_findings(page) == []
    dialog.get_by_label("地址").fill("上海市杨浦区闸殷路9号")
    dialog.get_by_role("button", name="保存").click()
    expect(page.get_by_role("dialog", name=person.name)).to_contain_text("闸殷路9号")


@pytest.mark.long("a detail of a page; stories are told in make test")
def test_who_searches_by_too_many_numbers_is_told_when_to_go_on(desk: Desk, page_of: PageOf) -> None:
    [person] = people(1)
    refusal = {
        "title": "按证件号码查询过于频繁",
        "status": 429,
        "code": "too_many_number_searches",
        "detail": "每小时最多按证件号码查询 60 次，请在 15:04 后再试。查询均已记录。",
    }
    page = page_of(desk.clerk)
    open_members(page)
    page.route(
        "**/api/v1/members?*document_number*",
        lambda route: route.fulfill(status=429, content_type="application/problem+json", json=refusal),
    )
    page.get_by_label("证件号码", exact=True).fill(person.document_number)
    page.get_by_role("button", name="搜索").click()
    expect(page.get_by_text("请在 15:04 后再试")).to_be_visible()


@pytest.mark.long("a detail of a page; stories are told in make test")
def test_another_page_of_members_takes_one_question_and_no_reload(desk_with_25: Desk, page_of: PageOf) -> None:
    page = page_of(desk_with_25.clerk)
    open_members(page, "?page=2")
    expect(page.locator(ROWS)).to_have_count(5)
    page.wait_for_load_state("networkidle")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.partition("?")[0]))

    page.get_by_role("button", name="上一页").click()
    expect(page.locator(ROWS)).to_have_count(20)

    assert [url for url in asked if "/api/" in url] == [f"{desk_with_25.clerk.base}/api/v1/members"]
    assert f"{desk_with_25.clerk.base}/members" not in asked


@pytest.mark.long("a detail of a page; stories are told in make test")
def test_the_template_can_be_downloaded(desk: Desk, page_of: PageOf) -> None:
    page = page_of(desk.clerk)
    page.goto("/members/imports")

    with page.expect_download() as download:
        page.get_by_role("button", name="下载模板").click()

    assert download.value.suggested_filename.endswith(".xlsx")


@pytest.mark.long("a detail of a page; stories are told in make test")
def test_axe_finds_nothing_serious_on_the_pages_of_members(desk_with_25: Desk, page_of: PageOf) -> None:
    page = page_of(desk_with_25.clerk)
    open_members(page)
    assert serious_findings(page) == []

    page.get_by_role("link", name="查看详情").first.click()
    expect(page.get_by_role("dialog")).to_contain_text("办卡记录")
    assert serious_findings(page) == []

    page.keyboard.press("Escape")
    page.get_by_role("button", name="登记会员").click()
    expect(page.get_by_role("dialog", name="登记会员")).to_be_visible()
    assert serious_findings(page) == []

    page.goto("/members/imports")
    expect(page.get_by_text("已完成")).to_be_visible()
    assert serious_findings(page) == []


def test_who_is_a_member_elsewhere_is_asked_for_and_the_other_union_agrees(desk: Desk, page_of: PageOf) -> None:
    old = a_desk_below(desk.office)
    (person,) = people(1)
    old.register(person)
    page = page_of(desk.clerk)
    page.goto("/members")
    page.get_by_role("button", name="登记会员").click()
    dialog = page.get_by_role("dialog", name="登记会员")
    dialog.get_by_label("姓名").fill(person.name)
    dialog.get_by_label("证件号码").fill(person.document_number)
    dialog.get_by_role("button", name="登记", exact=True).click()
    expect(dialog).to_contain_text("该证件号码已在其他工会登记")
    expect(dialog).not_to_contain_text(old.clerk.account["union"]["name"])
    assert serious_findings(page) == []
    dialog.get_by_role("button", name="申请转会").click()
    expect(page.get_by_text(f"已申请 {person.name} 转会")).to_be_visible()
    page.goto("/transfers")
    row = page.locator(ROWS).filter(has_text=person.name)
    expect(row).to_contain_text("其他工会 →")

    other = page_of(old.clerk)
    other.goto("/transfers?state=requested")
    expect(other.locator(ROWS).filter(has_text=person.name)).to_contain_text("待办理")
    assert serious_findings(other) == []
    other.get_by_role("button", name=f"同意转会：{person.name}", exact=True).click()
    other.get_by_role("dialog", name="同意转会").get_by_role("button", name="同意转会").click()
    expect(other.get_by_text("已转入").first).to_be_visible()

    page.goto("/members")
    expect(row).to_be_visible()


def test_who_retires_is_marked_cannot_be_ticked_and_comes_back(desk: Desk, page_of: PageOf) -> None:
    (person,) = people(1)
    (member_id,) = desk.register(person)
    page = page_of(desk.clerk)
    page.goto(f"/members/{member_id}")
    page.get_by_role("button", name="办理退会").click()
    dialog = page.get_by_role("dialog", name="办理退会")
    dialog.get_by_role("combobox", name="原因").press("Enter")
    page.get_by_role("option", name="退休").click()
    dialog.get_by_role("button", name="办理退会").click()
    expect(page.get_by_text(f"{person.name} 已办理退会")).to_be_visible()

    page.goto("/members?has_left=true")
    row = page.locator(ROWS).filter(has_text=person.name)
    expect(row).to_contain_text("已退休")
    expect(row.get_by_role("checkbox")).to_have_attribute("aria-disabled", "true")
    assert serious_findings(page) == []

    page.goto(f"/members/{member_id}")
    page.get_by_role("button", name="恢复会籍").click()
    page.get_by_role("dialog", name="恢复会籍").get_by_role("button", name="恢复").click()
    expect(page.get_by_text(f"{person.name} 已恢复会籍")).to_be_visible()
    assert desk.clerk.get(f"members/{member_id}")["selectable"]
