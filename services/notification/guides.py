"""Guides 新手指引, public, in the city's order: text, files to download, a video link."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from services.contracts.operations.notification import (
    CreateGuideRequest,
    GuideAnswer,
    GuideRequest,
    GuidesAnswer,
    ListGuidesRequest,
    UpdateGuideRequest,
)
from services.kit.data.lists.page_rows import page_of
from services.kit.operations import audit
from services.kit.problems import NotFound
from services.kit.rpc.work import Work
from services.kit.schemas import UNSET, change_fields
from services.notification import file_attachments
from services.notification.announcements import check_city
from services.notification.models import Attachment, Guide

_OWNER = Attachment.guide_id


def list_guides(work: Work, request: ListGuidesRequest) -> GuidesAnswer:
    """A page of the guides in their order."""
    in_force = select(Guide).where(Guide.withdrawn_at.is_(None)).order_by(Guide.position, Guide.guide_id)
    rows, counted = page_of(work.session, in_force, request)
    files = file_attachments.attachments_of(work.session, _OWNER, [row.Guide.guide_id for row in rows])
    return GuidesAnswer.of([_answer(row.Guide, files) for row in rows], request, counted)


def create_guide(work: Work, request: CreateGuideRequest) -> GuideAnswer:
    """Creates a guide, as the last one without a position; only the city union's administrator may."""
    check_city(work.caller)
    session = work.session
    last = session.scalar(select(func.coalesce(func.max(Guide.position), -1))) or 0
    guide = Guide(
        guide_id=uuid7(),
        position=last + 1 if request.position is UNSET else request.position,
        title=request.title,
        body=request.body,
        video_url=request.video_url,
    )
    session.add(guide)
    session.flush()
    file_attachments.change_attachments(session, _OWNER, guide.guide_id, request.attachments)
    answer = _answer_of(session, guide)
    audit.record(session, ("guide", guide.guide_id), new=_noted(answer))
    return answer


def update_guide(work: Work, request: UpdateGuideRequest) -> GuideAnswer:
    """Changes the present fields of a guide. Raises NotFound."""
    check_city(work.caller)
    session = work.session
    audit.record(session, ("guide", request.guide_id))
    guide = _in_force(session, request.guide_id)
    old = _answer_of(session, guide)
    change_fields(guide, request, ("position", "title", "body", "video_url"))
    file_attachments.change_attachments(
        session, _OWNER, guide.guide_id, request.attachments, request.removed_attachment_ids
    )
    answer = _answer_of(session, guide)
    audit.record(session, old=_noted(old), new=_noted(answer))
    return answer


def withdraw_guide(work: Work, request: GuideRequest) -> None:
    """Withdraws a guide: it is no longer shown. Raises NotFound."""
    audit.record(work.session, ("guide", request.guide_id))
    check_city(work.caller)
    _in_force(work.session, request.guide_id).withdrawn_at = datetime.now(UTC)


def _in_force(session: Session, guide_id: UUID) -> Guide:
    guide = session.get(Guide, guide_id, with_for_update=True)
    if guide is None or guide.withdrawn_at is not None:
        raise NotFound(title="未找到该新手指引")
    return guide


def _answer_of(session: Session, guide: Guide) -> GuideAnswer:
    return _answer(guide, file_attachments.attachments_of(session, _OWNER, [guide.guide_id]))


def _answer(guide: Guide, files: file_attachments.Files) -> GuideAnswer:
    return GuideAnswer(
        guide_id=guide.guide_id,
        position=guide.position,
        title=guide.title,
        body=guide.body,
        video_url=guide.video_url,
        attachments=files[guide.guide_id],
    )


def _noted(answer: GuideAnswer) -> dict[str, Any]:
    """The values of a guide for its audit event."""
    return {
        "position": answer.position,
        "title": answer.title,
        "body": answer.body,
        "video_url": answer.video_url,
        "attachments": [file.file_name for file in answer.attachments],
    }
