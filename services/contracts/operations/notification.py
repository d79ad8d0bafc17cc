"""What may be asked of notification: inbox messages, announcements, guides and their attachments."""

from typing import Any

from marshmallow import Schema, fields, validate

from services.contracts.fields import lines, text
from services.kit.events.contract import choice
from services.kit.rpc.paging import PageAnswer, PageRequest

PLACES = ("sign_in", "workbench")
MOST_ATTACHMENTS = 5
LARGEST_ATTACHMENT = 10 * 1024 * 1024


class ListMessagesRequest(PageRequest):
    unread = fields.Boolean(metadata={"description": "only unread (true) or only read (false) messages"})


class MessageAnswer(Schema):
    message_id = fields.UUID(required=True)
    kind = fields.String(required=True)
    title = fields.String(required=True)
    body = fields.String(required=True)
    link = fields.String(required=True, allow_none=True, metadata={"description": "the page it is about"})
    created_at = fields.AwareDateTime(required=True)
    read = fields.Boolean(required=True)


class MessagesAnswer(PageAnswer):
    items = fields.List(fields.Nested(MessageAnswer), required=True)
    unread = fields.Integer(required=True, metadata={"description": "unread messages in all, counted to 1000"})


class MarkMessageReadRequest(Schema):
    message_id = fields.UUID(required=True)


class MarkAllMessagesReadRequest(Schema):
    """Takes nothing: all that the caller can see."""


class ReadAnswer(Schema):
    unread = fields.Integer(required=True)


class ListAnnouncementsRequest(PageRequest):
    place = choice(*PLACES, metadata={"description": "where it is shown; without it all"})


class AttachmentAnswer(Schema):
    attachment_id = fields.UUID(required=True)
    file_name = fields.String(required=True)
    size = fields.Integer(required=True, metadata={"description": "bytes"})


class AnnouncementAnswer(Schema):
    announcement_id = fields.UUID(required=True)
    title = fields.String(required=True)
    body = fields.String(required=True)
    places = fields.List(choice(*PLACES), required=True)
    published_at = fields.AwareDateTime(required=True)
    edited_at = fields.AwareDateTime(required=True, allow_none=True)
    attachments = fields.List(fields.Nested(AttachmentAnswer), required=True)


class AnnouncementsAnswer(PageAnswer):
    items = fields.List(fields.Nested(AnnouncementAnswer), required=True)


class GetAnnouncementRequest(Schema):
    announcement_id = fields.UUID(required=True)


class NewAttachment(Schema):
    file_name = text(100, required=True)
    content_type = fields.String(
        required=True,
        validate=validate.Length(1, 100),
        metadata={"description": "not believed: the name's ending and the content decide"},
    )
    content = fields.String(
        required=True,
        validate=validate.Length(1, LARGEST_ATTACHMENT * 4 // 3, error="附件不能超过 10 MB"),
        metadata={"description": "base64"},
    )


def _places(**kwargs: Any) -> fields.List[Any]:
    length = validate.Length(1, len(PLACES), error="请选择显示位置")
    return fields.List(choice(*PLACES), validate=length, **kwargs)


def _new_attachments() -> fields.List[Any]:
    length = validate.Length(max=MOST_ATTACHMENTS, error=f"最多 {MOST_ATTACHMENTS} 个附件")
    return fields.List(fields.Nested(NewAttachment), load_default=list, validate=length)


def _removed_attachments() -> fields.List[Any]:
    return fields.List(fields.UUID(), load_default=list, validate=validate.Length(max=MOST_ATTACHMENTS))


def _position() -> fields.Integer:
    return fields.Integer(validate=validate.Range(0, 9999, error="序号为 0 至 9999"))


def _video_url(**kwargs: Any) -> fields.URL:
    """A link for people to open; no program of ours follows it."""
    length = validate.Length(max=500, error="链接最多 500 个字符")
    wrong: dict[str, Any] = {"invalid": "请填写 https:// 开头的链接"}
    return fields.URL(schemes={"https"}, allow_none=True, validate=length, error_messages=wrong, **kwargs)


class CreateAnnouncementRequest(Schema):
    """What is shown on the sign-in page is for anybody."""

    title = text(100, required=True)
    body = lines(20_000, required=True)
    places = _places(required=True)
    attachments = _new_attachments()


class UpdateAnnouncementRequest(GetAnnouncementRequest):
    """What is absent stays as it is; `attachments` are added."""

    title = text(100)
    body = lines(20_000)
    places = _places()
    attachments = _new_attachments()
    removed_attachment_ids = _removed_attachments()


class WithdrawAnnouncementRequest(GetAnnouncementRequest):
    pass


class ListGuidesRequest(PageRequest):
    """Takes nothing but the page."""


class GuideAnswer(Schema):
    guide_id = fields.UUID(required=True)
    position = fields.Integer(required=True)
    title = fields.String(required=True)
    body = fields.String(required=True)
    video_url = fields.String(required=True, allow_none=True)
    attachments = fields.List(fields.Nested(AttachmentAnswer), required=True)


class GuidesAnswer(PageAnswer):
    items = fields.List(fields.Nested(GuideAnswer), required=True)


class CreateGuideRequest(Schema):
    title = text(100, required=True)
    body = lines(20_000, required=True)
    video_url = _video_url(load_default=None)
    position = _position()
    attachments = _new_attachments()


class GuideRequest(Schema):
    """Names a guide."""

    guide_id = fields.UUID(required=True)


class UpdateGuideRequest(GuideRequest):
    """What is absent stays as it is; `attachments` are added."""

    title = text(100)
    body = lines(20_000)
    video_url = _video_url()
    position = _position()
    attachments = _new_attachments()
    removed_attachment_ids = _removed_attachments()


class GetAttachmentRequest(Schema):
    attachment_id = fields.UUID(required=True)
