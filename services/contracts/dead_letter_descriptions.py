"""Describes a dead letter for operators in plain Chinese: its subject, how many persons it concerns, and why it failed.

The technical cause is shown beside it. None of it is personal data.
"""

import json
import re
from typing import Any
from uuid import UUID

from stdnum.cn import uscc

from services.contracts.external import bank, insurer
from services.kit.dead_letters.masked_numbers import without_numbers
from services.kit.system import DeadLetterDescription, DeadLetterMessage

EVENT_TITLES = {
    "member_registered": "会员登记",
    "member_numbered": "会员编号",
    "members_queued": "添加至待办",
    "application_cancelled": "取消办卡申请",
    "correction_refused": "更正未采用",
    "import_requested": "读取导入文件",
    "import_continued": "导入会员",
    "import_progressed": "导入进度",
    "otp_requested": "获取短信验证码",
    "otp_issued": "短信验证码",
    "sessions_ended": "结束登录",
    "reset_link_made": "密码重置链接",
    "member_phone_changed": "会员手机号变更",
    "account_changed": "账号变更通知",
    "work_overdue": "超期事项",
    "reminders_due": "超期提醒",
    "act_recorded": "操作日志",
    "status_sampled": "运行状态采样",
    "audit_head_signed": "操作日志签名",
    "delegation_changed": "审核委托通知",
    "transfer_requested": "转会申请",
    "transfer_ended": "转会申请办结",
    "member_transferred": "会员转会",
    "subject_requested": "个人信息请求",
    "subject_answered": "个人信息请求的应答",
    "members_validated": "系统校验结果",
    "validation_requested": "提交系统校验",
    "pending_changed": "待办变动",
    "channel_assigned": "办理通道",
    "members_removed": "移除待办会员",
    "members_refused": "未能加入待办",
    "member_corrected": "更正会员信息",
    "batch_submitted": "提交办卡",
    "cards_issued": "已办卡",
    "cards_refused": "银行退回",
    "batch_released": "批次释放",
    "issue_times_corrected": "改正处理时间",
    "cards_changed": "卡片状态变动",
    "collection_reminded": "领卡提醒",
    "member_notices_due": "会员办卡通知",
    "revocation_requested": "申请撤销",
    "revocation_approved": "同意撤销",
    "revocation_rejected": "不同意撤销",
    "revocation_closed": "无需审核",
    "message_posted": "站内消息",
    "union_change_noted": "通知：工会撤并",
    "unions_changed": "工会变动",
    "unions_moved": "工会划转",
    "union_merged": "工会合并",
    "members_counted": "统计：会员",
    "applications_counted": "统计：办卡申请",
    "checks_counted": "统计：系统校验",
}
EXTERNAL_TITLES = {bank.REJECTED_QUEUE: "银行反馈", insurer.REJECTED_QUEUE: "参保信息"}
"""What outside parties send, by the queue of what was rejected."""
RESULT_TITLES = {
    "unknown_batch": "系统中没有该批次",
    "unknown_application": "该批次中没有该会员",
    "member_no_differs": "会员编号与办卡申请不符",
    "card_no_reused": "卡号已发给其他会员",
    "already_issued": "会员已持有另一张卡",
    "card_no_differs": "与先前反馈的卡号不同",
    "contradicts_issued": "银行先前反馈为已办卡",
    "contradicts_refused": "银行先前反馈为退回",
    "unknown_card": "系统中没有该卡号",
    "replaced_differently": "与先前反馈的新卡号不同",
    "unknown_member": "系统中没有该会员编号",
    "no_card": "会员尚未办卡，不能参保",
    "enrolment_no_reused": "参保编号已用于其他会员或年度",
    "changed_at_reused": "同一变更时间先前有不同的内容",
}
"""Why a line of an outside party's message was rejected, by the code of the contradiction."""

