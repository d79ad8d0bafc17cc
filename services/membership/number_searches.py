"""Searches by document number: so many an hour for each account, hits and misses alike, each one kept.

Whoever is told whether somebody with a number is a member has searched for it: by a list, by registering, by changing a
number, by an import's preview. Without a bound the digits that a mask hides could be found by trying.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from services.common.contracts.policy import Reach
from services.common.messaging import audit
from services.common.messaging.audit import Act
from services.common.messaging.envelope import correlation
from services.common.messaging.rpc import Caller
from services.common.persistence import Database
from services.common.problems import Problem
from services.common.rowsets import is_among
from services.common.settings import read_settings, settings_class
from services.membership.disclosures import record
from services.membership.documents import possible_digests
from services.membership.member_search import SHANGHAI
from services.membership.models import Disclosure, ImportJob, Member, Union

ACTION = "membership.count_number_search"
SHOWN_OF_IMPORT = 20
"""As many members who are known already a preview names; each of them counts as a search."""

_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_SEARCH, _IMPORT = "search", "import"
_PLACES = {
    "membership.list_members": "卡片信息管理",
    "membership.export_members": "导出会员名单",
    "membership.queue_members": "添加会员至待办",
    "membership.register_member": "登记会员",
    "membership.update_member": "修改会员信息",
    "membership.search_acts": "操作日志",
    "batching.list_pending": "待办会员列表",
    "batching.update_pending": "完善信息",
}
"""What the log of acts calls where somebody asked."""


@settings_class
class NumberSearchSettings:
    """How often one account is told whether somebody with a document number is a member."""

    number_searches_an_hour: int = 60
    import_rows_compared_a_day: int = 20_000
    """Rows of imports of which a preview says who is a member already; of further ones the import itself does."""


def count(database: Database, caller: Caller, sought: dict[str, Any], place: str) -> None:
    """Counts and keeps a search by what of it is in `sought` (`document_number` or `document_end`), if there is any.

    In a transaction of its own: what was sought stays on record, whatever becomes of the request. `place` names the
    method that was asked. Raises Problem `too_many_number_searches`.
    """
    if not sought.keys() & {"document_number", "document_end"}:
        return
    act = Act(ACTION, caller, correlation_id=correlation.get())
    try:
        with database.begin() as session:
            audit.begin(session, act)
            spend(session, caller, sought, place)
            audit.tell_act(session, "membership", act)
    except Problem as refusal:
        audit.tell_refusal(database, "membership", act, refusal)
        raise


def spend(session: Session, caller: Caller, sought: dict[str, Any], place: str) -> None:
    """As `count`, within the transaction of a command."""
    refuse_if_spent(session, caller.account_id)
    member = _member_with(session, sought.get("document_number"))
    if member is not None and _is_in_reach(session, caller, member):
        audit.note(session, ("member", member.member_id))
    audit.note(session, new={**sought, "place": _PLACES.get(place, place)})
    found = {"member_id": member and member.member_id, "members": int(member is not None)}
    record(session, caller, _SEARCH, union_id=UUID(caller.union_id), reason=place, **found)


@contextmanager
def counting_members_who_exist(database: Database, caller: Caller, number: str, place: str) -> Iterator[None]:
    """A registration that is answered `member_exists` counts as a search; with none left, nobody is registered."""
    with database.read() as session:
        refuse_if_spent(session, caller.account_id)
    try:
        yield
    except Problem as problem:
        if problem.code == "member_exists":
            count(database, caller, {"document_number": number}, place)
        raise


def may_name_known(session: Session, job: ImportJob) -> bool:
    """Whether the preview of an import may say who is a member already; if so, those whom it names are counted."""
    settings = read_settings(NumberSearchSettings)
    _let_one_count(session, job.started_by)
    rows = select(func.coalesce(func.sum(ImportJob.rows_total), 0)).where(
        ImportJob.started_by == job.started_by, ImportJob.started_at > datetime.now(UTC) - _DAY
    )
    named = min(job.rows_known, SHOWN_OF_IMPORT)
    session.flush()
    if (session.scalar(rows) or 0) > settings.import_rows_compared_a_day:
        return False
    if named and _seconds_to_wait(session, job.started_by, named) is not None:
        return False
    if named:
        caller = Caller(account_id=str(job.started_by))
        record(session, caller, _IMPORT, union_id=job.union_id, members=named, reason=str(job.import_id))
    return True


def refuse_if_spent(session: Session, account_id: Any) -> None:
    """Raises Problem `too_many_number_searches`, which says when to go on; of two at once only one is the last."""
    _let_one_count(session, account_id)
    seconds = _seconds_to_wait(session, account_id, 1)
    if seconds is None:
        return
    most = read_settings(NumberSearchSettings).number_searches_an_hour
    free_at = datetime.now(SHANGHAI) + timedelta(seconds=seconds + 59)
    detail = (
        f"每小时最多按证件号码查询 {most} 次（包括没有查到的，以及登记时提示已是会员的），"
        f"请在 {free_at:%H:%M} 后再试。查询均已记录。"
    )
    problem = Problem("too_many_number_searches", 429, "按证件号码查询过于频繁", detail)
    problem.retry_after = seconds
    raise problem


def _let_one_count(session: Session, account_id: Any) -> None:
    lock = text("select pg_advisory_xact_lock(hashtextextended(:who, 0))")
    session.execute(lock, {"who": f"number searches {account_id}"})


def _seconds_to_wait(session: Session, account_id: Any, wanted: int) -> int | None:
    """How long until so many more fit into the hour; None where they do now."""
    now = datetime.now(UTC)
    counted = session.execute(
        select(Disclosure.at, Disclosure.kind, Disclosure.members)
        .where(
            Disclosure.account_id == UUID(str(account_id)),
            Disclosure.kind.in_((_SEARCH, _IMPORT)),
            Disclosure.at > now - _HOUR,
        )
        .order_by(Disclosure.at)
    ).all()
    costs = [row.members if row.kind == _IMPORT else 1 for row in counted]
    excess = sum(costs) + wanted - read_settings(NumberSearchSettings).number_searches_an_hour
    if excess <= 0:
        return None
    for row, cost in zip(counted, costs, strict=True):
        excess -= cost
        if excess <= 0:
            return max(1, math.ceil((row.at + _HOUR - now).total_seconds()))
    return int(_HOUR.total_seconds())


def _member_with(session: Session, number: str | None) -> Member | None:
    if number is None:
        return None
    found = session.scalars(select(Member).where(is_among(Member.document_digest, possible_digests(number))).limit(1))
    return found.first()


def _is_in_reach(session: Session, caller: Caller, member: Member) -> bool:
    """Who reads the record must not learn of members whom the caller could not see."""
    if str(member.union_id) == caller.union_id:
        return True
    union = session.get_one(Union, member.union_id)
    return caller.reach >= Reach.SUBORDINATES and UUID(caller.union_id) in union.superior_ids
