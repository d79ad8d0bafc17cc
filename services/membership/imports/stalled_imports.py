"""Handles stalled imports: previews that nobody confirms, and imports whose event was dead-lettered."""

from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from services.contracts.events.membership import (
    IMPORT_CONTINUED,
    IMPORT_REQUESTED,
    MEMBER_REGISTERED,
    ImportRequestedData,
    MemberRegisteredData,
    RegisteredMember,
)
from services.kit.data.database import outbox
from services.kit.events.contract import in_chunks
from services.kit.events.outbox import publish
from services.membership.imports.import_parts import end_import, finish_numbered, publish_continued
from services.membership.imports.imports import PREVIEW_LIFE
from services.membership.models import ImportJob, Member

log = structlog.get_logger()

STALLED_AFTER = timedelta(minutes=5)
"""Choice: how long without progress an import counts as stalled; a part takes seconds, its retries a minute or two."""
MOST_RESUMPTIONS = 2
_MOST_AT_ONCE = 100
_UNCONFIRMED = "读取后超过 24 小时未确认，请重新上传。"
STOPPED = (
    "导入中断，部分行没有登记或没有会员编号。请重新上传同一文件，已登记的不会重复登记；如仍有问题，请联系技术支持。"
)


def end_stalled(session: Session, now: datetime | None = None) -> None:
    """Resumes stalled imports; ends those that stall repeatedly, or that nobody confirmed in time."""
    now = now or datetime.now(UTC)
    still = select(ImportJob).order_by(ImportJob.progressed_at).limit(_MOST_AT_ONCE).with_for_update(skip_locked=True)
    unconfirmed = still.where(ImportJob.state == "previewed", ImportJob.progressed_at < now - PREVIEW_LIFE)
    for job in session.scalars(unconfirmed).all():
        end_import(session, job, "failed", _UNCONFIRMED)
    if are_unpublished(session):
        return  # the broker is away or slow: the imports will continue
    stalled = still.where(ImportJob.state.in_(("reading", "running")), ImportJob.progressed_at < now - STALLED_AFTER)
    for job in session.scalars(stalled).all():
        _resume_or_end(session, job, now)


def are_unpublished(session: Session) -> bool:
    """Whether events that continue imports wait in the outbox."""
    keys = [one.routing_key for one in (IMPORT_REQUESTED, IMPORT_CONTINUED, MEMBER_REGISTERED)]
    return bool(session.scalar(select(exists().where(outbox.c.routing_key.in_(keys)))))


def _resume_or_end(session: Session, job: ImportJob, now: datetime) -> None:
    log.warning("import_stalled", import_id=str(job.import_id), state=job.state, resumptions=job.resumptions)
    finish_numbered(session, [job.import_id])
    if job.state == "finished":
        return
    if job.resumptions >= MOST_RESUMPTIONS:
        end_import(session, job, "failed", STOPPED)
        return
    job.resumptions, job.progressed_at = job.resumptions + 1, now
    if job.content is not None:
        publish(session, IMPORT_REQUESTED, ImportRequestedData(union_id=job.union_id, import_id=job.import_id))
    else:
        publish_continued(session, job)
    _number_again(session, job)


def _number_again(session: Session, job: ImportJob) -> None:
    unnumbered = select(Member.member_id).where(Member.import_id == job.import_id, Member.member_no.is_(None))
    members = [RegisteredMember(member_id=member_id) for member_id in session.scalars(unnumbered)]
    for chunk in in_chunks(members):
        publish(session, MEMBER_REGISTERED, MemberRegisteredData(union_id=job.union_id, members=list(chunk)))
