"""A branch by file on the pages: the city chooses it and makes its password, an operator downloads and uploads."""

from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

from deploy.local.client import ApiClient, wait_until
from deploy.simulators.bank_branch import answered, decided
from services.membership.seed import demo_password
from tests.browser.accessibility import serious_findings
from tests.browser.conftest import PageOf
from tests.desks import Desk, people

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@pytest.fixture
def branch_name(pages_url: str) -> str:
    """A branch with an outlet, both with this in their names; it takes messages yet."""
    name = uuid4().hex[:8]
    city = ApiClient(pages_url).sign_in("city", demo_password())
    city.post("branches", {"code": f"page-{name}", "name": f"支行{name}", "charset": "gbk"})
    place = {"district": "杨浦区", "address": "上海市杨浦区文件路2号", "phone": "021-65480198"}
    city.post("outlets", {"code": f"page-{name}-1", "branch_code": f"page-{name}", "name": f"网点{name}", **place})
    return name


def choose_files(page: Page, branch_name: str) -> str:
    """The city's administrator has a branch take files; returns its password."""
    page.goto("/outlets")
    page.get_by_role("button", name=f"修改：支行{branch_name}").click()
    page.get_by_text("该支行不接入消息，批次以加密文件交接").click()
    page.get_by_role("button", name="保存").click()
    row = page.get_by_role("row").filter(has_text=f"支行{branch_name}")
    expect(row.get_by_text("加密文件，未设密码").first).to_be_visible()
    page.get_by_role("button", name=f"文件密码：支行{branch_name}").click()
    page.get_by_role("button", name="生成密码").click()
    dialog = page.get_by_role("dialog", name="文件密码")
    password = dialog.locator("code").inner_text()
    assert serious_findings(page) == []
    dialog.get_by_role("button", name="已记下").click()
    expect(page.get_by_text(password)).to_have_count(0)
    return password


def test_a_branch_is_given_files_and_gives_its_results_back(page_of: PageOf, desk: Desk, branch_name: str) -> None:
    password = choose_files(page_of("city"), branch_name)
    desk.register(*people(2))
    batch_no = desk.submit_all(outlet=f"网点{branch_name}")

    page = page_of("ops")
    page.goto("/bank-files")
    page.get_by_label("批次编号").fill(batch_no)
    page.keyboard.press("Enter")
    row = page.get_by_role("row").filter(has_text=f"支行{branch_name}")
    expect(row.get_by_text("待下载")).to_be_visible()
    assert serious_findings(page) == []
    with page.expect_download() as download:
        page.get_by_role("button", name=f"下载：办卡批次 {batch_no}").click()
    content = download.value.path().read_bytes()
    expect(row.get_by_text("ops")).to_be_visible()

    page.goto("/result-files")
    upload(page, branch_name, b"no sheet at all \x00\x01\x02")
    expect(page.get_by_role("alert").first).to_be_visible()
    upload(page, branch_name, answered(content, password, decided(content, password, wrong=1)))
    drawer = page.get_by_role("dialog", name="结果.xlsx")
    expect(drawer.get_by_text("卡号", exact=True)).to_be_visible()
    expect(drawer.get_by_text("办理成功的必填")).to_be_visible()
    assert serious_findings(page) == []
    with page.expect_download() as receipt:
        drawer.get_by_role("button", name="下载回执").click()
    assert receipt.value.suggested_filename == "回执-结果.xlsx"
    page.keyboard.press("Escape")
    upload(page, branch_name, answered(content, password, decided(content, password)))
    expect(page.get_by_text("没有未采用的行")).to_be_visible()
    wait_until(lambda: desk.clerk.get(f"batches/{batch_no}")["issued"] == 2, "both cards are issued")


@pytest.mark.parametrize("width", [390, 1366, 1920])
def test_pages_of_files_fit_the_screen(page_of: PageOf, branch_name: str, width: int) -> None:
    choose_files(page_of("city"), branch_name)
    page = page_of("ops")
    page.set_viewport_size({"width": width, "height": 800})
    for path, heading in (("/bank-files", "银行文件"), ("/result-files", "银行结果")):
        page.goto(path)
        expect(page.get_by_role("heading", name=heading, exact=True)).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def upload(page: Page, branch_name: str, content: bytes) -> None:
    """Chooses the branch and hands a file in."""
    page.get_by_role("combobox", name="发卡支行").first.press("Enter")
    page.get_by_role("option", name=f"支行{branch_name}").first.click()
    page.get_by_label("选择银行的结果文件").set_input_files({"name": "结果.xlsx", "mimeType": XLSX, "buffer": content})
