"""The monthly report in the inbox: on a day of the month each union gets a message about the month before."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.contracts.values import SHANGHAI
from services.kit.settings import settings_class
from services.notification.message_inbox import Audience, post
from services.notification.models import MonthlyReport, ReportCount, ReportUnion
from services.notification.reports.answers import is_rebuilding
from services.notification.reports.facts import month_of, plus_months
from services.notification.reports.tallies import Choice, Compared, Period, compared
from services.notification.templates import texts

CHUNK = 500
"""How many unions get their message in one transaction."""


@settings_class
class MonthlyReportSettings:
    """When the report of the month before is put into the inbox."""

    monthly_report_day: int = 1
    """The day of the month in Shanghai; later days of that month catch up."""
    monthly_report_hour: int = 8
    """The hour of that day in Shanghai."""


def send_due(
    begin: Callable[[], AbstractContextManager[Session]], settings: MonthlyReportSettings, now: datetime
) -> int:
    """Sends the due report to the next CHUNK unions; returns how many were looked at.

    Several processes may do so at once: one of them works, and what it has sent is committed with how far it came.
    Nothing is sent while the counts are being rebuilt.
    """
    here = now.astimezone(SHANGHAI)
    if (here.day, here.hour) < (settings.monthly_report_day, settings.monthly_report_hour):
        return 0
    month = plus_months(month_of(now), -1)
    with begin() as session:
        session.execute(insert(MonthlyReport).values(month=month).on_conflict_do_nothing())
    with begin() as session:
        report = _claim(session, month)
        if report is None or is_rebuilding(session):
            return 0
        unions = _next_unions(session, report)
        report.sent += post_all(session, unions, month)
        if unions:
            report.last_union_id = unions[-1].union_id
        if len(unions) < CHUNK:
            report.finished_at = datetime.now(UTC)
    return len(unions)


def post_all(session: Session, unions: Sequence[ReportUnion], month: int) -> int:
    """Posts to the unions in which something happened in the month; returns to how many."""
    if not unions:
        return 0
    ids = [union.union_id for union in unions]
    tallies = compared(session, ids, Period(month, month), Choice(), ReportCount.union_id)
    posted = 0
    for union in unions:
        tally = tallies.get((union.union_id,))
        if tally is not None and any(tally.current.counts.values()):
            _post(session, union, month, tally)
            posted += 1
    return posted


def _claim(session: Session, month: int) -> MonthlyReport | None:
    """The month's report if it is unfinished and no other process sends it."""
    unfinished = select(MonthlyReport).where(MonthlyReport.month == month, MonthlyReport.finished_at.is_(None))
    return session.scalar(unfinished.with_for_update(skip_locked=True))


def _next_unions(session: Session, report: MonthlyReport) -> Sequence[ReportUnion]:
    unions = select(ReportUnion).where(ReportUnion.known_at.is_not(None)).order_by(ReportUnion.union_id).limit(CHUNK)
    if report.last_union_id is not None:
        unions = unions.where(ReportUnion.union_id > report.last_union_id)
    return session.scalars(unions).all()


def _post(session: Session, union: ReportUnion, month: int, tally: Compared) -> None:
    named = f"{month // 100}-{month % 100:02d}"
    message = texts.monthly_report(named, tally.current.figures(), tally.previous.figures())
    role = "clerk" if union.kind == "grassroots" else "administrator"
    post(session, Audience(union.union_id, role), f"monthly_report:{named}", message)
