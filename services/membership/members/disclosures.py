"""Disclosure of whole numbers (显示, export): recorded with a reason and limited. Lists and details are masked."""

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from services.contracts.operations.membership.members import RevealedNumbers, RevealMemberRequest
from services.kit.operations import audit
from services.kit.problems import NotFound, Problem
from services.kit.rpc.methods import Caller
from services.kit.rpc.work import Work
from services.kit.schemas import values_of
from services.kit.settings import read_settings, settings_class
from services.membership.models import Disclosure, Member
from services.membership.unions import union_in_scope

_HOUR = timedelta(hours=1)


@settings_class
class DisclosureSettings:
    """How many members' numbers may be shown to one account in an hour."""

    reveals_an_hour: int = 60


@dataclass(frozen=True, kw_only=True)
class Disclosed:
    """A disclosure of, or search by, numbers of a union's members: how many, and the reason."""

    union_id: UUID
    members: int
    reason: str
    member_id: UUID | None = None
    at: datetime = field(default_factory=lambda: datetime.now(UTC))


def reveal_member(work: Work, request: RevealMemberRequest) -> RevealedNumbers:
    """The whole numbers of one member; the caller and the reason are recorded.

    A clerk sees those of the own union, an administrator also those of subordinates. Raises NotFound, and Problem
    `too_many_reveals`.
    """
    session, caller, member_id = work.session, work.caller, request.member_id
    member = session.get(Member, member_id)
    if member is None or member.erased_at:
        raise NotFound(title="未找到该会员")
    union = union_in_scope(session, caller, member.union_id)
    _refuse_too_many(session, caller)
    audit.record(session, ("member", member_id), new={"reason": request.reason}, union_id=union.union_id)
    disclosed = Disclosed(union_id=union.union_id, members=1, reason=request.reason, member_id=member_id)
    record(session, caller, "reveal", disclosed)
    return RevealedNumbers(
        document_number=member.document_number,
        birth_date=member.birth_date,
        sex=member.sex,
        phone=member.phone,
        card_no=member.card_no,
    )


def record(session: Session, caller: Caller, kind: str, disclosed: Disclosed) -> None:
    """Records that whole numbers were disclosed to the caller, or that the caller searched by one."""
    account_id = UUID(caller.account_id)
    session.add(Disclosure(disclosure_id=uuid7(), account_id=account_id, kind=kind, **values_of(disclosed)))


def _refuse_too_many(session: Session, caller: Caller) -> None:
    """Raises Problem `too_many_reveals`; a lock on the account serializes concurrent requests."""
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
