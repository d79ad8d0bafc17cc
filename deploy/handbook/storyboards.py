"""Declares the six videos of the guides: whose page is filmed, what is done on it, and what the captions say."""

from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import Locator

from deploy.handbook.chromium import answer_captcha_on_the_phone, choose_day_on_the_phone
from deploy.handbook.film import DESK, PHONE, Film, Format
from deploy.handbook.working_day import one_time_password
from deploy.local.stack import Stack

_CLERK = "jianlang"
_MEMBER = "13900000001"
_PDF_VIEWER_SECONDS = 4
_NEW_EXPIRY = "2039-01-31"


@dataclass(frozen=True)
class Storyboard:
    """A video, `<name>.mp4` with its captions and poster. Each continues what the one before has done."""

    name: str
    shape: Format
    account: str | None
    play: Callable[[Film, Stack], None]


def _queueing(film: Film, _running: Stack) -> None:
    page = film.page
    film.begin("/", page.get_by_role("link", name="卡片信息管理").first)
    film.say("加入待办：把需要办卡的会员添加至待办会员列表")
    film.say("点击左侧菜单“卡片信息管理”")
    film.click(page.get_by_role("link", name="卡片信息管理").first)
    page.get_by_role("button", name="添加全部的未办卡会员至待办").wait_for()
    film.say("可按姓名、证件号码、办理状态等条件搜索会员")
    film.click(page.locator(".el-form-item").filter(has_text="办理状态").locator(".el-select"))
    film.click(page.get_by_role("option", name="未办卡"))
    film.click(page.get_by_role("button", name="搜索"))
    film.say("勾选人员；不能勾选的，把鼠标移到勾选框上会显示原因")
    boxes = _enabled(page.locator(".data-table tbody").get_by_role("checkbox"))
    boxes.first.wait_for()
    for place in range(3):
        film.click(boxes.nth(place))
    film.say("点击“添加选中的未办卡会员至待办”")
    film.click(page.get_by_role("button", name="添加选中的未办卡会员至待办"))
    dialog = page.get_by_role("dialog", name="添加至待办")
    dialog.wait_for()
    film.say("也可点击“添加全部的未办卡会员至待办”，符合条件的一次添加")
    film.say("添加的会员在“待办会员列表”中，下一步是系统校验")
    film.click(dialog.get_by_role("button", name="查看待办会员列表"))
    page.get_by_role("button", name="提交系统校验").wait_for()
    film.hold(2)


def _check(film: Film, _running: Stack) -> None:
    page = film.page
    film.begin("/pending", page.get_by_role("button", name="提交系统校验"))
    film.say("系统校验：核对证件、年龄和退休状态")
    film.say("先逐一核对职工的证件到期日，再点击“提交系统校验”")
    film.click(page.get_by_role("button", name="提交系统校验"))
    film.say("结果逐个显示在“信息校验结果”列，不必刷新页面")
    film.hold(1)
    film.say("未通过的注明原因和处理办法；点击结果，就地修改")
    expired = page.locator(".data-table tbody tr").filter(has_text="证件已于").first
    film.click(expired.get_by_role("button", name="的校验说明"))
    dialog = page.get_by_role("dialog", name="处理：")
    dialog.wait_for()
    film.say("填写新的证件到期日，点击“保存并校验”")
    field = dialog.locator(".expiry input").first
    field.fill("")
    film.type(field, _NEW_EXPIRY)
    film.click(dialog.get_by_role("button", name="保存并校验"))
    dialog.wait_for(state="hidden")
    film.say("系统随即重新校验")
    film.say("本次不能办理的，点击“移除全部校验未通过及未校验会员”")
    film.click(page.get_by_role("button", name="移除全部校验未通过及未校验会员"))
    film.hold(1)
    film.click(page.get_by_role("dialog").get_by_role("button", name="全部移除"))
    _enabled(page.get_by_role("button", name="提交办卡")).wait_for()
    film.say("全部“已通过”后，可以点击“提交办卡”")
    film.point(page.get_by_role("button", name="提交办卡"))
    film.hold(1)


def _submission(film: Film, _running: Stack) -> None:
    page = film.page
    submit = _enabled(page.get_by_role("button", name="提交办卡"))
    film.begin("/pending", submit)
    film.say("提交办卡：把列表中的会员提交给银行网点")
    film.click(submit)
    film.say("系统已填好上次的网点和联系人；点击“修改网点和联系人”更改")
    film.click(page.get_by_role("button", name="修改网点和联系人"))
    film.say("查找并选择经办网点")
    film.type(page.get_by_label("查找网点"), "国华广场")
    film.click(page.get_by_role("dialog").get_by_role("radio").first)
    film.say("请确保联系方式准确，便于银行联系领卡")
    phone = page.get_by_label("联系方式")
    phone.fill("")
    film.type(phone, "13812345678")
    film.say("下载同意书，由会员签署后勾选确认")
    film.click(page.get_by_role("dialog").locator("label", has_text="均已签署"))
    film.click(page.get_by_role("button", name="下一步"))
    film.say("核对人数、计入月份、网点和联系人，点击“确认提交”")
    film.click(page.get_by_role("button", name="确认提交"))
    page.get_by_role("dialog", name="提交成功").wait_for()
    film.say("提交成功，形成办卡批次；接下来打印清册")
    film.point(page.get_by_role("dialog", name="提交成功").get_by_role("button", name="打印清册"))
    film.hold(1)


