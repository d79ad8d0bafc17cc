"""Limits searches by document number for each account by hour and day, hits and misses alike, and records each.

Every answer that reveals whether a member has a number counts as a search: a list, a registration, a changed number.
Without a limit the digits that a mask hides could be found by trying.
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import case, func, select, text
from sqlalchemy.orm import Session

from services.contracts.operations.membership.members import MemberFacts, MemberFilter, NumberSearchRequest
from services.contracts.values import SHANGHAI
from services.kit.data.bulk import is_any_of
from services.kit.data.database import Database
from services.kit.events.envelope import correlation
from services.kit.operations import audit
from services.kit.operations.audit import AuditEvent
from services.kit.problems import Problem
from services.kit.rpc.methods import Caller
from services.kit.rpc.operation import Scope
from services.kit.rpc.work import Work
from services.kit.schemas import UNSET
from services.kit.settings import read_settings, settings_class
from services.membership.members.disclosures import Disclosed, record
from services.membership.members.member_documents import possible_digests
from services.membership.models import Disclosure, Member, Union

ACTION = "membership.count_number_search"

Numbers = Mapping[str, str]
"""The numbers of a search, by field: `document_number`, `document_end`, `phone`."""

_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_SEARCH, _HELD, _RELEASED = "search", "held", "released"
PLACES = {
    "membership.list_members": "卡片信息管理",
    "membership.find_person": "会员核查",
    "membership.export_members": "导出会员名单",
    "membership.queue_members": "添加会员至待办",
    "membership.register_member": "登记会员",
    "membership.request_transfer": "申请转会",
    "membership.update_member": "修改会员信息",
    "membership.list_enrolments": "参保信息查询",
    "membership.export_enrolments": "导出参保信息",
    "membership.search_acts": "操作日志",
    "membership.export_acts": "导出操作日志",
    "batching.list_pending": "待办会员列表",
    "batching.update_pending": "完善信息",
}
"""The names of the places of searches in the audit log."""


@settings_class
class NumberSearchSettings:
    """How many searches by document number one account may make."""

    number_searches_an_hour: int = 60
    number_searches_a_day: int = 150


def count_number_search(work: Work, request: NumberSearchRequest) -> None:
    """Counts a search by document number that another service answers."""
    count_search(work.session, work.caller, {"document_number": request.document_number}, request.place)


def numbers_in(request: MemberFilter | MemberFacts) -> Numbers:
    """The numbers in a request that searches for members by a number, or that changes the document's."""
    names = ("document_number", "document_end", "phone") if isinstance(request, MemberFilter) else ("document_number",)
    present = ((name, getattr(request, name)) for name in names)
    return {name: number for name, number in present if number is not UNSET}


def count(database: Database, caller: Caller, sought: Numbers, place: str) -> None:
    """Counts and records a search by the numbers in `sought`, if there are any.

    It uses a transaction of its own, so that the search stays recorded whatever the request's outcome. `place` names
    the called operation. Raises Problem `too_many_number_searches`.
    """
    if not sought:
        return
    audit_event = AuditEvent(ACTION, caller, correlation_id=correlation.get())
    try:
        with database.begin() as session, audit.recording(session, "membership", audit_event):
            count_search(session, caller, sought, place)
    except Problem as refusal:
        audit.publish_refusal(database, "membership", audit_event, refusal)
        raise


def count_search(session: Session, caller: Caller, sought: Numbers, place: str) -> None:
    """As `count`, within the transaction of a command."""
    refuse_beyond_limit(session, caller.account_id)
    _record(session, caller, sought, place)


@contextmanager
def count_if_member_exists(database: Database, caller: Caller, number: str, place: str) -> Iterator[None]:
    """Counts a registration that reveals a member as a search; without searches left it is refused.

    A search is reserved before the number is looked up, so that concurrent requests cannot exceed the limit, and
    released if nothing was revealed. If the process is killed in between, the reservation counts for an hour.
    """
    held = Disclosed(union_id=UUID(caller.union_id), members=0, reason=place)
    with database.begin() as session:
        refuse_beyond_limit(session, caller.account_id)
        record(session, caller, _HELD, held)
    try:
        yield
    except Problem as problem:
        if problem.code not in ("member_exists", "member_elsewhere"):
            _release(database, caller, held)
            raise
        audit_event = AuditEvent(ACTION, caller, correlation_id=correlation.get())
        with database.begin() as session, audit.recording(session, "membership", audit_event):
            _serialize(session, caller.account_id)
            record(session, caller, _RELEASED, held)
            _record(session, caller, {"document_number": number}, place)
        raise
    _release(database, caller, held)


