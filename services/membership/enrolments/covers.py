"""What an enrolment is today, as clerks and members see it."""

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, func, or_, select
from sqlalchemy.orm import Session

from services.contracts.operations.membership.covers import Cover
from services.contracts.values import today
from services.membership.models import ENDS_EARLY, Enrolment

WAY_WORDS = {"collective": "集中参保", "immediate": "即时参保"}
KIND_WORDS = {"hospital": "住院保障", "illness": "重大疾病保障", "accident": "意外伤害保障", "death": "身故保障"}
STATUS_WORDS = {"upcoming": "未生效", "covered": "保障中", "expired": "已到期", "ended": "已终止"}
SUPERSEDED = "已由该年度更新的参保替代"


def covers_of(session: Session, member_id: UUID) -> list[Cover]:
    """A member's enrolments, newest first."""
    own = select(Enrolment, status_today()).where(Enrolment.member_id == member_id)
    newest = own.order_by(Enrolment.year.desc(), Enrolment.covers_from.desc(), Enrolment.enrolment_no.desc())
    return [Cover(**values_of_cover(enrolment, status)) for enrolment, status in session.execute(newest)]


def values_of_cover(enrolment: Enrolment, status: str) -> dict[str, Any]:
    """The fields of a Cover."""
    return {
        "enrolment_no": enrolment.enrolment_no,
        "year": enrolment.year,
        "way": enrolment.way,
        "kinds": enrolment.kinds.split(" "),
        "covers_from": enrolment.covers_from,
        "covers_to": enrolment.ended_on or enrolment.covers_to,
        "status": status,
        "reason": SUPERSEDED if enrolment.superseded else enrolment.reason,
        "changed_at": enrolment.changed_at,
    }


def period_of(cover: Cover) -> tuple[str, str]:
    """The first and the last day; both empty of an enrolment that ended before it began."""
    if cover.covers_to < cover.covers_from:
        return "", ""
    return cover.covers_from.isoformat(), cover.covers_to.isoformat()


def status_today() -> ColumnElement[str]:
    """One of ENROLMENT_STATUSES; the day is Shanghai's."""
    day = today()
    return case(
        (_has_ended(day), "ended"),
        (Enrolment.covers_from > day, "upcoming"),
        (Enrolment.covers_to < day, "expired"),
        else_="covered",
    )


def has_status(status: str) -> ColumnElement[bool]:
    """The condition that finds enrolments which have this status today; each has an index for it but `covered`."""
    day = today()
    if status == "ended":
        return and_(ENDS_EARLY, _has_ended(day))
    periods = {
        "upcoming": Enrolment.covers_from > day,
        "covered": and_(Enrolment.year == day.year, Enrolment.covers_from <= day),
        "expired": Enrolment.year < day.year,
    }
    return and_(periods[status], ~_has_ended(day))


def _has_ended(day: date) -> ColumnElement[bool]:
    """Whether it counts no more on this day, or never began."""
    last = func.coalesce(Enrolment.ended_on, Enrolment.covers_to)
    is_over = and_(Enrolment.state == "ended", or_(last < day, last < Enrolment.covers_from))
    return or_(Enrolment.superseded, is_over)
