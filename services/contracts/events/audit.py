"""Audit events: who did what, when, from where, on which records; and the Chinese names of the kinds of records."""

from dataclasses import dataclass, field
from typing import Annotated, Any
from uuid import UUID

from marshmallow import validate

from services.contracts.services import SERVICES
from services.kit.events.contract import ENCRYPTED, MESSAGE_SIZE, EventContract, EventData, choice
from services.kit.fields import FullMatch

OUTCOMES = ("done", "refused")
RECORD_KINDS = {
    "account": "账号",
    "announcement": "通知公告",
    "application": "办卡申请",
    "batch": "办卡批次",
    "branch": "发卡支行",
    "delegation": "审核委托",
    "guide": "新手指引",
    "import": "批量导入",
    "member": "会员",
    "message": "消息",
    "message_template": "消息模板",
    "outlet": "经办网点",
    "phone_change": "更换手机号申请",
    "revocation": "撤销申请",
    "saved_search": "日志查询",
    "session": "登录会话",
    "subject_request": "个人信息请求",
    "sign_in_name": "登录账号（不存在）",
    "transfer": "转会申请",
    "union": "工会",
    "union_change": "工会撤并申请",
    "dead_letter": "死信",
    "feedback": "银行反馈",
    "enrolment_report": "参保信息报送",
}


@dataclass(frozen=True, kw_only=True)
class PersonalPart(EventData):
    """The personal data of an audit event: the person's name, and the changes with masked numbers. Always encrypted."""

    display_name: str | None = None
    old: dict[str, Any] = field(default_factory=dict)
    new: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ActRecordedData(EventData):
    act_id: Annotated[UUID, "a UUID version 7; its time is when the command was called"]
    action: Annotated[str, "the command: `batching.submit_batch`"]
    outcome: Annotated[str, choice(*OUTCOMES)]
    problem_code: Annotated[str | None, "why it was refused"] = None
    account_id: UUID | None = None
    account_name: str | None = None
    member_id: Annotated[UUID | None, "who acted on the phone"] = None
    union_id: Annotated[UUID | None, "the caller's union"] = None
    roles: list[str] = field(default_factory=list)
    origin: Annotated[str | None, "the address it came from"] = None
    request_id: str | None = None
    correlation_id: str | None = None
    records: Annotated[
        list[Annotated[str, FullMatch(r"^[a-z_]+:\S*$")]],
        validate.Length(max=MESSAGE_SIZE),
        "`<kind>:<id>`; a command on more records publishes several events",
    ] = field(default_factory=list)
    union_ids: Annotated[list[UUID], "the unions that the records belong to"] = field(default_factory=list)
    personal: Annotated[PersonalPart, ENCRYPTED]


ACTS_RECORDED = {
    producer: EventContract(
        producer,
        "act_recorded",
        ActRecordedData,
        "A command was carried out or refused; published for every command.",
        consumers=("membership",),
    )
    for producer in SERVICES
}
"""The contracts by publishing service. One queue of membership receives them all."""
