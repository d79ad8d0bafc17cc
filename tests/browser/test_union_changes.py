"""Changes of the tree on the pages: one administrator asks and sees what is concerned, another one confirms."""

from playwright.sync_api import Page, expect

from deploy.local.client import ApiClient
from services.membership.seed import demo_password
from tests.browser.accessibility import serious_findings
from tests.browser.conftest import PageOf
from tests.desks import Desk, a_desk_below, an_office_below, people


def find(page: Page, name: str) -> None:
    page.goto("/unions")
    page.get_by_placeholder("名称，或统一社会信用代码的开头").fill(name)
    expect(page.get_by_role("button", name=f"撤并：{name}")).to_have_count(1)


def test_a_union_is_moved_by_two_administrators(desk: Desk, page_of: PageOf, pages_url: str) -> None:
    desk.register(*people(2))
    yangpu = ApiClient(pages_url).sign_in("yangpu-admin", demo_password())
    target = an_office_below(yangpu).union["name"]
    union = desk.clerk.account["union"]["name"]

    asker = page_of(yangpu)
    find(asker, union)
    asker.get_by_role("button", name=f"撤并：{union}").click()
    dialog = asker.get_by_role("dialog", name=f"工会撤并：{union}")
    dialog.get_by_label("撤销").check(force=True)
    expect(dialog.get_by_role("region", name="影响范围")).to_contain_text("还有 2 名会员")
    expect(dialog.get_by_role("button", name="提交申请")).to_be_disabled()
    dialog.get_by_label("划转").check(force=True)
    dialog.get_by_role("combobox", name="新的上级工会").fill(target)
    asker.get_by_role("option", name=target).click()
    expect(dialog.get_by_role("region", name="影响范围")).to_contain_text("2 名会员")
    dialog.get_by_label("撤并原因").fill("区划调整")
    assert serious_findings(asker) == []
    dialog.get_by_role("button", name="提交申请").click()
    row = asker.get_by_role("row").filter(has_text=union)
    expect(row).to_contain_text("待确认")
    expect(asker.get_by_role("button", name=f"撤回：{union}")).to_be_visible()
    expect(asker.get_by_role("button", name=f"确认撤并：{union}")).to_have_count(0)

    city = page_of(ApiClient(pages_url).sign_in("city", demo_password()))
    city.goto("/union-changes")
    assert serious_findings(city) == []
    city.get_by_role("button", name=f"确认撤并：{union}").click()
    city.get_by_role("dialog", name="确认工会撤并").get_by_role("button", name="确认撤并").click()
    expect(city.get_by_text("工会撤并已完成")).to_be_visible()
    expect(city.get_by_role("row").filter(has_text=union)).to_contain_text("已完成")


def test_two_unions_are_merged_and_the_clerk_goes_on_in_the_successor(
    desk: Desk, page_of: PageOf, pages_url: str
) -> None:
    desk.register(*people(2))
    yangpu = ApiClient(pages_url).sign_in("yangpu-admin", demo_password())
    successor = a_desk_below(an_office_below(yangpu)).clerk.account["union"]["name"]
    merged = desk.clerk.account["union"]["name"]

    asker = page_of(yangpu)
    find(asker, merged)
    asker.get_by_role("button", name=f"撤并：{merged}").click()
    dialog = asker.get_by_role("dialog", name=f"工会撤并：{merged}")
    dialog.get_by_label("合并").check(force=True)
    dialog.get_by_role("combobox", name="并入工会").fill(successor)
    asker.get_by_role("option", name=successor).click()
    expect(dialog.get_by_role("region", name="影响范围")).to_contain_text("2 名会员")
    dialog.get_by_label("撤并原因").fill("企业合并")
    dialog.get_by_role("button", name="提交申请").click()
    expect(asker.get_by_role("row").filter(has_text=merged)).to_contain_text(f"并入{successor}")

    city = page_of(ApiClient(pages_url).sign_in("city", demo_password()))
    city.goto("/union-changes")
    city.get_by_role("button", name=f"确认撤并：{merged}").click()
    question = city.get_by_role("dialog", name="确认工会撤并")
    expect(question).to_contain_text(f"{merged}并入{successor}。影响范围：2 名会员")
    question.get_by_role("button", name="确认撤并").click()
    expect(city.get_by_text("工会撤并已完成")).to_be_visible()

    clerk = page_of(desk.sign_in_again())
    clerk.goto("/members")
    expect(clerk.get_by_role("banner")).to_contain_text(successor)
    expect(clerk.get_by_text("共 2 条")).to_be_visible()
    asker.goto("/unions?ended=true")
    expect(asker.get_by_role("row").filter(has_text=merged)).to_contain_text(f"已并入{successor}")
    assert serious_findings(asker) == []
