"""Repairs one service's own data: `python -m services.kit.data.repair <service>`, on the database of DATABASE_URL.

`python -m deploy.repair`, which knows what is broken, calls it with a request as JSON on standard input; the result, or
in a dry run the expected one, goes to standard output. Each service declares its repairs in its `repairs.py`, and in
its `reconciliation.py` what it tells a restored service and how it learns after its own database was restored.
"""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from typing import Any

from marshmallow import ValidationError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from services.kit.data.database import engine_for
from services.kit.data.fence import pass_fence
from services.kit.events.envelope import correlation, new_message_id
from services.kit.operations import audit
from services.kit.operations.logs import class_name
from services.kit.rpc.request import Caller
from services.kit.settings import DatabaseSettings, SettingsError, read_settings


@dataclass(frozen=True)
class Repair:
    """One repair that a service offers: its description, the kind of record whose ids it takes, and its function.

    `apply(session, ids, before)` repairs, in the session's transaction, those of the records that are still broken and
    began before that moment; it returns their ids. It may run repeatedly and concurrently with the service.
    """

    description: str
    record_kind: str
    apply: Callable[[Session, Sequence[str], datetime], list[str]]


@dataclass(frozen=True)
class RepairRequest:
    """A repair to carry out: name, ids, the moment before which they began. Without an operator it is a dry run."""

    name: str
    ids: Sequence[str]
    before: datetime
    operator: Caller | None = None


@dataclass
class Learned:
    """What a restored service learned, in lines, with the records concerned, and what a person has to look at.

    While something is `blocking` the service stays fenced, and nothing is learned.
    """

    done: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    blocking: list[str] = field(default_factory=list)
    records: list[audit.Record] = field(default_factory=list)
    new: dict[str, Any] = field(default_factory=dict)


def repairs_of(service: str) -> Mapping[str, Repair]:
    """The repairs of a service, by name."""
    found: Mapping[str, Repair] = import_module(f"services.{service}.repairs").REPAIRS
    return found


def carry_out(session: Session, service: str, request: RepairRequest) -> list[str]:
    """Repairs, records an audit event of the operator, and commits; returns the repaired ids.

    Without an operator all is rolled back, and the ids are those that would be repaired.
    """
    repair = repairs_of(service)[request.name]
    correlation.set(new_message_id())
    repaired = repair.apply(session, request.ids, request.before)
    if request.operator is None:
        session.rollback()
        return repaired
    if repaired:
        audit_event = audit.AuditEvent(f"{service}.repair", request.operator, correlation_id=correlation.get())
        with audit.recording(session, service, audit_event):
            audit.record(session, *audit.references(repair.record_kind, repaired), new={"repair": request.name})
    session.commit()
    return repaired


def learn(session: Session, service: str, facts: dict[str, Any], since: datetime, operator: Caller | None) -> Learned:
    """Lets a restored service learn facts, records an audit event of the operator, and commits; returns what changed.

    Without an operator, or where something is blocking, all is rolled back.
    """
    pass_fence(session)
    correlation.set(new_message_id())
    module = import_module(f"services.{service}.reconciliation")
    learned: Learned = module.learn(session, facts, since, operator)
    if operator is None or learned.blocking:
        session.rollback()
        return learned
    audit_event = audit.AuditEvent(f"{service}.reconcile", operator, correlation_id=correlation.get())
    with audit.recording(session, service, audit_event):
        new = {"restored_to": since, "done": learned.done, "left": learned.left, **learned.new}
        audit.record(session, *learned.records, new=new)
    session.commit()
    return learned


def secure(session: Session, service: str) -> None:
    """Ends what a restore has revived and must not be used even to read, such as sessions; commits."""
    pass_fence(session)
    module = import_module(f"services.{service}.reconciliation")
    if hasattr(module, "secure"):
        module.secure(session)
    session.commit()


def answer(session: Session, service: str, request: dict[str, Any]) -> Any:
    """Handles a request: `operator` looks an account up as a Caller; otherwise the repair `name` is done on `ids`.

    After a restore `secures` calls `secure`, `tells` returns the facts that another service forgot, and `learns` takes
    such facts. A repair returns the repaired ids; without a `caller`, in whose name it is recorded, it is a dry run.
    Raises LookupError, and ValidationError for data that no event can hold.
    """
    if "operator" in request:
        find: Callable[[Session, str], Caller] = import_module(f"services.{service}.repairs").operator
        return find(session, request["operator"]).to_dict()
    if "secures" in request:
        return secure(session, service)
    if "tells" in request:
        tell = import_module(f"services.{service}.reconciliation").tell
        return tell(session, request["tells"], request["ids"], datetime.fromisoformat(request["since"]))
    caller = Caller.from_dict(request["caller"]) if request["caller"] else None
    if "learns" in request:
        learned = learn(session, service, request["learns"], datetime.fromisoformat(request["since"]), caller)
        return {"done": learned.done, "left": learned.left, "blocking": learned.blocking}
    before = datetime.fromisoformat(request["before"])
    return carry_out(session, service, RepairRequest(request["name"], request["ids"], before, caller))


def main() -> int:
    """Carries out the request; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("service")
    service = parser.parse_args().service
    try:
        engine = engine_for(read_settings(DatabaseSettings), f"{service} repair")
        with Session(engine, expire_on_commit=False) as session:
            done = answer(session, service, json.load(sys.stdin))
    except (LookupError, SettingsError) as refusal:
        print(refusal.args[0], file=sys.stderr)
        return 1
    except (SQLAlchemyError, ValidationError) as error:
        print(f"{service}: {class_name(error)}; nothing of this repair was done", file=sys.stderr)
        return 1
    json.dump(done, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
