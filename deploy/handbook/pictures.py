"""Declares the handbook's pictures: the page, the account, and the steps before the picture is taken."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import Page

from deploy.local.environment import ROOT

_PDF_VIEWER_MS = 4000


def _nothing(_page: Page) -> None:
    pass


@dataclass(frozen=True)
class Picture:
    """A picture, `docs/images/<name>.png`; `{batch_no}` and `{revocation_id}` in its path are the working day's."""

    name: str
    caption: str
    path: str
    ready: str
    """A text that is on the page once it has loaded."""
    account: str | None = None
    """The account that is signed in; None for nobody."""
    audit_event: Callable[[Page], None] = _nothing


def _press(name: str) -> Callable[[Page], None]:
    return lambda page: page.get_by_role("button", name=name).first.click()


def _await_figures(page: Page) -> None:
    page.locator("canvas").first.wait_for()
    page.get_by_text("基层工会办卡流程").first.wait_for()


def _await_chart(page: Page) -> None:
    page.locator("canvas").first.wait_for()


def _tick_three(page: Page) -> None:
    page.goto("/members?card_state=none")
    boxes = page.locator(".data-table tbody input[type=checkbox]:enabled")
    boxes.first.wait_for()
    for place in range(min(3, boxes.count())):
        boxes.nth(place).check()


def _scan_first(page: Page) -> None:
    first = page.evaluate("fetch('/api/v1/cards?status=made&size=1').then((answer) => answer.json())")["items"][0]
    page.goto(f"/collect/{first['application_id']}")
    page.get_by_role("button", name="登记领卡").wait_for()


def _open_complete(page: Page) -> None:
    page.get_by_role("button", name="完善信息").first.click()
    page.get_by_role("dialog").wait_for()


def _open_submit(page: Page) -> None:
    page.get_by_role("button", name="移除全部校验未通过及未校验会员").click()
    page.get_by_role("dialog").get_by_role("button", name="移除").last.click()
    page.get_by_role("button", name="提交办卡").and_(page.locator(":enabled")).click()
    page.get_by_role("button", name="修改网点和联系人").click()  # those of the last submission are filled in
    page.get_by_role("dialog", name="完善网点信息").get_by_role("radio").first.wait_for()


def _open_mending(page: Page) -> None:
    page.get_by_role("button", name="逐个处理未通过的").click()
    page.get_by_role("dialog", name="处理：").wait_for()


def _open_union_tree(page: Page) -> None:
    page.get_by_role("button", name="所属工会：").click()
    page.get_by_role("dialog", name="选择所属工会").get_by_role("treeitem").nth(1).wait_for()


def _open_lookup(page: Page) -> None:
    page.get_by_role("button", name="会员核查").click()
    page.get_by_role("dialog", name="会员核查").get_by_label("证件号码").wait_for()


def _show_sessions(page: Page) -> None:
    page.get_by_text("当前登录").wait_for()
    page.get_by_text("我的登录").first.scroll_into_view_if_needed()


def _await_trends(page: Page) -> None:
    """The services' first samples are of the minute in which they started, and shown when it is over."""
    page.get_by_role("img", name=re.compile("^死信：现在")).wait_for(timeout=100_000)


def _open_letter(page: Page) -> None:
    page.get_by_role("link", name="查看详情").first.click()
    page.get_by_role("dialog", name="死信详情").get_by_role("region", name="消息内容").wait_for()
    source = page.get_by_role("region", name="错误位置")  # hide this computer's folder of the code
    source.evaluate("(place, folder) => { place.textContent = place.textContent.replaceAll(folder, '') }", f"{ROOT}/")


def _open_register(page: Page) -> None:
    page.get_by_role("button", name="打印清册").first.click()
    page.get_by_title("办卡清册预览").wait_for()
    page.wait_for_timeout(_PDF_VIEWER_MS)  # the PDF viewer does not signal when it has drawn


