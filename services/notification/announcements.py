"""Announcements 通知公告: the city publishes, edits and withdraws them; those on the sign-in page are public."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, any_, literal, or_, select, true
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from services.contracts.operations.notification import (
    AnnouncementAnswer,
    AnnouncementsAnswer,
    AttachmentPartAnswer,
    CreateAnnouncementRequest,
    GetAnnouncementRequest,
    GetAttachmentRequest,
    ListAnnouncementsRequest,
    UpdateAnnouncementRequest,
    WithdrawAnnouncementRequest,
)
from services.kit.data.lists.page_rows import page_of
from services.kit.operations import audit
from services.kit.problems import Forbidden, NotFound
from services.kit.rpc.methods import Caller
from services.kit.rpc.work import Work
from services.kit.schemas import UNSET, change_fields
from services.notification import file_attachments
from services.notification.models import Announcement, Attachment, Guide

_ACCOUNTS = frozenset({"clerk", "reviewer", "administrator", "operator"})
_OWNER = Attachment.announcement_id


def list_announcements(work: Work, request: ListAnnouncementsRequest) -> AnnouncementsAnswer:
    """A page of the announcements in force, newest first; for anonymous callers only those on the sign-in page."""
    matching = select(Announcement).where(_shown_to(work.caller))
    if request.place is not UNSET:
        matching = matching.where(literal(request.place) == any_(Announcement.places))
    newest_first = matching.order_by(Announcement.published_at.desc(), Announcement.announcement_id)
    rows, counted = page_of(work.session, newest_first, request)
    announcements = [row.Announcement for row in rows]
    files = file_attachments.attachments_of(work.session, _OWNER, [one.announcement_id for one in announcements])
    return AnnouncementsAnswer.of([_answer(one, files) for one in announcements], request, counted)


def get_announcement(work: Work, request: GetAnnouncementRequest) -> AnnouncementAnswer:
    """One announcement in force. Raises NotFound."""
    return _shown(work, request.announcement_id)


def create_announcement(work: Work, request: CreateAnnouncementRequest) -> AnnouncementAnswer:
    """Publishes an announcement for the whole city; only the city union's administrator may."""
    check_city(work.caller)
    session = work.session
    announcement = Announcement(
        announcement_id=uuid7(),
        title=request.title,
        body=request.body,
        places=request.places,
        published_by=work.caller.account_id,
    )
    session.add(announcement)
    session.flush()
    file_attachments.change_attachments(session, _OWNER, announcement.announcement_id, request.attachments)
    answer = _shown(work, announcement.announcement_id)
    audit.record(session, ("announcement", announcement.announcement_id), new=_noted(answer))
    return answer


def update_announcement(work: Work, request: UpdateAnnouncementRequest) -> AnnouncementAnswer:
    """Changes the present fields of an announcement in force. Raises NotFound."""
    check_city(work.caller)
    session = work.session
    audit.record(session, ("announcement", request.announcement_id))
    announcement = _in_force(session, request.announcement_id)
    old = _shown(work, announcement.announcement_id)
    change_fields(announcement, request, ("title", "body", "places"))
    announcement.edited_at = datetime.now(UTC)
    file_attachments.change_attachments(
        session, _OWNER, announcement.announcement_id, request.attachments, request.removed_attachment_ids
    )
    answer = _shown(work, announcement.announcement_id)
    audit.record(session, old=_noted(old), new=_noted(answer))
    return answer


def withdraw_announcement(work: Work, request: WithdrawAnnouncementRequest) -> None:
    """Withdraws an announcement: it is no longer shown. Raises NotFound."""
    audit.record(work.session, ("announcement", request.announcement_id))
    check_city(work.caller)
    _in_force(work.session, request.announcement_id).withdrawn_at = datetime.now(UTC)


def get_attachment(work: Work, request: GetAttachmentRequest) -> AttachmentPartAnswer:
    """The file of a guide or announcement that the caller may see, or a part of it. Raises NotFound."""
    of_guide = and_(Attachment.guide_id.is_not(None), Guide.withdrawn_at.is_(None))
    of_announcement = and_(Attachment.announcement_id.is_not(None), _shown_to(work.caller))
    return file_attachments.get_attachment(work.session, request, or_(of_guide, of_announcement))


def check_city(caller: Caller) -> None:
    """Raises Forbidden for a caller of another union than the city's."""
    if not caller.is_of_the_city:
        raise Forbidden(detail="通知公告和新手指引由市总工会管理员发布。")


def _shown(work: Work, announcement_id: UUID) -> AnnouncementAnswer:
    shown = select(Announcement).where(Announcement.announcement_id == announcement_id, _shown_to(work.caller))
    announcement = work.session.scalar(shown)
    if announcement is None:
        raise _not_found()
    return _answer(announcement, file_attachments.attachments_of(work.session, _OWNER, [announcement_id]))


def _shown_to(caller: Caller) -> ColumnElement[bool]:
    has_account = not caller.roles.isdisjoint(_ACCOUNTS)
    public = true() if has_account else any_(Announcement.places) == "sign_in"
    return and_(Announcement.withdrawn_at.is_(None), public)


def _in_force(session: Session, announcement_id: UUID) -> Announcement:
    announcement = session.get(Announcement, announcement_id, with_for_update=True)
    if announcement is None or announcement.withdrawn_at is not None:
        raise _not_found()
    return announcement


def _noted(answer: AnnouncementAnswer) -> dict[str, Any]:
    """The values of an announcement for its audit event."""
    files = [file.file_name for file in answer.attachments]
    return {"title": answer.title, "body": answer.body, "places": answer.places, "attachments": files}


def _not_found() -> NotFound:
    return NotFound(title="未找到该通知公告")


def _answer(announcement: Announcement, files: file_attachments.Files) -> AnnouncementAnswer:
    return AnnouncementAnswer(
        announcement_id=announcement.announcement_id,
        title=announcement.title,
        body=announcement.body,
        places=announcement.places,
        published_at=announcement.published_at,
        edited_at=announcement.edited_at,
        attachments=files[announcement.announcement_id],
    )
