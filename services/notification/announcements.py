"""Announcements 通知公告 and guides 新手指引, with their attachments."""

import base64
import binascii
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import any_, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session
from uuid_utils.compat import uuid7

from services.common.contracts.rpc.files import file_answer
from services.common.contracts.rpc.paging import page_answer
from services.common.messaging.rpc import Caller
from services.common.paging import page_of
from services.common.problems import FieldProblem, Forbidden, Invalid, NotFound
from services.notification.models import Announcement, Attachment, Guide


def list_announcements(session: Session, asked: dict[str, Any]) -> dict[str, Any]:
    """A page of the announcements that stand, newest first."""
    matching = select(Announcement).where(Announcement.withdrawn_at.is_(None))
    if "place" in asked:
        matching = matching.where(asked["place"] == any_(Announcement.places))
    newest_first = matching.order_by(Announcement.published_at.desc(), Announcement.announcement_id)
    rows, counted = page_of(session, newest_first, asked)
    announcements = [row.Announcement for row in rows]
    files = _attachments(session, Attachment.announcement_id, [one.announcement_id for one in announcements])
    return page_answer([_answer(one, files) for one in announcements], asked, counted)


def get_announcement(session: Session, announcement_id: UUID) -> dict[str, Any]:
    """One announcement that stands. Raises NotFound."""
    announcement = _standing(session, announcement_id)
    return _answer(announcement, _attachments(session, Attachment.announcement_id, [announcement_id]))


def create_announcement(session: Session, caller: Caller, given: dict[str, Any]) -> dict[str, Any]:
    """Publishes an announcement for the whole city; only the city union's administrator may."""
    _check_city(caller)
    files = [_new_attachment(position, file) for position, file in enumerate(given["attachments"])]
    announcement = Announcement(
        announcement_id=uuid7(),
        title=given["title"],
        body=given["body"],
        places=given["places"],
        published_by=caller.account_id,
    )
    session.add(announcement)
    session.flush()
    for file in files:
        file.announcement_id = announcement.announcement_id
    session.add_all(files)
    session.flush()
    return get_announcement(session, announcement.announcement_id)


def withdraw_announcement(session: Session, caller: Caller, announcement_id: UUID) -> dict[str, Any]:
    """Takes an announcement back: it is no longer shown. Raises NotFound."""
    _check_city(caller)
    announcement = _standing(session, announcement_id)
    answer = get_announcement(session, announcement_id)
    announcement.withdrawn_at = datetime.now(UTC)
    return answer


def list_guides(session: Session, asked: dict[str, Any]) -> dict[str, Any]:
    """A page of the guides in their order."""
    rows, counted = page_of(session, select(Guide).order_by(Guide.position), asked)
    guides = [row.Guide for row in rows]
    files = _attachments(session, Attachment.guide_id, [guide.guide_id for guide in guides])
    items = [
        {
            "guide_id": guide.guide_id,
            "title": guide.title,
            "body": guide.body,
            "attachments": files[guide.guide_id],
        }
        for guide in guides
    ]
    return page_answer(items, asked, counted)


def get_attachment(session: Session, attachment_id: UUID) -> dict[str, str]:
    """The file of a guide, or of an announcement that stands. Raises NotFound."""
    found = session.scalar(
        select(Attachment)
        .outerjoin(Announcement, Announcement.announcement_id == Attachment.announcement_id)
        .where(
            Attachment.attachment_id == attachment_id,
            or_(Attachment.guide_id.is_not(None), Announcement.withdrawn_at.is_(None)),
        )
    )
    if found is None:
        raise NotFound(title="未找到该附件")
    return file_answer(found.file_name, found.content_type, found.content)


def _check_city(caller: Caller) -> None:
    if caller.superior_union_id is not None:
        raise Forbidden(detail="通知公告由市总工会管理员发布。")


def _standing(session: Session, announcement_id: UUID) -> Announcement:
    announcement = session.get(Announcement, announcement_id)
    if announcement is None or announcement.withdrawn_at is not None:
        raise NotFound(title="未找到该通知公告")
    return announcement


def _new_attachment(position: int, file: dict[str, str]) -> Attachment:
    try:
        content = base64.b64decode(file["content"], validate=True)
    except binascii.Error as error:
        field = FieldProblem(f"attachments.{position}.content", "invalid", "附件内容无法读取")
        raise Invalid([field]) from error
    return Attachment(
        attachment_id=uuid7(), file_name=file["file_name"], content_type=file["content_type"], content=content
    )


def _attachments(
    session: Session, owner: InstrumentedAttribute[UUID | None], owner_ids: Iterable[UUID]
) -> defaultdict[UUID, list[dict[str, Any]]]:
    """The attachments' names and sizes, without their content, by who they belong to."""
    found = session.execute(
        select(owner, Attachment.attachment_id, Attachment.file_name, func.length(Attachment.content))
        .where(owner.in_(list(owner_ids)))
        .order_by(Attachment.attachment_id)
    )
    by_owner: defaultdict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for owner_id, attachment_id, file_name, size in found:
        by_owner[owner_id].append({"attachment_id": attachment_id, "file_name": file_name, "size": size})
    return by_owner


def _answer(announcement: Announcement, files: defaultdict[UUID, list[dict[str, Any]]]) -> dict[str, Any]:
    return {
        "announcement_id": announcement.announcement_id,
        "title": announcement.title,
        "body": announcement.body,
        "places": announcement.places,
        "published_at": announcement.published_at,
        "attachments": files[announcement.announcement_id],
    }
