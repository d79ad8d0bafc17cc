"""The log of acts as administrators and operators search it: by person, record and time."""

import json
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, false, select
from sqlalchemy.orm import Session

from services.contracts.events.audit import RECORD_KINDS
from services.contracts.operations.titles import ACTIONS
from services.kit.data.bulk import is_among
from services.kit.operations import audit
from services.kit.operations.audit import record_reference, referred_record
from services.kit.problems import Forbidden, NotFound
from services.kit.rpc.methods import Caller
from services.membership.members.documents import possible_digests
from services.membership.members.member_search import SHANGHAI
from services.membership.models import Account, Application, AuditEntry, AuditReach, Member, Union


def search(session: Session, caller: Caller, asked: dict[str, Any]) -> dict[str, Any]:
    """The acts in the caller's reach that match, newest first; `before` of the answer asks for those behind them."""
    matching = _in_reach(caller).where(*_conditions(session, asked))
    rows = session.scalars(matching.order_by(AuditReach.act_id.desc()).limit(asked["size"] + 1)).all()
    page = rows[: asked["size"]]
    return {
        "items": _answers(session, caller, page),
        "before": page[-1].act_id if len(rows) > len(page) else None,
    }


def get_act(session: Session, caller: Caller, act_id: UUID) -> dict[str, Any]:
    """One act in the caller's reach, with its place in the chain; raises NotFound."""
    entry = session.scalar(_in_reach(caller).where(AuditReach.act_id == act_id))
    if entry is None:
        raise NotFound(title="未找到该操作记录")
    (answer,) = _answers(session, caller, [entry])
    return {**answer, "position": entry.position, "hash": entry.hash.hex(), "previous_hash": entry.previous_hash.hex()}


def refuse_numbers(caller: Caller, asked: dict[str, Any]) -> None:
    """Raises Forbidden for an operator who searches by document number: whose it is, is nothing for operators."""
    if "document_number" in asked and "administrator" not in caller.roles:
        raise Forbidden("number_search", "没有权限按证件号码查询", "请按操作人、时间或对象编号查询。")


def names() -> dict[str, Any]:
    """What acts and records are called, for who searches."""
    return {
        "actions": [{"action": action, "label": label} for action, label in ACTIONS.items()],
        "record_kinds": [{"kind": kind, "label": label} for kind, label in RECORD_KINDS.items()],
    }


def _in_reach(caller: Caller) -> Select[AuditEntry]:
    return (
        select(AuditEntry)
        .join(AuditReach, AuditReach.act_id == AuditEntry.act_id)
        .where(AuditReach.union_id == UUID(caller.union_id))
    )


def _conditions(session: Session, asked: dict[str, Any]) -> list[ColumnElement[bool]]:
    return [
        *_times(asked),
        *(column == asked[column.key] for column in (AuditReach.action, AuditReach.outcome) if column.key in asked),
        *_persons(session, asked),
        *(AuditEntry.records.overlap(one) for one in _records_of(session, asked)),
    ]


def _times(asked: dict[str, Any]) -> Iterator[ColumnElement[bool]]:
    """By ids, which begin with the time."""
    if "before" in asked:
        yield AuditReach.act_id < asked["before"]
    if "acted_from" in asked:
        yield AuditReach.act_id >= _first_id_of(asked["acted_from"])
    if "acted_to" in asked:
        yield AuditReach.act_id < _first_id_of(asked["acted_to"], days_later=1)


def _persons(session: Session, asked: dict[str, Any]) -> Iterator[ColumnElement[bool]]:
    if "account_id" in asked:
        yield AuditReach.account_id == asked["account_id"]
    if "account_name" in asked:
        named = select(Account.account_id).where(Account.account_name == asked["account_name"].strip().lower())
        account_id = session.scalar(named)
        yield AuditReach.account_id == account_id if account_id else false()


def _records_of(session: Session, asked: dict[str, Any]) -> Iterator[list[str]]:
    """The records that are asked for, each with all those that count as the same."""
    if "record_kind" in asked:
        yield _with_applications(session, asked["record_kind"], asked["record_id"])
    if "document_number" in asked:
        digests = possible_digests(asked["document_number"])
        members = session.scalars(select(Member.member_id).where(is_among(Member.document_digest, digests))).all()
        yield [record for member in members for record in _with_applications(session, "member", member)]


def _with_applications(session: Session, kind: str, record_id: Any) -> list[str]:
    """The record; with a member also all applications, for what batching does it does to these."""
    records = [record_reference(kind, record_id)]
    if kind == "member" and (member_id := _as_uuid(record_id)):
        applications = session.scalars(select(Application.application_id).where(Application.member_id == member_id))
        records += [record_reference("application", one) for one in applications]
    return records


def _as_uuid(value: Any) -> UUID | None:
    try:
        return UUID(str(value))
    except ValueError:
        return None


def _first_id_of(day: date, days_later: int = 0) -> UUID:
    """The smallest id that an act of this day in Shanghai, or of a later one, can have; ids begin with 1970."""
    midnight = datetime.combine(day, time(), SHANGHAI).timestamp() + timedelta(days_later).total_seconds()
    return UUID(int=max(0, int(midnight * 1000)) << 80)


def _answers(session: Session, caller: Caller, entries: Sequence[AuditEntry]) -> list[dict[str, Any]]:
    union_ids = {entry.union_id for entry in entries if entry.union_id}
    named = session.execute(select(Union.union_id, Union.name).where(is_among(Union.union_id, union_ids)))
    union_names = {row.union_id: row.name for row in named}
    return [_answer(caller, entry, union_names.get(entry.union_id)) for entry in entries]


def _answer(caller: Caller, entry: AuditEntry, union_name: str | None) -> dict[str, Any]:
    """An act; what is personal of it is for administrators, not for operators."""
    personal = json.loads(entry.personal) if "administrator" in caller.roles else {}
    return {
        "act_id": entry.act_id,
        "at": entry.at,
        "recorded_at": entry.recorded_at,
        "action": entry.action,
        "label": ACTIONS.get(entry.action, entry.action),
        "outcome": entry.outcome,
        "problem_code": entry.problem_code,
        "account_id": entry.account_id,
        "account_name": entry.account_name,
        "display_name": personal.get("display_name"),
        "member_id": entry.member_id,
        "union_id": entry.union_id,
        "union_name": union_name,
        "roles": entry.roles,
        "origin": entry.origin,
        "records": [_record(one) for one in entry.records],
        "old": _shown(personal.get("old")),
        "new": _shown(personal.get("new")),
    }


def _shown(values: dict[str, Any] | None) -> dict[str, Any] | None:
    """Masked as today: former releases showed more of a number, and birth dates beside it."""
    return None if values is None else audit.masked(values)


def _record(reference: str) -> dict[str, str]:
    kind, record_id = referred_record(reference)
    return {"kind": kind, "label": RECORD_KINDS.get(kind, kind), "id": record_id}
