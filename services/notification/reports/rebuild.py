"""Begins and ends a rebuild of the reports: `python -m services.notification.reports.rebuild begin|expect|show|finish`.

`python -m deploy.rebuild_reports` calls it, on the database of DATABASE_URL, and lets the other services publish their
facts in between. Events that come meanwhile are counted as ever: facts merge in any order.
"""

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from services.kit.data.database import engine_for
from services.kit.events.envelope import correlation, new_message_id
from services.kit.operations import audit
from services.kit.operations.logs import class_name
from services.kit.rpc.request import Caller
from services.kit.settings import DatabaseSettings, read_settings, run_program
from services.kit.strict_json import read_json
from services.notification.models import (
    ReportApplication,
    ReportCount,
    ReportMember,
    ReportName,
    ReportRebuild,
    ReportRebuildEvent,
    ReportUnion,
)
from services.notification.reports.counting import REBUILD_LOCK

_EMPTIED = (ReportCount, ReportApplication, ReportMember, ReportName, ReportRebuildEvent)


@dataclass(frozen=True)
class Progress:
    """How many events of the newest rebuild were counted, of how many; `expected` is None until all are published."""

    rebuild_id: str | None
    counted: int
    expected: int | None
    is_finished: bool


def begin(session: Session) -> UUID:
    """Empties the read model and returns the id of the rebuild; no event is being counted meanwhile."""
    session.execute(text("select pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": REBUILD_LOCK})
    session.execute(insert(ReportRebuild).values(one=1).on_conflict_do_nothing())
    newest = _newest(session)
    for table in _EMPTIED:
        session.execute(delete(table))
    # Merged unions stay: messages for them go to their successors meanwhile.
    session.execute(delete(ReportUnion).where(ReportUnion.successor_union_id.is_(None)))
    newest.rebuild_id, newest.started_at = uuid7(), datetime.now(UTC)
    newest.expected = newest.finished_at = None
    return newest.rebuild_id


def expect(session: Session, events: int) -> None:
    """Notes how many events all services have published for the newest rebuild."""
    _newest(session).expected = events


def progress(session: Session) -> Progress:
    """How far the newest rebuild is."""
    newest = session.get(ReportRebuild, 1)
    if newest is None or newest.rebuild_id is None:
        return Progress(None, 0, None, is_finished=True)
    counted = select(func.count()).where(ReportRebuildEvent.rebuild_id == newest.rebuild_id)
    return Progress(
        str(newest.rebuild_id), session.scalar(counted) or 0, newest.expected, newest.finished_at is not None
    )


def finish(session: Session) -> bool:
    """Ends the newest rebuild if all of its events were counted; returns whether it has ended."""
    newest, now = _newest(session), progress(session)
    if now.expected is not None and now.counted >= now.expected:
        newest.finished_at = newest.finished_at or datetime.now(UTC)
        session.execute(delete(ReportRebuildEvent))
    return newest.finished_at is not None


def _newest(session: Session) -> ReportRebuild:
    return session.get_one(ReportRebuild, 1, with_for_update=True)


def main() -> int:
    """Does one step and prints its result as JSON; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("begin", "expect", "show", "finish"))
    parser.add_argument("events", nargs="?", type=int, help="with expect: how many events were published")
    given = parser.parse_args()
    try:
        engine = engine_for(read_settings(DatabaseSettings), "reports rebuild")
        with Session(engine, expire_on_commit=False) as session, session.begin():
            done = _do(session, given.step, given.events)
    except SQLAlchemyError as error:
        print(f"notification: {class_name(error)}; nothing of this step was done", file=sys.stderr)
        return 1
    print(json.dumps(done))
    return 0


def _do(session: Session, step: str, events: int | None) -> Any:
    if step == "begin":
        return _begin_recorded(session, Caller.from_dict(read_json(sys.stdin.buffer.read())))
    if step == "expect":
        return expect(session, events or 0)
    return asdict(progress(session)) if step == "show" else finish(session)


def _begin_recorded(session: Session, operator: Caller) -> str:
    correlation.set(new_message_id())
    audit_event = audit.AuditEvent("notification.rebuild_reports", operator, correlation_id=correlation.get())
    with audit.recording(session, "notification", audit_event):
        rebuild_id = begin(session)
        audit.record(session, new={"rebuild": str(rebuild_id)})
    return str(rebuild_id)


if __name__ == "__main__":
    run_program(main)
