"""Guides 新手指引 for anybody, in the order that the city gives them: words, files to download, a video to watch."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from services.kit.data.paging import page_of
from services.kit.operations import audit
from services.kit.problems import NotFound
from services.kit.rpc.methods import Caller
from services.kit.rpc.paging import page_answer
from services.notification import attachments
from services.notification.announcements import check_city
from services.notification.models import Attachment, Guide

_OWNER = Attachment.guide_id


def list_guides(session: Session, asked: dict[str, Any]) -> dict[str, Any]:
    """A page of the guides in their order."""
    standing = select(Guide).where(Guide.withdrawn_at.is_(None)).order_by(Guide.position, Guide.guide_id)
    rows, counted = page_of(session, standing, asked)
    files = attachments.attachments_of(session, _OWNER, [row.Guide.guide_id for row in rows])
    return page_answer([_answer(row.Guide, files) for row in rows], asked, counted)


def create_guide(session: Session, caller: Caller, given: dict[str, Any]) -> dict[str, Any]:
    """A new guide, the last one where no position is given; only the city union's administrator may."""
    check_city(caller)
    last = session.scalar(select(func.coalesce(func.max(Guide.position), -1))) or 0
    guide = Guide(
        guide_id=uuid7(),
        position=given.get("position", last + 1),
        title=given["title"],
        body=given["body"],
        video_url=given["video_url"],
    )
    session.add(guide)
    session.flush()
    attachments.change_attachments(session, _OWNER, guide.guide_id, given)
    answer = _answer_of(session, guide)
    audit.note(session, ("guide", guide.guide_id), new=_noted(answer))
    return answer


def update_guide(session: Session, caller: Caller, given: dict[str, Any]) -> dict[str, Any]:
    """Changes what is given of a guide. Raises NotFound."""
    check_city(caller)
    audit.note(session, ("guide", given["guide_id"]))
    guide = _standing(session, given["guide_id"])
    old = _answer_of(session, guide)
    for name in ("position", "title", "body", "video_url"):
        if name in given:
            setattr(guide, name, given[name])
    attachments.change_attachments(session, _OWNER, guide.guide_id, given)
    answer = _answer_of(session, guide)
    audit.note(session, old=_noted(old), new=_noted(answer))
    return answer


def withdraw_guide(session: Session, caller: Caller, guide_id: UUID) -> dict[str, Any]:
    """Takes a guide back: it is no longer shown. Raises NotFound."""
    audit.note(session, ("guide", guide_id))
    check_city(caller)
    guide = _standing(session, guide_id)
    guide.withdrawn_at = datetime.now(UTC)
    return _answer_of(session, guide)


def _standing(session: Session, guide_id: UUID) -> Guide:
    guide = session.get(Guide, guide_id, with_for_update=True)
    if guide is None or guide.withdrawn_at is not None:
        raise NotFound(title="未找到该新手指引")
    return guide


def _answer_of(session: Session, guide: Guide) -> dict[str, Any]:
    return _answer(guide, attachments.attachments_of(session, _OWNER, [guide.guide_id]))


def _answer(guide: Guide, files: attachments.Files) -> dict[str, Any]:
    return {
        "guide_id": guide.guide_id,
        "position": guide.position,
        "title": guide.title,
        "body": guide.body,
        "video_url": guide.video_url,
        "attachments": files[guide.guide_id],
    }


def _noted(answer: dict[str, Any]) -> dict[str, Any]:
    """What the log of acts keeps of a guide."""
    files = [file["file_name"] for file in answer["attachments"]]
    return {**{name: answer[name] for name in ("position", "title", "body", "video_url")}, "attachments": files}
