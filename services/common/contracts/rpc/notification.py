"""What may be asked of notification: inbox messages, announcements, guides and their attachments."""

from marshmallow import Schema, fields, validate

from services.common.contracts.event import choice
from services.common.contracts.rpc.paging import PageAnswer, PageRequest

PLACES = ("sign_in", "workbench")
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
    attachments = fields.List(fields.Nested(AttachmentAnswer), required=True)


class AnnouncementsAnswer(PageAnswer):
    items = fields.List(fields.Nested(AnnouncementAnswer), required=True)


class GetAnnouncementRequest(Schema):
    announcement_id = fields.UUID(required=True)


class NewAttachment(Schema):
    file_name = fields.String(required=True, validate=validate.Length(1, 100, error="文件名最多 100 个字"))
    content_type = fields.String(required=True, validate=validate.Length(1, 100))
    content = fields.String(
        required=True,
        validate=validate.Length(1, LARGEST_ATTACHMENT * 4 // 3, error="附件不能超过 10 MB"),
        metadata={"description": "base64"},
    )


class CreateAnnouncementRequest(Schema):
    title = fields.String(required=True, validate=validate.Length(1, 100, error="标题请填写 1 至 100 个字"))
    body = fields.String(required=True, validate=validate.Length(1, 20_000, error="内容请填写 1 至 20000 个字"))
    places = fields.List(
        choice(*PLACES), required=True, validate=validate.Length(1, len(PLACES), error="请选择显示位置")
    )
    attachments = fields.List(
        fields.Nested(NewAttachment), load_default=list, validate=validate.Length(max=5, error="最多 5 个附件")
    )


class WithdrawAnnouncementRequest(Schema):
    announcement_id = fields.UUID(required=True)


class ListGuidesRequest(PageRequest):
    """Takes nothing but the page."""


class GuideAnswer(Schema):
    guide_id = fields.UUID(required=True)
    title = fields.String(required=True)
    body = fields.String(required=True)
    attachments = fields.List(fields.Nested(AttachmentAnswer), required=True)


class GuidesAnswer(PageAnswer):
    items = fields.List(fields.Nested(GuideAnswer), required=True)


class GetAttachmentRequest(Schema):
    attachment_id = fields.UUID(required=True)
