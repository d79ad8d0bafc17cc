"""Message templates 消息模板: the city rewrites a text, sees it as it will be sent, and takes it back."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from deploy.local.client import ApiClient
from services.membership.seed import demo_password
from tests.browser.accessibility import serious_findings
from tests.browser.conftest import PageOf

KIND = "sms_member_released"
OCCASION = "批次撤销，申请释放"
ADVICE = "批次已撤销，如需办卡请致电 12351。"


@pytest.fixture
def city(pages_url: str) -> Iterator[ApiClient]:
    """The city's administrator; the default text is in force before and after."""
    client = ApiClient(pages_url).sign_in("city", demo_password())
    restore(client)
    yield client
    restore(client)


def restore(city: ApiClient) -> None:
    template = city.get(f"message-templates/{KIND}")
    if not template["is_default"]:
        city.post(f"message-templates/{KIND}/restore", {"version": template["version"]})


def opened(page: Page) -> Locator:
    """The dialog of the kind."""
    page.get_by_role("button", name=f"修改：{OCCASION}，会员，短信").click()
    dialog = page.get_by_role("dialog", name=f"修改消息模板：{OCCASION}")
    expect(dialog.get_by_role("region", name="预览")).to_contain_text("【申工社】")
    return dialog


def test_the_city_rewrites_a_text_message_and_restores_it(page_of: PageOf, city: ApiClient) -> None:
    page = page_of(city)
    page.goto("/message-templates")
    page.get_by_role("radio", name="短信").check(force=True)
    expect(page.get_by_role("row").filter(has_text="银行反馈：办卡成功")).to_have_count(0)
    page.get_by_label("搜索").fill("久未领卡")
    expect(page.get_by_role("row")).to_have_count(2)
    page.get_by_label("搜索").fill("")
    assert serious_findings(page) == []

    dialog = opened(page)
    dialog.get_by_label("内容").fill("{批号}已撤销")
    expect(dialog.get_by_role("region", name="预览")).to_contain_text("没有变量 {批号}")
    dialog.get_by_label("内容").fill(ADVICE)
    expect(dialog.get_by_role("region", name="预览")).to_contain_text(f"【申工社】{ADVICE}")
    expect(dialog.get_by_text(re.compile("按 1 条短信计费"))).to_be_visible()
    assert serious_findings(page) == []
    dialog.get_by_role("button", name="保存").click()
    expect(page.get_by_text("消息模板已修改")).to_be_visible()

    row = page.get_by_role("row").filter(has_text=ADVICE)
    expect(row).to_contain_text("已修改")
    dialog = opened(page)
    dialog.get_by_text(re.compile("修改历史")).click()
    expect(dialog.get_by_role("listitem").filter(has_text=ADVICE)).to_contain_text("city")
    dialog.get_by_role("button", name="恢复默认").click()
    page.get_by_role("dialog", name="恢复默认内容").get_by_role("button", name="恢复默认").click()
    expect(page.get_by_text("已恢复默认内容")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text=ADVICE)).to_have_count(0)


def test_a_text_message_that_is_turned_off_is_marked(page_of: PageOf, city: ApiClient) -> None:
    page = page_of(city)
    page.goto("/message-templates")
    dialog = opened(page)
    dialog.get_by_role("switch").press("Space")
    dialog.get_by_role("button", name="保存").click()
    row = page.get_by_role("row").filter(has_text=OCCASION).filter(has_text="短信")
    expect(row).to_contain_text("已停用")
    assert serious_findings(page) == []


def test_a_variable_is_inserted_where_one_writes(page_of: PageOf, city: ApiClient) -> None:
    page = page_of(city)
    page.goto("/message-templates")
    page.get_by_role("button", name="修改：提交办卡，会员，短信").click()
    dialog = page.get_by_role("dialog", name="修改消息模板：提交办卡")
    dialog.get_by_label("内容").fill("已提交至")
    dialog.get_by_role("button", name="{网点}").click()
    expect(dialog.get_by_label("内容")).to_have_value("已提交至{网点}")
    expect(dialog.get_by_role("region", name="预览")).to_contain_text("已提交至工商银行国华支行")
