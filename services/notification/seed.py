"""Demo announcements and guides: `python -m services.notification.seed` creates missing ones."""

from pathlib import Path
from uuid import NAMESPACE_URL, UUID, uuid5

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.kit.data.database import engine_for
from services.kit.documents.content_types import PDF
from services.kit.settings import DatabaseSettings, read_settings, refuse_production, run_program
from services.notification.models import Announcement, Attachment, Guide

_STEPS = """会员服务卡办理步骤

一、卡片信息管理：勾选未办卡人员，点击“添加选中的未办卡会员至待办”，或点击“添加全部的未办卡会员至待办”。
    会员编号尚未生成的，请等待编号生成后再勾选。
二、待办会员列表（普通办卡通道）：点击“提交系统校验”，全部通过后点击“提交办卡”。
    请逐一核对职工的证件到期日，如需修改，点击“修改证件到期日”。
三、待办会员列表（特殊办卡通道）：生僻字或非身份证人员，点击“完善信息”，补充证件类型、证件到期日、国籍。
四、提交办卡：填写发卡支行、经办网点、联系人、联系方式。请确保联系方式准确，便于银行联系领卡。
五、办卡批次管理：打印清册，下载需打印附件，线下到银行办理。
六、撤销办卡批次：勾选要撤销的批次，填写申请人姓名和联系电话，经上级工会审核。
"""
_PERSONAL = """个人办卡

灵活就业和企业外入会人员，请至微信公众号“申工社”→服务大厅→点击“申请办卡”办理：
凭短信验证码登录 → 会员信息梳理 → 选择经办网点 → 确认提交 → 查看进度。
银行将在 10 个工作日内发送短信，请携带本人证件原件到网点领卡。
"""
ANNOUNCEMENTS = (
    ("会员服务卡线上办理功能上线", "基层工会可在业务工作台“会员服务卡管理”中为会员办卡，操作步骤见新手指引。"),
    (
        "关于核对会员证件到期日的提示",
        "提交系统校验前，请逐一核对证件到期日，确保系统与会员证件一致。证件过期将无法办卡。",
    ),
    ("系统维护通知", "每周六 22:00 至次日 6:00 为系统维护时间，期间可能暂停服务，请提前安排办卡。"),
    ("每月办卡批次统计时间说明", "每月1日至20日提交的批次计入当月，21日以后提交的批次计入次月。"),
)
GUIDES = (
    ("基层工会办卡流程", _STEPS),
    ("个人办卡流程", _PERSONAL),
)
VIDEOS = (
    (
        "queueing",
        "加入待办",
        """1. 点击左侧菜单“卡片信息管理”，按姓名、证件号码、办理状态等条件搜索会员。
2. 勾选人员，点击“添加选中的未办卡会员至待办”；也可点击“添加全部的未办卡会员至待办”。
3. 点击“查看待办会员列表”，进行系统校验。""",
    ),
    (
        "check",
        "系统校验",
        """1. 在待办会员列表逐一核对证件到期日，点击“提交系统校验”，结果显示在“信息校验结果”列。
2. 点击未通过的结果，按提示修改，点击“保存并校验”。
3. 本次不能办理的，点击“移除全部校验未通过及未校验会员”。全部“已通过”后，可以提交办卡。""",
    ),
    (
        "submission",
        "提交办卡",
        """1. 在待办会员列表点击“提交办卡”，选择经办网点，填写联系人和联系方式。
2. 下载同意书，由会员签署后勾选确认，点击“下一步”。
3. 核对人数、计入月份、网点和联系人，点击“确认提交”，形成办卡批次。""",
    ),
    (
        "register",
        "打印清册",
        """1. 在办卡批次管理点击“打印清册”，预览后打印，或下载 PDF、Excel 清册。
2. 点击“下载需打印附件”，准备办卡相关材料，线下到银行网点办理。
3. 银行反馈后，点击“查看详情”查看每位会员的结果。""",
    ),
    (
        "revocation",
        "撤销",
        """1. 在办卡批次管理点击“撤销办卡批次申请”，填写申请人姓名和申请人联系电话，选择“撤销原因”并说明。
2. 选择要撤销的批次，点击“提交审核”，由上级工会审核。
3. 审核通过的，尚未办结的人员释放，可重新提交办卡；不通过的，人员锁定。""",
    ),
    (
        "phone",
        "手机申请",
        """灵活就业和企业外入会人员在微信公众号“申工社”办理：
1. 填写手机号和图中的字符，点击“获取验证码”，凭短信中的验证码登录。
2. 核对信息，补充证件到期日、联系地址等；选择经办网点。
3. 阅读个人信息处理说明，勾选同意后点击“确认提交”，在“办理进度”页查看进度。""",
    ),
)
"""Name, title and text of the videos that come with the pages; the text is for who cannot watch them."""
HANDBOOK = "会员服务卡办理操作手册"
_HANDBOOK_BODY = "图文操作手册：登录、办卡、撤销、审核、个人办卡、系统管理、运维。"
_HANDBOOK_FILE = Path(__file__).parents[2] / "docs" / "handbook" / "handbook.pdf"
_FORMER_FILES = ("基层工会办卡流程.txt", "个人办卡流程.txt", f"{HANDBOOK}.html")


def seed(session: Session) -> None:
    """Creates missing demo announcements and guides; of existing ones it updates only the files."""
    for title, body in ANNOUNCEMENTS:
        row = {"announcement_id": _id(title), "title": title, "body": body, "places": ["sign_in", "workbench"]}
        session.execute(insert(Announcement).values(row).on_conflict_do_nothing())
    for position, (title, body) in enumerate(GUIDES):
        _guide(session, position, title, body)
    _guide(session, len(GUIDES), HANDBOOK, _HANDBOOK_BODY)
    if _HANDBOOK_FILE.exists():
        _attach(session, HANDBOOK, f"{HANDBOOK}.pdf", PDF, _HANDBOOK_FILE.read_bytes())
    for position, (name, title, body) in enumerate(VIDEOS, start=len(GUIDES) + 1):
        _guide(session, position, title, body, f"/videos/{name}.mp4")
    former = [_id(file_name) for file_name in _FORMER_FILES]
    session.execute(delete(Attachment).where(Attachment.attachment_id.in_(former)))


def _guide(session: Session, position: int, title: str, body: str, video_url: str | None = None) -> None:
    named = {"guide_id": _id(title), "title": title}
    row = {**named, "position": position, "body": body, "video_url": video_url}
    session.execute(insert(Guide).values(row).on_conflict_do_nothing())


def _attach(session: Session, title: str, file_name: str, content_type: str, content: bytes) -> None:
    """Attaches a file; a newly generated one replaces the existing one."""
    row = {
        "attachment_id": _id(file_name),
        "guide_id": _id(title),
        "file_name": file_name,
        "content_type": content_type,
        "content": content,
    }
    new = insert(Attachment).values(row)
    session.execute(new.on_conflict_do_update(index_elements=["attachment_id"], set_={"content": new.excluded.content}))


def _id(name: str) -> UUID:
    return uuid5(NAMESPACE_URL, f"demo:{name}")


def main() -> None:
    """Seeds the database."""
    refuse_production("demo announcements")
    with Session(engine_for(read_settings(DatabaseSettings), "notification-seed")) as session, session.begin():
        seed(session)


if __name__ == "__main__":
    run_program(main)