_STATES = {
    "queued": "待办中",
    "submitted": "办理中",
    "issued": "已办卡",
    "refused": "银行退回",
    "released": "已释放",
    "removed": "已移除",
}
_REASONS = (
    (re.compile(r"bad_signature"), "签名不正确：不是约定的一方发出，或双方密钥不一致"),
    (re.compile(r"not_json"), "内容不是有效的 JSON"),
    (re.compile(r"cannot_decrypt: .*"), "无法解密：密钥或算法与约定不符，或传输中被改动"),
    (re.compile(r"message: not_encrypted"), "未按约定加密"),
    (re.compile(r"audit_head_not_signed: .*"), "不是会员服务签发的操作日志签名"),
    (re.compile(r"bad_schema: (?P<what>.*)", re.S), "字段不符合约定：{what}"),
    (re.compile(r"feedback_id: feedback_id_reused"), "反馈编号已用于内容不同的反馈"),
    (re.compile(r"report_id: report_id_reused"), "报送编号已用于内容不同的报送"),
    (re.compile(r"processed_at: before_submission"), "处理时间早于批次提交时间"),
    (re.compile(r"processed_at: in_the_future"), "处理时间晚于现在一天以上"),
    (
        re.compile(r"(?P<what>feedback_id|report_id|batch_no|processed_at|results|cards|enrolments|message): .*", re.S),
        "字段不符合约定：{what}",
    ),
    (re.compile(r"too_large: (?P<what>\d+) bytes"), "消息过大（{what} 字节）"),
    (re.compile(r"(?:the event speaks of )?an application that was never queued"), "会员服务中没有这些人员的办卡申请"),
    (
        re.compile(r"an application that is (?P<state>\w+) cannot become (?P<later>\w+)"),
        "申请现为“{state}”，不能改为“{later}”",
    ),
    (re.compile(r"a member already holds the card of another application"), "会员已持有另一份申请的卡"),
    (re.compile(r"There is no batch (?P<what>\S+)\."), "没有批次 {what}"),
    (re.compile(r"(?:The )?applications and (?:the )?persons are not the same.*"), "消息中的办卡申请与人员信息对不上"),
    (re.compile(r"An event has at most \d+ bytes\."), "消息过大"),
    (re.compile(r"This is no .* of CloudEvents.*"), "不是本队列约定的消息"),
    (re.compile(r"JSONDecodeError.*", re.S), "内容不是有效的 JSON"),
    (re.compile(r"(?:ValidationError|KeyError|TypeError|ValueError|AttributeError).*", re.S), "内容不符合约定"),
    (re.compile(r"\w+ is (?:missing|no moment|no text of .*)\."), "内容不符合约定"),
)
_CAUSES = (
    ("broker: delivery_limit", "处理中多次中断（进程被终止或连接断开）"),
    ("broker: ", "消息服务停止了投递"),
    ("IntegrityError", "与数据库中已有的数据冲突"),
    ("DataError", "数据库无法保存消息中的内容"),
    ("Unicode", "含有无法识别的字符"),
    ("Retry", "所需的数据或服务一直未就绪"),
    ("Reject", "内容有误"),
)
_ANY_OTHER = "处理时程序出错"
_REFUSED_RESULT = re.compile(r"(?:results|cards|enrolments)\.[0-9]+: (\w+)")
_FAULTY_FIELD = re.compile(r"(?:results|cards|enrolments)\.([0-9]+)\.(\w+): ")
_UNION_IN_BATCH_NO = re.compile(r"cbc([0-9A-Z]{18})[0-9]{8}")
_LONGEST_NAME = 200


def describe(letter: DeadLetterMessage) -> DeadLetterDescription:
    """What a letter is about and why it failed.

    The union is named where the message names it; otherwise membership finds its name by id or code.
    """
    data = _data(letter)
    union: Any = data.get("union")
    union = union if isinstance(union, dict) else {}
    batch_no = _text(data.get("batch_no"))
    in_batch_no = _UNION_IN_BATCH_NO.match(batch_no or "")
    codes = (union.get("code"), in_batch_no and in_batch_no[1])
    return DeadLetterDescription(
        subject=subject(letter),
        explanation=explanation(letter.cause, without_numbers(letter.reason)),
        union_id=_id(union.get("union_id") or data.get("union_id")),
        union_code=next((code for code in codes if isinstance(code, str) and uscc.is_valid(code)), None),
        union_name=_text(union.get("name")),
        batch_no=batch_no,
        persons=_persons(data),
    )


def subject(letter: DeadLetterMessage) -> str:
    """The kind of message, in Chinese."""
    if letter.queue in EXTERNAL_TITLES:
        return EXTERNAL_TITLES[letter.queue]
    name = (letter.type or "").split(".")[1:2] or letter.queue.split(".")[1:2]
    return EVENT_TITLES.get(name[0] if name else "", "未知消息")


def explanation(cause: str, reason: str) -> str:
    """Why a message could not be handled, in Chinese."""
    faults = [f"第 {int(line) + 1} 条结果的 {field} 不符合约定" for line, field in _FAULTY_FIELD.findall(reason)]
    codes = dict.fromkeys(_REFUSED_RESULT.findall(reason))
    if faults or codes:
        return "；".join([*faults, *(RESULT_TITLES.get(code, code) for code in codes)])
    for pattern, words in _REASONS:
        if found := pattern.fullmatch(reason):
            return words.format(**{name: _STATES.get(value, value) for name, value in found.groupdict().items()})
    return next((words for part, words in _CAUSES if part in cause), _ANY_OTHER)


def _data(letter: DeadLetterMessage) -> dict[str, Any]:
    try:
        document = json.loads(letter.content)
        data = document if letter.queue in EXTERNAL_TITLES else document["data"]
    except (ValueError, TypeError, LookupError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _persons(data: dict[str, Any]) -> int | None:
    """How many persons a message concerns."""
    for name in ("applications", "members", "results", "checks", "cards", "enrolments"):
        if isinstance(data.get(name), list):
            return len(data[name])
    return 1 if "member_id" in data else None


def _text(value: Any) -> str | None:
    """A value if it is a text; a message that breaks its contract may hold anything."""
    return without_numbers(value[:_LONGEST_NAME]) if isinstance(value, str) else None


def _id(value: Any) -> str | None:
    try:
        return str(UUID(value)) if isinstance(value, str) else None
    except ValueError:
        return None
