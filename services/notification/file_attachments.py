"""Attachments of announcements and guides: add, remove, list and download them."""

import base64
import binascii
from collections import defaultdict
from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session
from uuid_utils.compat import uuid7

from services.contracts.operations.notification import (
    LARGEST_ATTACHMENT,
    LARGEST_VIDEO,
    MEGABYTE,
    MOST_ATTACHMENTS,
    AttachmentAnswer,
    AttachmentPartAnswer,
    GetAttachmentRequest,
    NewAttachment,
)
from services.kit.problems import FieldProblem, Invalid, NotFound
from services.kit.rpc.files import file_answer
from services.kit.schemas import UNSET
from services.notification.file_kinds import ENDINGS, content_type_of, is_video
from services.notification.models import Announcement, Attachment, Guide

Owner = InstrumentedAttribute[UUID | None]
"""The column of a file's owner: Attachment.announcement_id or Attachment.guide_id."""

Files = defaultdict[UUID, list[AttachmentAnswer]]


def change_attachments(
    session: Session, owner: Owner, owner_id: UUID, added: Sequence[NewAttachment], removed: Sequence[UUID] = ()
) -> None:
    """Removes and adds files; raises Invalid for too many, a damaged one, or one of a kind that is not allowed."""
    session.execute(delete(Attachment).where(owner == owner_id, Attachment.attachment_id.in_(removed)))
    session.add_all(_new(position, file, owner, owner_id) for position, file in enumerate(added))
    session.flush()
    if (session.scalar(select(func.count()).where(owner == owner_id)) or 0) > MOST_ATTACHMENTS:
        raise Invalid([FieldProblem("attachments", "too_many", f"最多 {MOST_ATTACHMENTS} 个附件")])


def attachments_of(session: Session, owner: Owner, owner_ids: Iterable[UUID]) -> Files:
    """The attachments' names and sizes, without their content, by owner."""
    found = session.execute(
        select(owner, Attachment.attachment_id, Attachment.file_name, func.length(Attachment.content))
        .where(owner.in_(list(owner_ids)))
        .order_by(Attachment.attachment_id)
    )
    by_owner: Files = defaultdict(list)
    for owner_id, attachment_id, file_name, size in found:
        by_owner[owner_id].append(AttachmentAnswer(attachment_id=attachment_id, file_name=file_name, size=size))
    return by_owner


def get_attachment(session: Session, request: GetAttachmentRequest, shown: ColumnElement[bool]) -> AttachmentPartAnswer:
    """The file, or a part of it, of a guide or announcement that fulfils `shown`. Raises NotFound."""
    found = session.execute(
        select(Attachment.file_name, Attachment.content_type, func.length(Attachment.content).label("size"))
        .outerjoin(Announcement, Announcement.announcement_id == Attachment.announcement_id)
        .outerjoin(Guide, Guide.guide_id == Attachment.guide_id)
        .where(Attachment.attachment_id == request.attachment_id, shown)
    ).first()
    if found is None:
        raise NotFound(title="未找到该附件")
    asked = 0 if request.start is UNSET else request.start
    start = asked if asked >= 0 else max(0, found.size + asked)
    most = found.size if request.most is UNSET else request.most
    part = func.substring(Attachment.content, min(start, found.size) + 1, min(most, found.size))
    content = session.scalars(select(part).where(Attachment.attachment_id == request.attachment_id)).one()
    file = file_answer(found.file_name, found.content_type, content)
    return AttachmentPartAnswer(**vars(file), start=start, size=found.size)


def _new(position: int, file: NewAttachment, owner: Owner, owner_id: UUID) -> Attachment:
    try:
        content = base64.b64decode(file.content, validate=True)
    except binascii.Error as error:
        field = FieldProblem(f"attachments.{position}.content", "invalid", "附件内容无法读取")
        raise Invalid([field]) from error
    content_type = content_type_of(file.file_name, content)
    if content_type is None:
        reason = f"附件应为 {'、'.join(ENDINGS)} 文件，且内容与文件名相符"
        raise Invalid([FieldProblem(f"attachments.{position}.file_name", "file_kind", reason)])
    largest = LARGEST_VIDEO if is_video(content_type) else LARGEST_ATTACHMENT
    if len(content) > largest:
        reason = f"{file.file_name} 不能超过 {largest // MEGABYTE} MB"
        raise Invalid([FieldProblem(f"attachments.{position}.content", "too_large", reason)])
    named = {"file_name": file.file_name, "content_type": content_type, owner.key: owner_id}
    return Attachment(attachment_id=uuid7(), content=content, **named)
