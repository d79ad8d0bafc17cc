"""The operations of notification: inbox messages, announcements, guides and their attachments."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated
from uuid import UUID

from marshmallow import validate

from services.contracts.operations.roles import ACCOUNTS
from services.kit.events.contract import choice
from services.kit.fields import lines, text
from services.kit.rpc.files import FileAnswer
from services.kit.rpc.operation import ANONYMOUS, command, no_union, own_union, query
from services.kit.rpc.paging import PageAnswer, PageRequest
from services.kit.schemas import UNSET, Unset

PLACES = ("sign_in", "workbench")
MOST_ATTACHMENTS = 5
MEGABYTE = 1024**2
LARGEST_ATTACHMENT, LARGEST_VIDEO = 10 * MEGABYTE, 20 * MEGABYTE


@dataclass(frozen=True, kw_only=True)
class ListMessagesRequest(PageRequest):
    unread: Annotated[bool | Unset, "only unread (true) or only read (false) messages"] = UNSET


@dataclass(frozen=True, kw_only=True)
class MessageAnswer:
    message_id: UUID
    kind: str
    title: str
    body: str
    link: Annotated[str | None, "the page that it is about"]
    created_at: datetime
    read: bool


@dataclass(frozen=True, kw_only=True)
class MessagesAnswer(PageAnswer):
    items: list[MessageAnswer]
    unread: Annotated[int, "unread messages in all, counted to 1000"]


@dataclass(frozen=True, kw_only=True)
class MarkMessageReadRequest:
    message_id: UUID


@dataclass(frozen=True, kw_only=True)
class MarkAllMessagesReadRequest:
    """Has no parameters: marks all messages that the caller can see."""


@dataclass(frozen=True, kw_only=True)
class ReadAnswer:
    unread: int


@dataclass(frozen=True, kw_only=True)
class ListAnnouncementsRequest(PageRequest):
    place: Annotated[str | Unset, choice(*PLACES), "where it is shown; without it all"] = UNSET


@dataclass(frozen=True, kw_only=True)
class AttachmentAnswer:
    attachment_id: UUID
    file_name: str
    size: Annotated[int, "bytes"]


@dataclass(frozen=True, kw_only=True)
class AnnouncementAnswer:
    announcement_id: UUID
    title: str
    body: str
    places: list[Annotated[str, choice(*PLACES)]]
    published_at: datetime
    edited_at: datetime | None
    attachments: list[AttachmentAnswer]


@dataclass(frozen=True, kw_only=True)
class AnnouncementsAnswer(PageAnswer):
    items: list[AnnouncementAnswer]


@dataclass(frozen=True, kw_only=True)
class GetAnnouncementRequest:
    announcement_id: UUID


_LONGEST = (LARGEST_VIDEO + 2) // 3 * 4


@dataclass(frozen=True, kw_only=True)
class NewAttachment:
    file_name: Annotated[str, text(100)]
    content_type: Annotated[str, validate.Length(1, 100), "not trusted: the name's extension and the content decide"]
    content: Annotated[str, validate.Length(1, _LONGEST, error="视频不能超过 20 MB，其他附件不能超过 10 MB"), "base64"]


Places = Annotated[list[Annotated[str, choice(*PLACES)]], validate.Length(1, len(PLACES), error="请选择显示位置")]
NewAttachments = Annotated[
    list[NewAttachment], validate.Length(max=MOST_ATTACHMENTS, error=f"最多 {MOST_ATTACHMENTS} 个附件")
]
RemovedAttachments = Annotated[list[UUID], validate.Length(max=MOST_ATTACHMENTS)]


Position = Annotated[int, validate.Range(0, 9999, error="序号为 0 至 9999")]


class _VideoAddress(validate.Validator):
    """Allows `/videos/check.mp4`, a video that comes with the pages, and links that people open by https."""

    _OURS = re.compile(r"/videos/[a-z0-9-]+\.mp4")
    _LINK = validate.URL(schemes={"https"}, error="请填写 https:// 开头的链接")

    def __call__(self, value: str) -> str:
        """The address, unchanged; raises ValidationError."""
        return value if self._OURS.fullmatch(value) else self._LINK(value)


_VIDEO = "`/videos/check.mp4` of the pages, which is played there, or a link by https, which people open"


@dataclass(frozen=True, kw_only=True)
class CreateAnnouncementRequest:
    """An announcement on the sign-in page is public."""

    title: Annotated[str, text(100)]
    body: Annotated[str, lines(20_000)]
    places: Places
    attachments: NewAttachments = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class UpdateAnnouncementRequest(GetAnnouncementRequest):
    """What is absent stays as it is; `attachments` are added."""

    title: Annotated[str | Unset, text(100)] = UNSET
    body: Annotated[str | Unset, lines(20_000)] = UNSET
    places: Places | Unset = UNSET
    attachments: NewAttachments = field(default_factory=list)
    removed_attachment_ids: RemovedAttachments = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class WithdrawAnnouncementRequest(GetAnnouncementRequest):
    pass


@dataclass(frozen=True, kw_only=True)
class ListGuidesRequest(PageRequest):
    """Has no parameters but the page."""


@dataclass(frozen=True, kw_only=True)
class GuideAnswer:
    guide_id: UUID
    position: int
    title: str
    body: str
    video_url: str | None
    attachments: list[AttachmentAnswer]


@dataclass(frozen=True, kw_only=True)
class GuidesAnswer(PageAnswer):
    items: list[GuideAnswer]


@dataclass(frozen=True, kw_only=True)
class CreateGuideRequest:
    title: Annotated[str, text(100)]
    body: Annotated[str, lines(20_000)]
    video_url: Annotated[str | None, text(500, allow_none=True), _VideoAddress(), _VIDEO] = None
    position: Position | Unset = UNSET
    attachments: NewAttachments = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class GuideRequest:
    """Identifies a guide."""

    guide_id: UUID


@dataclass(frozen=True, kw_only=True)
class UpdateGuideRequest(GuideRequest):
    """What is absent stays as it is; `attachments` are added."""

    title: Annotated[str | Unset, text(100)] = UNSET
    body: Annotated[str | Unset, lines(20_000)] = UNSET
    video_url: Annotated[str | Unset | None, text(500, allow_none=True), _VideoAddress(), _VIDEO] = UNSET
    position: Position | Unset = UNSET
    attachments: NewAttachments = field(default_factory=list)
    removed_attachment_ids: RemovedAttachments = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class AttachmentRequest:
    """Identifies an attachment."""

    attachment_id: UUID


@dataclass(frozen=True, kw_only=True)
class GetAttachmentRequest(AttachmentRequest):
    start: Annotated[int | Unset, "the first byte of the part that is wanted; a negative one counts from the end"] = (
        UNSET
    )
    most: Annotated[int | Unset, validate.Range(min=1), "how many bytes; all without"] = UNSET


@dataclass(frozen=True, kw_only=True)
class AttachmentPartAnswer(FileAnswer):
    """The file, or the part of it that was asked for; a part behind the file's end is empty."""

    start: int
    size: Annotated[int, "bytes of the whole file"]


