"""Whole numbers shown (显示) and exported: to whom, why, and not too often. What lists and details say is masked."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from services.kit.operations import audit
from services.kit.problems import NotFound, Problem
from services.kit.rpc.methods import Caller
from services.kit.settings import read_settings, settings_class
from services.membership.models import Disclosure, Member
from services.membership.unions import reachable_union

_HOUR = timedelta(hours=1)
_REVEALED = ("document_number", "birth_date", "sex", "phone", "card_no")


@settings_class
class DisclosureSettings:
    """How many members' numbers one account may be shown in an hour."""

    reveals_an_hour: int = 60


def reveal_member(session: Session, caller: Caller, member_id: UUID, reason: str) -> dict[str, Any]:
    """The whole numbers of one member, and a record of who was shown them and why.

    A clerk is shown those of the own union, an administrator those of the unions below too. Raises NotFound, and
    Problem `too_many_reveals`.
    """
    member = session.get(Member, member_id)
    if member is None:
        raise NotFound(title="未找到该会员")
    union = reachable_union(session, caller, member.union_id)
    _refuse_too_many(session, caller)
    audit.note(session, ("member", member_id), new={"reason": reason}, union_id=union.union_id)
    record(session, caller, "reveal", union_id=union.union_id, member_id=member_id, members=1, reason=reason)
    return {name: getattr(member, name) for name in _REVEALED}


def record(session: Session, caller: Caller, kind: str, **what: Any) -> None:
    """Keeps that whole numbers were disclosed to the caller; `what` are the other columns of Disclosure."""
    account_id = UUID(caller.account_id)
    what = {"at": datetime.now(UTC), **what}
    session.add(Disclosure(disclosure_id=uuid7(), account_id=account_id, kind=kind, **what))


def _refuse_too_many(session: Session, caller: Caller) -> None:
    """Counts alone for this account: two requests at once are not both the last one."""
    lock = text("select pg_advisory_xact_lock(hashtextextended(:who, 0))")
    session.execute(lock, {"who": f"reveals {caller.account_id}"})
    now = datetime.now(UTC)
    shown = select(func.count(), func.min(Disclosure.at)).where(
        Disclosure.account_id == UUID(caller.account_id), Disclosure.kind == "reveal", Disclosure.at > now - _HOUR
    )
    count, first = session.execute(shown).one()
    most = read_settings(DisclosureSettings).reveals_an_hour
    if count >= most:
        problem = Problem(
            "too_many_reveals", 429, "查看完整号码过于频繁", f"每小时最多查看 {most} 位会员的完整号码，请稍后再试。"
        )
        problem.retry_after = math.ceil((first + _HOUR - now).total_seconds()) if first else None
        raise problem
