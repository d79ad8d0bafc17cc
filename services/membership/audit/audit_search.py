"""Searches in the audit log for administrators and operators: by person, record and time."""

import json
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from operator import attrgetter
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, select, union_all
from sqlalchemy.orm import Session

from services.contracts.events.audit import RECORD_KINDS
from services.contracts.operations.audit import (
    INTERVENTIONS,
    SEARCH_ACTS,
    ActAnswer,
    ActDetailAnswer,
    ActFilter,
    ActionName,
    ActNamesAnswer,
    ActRecordAnswer,
    ActsAnswer,
    GetActRequest,
    InterventionsAnswer,
    ListActNamesRequest,
    ListInterventionsRequest,
    RecordKindName,
    SearchActsRequest,
)
from services.contracts.operations.membership.identity import SIGN_IN
from services.contracts.operations.titles import ACTIONS
from services.contracts.values import start_of
from services.kit.data.bulk import is_any_of
from services.kit.operations import audit
from services.kit.operations.audit import record_reference, referred_record
from services.kit.problems import Forbidden, NotFound
from services.kit.rpc.methods import Caller
from services.kit.rpc.work import Work
from services.kit.schemas import UNSET, Unset, values_of
from services.membership.identity.sign_in import unknown_name
from services.membership.members import number_searches
from services.membership.members.member_documents import possible_digests
from services.membership.models import Account, Application, AuditEntry, AuditScope, Member, Union


def search(work: Work, request: SearchActsRequest) -> ActsAnswer:
    """The matching audit events in the caller's scope, newest first; the answer's `before` requests the next page.

    A search by document number is counted, and raises what `check_number_search` does.
    """
    check_number_search(work, request, SEARCH_ACTS.name)
    rows = newest(work, request, request.size + 1, before=request.before)
    page = rows[: request.size]
    return ActsAnswer(
        items=answers(work, page),
        before=page[-1].act_id if len(rows) > len(page) else None,
    )


def newest(work: Work, request: ActFilter, limit: int, before: UUID | Unset = UNSET) -> list[AuditEntry]:
    """The newest matching audit events in the caller's scope, at most so many, older than `before`."""
    session, matching = work.session, _in_scope(work.caller).where(*_conditions(work.session, request))
    if before is not UNSET:
        matching = matching.where(AuditScope.act_id < before)
    in_order = matching.order_by(AuditScope.act_id.desc()).limit(limit)
    if request.account_name is UNSET:
        return list(session.scalars(in_order))
    # Each by its own index: one condition for both would read the whole log.
    found = [
        entry for one in _by_name(session, request.account_name) for entry in session.scalars(in_order.where(*one))
    ]
    return sorted(found, key=attrgetter("act_id"), reverse=True)[:limit]


def check_number_search(work: Work, request: ActFilter, place: str) -> None:
    """Counts a search by document number.

    Raises Forbidden for an operator, who must not learn whose it is, and Problem `too_many_number_searches`.
    """
    if request.document_number is UNSET:
        return
    if "administrator" not in work.caller.roles:
        raise Forbidden("number_search", "没有权限按证件号码查询", "请按操作人、时间或对象编号查询。")
    number_searches.count(work.database, work.caller, {"document_number": request.document_number}, place)


def interventions(work: Work, request: ListInterventionsRequest) -> InterventionsAnswer:
    """The newest acts in the caller's scope by which operators intervened."""
    own = AuditScope.union_id == UUID(work.caller.union_id)
    newest_ids = [
        select(AuditScope.act_id)
        .where(own, AuditScope.action == action)
        .order_by(AuditScope.act_id.desc())
        .limit(request.size)
        .subquery()
        .select()
        for action in INTERVENTIONS
    ]
    newest = union_all(*newest_ids).subquery()
    ids = work.session.scalars(select(newest.c.act_id).order_by(newest.c.act_id.desc()).limit(request.size)).all()
    matching = select(AuditEntry).where(is_any_of(AuditEntry.act_id, ids)).order_by(AuditEntry.act_id.desc())
    return InterventionsAnswer(items=answers(work, work.session.scalars(matching).all()))


def get_act(work: Work, request: GetActRequest) -> ActDetailAnswer:
    """One audit event in the caller's scope, with its place in the chain; raises NotFound."""
    entry = work.session.scalar(_in_scope(work.caller).where(AuditScope.act_id == request.act_id))
    if entry is None:
        raise NotFound(title="未找到该操作记录")
    (answer,) = answers(work, [entry])
    return ActDetailAnswer(
        **values_of(answer),
        position=entry.position,
        hash=entry.hash.hex(),
        previous_hash=entry.previous_hash.hex(),
    )


def names(_work: Work, _request: ListActNamesRequest) -> ActNamesAnswer:
    """The Chinese names of actions and kinds of records, for the search form."""
    return ActNamesAnswer(
        actions=[ActionName(action=action, label=label) for action, label in ACTIONS.items()],
        record_kinds=[RecordKindName(kind=kind, label=label) for kind, label in RECORD_KINDS.items()],
    )


def _in_scope(caller: Caller) -> Select[AuditEntry]:
    return (
        select(AuditEntry)
        .join(AuditScope, AuditScope.act_id == AuditEntry.act_id)
        .where(AuditScope.union_id == UUID(caller.union_id))
    )


