"""The workbench 业务工作台, and how pages show a lost connection or a busy system."""

from playwright.sync_api import Route, expect

from tests.browser.accessibility import serious_findings
from tests.browser.conftest import ROWS, PageOf, subordinate_of
from tests.desks import Desk, people


def test_figures_lead_to_their_lists_and_change_by_themselves(desk: Desk, page_of: PageOf) -> None:
    desk.register(*people(4))
    page = page_of(desk.clerk)
    page.goto("/")
    figures = page.get_by_role("list", name="会员与办卡数量")
    expect(figures.get_by_role("link", name="会员证数 4")).to_be_visible()
    expect(figures.get_by_role("link", name="未办卡会员 4")).to_be_visible()

    desk.queue_all()

    expect(figures.get_by_role("link", name="待办中会员 4")).to_be_visible()
    page.get_by_role("link", name="未校验的待办会员").click()
    expect(page.get_by_role("heading", name="待办会员列表")).to_be_visible()


def test_no_tile_is_dead(page_of: PageOf) -> None:
    page = page_of("jianlang")
    page.goto("/")
    tiles = page.get_by_role("navigation", name="业务模块")

    expect(tiles.get_by_role("listitem").filter(has_text="公益乐学")).to_contain_text("未接入")
    expect(tiles.get_by_role("link", name="公益乐学")).to_have_count(0)
    tiles.get_by_role("link", name="会员服务卡管理").click()

    expect(page.get_by_role("heading", name="卡片信息管理")).to_be_visible()


def test_a_superior_union_sees_its_subordinates(desk: Desk, page_of: PageOf) -> None:
    page = page_of(desk.office.reviewer)
    page.goto("/")
    link = subordinate_of(page, desk.clerk.account["union"]["name"])

    expect(link).to_be_visible()


def test_an_operator_has_a_workbench_without_figures_of_members(page_of: PageOf) -> None:
    page = page_of("ops")
    page.goto("/")

    expect(page.get_by_role("heading", name="林涛")).to_be_visible()
    expect(page.get_by_role("list", name="会员与办卡数量")).to_have_count(0)


def test_a_page_that_an_account_may_not_use_says_so(page_of: PageOf) -> None:
    page = page_of("yangpu")
    page.goto("/accounts")

    expect(page.get_by_text("没有这个页面，或您的账号没有使用它的权限")).to_be_visible()


def test_a_busy_system_is_waited_for_and_said_to_be_busy(page_of: PageOf) -> None:
    page = page_of("jianlang")
    answers = iter([503, 503])

    def busy_at_first(route: Route) -> None:
        status = next(answers, None)
        if status is None:
            route.continue_()
        else:
            route.fulfill(
                status=status, headers={"Retry-After": "1"}, json={"code": "unavailable", "title": "系统繁忙"}
            )

    page.route("**/api/v1/members?*", busy_at_first)
    page.goto("/members")

    expect(page.get_by_text("系统繁忙")).to_be_visible()
    expect(page.locator(ROWS).first).to_be_visible()
    expect(page.get_by_text("连接已恢复")).to_be_visible()


def test_a_lost_connection_is_shown_and_the_page_resumes_when_it_is_back(desk: Desk, page_of: PageOf) -> None:
    page = page_of(desk.clerk)
    page.goto("/members")
    expect(page.get_by_text("没有符合条件的会员")).to_be_visible()

    page.context.set_offline(True)
    expect(page.get_by_text("网络连接已断开")).to_be_visible()
    page.get_by_role("button", name="搜索").click()
    desk.register(*people(2))
    page.context.set_offline(False)

    expect(page.locator(ROWS)).to_have_count(2)


def test_axe_finds_nothing_serious_on_the_workbench(page_of: PageOf) -> None:
    for account in ("jianlang", "yangpu"):
        page = page_of(account)
        page.goto("/")
        expect(page.get_by_role("img", name="近 30 天每日办卡情况")).to_be_visible()

        assert serious_findings(page) == []
