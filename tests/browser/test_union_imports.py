"""Unions and accounts come by a workbook: wrong rows are named, a right one creates all of it."""

from playwright.sync_api import FilePayload, Page, expect

from deploy.local.client import ApiClient
from services.kit.documents.content_types import XLSX
from services.membership.seed import demo_password
from tests.browser.accessibility import serious_findings
from tests.browser.conftest import PageOf
from tests.desks import a_phone, an_office_below
from tests.mothers import a_union_code, a_union_workbook


def a_file(*rows: tuple[str, ...], accounts: tuple[tuple[str, ...], ...] = ()) -> FilePayload:
    return {"name": "新建工会.xlsx", "mimeType": XLSX, "buffer": a_union_workbook(rows, accounts)}


def choose(page: Page, file: FilePayload) -> None:
    page.get_by_label("选择工会和账号的表格").set_input_files(file)


def test_unions_and_accounts_come_by_a_workbook(page_of: PageOf, pages_url: str) -> None:
    yangpu = ApiClient(pages_url).sign_in("yangpu-admin", demo_password())
    office = an_office_below(yangpu)
    number = int(a_phone()[3:])
    street, company, name = a_union_code(number), a_union_code(number + 500_000), f"company{number}"
    page = page_of(office.administrator)
    page.goto("/unions")
    page.get_by_role("button", name="导入").click()
    dialog = page.get_by_role("dialog", name="导入工会和账号")
    assert serious_findings(page) == []
    with page.expect_download() as template:
        dialog.get_by_role("button", name="下载模板").click()
    assert template.value.suggested_filename == "工会和账号模板.xlsx"

    choose(page, a_file(("上海新街道总工会", street, "分会", "")))
    expect(dialog.get_by_role("status")).to_contain_text("有 1 行有误")
    expect(dialog.get_by_role("table", name="有误的行")).to_contain_text("工会类型：应为区局（产业）工会或基层工会")
    expect(dialog.get_by_role("button", name="导入")).to_be_disabled()
    assert serious_findings(page) == []

    right = a_file(
        ("上海新公司工会", company, "基层工会", street),
        ("上海新街道总工会", street, "区局（产业）工会", ""),
        accounts=((name, "张三", a_phone(), "经办人", company),),
    )
    choose(page, right)
    expect(dialog.get_by_role("status")).to_contain_text("将新增 2 家工会、1 个账号")
    dialog.get_by_role("button", name="导入").click()
    expect(page.get_by_text("已新增 2 家工会、1 个账号")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text=company)).to_be_visible()
    assert [one["account_name"] for one in office.administrator.get("accounts", q=name)["items"]] == [name]

    page.get_by_role("button", name="导入").click()
    choose(page, right)
    expect(dialog.get_by_role("status")).to_contain_text("有 3 行有误")
