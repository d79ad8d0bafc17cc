"""Audit events a second that one and two processes of membership append to the log, beside appending them alone."""

import time
from uuid import uuid4

from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from deploy.local.nodes import Nodes
from services.contracts.events.audit import ACTS_RECORDED
from services.kit.amqp.connection import OutgoingMessage
from services.membership.audit import audit_log
from services.membership.audit.audit_chain import AuditKeys
from services.membership.unions import add_union
from tests.bench.environment import Options, fresh_database
from tests.bench.events import event_message
from tests.bench.pile import Events, Goal, work_off_events
from tests.bench.report import Report, Row
from tests.bench.runs import Runs, ratio
from tests.mothers import a_union_code, an_audit_event

TITLE = "The audit log"
ACTS, RUNS = 3_000, 3
PROCESSES = (1, 2)
_SET = 100
_CONTRACT = ACTS_RECORDED["membership"]
_PROGRESS = "select count(*) from audit_entry"
_LONGEST_SECONDS = 300


def measure(on: Nodes, secrets: dict[str, str], options: Options) -> Report:
    """Lets each number of processes append the same number of events, and the floor, in turn."""
    acts, runs = (100, 1) if options.quick else (ACTS, RUNS)
    floors, ours = [], {processes: [] for processes in PROCESSES}  # type: tuple[list[float], dict[int, list[float]]]
    for _ in range(runs):
        floors.append(_floor(on, secrets, acts))
        for processes in PROCESSES:
            ours[processes].append(_speed(on, secrets, processes, acts))
    floor = Runs(floors)
    rows = [
        Row(
            f"Audit events by {processes} process{'es' if processes > 1 else ''}",
            f"floor: {floor.show('a second', 0)}",
            (speed := Runs(ours[processes])).show("a second", 0),
            ratio(speed, floor).show("times", 2),
            "–",
            None,
        )
        for processes in PROCESSES
    ]
    return Report("acts", TITLE, rows, _HOW.format(acts=f"{acts:,}", runs=runs))


def _floor(on: Nodes, secrets: dict[str, str], acts: int) -> float:
    """Appends in this process, in one transaction."""
    keys = AuditKeys.from_text(secrets["AUDIT_KEYS"])
    with fresh_database(on, "membership") as database_url:
        union_id = _a_union(database_url)
        events = [an_audit_event(union_id=union_id) for _ in range(acts)]
        began = time.monotonic()
        with Session(create_engine(database_url)) as session, session.begin():
            for start in range(0, acts, _SET):
                audit_log.append(session, keys, [(event, None) for event in events[start : start + _SET]])
        return acts / (time.monotonic() - began)


def _speed(on: Nodes, secrets: dict[str, str], processes: int, acts: int) -> float:
    """Events a second from the release of the held processes until all are in the log."""
    events = Events("membership", "membership", lambda database_url: _messages(database_url, acts))
    seconds, _ = work_off_events(on, secrets, events, processes, Goal(_PROGRESS, acts, _LONGEST_SECONDS))
    return acts / seconds


def _a_union(database_url: str) -> object:
    """Adds a grassroots union below a superior, whose events have an index row for each of both."""
    with Session(create_engine(database_url)) as session, session.begin():
        superior = add_union(session, "区总工会", a_union_code(1), "superior", None)
        session.flush()
        return add_union(session, "第 1 工会", a_union_code(2), "grassroots", superior).union_id


def _messages(database_url: str, acts: int) -> list[OutgoingMessage]:
    union_id = _a_union(database_url)
    events = (an_audit_event(union_id=union_id, correlation_id=str(uuid4())) for _ in range(acts))
    return [event_message(_CONTRACT, "membership", _CONTRACT.dump(vars(event))) for event in events]


_HOW = """
{acts} audit events are in membership's queue before the processes begin (they are held by SIGSTOP); time runs until
the last one is in the log. {runs} runs in turn. The floor appends as many in one process without a broker, a hundred at
a time, in a single transaction.

What bounds it: the chain, in which each entry holds the hash of the one before, so that processes take turns.
"""
