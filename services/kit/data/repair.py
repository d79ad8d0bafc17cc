"""Mends one service's own data: `python -m services.kit.data.repair <service>`, on the database of DATABASE_URL.

An order comes on the standard input as JSON, and what was done, or would be, goes to the standard output: called by
`python -m deploy.repair`, which knows what is broken. Each service says in its `repairs.py` what it can mend.
"""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from typing import Any

from marshmallow import ValidationError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from services.kit.data.database import engine_for
from services.kit.events.envelope import correlation, new_message_id
from services.kit.operations import audit
from services.kit.operations.logs import class_name
from services.kit.rpc.request import Caller
from services.kit.settings import DatabaseSettings, SettingsError, read_settings


@dataclass(frozen=True)
class Repair:
    """What a service can mend: in plain words, the kind of record that is named, and how.

    `mend` is given ids and the moment before which what it touches must have begun; in the session's transaction it
    finds those that are broken still, mends them and answers them. It may be run twice and beside everything else.
    """

    says: str
    record_kind: str
    mend: Callable[[Session, Sequence[str], datetime], list[str]]


@dataclass(frozen=True)
class Order:
    """Which repair, of which ids, of what began before which moment; without an operator it is only tried."""

    name: str
    ids: Sequence[str]
    before: datetime
    operator: Caller | None = None


def repairs_of(service: str) -> Mapping[str, Repair]:
    """What a service can mend, by name."""
    found: Mapping[str, Repair] = import_module(f"services.{service}.repairs").REPAIRS
    return found


def carry_out(session: Session, service: str, order: Order) -> list[str]:
    """Mends and records it as the operator's act, then commits; answers the ids that were mended.

    Without an operator all is taken back, and the ids are those that would be mended.
    """
    repair = repairs_of(service)[order.name]
    correlation.set(new_message_id())
    mended = repair.mend(session, order.ids, order.before)
    if order.operator is None:
        session.rollback()
        return mended
    if mended:
        audit_event = audit.AuditEvent(f"{service}.repair", order.operator, correlation_id=correlation.get())
        audit.begin(session, audit_event)
        audit.record(session, *audit.references(repair.record_kind, mended), new={"repair": order.name})
        audit.publish_audit_event(session, service, audit_event)
    session.commit()
    return mended


def answer(session: Session, service: str, order: dict[str, Any]) -> Any:
    """Who the account `operator` is, or which of `ids` the repair `name` has mended.

    Without a `caller`, in whose name it is done, those that it would mend. Raises LookupError, and ValidationError for
    what no event can say.
    """
    if "operator" in order:
        find: Callable[[Session, str], Caller] = import_module(f"services.{service}.repairs").operator
        return find(session, order["operator"]).to_dict()
    caller = Caller.from_dict(order["caller"]) if order["caller"] else None
    before = datetime.fromisoformat(order["before"])
    return carry_out(session, service, Order(order["name"], order["ids"], before, caller))


def main() -> int:
    """Carries out the order; answers the exit status."""
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