def _register(film: Film, _running: Stack) -> None:
    page = film.page
    film.begin("/batches", page.get_by_role("button", name="打印清册").first)
    film.say("打印清册：为线下到银行办理准备材料")
    film.say("在“办卡批次管理”中，点击批次的“打印清册”")
    film.click(page.get_by_role("button", name="打印清册").first)
    page.get_by_title("办卡清册预览").wait_for()
    page.wait_for_timeout(_PDF_VIEWER_SECONDS * 1000)
    film.say("预览清册：会员名单、合计人数和盖章的位置")
    film.hold(1)
    dialog = page.get_by_role("dialog", name="打印清册")
    film.say("可打印，也可下载 PDF 或 Excel 清册")
    film.point(dialog.get_by_role("button", name="下载 PDF 清册"))
    film.point(dialog.get_by_role("button", name="打印", exact=True))
    film.say("点击“下载需打印附件”，准备办卡相关材料")
    with page.expect_download():
        film.click(dialog.get_by_role("button", name="下载需打印附件"))
    film.say("点击“打印清册并下载附件”，一次完成这两步")
    film.point(dialog.get_by_role("button", name="打印清册并下载附件"))
    film.say("带齐材料，线下到银行网点办理")
    page.keyboard.press("Escape")
    film.say("银行反馈后，点击“查看详情”查看每位会员的结果")
    film.click(page.get_by_role("link", name="查看详情").last)
    page.get_by_role("heading", name="人员办卡情况").wait_for()
    film.hold(2)


def _revocation(film: Film, _running: Stack) -> None:
    page = film.page
    film.begin("/batches", page.get_by_role("button", name="撤销办卡批次申请"))
    film.say("撤销：批次提交有误时，申请撤销，由上级工会审核")
    film.click(page.get_by_role("button", name="撤销办卡批次申请"))
    dialog = page.get_by_role("dialog", name="撤销办卡批次申请")
    dialog.wait_for()
    film.say("填写申请人姓名和申请人联系电话")
    film.type(dialog.get_by_label("申请人联系电话"), "13812345678")
    film.say("选择“撤销原因”并说明")
    film.click(dialog.locator(".el-select").first)
    film.click(page.get_by_role("option").first)
    film.type(dialog.get_by_label("原因说明"), "会员信息填错")
    film.say("选择要撤销的批次，点击“提交审核”")
    film.click(_enabled(dialog.get_by_role("radio")).first)
    film.click(dialog.get_by_role("button", name="提交审核"))
    dialog.wait_for(state="hidden")
    film.say("“批次撤销情况”列显示审核状态，审核后会收到消息")
    film.hold(1)
    film.say("审核通过：尚未办结的人员释放，可重新提交办卡")
    film.say("审核不通过：人员锁定，不可重新提交办卡")


def _phone(film: Film, running: Stack) -> None:
    page = film.page
    film.begin("/m/", page.get_by_label("手机号"))
    film.say("灵活就业和企业外入会人员，在手机上申请办卡")
    film.say("填写手机号和图中的字符，点击“获取验证码”")
    film.type(page.get_by_label("手机号"), _MEMBER)
    film.click(page.get_by_placeholder("图中字符"), lambda: answer_captcha_on_the_phone(page))
    film.click(page.get_by_role("button", name="获取验证码"))
    page.get_by_text("验证码已发送").wait_for()
    film.say("填写短信中的验证码，点击“登录”")
    film.type(page.get_by_label("验证码"), one_time_password(running, _MEMBER))
    film.click(page.get_by_role("button", name="登录"))
    page.get_by_role("heading", name="会员信息梳理").wait_for()
    film.say("会员信息梳理：核对信息，补充证件到期日、联系地址等")
    film.click(page.get_by_label("证件到期日：年"), lambda: choose_day_on_the_phone(page, "证件到期日", "2040-01-02"))
    address = page.get_by_label("联系地址")
    address.fill("")
    film.type(address, "上海市杨浦区国定路1659弄94号")
    film.click(page.get_by_label("我已核对以上信息"))
    film.click(page.get_by_role("button", name="下一步：选择网点"))
    page.get_by_role("radio").first.wait_for()
    film.say("选择经办网点：所在区的网点排在前面")
    film.click(page.get_by_role("radio").first)
    film.click(page.get_by_role("button", name="下一步：同意并确认"))
    page.get_by_role("heading", name="同意并确认").wait_for()
    film.say("阅读个人信息处理说明，勾选同意后点击“确认提交”")
    film.click(page.get_by_label("我已阅读并单独同意"))
    film.click(page.get_by_role("button", name="确认提交"))
    page.get_by_text("银行办理中").first.wait_for()
    film.say("在“办理进度”页查看银行办理到哪一步")
    film.say("收到领卡短信后，携带本人证件原件到网点领卡")


def _enabled(found: Locator) -> Locator:
    return found.and_(found.page.locator(":enabled"))


STORYBOARDS = (
    Storyboard("queueing", DESK, _CLERK, _queueing),
    Storyboard("check", DESK, _CLERK, _check),
    Storyboard("submission", DESK, _CLERK, _submission),
    Storyboard("register", DESK, _CLERK, _register),
    Storyboard("revocation", DESK, _CLERK, _revocation),
    Storyboard("phone", PHONE, None, _phone),
)
