"""The operators' overview: the last hour's samples and text messages, what changed within a day, and alerts."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.contracts.operations.overview import GetOverviewRequest, OverviewAnswer, SmsMinute
from services.kit.data.retention import first_id_of
from services.kit.rpc.work import Work
from services.notification.models import HAS_FAILED, TO_BE_SENT, Sms
from services.notification.operators.alerts import alerts_since, last_heard_at
from services.notification.operators.samples import changes_since, samples_since
from services.notification.sms import can_be_sent

_SERIES = timedelta(hours=1)
_CHANGES = timedelta(days=1)


def get_overview(work: Work, _request: GetOverviewRequest) -> OverviewAnswer:
    """What operators see of the whole system at a glance."""
    session, now = work.session, datetime.now(UTC)
    return OverviewAnswer(
        at=now,
        samples=samples_since(session, now - _SERIES),
        sms=_sms_since(session, now - _SERIES),
        sms_oldest_at=session.scalar(select(func.min(Sms.created_at)).where(can_be_sent(now))),
        sms_failed=_failed_since(session, now - _CHANGES),
        changes=changes_since(session, now - _CHANGES),
        alerts=alerts_since(session, now - _CHANGES),
        alerts_heard_at=last_heard_at(session),
    )


def _sms_since(session: Session, since: datetime) -> list[SmsMinute]:
    """The text messages that were made from a moment on, by the minute."""
    minute = func.date_trunc("minute", Sms.created_at).label("minute")
    counts = [
        func.count().filter(condition).label(name)
        for name, condition in (
            ("sent", Sms.state == "sent"),
            ("failed", Sms.state == "failed"),
            ("waiting", TO_BE_SENT),
        )
    ]
    rows = session.execute(
        select(minute, *counts).where(Sms.sms_id >= first_id_of(since)).group_by(minute).order_by(minute)
    )
    return [SmsMinute(**row._mapping) for row in rows]


def _failed_since(session: Session, since: datetime) -> int:
    failed = select(func.count()).select_from(Sms).where(HAS_FAILED, Sms.sms_id >= first_id_of(since))
    return session.scalar(failed) or 0