def _conditions(session: Session, request: ActFilter) -> list[ColumnElement[bool]]:
    return [
        *_times(request),
        *_kinds(request),
        *([] if request.account_id is UNSET else [AuditScope.account_id == request.account_id]),
        *(_is_on(session, one) for one in _records_of(session, request)),
    ]


def _times(request: ActFilter) -> Iterator[ColumnElement[bool]]:
    """The conditions on time, by ids, which begin with the time."""
    if request.acted_from is not UNSET:
        yield AuditScope.act_id >= _first_id_of(request.acted_from)
    if request.acted_to is not UNSET:
        yield AuditScope.act_id < _first_id_of(request.acted_to, days_later=1)


def _kinds(request: ActFilter) -> Iterator[ColumnElement[bool]]:
    if request.action is not UNSET:
        yield AuditScope.action == request.action
    if request.outcome is not UNSET:
        yield AuditScope.outcome == request.outcome


def _by_name(session: Session, name: str) -> Iterator[list[ColumnElement[bool]]]:
    """What the account of this name did, and in vain tries to sign in by the name, whether it has an account or not."""
    account_name = name.strip().lower()
    account_id = session.scalar(select(Account.account_id).where(Account.account_name == account_name))
    tried = [record_reference(*unknown_name(account_name))]
    if account_id is not None:
        yield [AuditScope.account_id == account_id]
        tried.append(record_reference("account", account_id))
    yield [AuditScope.action == SIGN_IN.name, AuditScope.account_id.is_(None), _is_on(session, tried)]


def _is_on(session: Session, records: Sequence[str]) -> ColumnElement[bool]:
    """Whether an audit event is on one of these records, of which each has a few thousand at most.

    They are looked up here: in one statement with the order, PostgreSQL would read the log until it has a page.
    """
    ids = session.scalars(select(AuditEntry.act_id).where(AuditEntry.records.overlap(records))).all()
    return is_any_of(AuditScope.act_id, ids)


def _records_of(session: Session, request: ActFilter) -> Iterator[list[str]]:
    """The records of the request, each with all records that count as the same."""
    if request.record_kind is not UNSET and request.record_id is not UNSET:
        yield _with_applications(session, request.record_kind, request.record_id)
    if request.document_number is not UNSET:
        digests = possible_digests(request.document_number)
        members = session.scalars(select(Member.member_id).where(is_any_of(Member.document_digest, digests))).all()
        yield [record for member in members for record in _with_applications(session, "member", member)]


def _with_applications(session: Session, kind: str, record_id: UUID | str) -> list[str]:
    """The record; for a member also all applications, for the events of batching name these."""
    records = [record_reference(kind, record_id)]
    if kind == "member" and (member_id := _as_uuid(record_id)):
        applications = session.scalars(select(Application.application_id).where(Application.member_id == member_id))
        records += [record_reference("application", one) for one in applications]
    return records


def _as_uuid(value: UUID | str) -> UUID | None:
    try:
        return UUID(str(value))
    except ValueError:
        return None


def _first_id_of(day: date, days_later: int = 0) -> UUID:
    """The smallest id of an audit event on a day in Shanghai, or so many days later; times count from 1970."""
    midnight = start_of(day).timestamp() + timedelta(days_later).total_seconds()
    return UUID(int=max(0, int(midnight * 1000)) << 80)


def answers(work: Work, entries: Sequence[AuditEntry]) -> list[ActAnswer]:
    """Audit events as answers, with the names of their callers' unions."""
    union_ids = {entry.union_id for entry in entries if entry.union_id}
    named = work.session.execute(select(Union.union_id, Union.name).where(is_any_of(Union.union_id, union_ids)))
    union_names = {row.union_id: row.name for row in named}
    return [_answer(work.caller, entry, union_names.get(entry.union_id)) for entry in entries]


def _answer(caller: Caller, entry: AuditEntry, union_name: str | None) -> ActAnswer:
    """An audit event as an answer; its personal data is for administrators, for operators what has none."""
    is_for_all = "administrator" in caller.roles
    personal = json.loads(entry.personal) if is_for_all or entry.action in INTERVENTIONS else {}
    return ActAnswer(
        act_id=entry.act_id,
        at=entry.at,
        recorded_at=entry.recorded_at,
        action=entry.action,
        label=ACTIONS.get(entry.action, entry.action),
        outcome=entry.outcome,
        problem_code=entry.problem_code,
        account_id=entry.account_id,
        account_name=entry.account_name,
        display_name=personal.get("display_name") if is_for_all else None,
        member_id=entry.member_id,
        union_id=entry.union_id,
        union_name=union_name,
        roles=entry.roles,
        origin=entry.origin,
        records=[_record(one) for one in entry.records],
        old=_shown(personal.get("old")),
        new=_shown(personal.get("new")),
    )


def _shown(values: dict[str, Any] | None) -> dict[str, Any] | None:
    """Changed values with today's masks, for earlier releases stored more of a number, and birth dates."""
    return None if values is None else audit.masked(values)


def _record(reference: str) -> ActRecordAnswer:
    kind, record_id = referred_record(reference)
    return ActRecordAnswer(kind=kind, label=RECORD_KINDS.get(kind, kind), id=record_id)
