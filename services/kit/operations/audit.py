"""Audit events, which record who did what: each command publishes one in the transaction of its change.

The entrypoint of a command begins and publishes the event; the use case adds its records and changes by `record`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any
from urllib.parse import quote, unquote

import structlog
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from services.kit.data.database import Database
from services.kit.events.contract import in_chunks
from services.kit.events.outbox import publish
from services.kit.operations.logs import class_name
from services.kit.problems import Problem
from services.kit.rpc.request import Caller, Request
from services.kit.system import the_system

log = structlog.get_logger()

_AT_WORK = "act"
_LAST_REFUSAL = 499
"""Problem statuses up to here are refusals and recorded; those above are our own errors, which are logged."""

_SECRET = re.compile("password|secret|token|otp|captcha|digest|recovery")
Record = tuple[str, Any]
"""A kind from the contract's RECORD_KINDS, and an id."""


_LONGEST_RECORD = 1000


def record_reference(kind: str, record_id: Any) -> str:
    """A record as audit events name it, `<kind>:<id>`; unusual characters of a requested id are replaced.

    Raises LookupError for a kind that has no name.
    """
    if kind not in the_system().record_kinds:
        raise LookupError(f"Records of kind {kind} have no name.")
    return f"{kind}:{quote(str(record_id), errors='replace')}"[:_LONGEST_RECORD]


def referred_record(reference: str) -> tuple[str, str]:
    """The kind and the id of a record that `record_reference` wrote."""
    kind, _, record_id = reference.partition(":")
    return kind, unquote(record_id)


@dataclass
class AuditEvent:
    """The audit event of one command: who called it, and the records and changes that the use case adds."""

    action: str
    caller: Caller
    request_id: str | None = None
    correlation_id: str | None = None
    records: list[str] = field(default_factory=list)
    union_ids: set[str] = field(default_factory=set)
    old: dict[str, Any] = field(default_factory=dict)
    new: dict[str, Any] = field(default_factory=dict)
    has_additions: bool = False

    @property
    def is_recordable(self) -> bool:
        """Whether to record it: an anonymous caller's event is recorded only if the use case added something."""
        return self.has_additions or bool(self.caller.account_id or self.caller.member_id)


def audit_event_of(action: str, request: Request) -> AuditEvent:
    """The audit event of a request; a member who calls is its first record, for members act on their own data."""
    caller = Caller.from_dict(request.caller)
    audit_event = AuditEvent(action, caller, request.request_id, request.correlation_id)
    if caller.member_id:
        audit_event.records.append(f"member:{caller.member_id}")
    return audit_event


def begin(session: Session, audit_event: AuditEvent) -> None:
    """Makes `record` on this session add to the audit event."""
    session.info[_AT_WORK] = audit_event


def record(
    session: Session,
    *records: Record,
    old: Mapping[str, Any] | None = None,
    new: Mapping[str, Any] | None = None,
    union_id: Any = None,
) -> None:
    """Adds to the command's audit event: the affected records, old and new values, and the union they belong to.

    Values that are the same in `old` and `new` are left out; numbers are masked and secrets left out. Outside a
    command, as in an event handler, it does nothing. A call without arguments suffices to have an anonymous caller's
    event recorded.
    """
    audit_event: AuditEvent | None = session.info.get(_AT_WORK)
    if audit_event is None:
        return
    audit_event.has_additions = True
    audit_event.records += [record_reference(kind, record_id) for kind, record_id in records]
    if union_id is not None:
        audit_event.union_ids.add(str(union_id))
    before, after = dict(old or {}), dict(new or {})
    same = {name for name in before.keys() & after.keys() if before[name] == after[name]}
    audit_event.old |= masked({name: value for name, value in before.items() if name not in same})
    audit_event.new |= masked({name: value for name, value in after.items() if name not in same})


def record_actor(session: Session, caller: Caller) -> None:
    """Sets the event's caller where the command itself identifies it, as at sign-in; the request's address stays."""
    audit_event: AuditEvent | None = session.info.get(_AT_WORK)
    if audit_event is not None:
        audit_event.has_additions = True
        audit_event.caller = replace(caller, origin=audit_event.caller.origin)


def references(kind: str, record_ids: Iterable[Any]) -> list[Record]:
    """Records of one kind."""
    return [(kind, record_id) for record_id in record_ids]


def publish_audit_event(session: Session, producer: str, audit_event: AuditEvent) -> None:
    """Publishes a done command's audit event when the transaction commits; several events for very many records."""
    if audit_event.is_recordable:
        _publish(session, producer, audit_event, {"outcome": "done"}, {"old": audit_event.old, "new": audit_event.new})


@contextmanager
def recording(session: Session, producer: str, audit_event: AuditEvent) -> Iterator[None]:
    """Publishes the audit event, with what `record` adds to it in the body of the `with`, unless the body fails."""
    begin(session, audit_event)
    yield
    publish_audit_event(session, producer, audit_event)


def publish_refusal(database: Database, producer: str, audit_event: AuditEvent, problem: Problem) -> None:
    """Publishes a refused command's audit event in a new transaction: the command's was rolled back. Never fails."""
    if problem.status > _LAST_REFUSAL or not audit_event.is_recordable:
        return
    try:
        with database.begin() as session:
            _publish(session, producer, audit_event, {"outcome": "refused", "problem_code": problem.code}, {})
    except Exception as error:
        log.error("refusal_not_recorded", action=audit_event.action, problem=problem.code, error=class_name(error))


def masked(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as JSON types for an audit event: numbers are masked by field name, secrets left out."""
    return {name: _masked(name, value) for name, value in values.items() if not _SECRET.search(name)}


def _publish(
    session: Session, producer: str, audit_event: AuditEvent, outcome: Mapping[str, Any], changes: Mapping[str, Any]
) -> None:
    caller = audit_event.caller
    common = {
        "action": audit_event.action,
        "account_id": caller.account_id,
        "account_name": caller.account_name,
        "member_id": caller.member_id,
        "union_id": caller.union_id,
        "roles": sorted(caller.roles),
        "origin": caller.origin,
        "request_id": audit_event.request_id,
        "correlation_id": audit_event.correlation_id,
        "union_ids": sorted(audit_event.union_ids),
        "personal": {"display_name": caller.display_name, **changes},
        **outcome,
    }
    for records in in_chunks(list(dict.fromkeys(audit_event.records))) or [[]]:
        data = {**common, "act_id": uuid7(), "records": records}
        publish(session, the_system().audit_events[producer], data, subject=caller.account_id or caller.member_id)


def _masked(name: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return masked(value)
    if isinstance(value, (str, date)):
        text = value if isinstance(value, str) else value.isoformat()
        return the_system().masks.get(name, the_system().mask_text)(text)
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_masked(name, one) for one in value]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return str(value)
