"""From queueing 10,000 members to all results of the system check, on a whole running stack, against a floor."""

import re
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
from sqlalchemy import Engine, create_engine, func, select
from sqlalchemy.orm import Session

from deploy.local.client import ApiClient, wait_until
from deploy.local.environment import SERVICES, Addresses
from deploy.local.nodes import Nodes
from deploy.local.stack import Stack, running_stack
from services.membership.members import register_members
from services.membership.models import Member
from tests.bench import chain_floor
from tests.bench.clerks import Clerk, add_clerk
from tests.bench.people import make_people
from tests.bench.report import Report, Row
from tests.bench.runs import Runs, ratio
from tests.bench.surroundings import FOLDER, fresh_vhost, plain_url

MEMBERS = 10_000
RUNS = 3
LARGEST_RATIO = 3.0
LARGEST_MEGABYTES = 250
_REGISTERED_AT_ONCE = 2000
_POLL_SECONDS = 0.05
_LONGEST_SECONDS = 120
_WRITTEN = {
    "membership": """
        select count(*), count(*) filter (where card_state = 'pending') from member where union_id = %(union_id)s
        union all select count(*), count(distinct member_id) from application where union_id = %(union_id)s
        union all select count(*), count(distinct application_id) from application_history where union_id = %(union_id)s
    """,
    "batching": """
        select count(*), count(findings) from application where union_id = %(union_id)s and check_no = 1
        union all select count(*) filter (where check_state = 'passed'), count(*) filter (where check_state = 'failed')
        from application where union_id = %(union_id)s
    """,
    "validation": """
        select count(*), count(*) filter (where result = 'passed') from application_check where union_id = %(union_id)s
        union all select count(*), count(distinct code) from check_finding
        join application_check using (application_id, check_no) where union_id = %(union_id)s
    """,
}
"""What both must have written, counted."""


@dataclass(frozen=True)
class Course:
    """Seconds since the request to queue until: it was answered, all were listed, the check was asked for, all done."""

    queued: float
    listed: float
    asked: float
    checked: float


def measure(on: Nodes, secrets: dict[str, str], quick: bool) -> Report:
    """Runs chain and floor in turn, several times, each with members of a union of its own."""
    members, runs = (400, 1) if quick else (MEMBERS, RUNS)
    with ExitStack() as after:
        addresses = _addresses(after, on)
        settings = {**secrets, "BANK_MODE": "manual"}
        stack = after.enter_context(running_stack(FOLDER / "stack", addresses, settings=settings, say=lambda _: None))
        clerks = _register(addresses.database_urls["membership"], 2 * runs, members)
        courses, floors = [], []
        programs = (*SERVICES, "gateway", "registry")
        busy: Counter[str] = Counter()
        for ours, theirs in zip(clerks[::2], clerks[1::2], strict=True):
            before = {program: _cpu_seconds(stack, program) for program in programs}
            courses.append(_run(stack, ours, members))
            busy.update({program: _cpu_seconds(stack, program) - before[program] for program in programs})
            registry_url = stack.simulator_urls["registry"]
            floors.append(chain_floor.run(addresses.database_urls, registry_url, theirs.union_id))
            _compare(addresses.database_urls, ours, theirs)
        memory = {program: _peak_megabytes(stack, program) for program in (*SERVICES, "gateway")}
    return _report(members, courses, Runs(floors), memory, {program: busy[program] / runs for program in programs})


def _addresses(after: ExitStack, on: Nodes) -> Addresses:
    urls = {}
    for service in SERVICES:
        name = f"bench_chain_{service}"
        on.postgres.create_database(name)
        after.callback(on.postgres.drop_database, name)
        urls[service] = on.postgres.url(name)
    return Addresses(after.enter_context(fresh_vhost(on)), urls)


def _register(database_url: str, unions: int, members: int) -> list[Clerk]:
    """Registers the members of so many unions and waits until the service has numbered all."""
    engine = create_engine(database_url)
    clerks = []
    for serial in range(unions):
        with Session(engine) as session, session.begin():
            clerks.append(add_clerk(session, 1000 + serial))
        for start in range(0, members, _REGISTERED_AT_ONCE):
            people = make_people(serial * members + start, min(_REGISTERED_AT_ONCE, members - start))
            with Session(engine) as session, session.begin():
                outcomes = register_members(session, clerks[-1].union_id, [_form(person) for person in people])
                if any(outcome.problem for outcome in outcomes):
                    raise RuntimeError("Some of the made-up people could not be registered.")
    wait_until(lambda: _all_numbered(engine), "all members have numbers", _LONGEST_SECONDS)
    _settle(engine)
    return clerks


def _form(person: Mapping[str, Any]) -> dict[str, Any]:
    return {**person, "affiliation": "employer"}


def _all_numbered(engine: Engine) -> bool:
    with Session(engine) as session:
        return not session.scalar(select(func.count()).where(Member.member_no.is_(None)))