PICTURES = (
    Picture("sign-in", "登录页", "/sign-in", "会员服务卡线上办理功能上线"),
    Picture("workbench", "业务工作台（经办人）", "/", "系统维护通知", "jianlang", _await_figures),
    Picture("workbench-superior", "业务工作台（上级工会）", "/", "系统维护通知", "yangpu", _await_figures),
    Picture("members", "卡片信息管理", "/members", "会员编号", "jianlang", _tick_three),
    Picture("register-member", "登记会员", "/members", "会员编号", "jianlang", _press("登记会员")),
    Picture("imports", "批量导入会员", "/members/imports", "会员名册.xlsx", "jianlang"),
    Picture("pending-ordinary", "待办会员列表：普通办卡通道", "/pending", "未通过", "jianlang"),
    Picture("pending-special", "待办会员列表：特殊办卡通道", "/pending?channel=special", "SMITH", "jianlang"),
    Picture("mend", "逐个处理校验未通过的会员", "/pending", "未通过", "jianlang", _open_mending),
    Picture("complete", "完善信息", "/pending?channel=special", "SMITH", "jianlang", _open_complete),
    Picture("batches", "办卡批次管理", "/batches", "待审核", "jianlang"),
    Picture("batch", "批次详情", "/batches/{batch_no}", "银行退回", "jianlang"),
    Picture("register", "打印清册", "/batches", "待审核", "jianlang", _open_register),
    Picture("cards", "领卡管理", "/cards", "未领卡", "jianlang"),
    Picture("collect", "扫码领卡", "/cards", "未领卡", "jianlang", _scan_first),
    Picture("enrolments", "参保信息查询", "/enrolments", "保障中", "jianlang"),
    Picture("transfers", "会员转会", "/transfers", "最晚办理", "jianlang"),
    Picture("revocation", "撤销办卡批次申请", "/batches", "待审核", "jianlang", _press("撤销办卡批次申请")),
    Picture("revocations", "撤销审核", "/revocations", "待审核", "yangpu"),
    Picture("review", "审核撤销申请", "/revocations/{revocation_id}", "审核意见", "yangpu"),
    Picture("delegations", "委托代审", "/delegations", "委托代审", "yangpu"),
    Picture("reports", "统计报表", "/reports", "逐月办卡情况", "yangpu", _await_chart),
    Picture("union-tree", "选择所属工会", "/members", "会员编号", "yangpu", _open_union_tree),
    Picture("member-lookup", "会员核查", "/members", "会员编号", "yangpu", _open_lookup),
    Picture("second-factor", "动态口令", "/second-factor", "动态口令", "jianlang"),
    Picture("account", "账号设置", "/account", "登录安全", "jianlang", _show_sessions),
    Picture("password", "修改密码", "/password", "再次输入新密码", "jianlang"),
    Picture("unions", "工会管理", "/unions", "五角场街道总工会", "yangpu-admin"),
    Picture("union-changes", "工会撤并", "/union-changes", "划转", "city"),
    Picture("accounts", "账号管理", "/accounts", "jianlang", "yangpu-admin"),
    Picture("phone-changes", "手机号更换确认", "/phone-changes", "不同意", "city"),
    Picture("audit", "操作日志", "/audit", "王芳", "yangpu-admin"),
    Picture("outlets", "网点管理", "/outlets", "国华广场", "city"),
    Picture("announcements", "通知公告管理", "/announcements", "系统维护通知", "city"),
    Picture("publish-announcement", "发布通知公告", "/announcements", "系统维护通知", "city", _press("发布通知公告")),
    Picture("guides", "新手指引管理", "/guides", "会员服务卡办理操作手册", "city"),
    Picture("message-templates", "消息模板", "/message-templates", "银行反馈办卡成功", "city"),
    Picture("operations", "运行状态", "/operations", "查看死信", "ops", _await_trends),
    Picture("dead-letters", "死信处理", "/dead-letters", "查看详情", "ops"),
    Picture("dead-letter", "死信详情", "/dead-letters", "查看详情", "ops", _open_letter),
    Picture("submit", "提交办卡", "/pending", "未通过", "jianlang", _open_submit),
)
"""The console's pictures, ordered so that none changes what a later one shows; the phone's follow one story."""

OVERDUE_PICTURES = (
    Picture("overdue", "业务工作台：超期事项", "/", "超期", "jianlang", _await_figures),
    Picture("overdue-batches", "办卡批次管理：超期的批次", "/batches?overdue=true", "清册未打印", "jianlang"),
)
"""What a week without work looks like."""
