"""The operations of notification on messages to a member: what was told of applications, cards and the membership."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from services.kit.rpc.operation import command, own_data, query
from services.kit.rpc.paging import PageAnswer, PageRequest


@dataclass(frozen=True, kw_only=True)
class ListMemberMessagesRequest(PageRequest):
    """The newest first."""


@dataclass(frozen=True, kw_only=True)
class MemberMessageAnswer:
    message_id: UUID
    text: Annotated[str, "as it was sent by SMS, or would have been"]
    created_at: datetime
    read: bool


@dataclass(frozen=True, kw_only=True)
class MemberMessagesAnswer(PageAnswer):
    items: list[MemberMessageAnswer]
    unread: int


@dataclass(frozen=True, kw_only=True)
class MarkMemberMessagesReadRequest:
    up_to: Annotated[UUID, "the newest message that was shown; later ones stay unread"]


LIST_MEMBER_MESSAGES = query(
    "notification.list_member_messages", ListMemberMessagesRequest, MemberMessagesAnswer, allow=own_data("member")
)
MARK_MEMBER_MESSAGES_READ = command(
    "notification.mark_member_messages_read",
    MarkMemberMessagesReadRequest,
    allow=own_data("member"),
    title="个人阅读消息",
)
