"""Announcements 通知公告: published, edited and withdrawn by the city; those for the sign-in page are for anybody."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, any_, or_, select, true
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from services.kit.data.paging import page_of
from services.kit.operations import audit
from services.kit.problems import Forbidden, NotFound
from services.kit.rpc.methods import Caller
from services.kit.rpc.paging import page_answer
from services.notification import attachments
from services.notification.models import Announcement, Attachment, Guide

_ACCOUNTS = frozenset({"clerk", "reviewer", "administrator", "operator"})
_OWNER = Attachment.announcement_id


def list_announcements(session: Session, caller: Caller, asked: dict[str, Any]) -> dict[str, Any]:
    """A page of the announcements that stand, newest first; without an account only those for the sign-in page."""
    matching = select(Announcement).where(_shown_to(caller))
    if "place" in asked:
        matching = matching.where(asked["place"] == any_(Announcement.places))
    newest_first = matching.order_by(Announcement.published_at.desc(), Announcement.announcement_id)
    rows, counted = page_of(session, newest_first, asked)
    announcements = [row.Announcement for row in rows]
    files = attachments.attachments_of(session, _OWNER, [one.announcement_id for one in announcements])
    return page_answer([_answer(one, files) for one in announcements], asked, counted)


def get_announcement(session: Session, caller: Caller, announcement_id: UUID) -> dict[str, Any]:
    """One announcement that stands. Raises NotFound."""
    shown = select(Announcement).where(Announcement.announcement_id == announcement_id, _shown_to(caller))
    announcement = session.scalar(shown)
    if announcement is None:
        raise _not_found()
    return _answer(announcement, attachments.attachments_of(session, _OWNER, [announcement_id]))


def create_announcement(session: Session, caller: Caller, given: dict[str, Any]) -> dict[str, Any]:
    """Publishes an announcement for the whole city; only the city union's administrator may."""
    check_city(caller)
    announcement = Announcement(
        announcement_id=uuid7(),
        title=given["title"],
        body=given["body"],
        places=given["places"],
        published_by=caller.account_id,
    )
    session.add(announcement)
    session.flush()
    attachments.change_attachments(session, _OWNER, announcement.announcement_id, given)
    answer = get_announcement(session, caller, announcement.announcement_id)
    audit.note(session, ("announcement", announcement.announcement_id), new=_noted(answer))
    return answer


def update_announcement(session: Session, caller: Caller, given: dict[str, Any]) -> dict[str, Any]:
    """Changes what is given of an announcement that stands. Raises NotFound."""
    check_city(caller)
    audit.note(session, ("announcement", given["announcement_id"]))
    announcement = _standing(session, given["announcement_id"])
    old = get_announcement(session, caller, announcement.announcement_id)
    for name in ("title", "body", "places"):
        if name in given:
            setattr(announcement, name, given[name])
    announcement.edited_at = datetime.now(UTC)
    attachments.change_attachments(session, _OWNER, announcement.announcement_id, given)
    answer = get_announcement(session, caller, announcement.announcement_id)
    audit.note(session, old=_noted(old), new=_noted(answer))
    return answer


def withdraw_announcement(session: Session, caller: Caller, announcement_id: UUID) -> dict[str, Any]:
    """Takes an announcement back: it is no longer shown. Raises NotFound."""
    audit.note(session, ("announcement", announcement_id))
    check_city(caller)
    announcement = _standing(session, announcement_id)
    answer = get_announcement(session, caller, announcement_id)
    announcement.withdrawn_at = datetime.now(UTC)
    return answer


def get_attachment(session: Session, caller: Caller, attachment_id: UUID) -> dict[str, str]:
    """The file of a guide or announcement that the caller is shown. Raises NotFound."""
    of_guide = and_(Attachment.guide_id.is_not(None), Guide.withdrawn_at.is_(None))
    of_announcement = and_(Attachment.announcement_id.is_not(None), _shown_to(caller))
    return attachments.get_attachment(session, attachment_id, or_(of_guide, of_announcement))


def check_city(caller: Caller) -> None:
    """Raises Forbidden for whoever is not of the city's union."""
    if not caller.is_of_the_city:
        raise Forbidden(detail="通知公告和新手指引由市总工会管理员发布。")


def _shown_to(caller: Caller) -> ColumnElement[bool]:
    has_account = not caller.roles.isdisjoint(_ACCOUNTS)
    public = true() if has_account else any_(Announcement.places) == "sign_in"
    return and_(Announcement.withdrawn_at.is_(None), public)


def _standing(session: Session, announcement_id: UUID) -> Announcement:
    announcement = session.get(Announcement, announcement_id, with_for_update=True)
    if announcement is None or announcement.withdrawn_at is not None:
        raise _not_found()
    return announcement


def _noted(answer: dict[str, Any]) -> dict[str, Any]:
    """What the log of acts keeps of an announcement."""
    files = [file["file_name"] for file in answer["attachments"]]
    return {**{name: answer[name] for name in ("title", "body", "places")}, "attachments": files}


def _not_found() -> NotFound:
    return NotFound(title="未找到该通知公告")


def _answer(announcement: Announcement, files: attachments.Files) -> dict[str, Any]:
    return {
        "announcement_id": announcement.announcement_id,
        "title": announcement.title,
        "body": announcement.body,
        "places": announcement.places,
        "published_at": announcement.published_at,
        "edited_at": announcement.edited_at,
        "attachments": files[announcement.announcement_id],
    }
