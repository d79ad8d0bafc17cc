"""What an enrolment is today, as clerks and members see it."""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, case, literal, select
from sqlalchemy.orm import Session

from services.contracts.operations.membership.covers import Cover
from services.contracts.values import today
from services.membership.models import Enrolment

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


def status_today() -> ColumnElement[str]:
    """One of ENROLMENT_STATUSES; the day is Shanghai's."""
    day = literal(today())
    return case(
        ((Enrolment.state == "ended") | Enrolment.superseded, "ended"),
        (Enrolment.covers_from > day, "upcoming"),
        (Enrolment.covers_to < day, "expired"),
        else_="covered",
    )