def _settle(engine: Engine) -> None:
    """Does at once what autovacuum would begin to do some time in the measurement."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("vacuum analyze member")
    engine.dispose()


def _run(stack: Stack, clerk: Clerk, members: int) -> Course:
    client = clerk.sign_in(stack.gateway_url)
    began = time.monotonic()
    answer = client.post("members/queue", {"filter": {}})
    if answer["queued"] != members:
        raise RuntimeError(f"{answer['queued']} of {members} members were queued.")
    queued = time.monotonic() - began
    _wait_for(client, "total", members)
    listed = time.monotonic() - began
    client.post("pending/validate")
    asked = time.monotonic() - began
    _wait_for(client, "passed failed", members)
    return Course(queued, listed, asked, time.monotonic() - began)


def _wait_for(client: ApiClient, counts: str, members: int) -> None:
    """Asks for the pending list until these counts of it together are as many as the members."""
    deadline = time.monotonic() + _LONGEST_SECONDS
    while True:
        ordinary = client.get("pending", size=1)["counts"]["ordinary"]
        if sum(ordinary[count] for count in counts.split()) == members:
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"The pending list stays at {ordinary}.")
        time.sleep(_POLL_SECONDS)


def _compare(database_urls: Mapping[str, str], ours: Clerk, theirs: Clerk) -> None:
    """Raises RuntimeError unless both have written the same, but for whom."""
    written: dict[Clerk, dict[str, Any]] = defaultdict(dict)
    for service, query in _WRITTEN.items():
        with psycopg.connect(plain_url(database_urls[service])) as database:
            for clerk in (ours, theirs):
                written[clerk][service] = database.execute(query, {"union_id": clerk.union_id}).fetchall()
    if written[ours] != written[theirs]:
        raise RuntimeError(f"The chain wrote {written[ours]}, the floor {written[theirs]}.")


def _cpu_seconds(stack: Stack, program: str) -> float:
    """What the processes of the program have used of a core since they started."""
    return sum(sum(psutil.Process(pid).cpu_times()[:2]) for pid in stack.pids(program))


def _peak_megabytes(stack: Stack, program: str) -> float:
    """The most memory that a process of the program has held since it started (VmHWM)."""
    peaks = [
        int(re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text()).group(1))  # type: ignore[union-attr]
        for pid in stack.pids(program)
    ]
    return max(peaks) / 1024


def _report(
    members: int, courses: list[Course], floors: Runs, memory: dict[str, float], busy: dict[str, float]
) -> Report:
    ours = Runs([course.checked for course in courses])
    times = ratio(ours, floors)
    largest = max(memory, key=lambda program: memory[program])
    return Report(
        "chain",
        "The chain from queueing to results",
        [
            Row(
                f"Queue and check {members:,} members",
                f"floor: {floors.show('s', 1)}",
                ours.show("s", 1),
                times.show("times", 1),
                f"≤ {LARGEST_RATIO:g} times",
                times.middle <= LARGEST_RATIO,
            ),
            Row(
                "Peak memory of a process meanwhile",
                "–",
                f"{memory[largest]:.0f} MB ({largest})",
                "–",
                f"< {LARGEST_MEGABYTES} MB",
                memory[largest] < LARGEST_MEGABYTES,
            ),
        ],
        _HOW.format(
            runs=len(courses),
            poll=_POLL_SECONDS,
            members=f"{members:,}",
            courses="; ".join(
                f"queued {one.queued:.1f}, listed {one.listed:.1f}, check asked {one.asked:.1f}, done {one.checked:.1f}"
                for one in courses
            ),
            busy=", ".join(f"{program} {seconds:.1f}" for program, seconds in busy.items()),
            memory=", ".join(f"{program} {peak:.0f}" for program, peak in memory.items()),
        ),
    )


_HOW = """
A whole stack (`deploy.local.stack`): five services with one process each, the gateway, the simulators. {runs} times in
turn, chain and floor take a union each with {members} registered and numbered members, of whom one in twenty fails the
check.

- **The chain** goes through the HTTP API as a clerk does: `POST members/queue` with an empty filter, `GET pending`
  every {poll} s until all are listed, `POST pending/validate`, `GET pending` until all have passed or failed. Time
  runs from the first request to the last answer, pauses and pages included. Seconds run by run: {courses}.
- **The floor** (`tests/bench/chain_floor.py`) is one process without a broker: it reads and decrypts the same members,
  asks the same simulated registry with the same client (100 persons a call, five calls at once), applies the same rules
  and writes the same rows, each once and in its final state, with one bulk statement a table and one commit a database.
  That both wrote the same is counted afterwards.

Processor time of each process in a run of the chain, in seconds on average, without the nodes: {busy}.

Peak memory (VmHWM, in MB) since the start of each process: {memory}. Membership's includes the clerks' sign-in, whose
password hash alone takes 64 MB by design.
"""