LIST_MESSAGES = query("notification.list_messages", ListMessagesRequest, MessagesAnswer, allow=own_union(*ACCOUNTS))
MARK_MESSAGE_READ = command(
    "notification.mark_message_read", MarkMessageReadRequest, ReadAnswer, allow=own_union(*ACCOUNTS), title="阅读消息"
)
MARK_ALL_MESSAGES_READ = command(
    "notification.mark_all_messages_read",
    MarkAllMessagesReadRequest,
    ReadAnswer,
    allow=own_union(*ACCOUNTS),
    title="全部消息标为已读",
)
LIST_ANNOUNCEMENTS = query(
    "notification.list_announcements", ListAnnouncementsRequest, AnnouncementsAnswer, allow=no_union(ANONYMOUS)
)
GET_ANNOUNCEMENT = query(
    "notification.get_announcement", GetAnnouncementRequest, AnnouncementAnswer, allow=no_union(ANONYMOUS)
)
CREATE_ANNOUNCEMENT = command(
    "notification.create_announcement",
    CreateAnnouncementRequest,
    AnnouncementAnswer,
    allow=no_union("administrator"),
    title="发布通知公告",
)
UPDATE_ANNOUNCEMENT = command(
    "notification.update_announcement",
    UpdateAnnouncementRequest,
    AnnouncementAnswer,
    allow=no_union("administrator"),
    title="修改通知公告",
)
WITHDRAW_ANNOUNCEMENT = command(
    "notification.withdraw_announcement",
    WithdrawAnnouncementRequest,
    allow=no_union("administrator"),
    title="撤回通知公告",
)
LIST_GUIDES = query("notification.list_guides", ListGuidesRequest, GuidesAnswer, allow=no_union(ANONYMOUS))
CREATE_GUIDE = command(
    "notification.create_guide", CreateGuideRequest, GuideAnswer, allow=no_union("administrator"), title="发布新手指引"
)
UPDATE_GUIDE = command(
    "notification.update_guide", UpdateGuideRequest, GuideAnswer, allow=no_union("administrator"), title="修改新手指引"
)
WITHDRAW_GUIDE = command(
    "notification.withdraw_guide", GuideRequest, allow=no_union("administrator"), title="撤回新手指引"
)
GET_ATTACHMENT = query(
    "notification.get_attachment", GetAttachmentRequest, AttachmentPartAnswer, allow=no_union(ANONYMOUS)
)