def refuse_beyond_limit(session: Session, account_id: str | None) -> None:
    """Raises Problem `too_many_number_searches` with the time of the next search; concurrent calls are serialized."""
    _serialize(session, account_id)
    seconds = _seconds_to_wait(session, account_id)
    if seconds is None:
        return
    settings, now = read_settings(NumberSearchSettings), datetime.now(SHANGHAI)
    free_at = now + timedelta(seconds=seconds + 59)
    day = "" if free_at.date() == now.date() else f"{free_at.month}月{free_at.day}日 "
    detail = (
        f"每小时最多按证件号码查询 {settings.number_searches_an_hour} 次、每天最多 {settings.number_searches_a_day} 次"
        f"（包括没有查到的，以及登记时提示已是会员的），请在 {day}{free_at:%H:%M} 后再试。查询均已记录。"
    )
    problem = Problem("too_many_number_searches", 429, "按证件号码查询过于频繁", detail)
    problem.retry_after = seconds
    raise problem


def _serialize(session: Session, account_id: str | None) -> None:
    lock = text("select pg_advisory_xact_lock(hashtextextended(:who, 0))")
    session.execute(lock, {"who": f"number searches {account_id}"})


def _record(session: Session, caller: Caller, sought: Numbers, place: str) -> None:
    member = _member_with(session, sought.get("document_number"))
    if member is not None and _is_in_scope(session, caller, member):
        audit.record(session, ("member", member.member_id))
    audit.record(session, new={**sought, "place": PLACES.get(place, place)})
    member_id, members = (member.member_id, 1) if member else (None, 0)
    found = Disclosed(union_id=UUID(caller.union_id), members=members, reason=place, member_id=member_id)
    record(session, caller, _SEARCH, found)


def _release(database: Database, caller: Caller, held: Disclosed) -> None:
    with database.begin() as session:
        record(session, caller, _RELEASED, held)


def _seconds_to_wait(session: Session, account_id: str | None) -> int | None:
    """Seconds until the limits allow one more search; None if they do now."""
    settings, now = read_settings(NumberSearchSettings), datetime.now(UTC)
    cost = func.sum(case((Disclosure.kind == _RELEASED, -1), else_=1))
    spent = session.execute(
        select(Disclosure.at, cost)
        .where(
            Disclosure.account_id == UUID(account_id),
            Disclosure.kind.in_((_SEARCH, _HELD, _RELEASED)),
            Disclosure.at > now - _DAY,
        )
        .group_by(Disclosure.at)
        .having(cost > 0)
        .order_by(Disclosure.at.desc())
    )
    times = [at for at, cost in spent for _ in range(cost)]
    limits = ((settings.number_searches_an_hour, _HOUR), (settings.number_searches_a_day, _DAY))
    # The search that is as many back as the limit must be older than the limit's period.
    frees = [times[most - 1] + span if len(times) >= most > 0 else now for most, span in limits]
    wait = (max(frees) - now).total_seconds()
    return max(1, math.ceil(wait)) if wait > 0 else None


def _member_with(session: Session, number: str | None) -> Member | None:
    if number is None:
        return None
    found = session.scalars(select(Member).where(is_any_of(Member.document_digest, possible_digests(number))).limit(1))
    return found.first()


def _is_in_scope(session: Session, caller: Caller, member: Member) -> bool:
    """Whether the member is in the caller's scope; readers of the audit log must not learn of others."""
    if str(member.union_id) == caller.union_id:
        return True
    union = session.get_one(Union, member.union_id)
    return caller.scope >= Scope.SUBORDINATES and UUID(caller.union_id) in union.superior_ids
