"""What services tell of acts: who did what, when, from where, on which records; and what acts are called in Chinese."""

from dataclasses import dataclass, field
from typing import Annotated, Any
from urllib.parse import quote, unquote
from uuid import UUID

from marshmallow import validate

from services.contracts.fields import Whole
from services.contracts.policy import SERVICES
from services.kit.events.contract import ENCRYPTED, MESSAGE_SIZE, EventContract, EventData, choice

OUTCOMES = ("done", "refused")
RECORD_KINDS = {
    "account": "账号",
    "announcement": "通知公告",
    "application": "办卡申请",
    "batch": "办卡批次",
    "branch": "发卡支行",
    "guide": "新手指引",
    "import": "批量导入",
    "member": "会员",
    "message": "消息",
    "outlet": "经办网点",
    "phone_change": "更换手机号申请",
    "revocation": "撤销申请",
    "session": "登录会话",
    "union": "工会",
    "dead_letter": "死信",
    "feedback": "银行反馈",
}
ACTIONS = {
    "membership.sign_in": "登录",
    "membership.use_session": "继续登录状态",
    "membership.sign_out": "退出登录",
    "membership.end_my_session": "结束本人的登录",
    "membership.change_password": "修改密码",
    "membership.enrol_second_factor": "申请动态口令",
    "membership.confirm_second_factor": "启用动态口令",
    "membership.pass_second_factor": "动态口令验证",
    "membership.remove_second_factor": "停用动态口令",
    "membership.remove_second_factor_of": "解除账号的动态口令",
    "membership.create_union": "新增工会",
    "membership.rename_union": "修改工会名称",
    "membership.create_account": "新增账号",
    "membership.update_account": "修改账号",
    "membership.unlock_account": "解锁账号",
    "membership.create_reset_link": "发送密码重置链接",
    "membership.request_phone_change": "申请更换账号手机号",
    "membership.list_phone_changes": "查看待确认的新手机号",
    "membership.confirm_phone_change": "确认更换账号手机号",
    "membership.decline_phone_change": "不同意更换账号手机号",
    "membership.check_reset_link": "打开密码重置链接",
    "membership.reset_password": "通过重置链接设置密码",
    "membership.get_member": "查看会员详情",
    "membership.count_number_search": "按证件号码查询",
    "membership.register_member": "登记会员",
    "membership.update_member": "修改会员信息",
    "membership.reveal_member": "查看会员完整号码",
    "membership.export_members": "导出会员名单",
    "membership.queue_members": "添加会员至待办",
    "membership.start_import": "批量导入会员",
    "membership.preview_import": "预览批量导入",
    "membership.confirm_import": "确认批量导入",
    "membership.cancel_import": "取消批量导入",
    "membership.get_import_errors": "下载导入错误清单",
    "membership.request_otp": "获取短信验证码",
    "membership.personal_sign_in": "个人登录",
    "membership.update_personal_profile": "个人修改信息",
    "membership.apply_personally": "个人申请办卡",
    "validation.get_check": "查看校验结果",
    "batching.check_pending": "系统校验",
    "batching.update_pending": "修改待办会员",
    "batching.remove_pending": "移除待办会员",
    "batching.remove_pending_many": "批量移除待办会员",
    "batching.create_branch": "新增发卡支行",
    "batching.update_branch": "修改发卡支行",
    "batching.create_outlet": "新增经办网点",
    "batching.update_outlet": "修改经办网点",
    "batching.submit_batch": "提交办卡",
    "batching.get_register": "打印清册",
    "batching.get_attachments": "下载打印附件",
    "batching.resend_to_bank": "重新发送给银行",
    "batching.correct_processed_at": "改正银行处理时间",
    "revocation.request_revocation": "申请撤销",
    "revocation.approve_revocation": "同意撤销",
    "revocation.reject_revocation": "不同意撤销",
    "notification.create_announcement": "发布通知公告",
    "notification.update_announcement": "修改通知公告",
    "notification.create_guide": "发布新手指引",
    "notification.update_guide": "修改新手指引",
    "notification.withdraw_guide": "撤回新手指引",
    "notification.withdraw_announcement": "撤回通知公告",
    "notification.mark_message_read": "阅读消息",
    "notification.mark_all_messages_read": "全部消息标为已读",
    **{f"{service}.replay_dead_letters": "重放死信" for service in SERVICES},
    **{f"{service}.discard_dead_letters": "丢弃死信" for service in SERVICES},
    **{f"{service}.repair": "修复数据" for service in SERVICES},
}
"""Every command by its name, as the log of acts calls it; and what operators do on the command line."""


_LONGEST_RECORD = 1000


def record_reference(kind: str, record_id: Any) -> str:
    """A record as acts name it, `<kind>:<id>`: whatever somebody asked for as an id, it has no odd characters there.

    Raises LookupError for a kind that has no name in RECORD_KINDS.
    """
    if kind not in RECORD_KINDS:
        raise LookupError(f"Records of kind {kind} have no name in services/contracts/events/audit.py.")
    return f"{kind}:{quote(str(record_id), errors='replace')}"[:_LONGEST_RECORD]


def referred_record(reference: str) -> tuple[str, str]:
    """The kind and the id of a record that `record_reference` wrote."""
    kind, _, record_id = reference.partition(":")
    return kind, unquote(record_id)


@dataclass(frozen=True, kw_only=True)
class PersonalPart(EventData):
    """What of an act is personal: the person's name, and what was changed, numbers masked. Always sealed."""

    display_name: str | None = None
    old: dict[str, Any] = field(default_factory=dict)
    new: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ActRecordedData(EventData):
    act_id: Annotated[UUID, "a UUID version 7; its time is that of the act"]
    action: Annotated[str, "the command: `batching.submit_batch`"]
    outcome: Annotated[str, choice(*OUTCOMES)]
    problem_code: Annotated[str | None, "why it was refused"] = None
    account_id: UUID | None = None
    account_name: str | None = None
    member_id: Annotated[UUID | None, "who acted on the phone"] = None
    union_id: Annotated[UUID | None, "the union of who acted"] = None
    roles: list[str] = field(default_factory=list)
    origin: Annotated[str | None, "the address it came from"] = None
    request_id: str | None = None
    correlation_id: str | None = None
    records: Annotated[
        list[Annotated[str, Whole(r"^[a-z_]+:\S*$")]],
        validate.Length(max=MESSAGE_SIZE),
        "`<kind>:<id>`; an act on more records is told in several events",
    ] = field(default_factory=list)
    union_ids: Annotated[list[UUID], "the unions that the records belong to"] = field(default_factory=list)
    personal: Annotated[PersonalPart, ENCRYPTED]


ACTS_RECORDED = {
    producer: EventContract(
        producer,
        "act_recorded",
        ActRecordedData,
        "Somebody did something, or was refused; told of every command.",
        consumers=("membership",),
    )
    for producer in SERVICES
}
"""By the service that tells it. One queue of membership takes them all."""
