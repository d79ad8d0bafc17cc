"""From queueing 1,000 to 100,000 members to all results of the check, on a whole running stack, against a floor."""

import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import psutil
import psycopg
from sqlalchemy import Engine, create_engine, func, select
from sqlalchemy.orm import Session

from deploy.local.addresses import temporary_addresses
from deploy.local.client import ApiClient, wait_until
from deploy.local.environment import SERVICES
from deploy.local.nodes import Nodes
from deploy.local.stack import Stack, running_stack
from services.contracts.operations.membership.members import RegisterMemberRequest
from services.membership.members.members import register_members
from services.membership.models import Member
from tests.bench import chain_floor
from tests.bench.clerks import Clerk, add_clerk
from tests.bench.environment import FOLDER, Options, plain_url
from tests.bench.people import make_people
from tests.bench.report import Report, Row
from tests.bench.runs import Runs, ratio
from tests.memory import forget_peak, peak_megabytes
from tests.unlimited import UNLIMITED

TITLE = "The chain from queueing to results"
MEMBERS = 10_000
FEW, MANY = 1_000, 100_000
RUNS = 3
LARGEST_RATIO = 3.0
LARGEST_GROWTH = 1.2
LARGEST_MEGABYTES = 250
LARGEST_MEMORY_GROWTH = 1.25
_REGISTERED_AT_ONCE = 2000
_POLL_SECONDS = 0.05
_LONGEST_SECONDS = 900
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
"""Queries that count what chain and floor must both have written."""


_PROGRAMS = (*SERVICES, "gateway")


@dataclass(frozen=True)
class Course:
    """Seconds from the request to queue until the answer, until all were listed, checks requested, and all done."""

    queued: float
    listed: float
    options: float
    checked: float


def measure(on: Nodes, secrets: dict[str, str], options: Options) -> Report:
    """Runs chain and floor in turn, several times, each with its own union; then measures few and many members."""
    few, members, many, runs = (100, 400, 1_000, 1) if options.quick else (FEW, MEMBERS, MANY, RUNS)
    with ExitStack() as after:
        addresses = after.enter_context(temporary_addresses(on, "bench_chain"))
        settings = {**with_keys_in_a_file(secrets), **UNLIMITED, "BANK_MODE": "manual"}
        stack = after.enter_context(running_stack(FOLDER / "stack", addresses, settings=settings, say=lambda _: None))
        clerks = register(addresses.database_urls["membership"], [*[members] * 2 * runs, *[few] * runs, many])
        measured = {few: Measured(), members: Measured(), many: Measured()}
        floors = []
        for ours, theirs in zip(clerks[: 2 * runs : 2], clerks[1 : 2 * runs : 2], strict=True):
            _run(stack, ours, members, measured[members])
            registry_url = stack.simulator_urls["registry"]
            floors.append(chain_floor.run(addresses.database_urls, registry_url, theirs.union_id))
            _compare(addresses.database_urls, ours, theirs)
        for clerk in clerks[2 * runs : 3 * runs]:
            _run(stack, clerk, few, measured[few])
        _run(stack, clerks[-1], many, measured[many])
    return _report((few, members, many), measured, Runs(floors))


def register(database_url: str, sizes: Sequence[int]) -> list[Clerk]:
    """Registers the members of unions of these sizes and waits until the service has numbered all."""
    engine = create_engine(database_url)
    clerks = []
    first = 0
    for serial, members in enumerate(sizes):
        with Session(engine) as session, session.begin():
            clerks.append(add_clerk(session, 1000 + serial))
        for start in range(0, members, _REGISTERED_AT_ONCE):
            people = make_people(first + start, min(_REGISTERED_AT_ONCE, members - start))
            with Session(engine) as session, session.begin():
                forms = [RegisterMemberRequest(**person) for person in people]
                outcomes = register_members(session, clerks[-1].union_id, forms)
                if any(outcome.problems for outcome in outcomes):
                    raise RuntimeError("Some of the made-up people could not be registered.")
        first += members
    wait_until(lambda: _all_numbered(engine), "all members have numbers", _LONGEST_SECONDS)
    _settle(engine)
    return clerks


def with_keys_in_a_file(secrets: dict[str, str]) -> dict[str, str]:
    """Returns the secrets for a stack, with this process's keys of personal data in a file."""
    given = dict(secrets)
    path = FOLDER / "personal_data_keys"
    path.write_text(given.pop("PERSONAL_DATA_KEYS"))
    path.chmod(0o600)
    return {**given, "PERSONAL_DATA_KEYS_FILE": str(path)}


@dataclass
class Measured:
    """The runs with a number of members: courses, processor time and peak memory of each program."""

    courses: list[Course] = field(default_factory=list)
    busy: Counter[str] = field(default_factory=Counter)
    megabytes: dict[str, float] = field(default_factory=dict)

    @property
    def checked(self) -> Runs:
        """Returns the seconds until all was done."""
        return Runs([course.checked for course in self.courses])


def _all_numbered(engine: Engine) -> bool:
    with Session(engine) as session:
        return not session.scalar(select(func.count()).where(Member.member_no.is_(None)))


def _settle(engine: Engine) -> None:
    """Vacuums now, so that autovacuum does not start during the measurement."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("vacuum analyze member")
    engine.dispose()


def _run(stack: Stack, clerk: Clerk, members: int, measured: Measured) -> None:
    client = clerk.sign_in(stack.gateway_url)
    for program in _PROGRAMS:
        for pid in stack.pids(program):
            forget_peak(pid)
    before = {program: _cpu_seconds(stack, program) for program in (*_PROGRAMS, "registry")}
    measured.courses.append(_course(client, members))
    measured.busy.update({program: _cpu_seconds(stack, program) - used for program, used in before.items()})
    for program in _PROGRAMS:
        measured.megabytes[program] = max(*map(peak_megabytes, stack.pids(program)), measured.megabytes.get(program, 0))


def _course(client: ApiClient, members: int) -> Course:
    """Queues all members, as many at a time as a request takes, and requests their checks."""
    began = time.monotonic()
    queued = 0
    while (answer := client.post("members/queue", {"filter": {}})) and answer["more"]:
        queued += answer["queued"]
    if queued + answer["queued"] != members:
        raise RuntimeError(f"{queued + answer['queued']} of {members} members were queued.")
    queued_at = time.monotonic() - began
    _wait_for(client, "total", members)
    listed_at = time.monotonic() - began
    client.post("pending/validate")
    asked_at = time.monotonic() - began
    _wait_for(client, "passed failed", members)
    return Course(queued_at, listed_at, asked_at, time.monotonic() - began)


def _wait_for(client: ApiClient, counts: str, members: int) -> None:
    """Polls the pending list until the sum of these counts is the number of members."""
    deadline = time.monotonic() + _LONGEST_SECONDS
    while True:
        ordinary = client.get("pending", size=1)["counts"]["ordinary"]
        if sum(ordinary[count] for count in counts.split()) == members:
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"The pending list stays at {ordinary}.")
        time.sleep(_POLL_SECONDS)


def _compare(database_urls: Mapping[str, str], ours: Clerk, theirs: Clerk) -> None:
    """Raises RuntimeError unless both have written the same for their unions."""
    written: dict[Clerk, dict[str, Any]] = defaultdict(dict)
    for service, query in _WRITTEN.items():
        with psycopg.connect(plain_url(database_urls[service])) as database:
            for clerk in (ours, theirs):
                written[clerk][service] = sorted(database.execute(query, {"union_id": clerk.union_id}))
    if written[ours] != written[theirs]:
        raise RuntimeError(f"The chain wrote {written[ours]}, the floor {written[theirs]}.")


def _cpu_seconds(stack: Stack, program: str) -> float:
    """Returns the processor time of the program's processes since they started."""
    return sum(sum(psutil.Process(pid).cpu_times()[:2]) for pid in stack.pids(program))


def _report(sizes: tuple[int, int, int], measured: dict[int, Measured], floors: Runs) -> Report:
    few, members, many = sizes
    ours, most = measured[members], measured[many].megabytes
    times = ratio(ours.checked, floors)
    largest = max(most, key=lambda program: most[program])
    growing = max(most, key=lambda program: most[program] / ours.megabytes[program])
    growth = most[growing] / ours.megabytes[growing]
    return Report(
        "chain",
        TITLE,
        [
            Row(
                f"Queue and check {members:,} members",
                f"floor: {floors.show('s', 1)}",
                ours.checked.show("s", 1),
                times.show("times", 1),
                f"≤ {LARGEST_RATIO:g} times",
                times.middle <= LARGEST_RATIO,
            ),
            _per_member(few, members, measured, None),
            _per_member(many, members, measured, LARGEST_GROWTH),
            Row(
                f"Peak memory of a process with {many:,} members",
                "–",
                f"{most[largest]:.0f} MB ({largest})",
                "–",
                f"< {LARGEST_MEGABYTES} MB",
                most[largest] < LARGEST_MEGABYTES,
            ),
            Row(
                f"Peak memory of the process that grows most ({growing})",
                f"with {members:,} members: {ours.megabytes[growing]:.0f} MB",
                f"with {many:,} members: {most[growing]:.0f} MB",
                f"{growth:.2f} times",
                f"≤ {LARGEST_MEMORY_GROWTH:g} times",
                growth <= LARGEST_MEMORY_GROWTH,
            ),
        ],
        _HOW.format(
            runs=len(floors.figures),
            poll=_POLL_SECONDS,
            members=f"{members:,}",
            courses="; ".join(_steps(size, course) for size in sizes for course in measured[size].courses),
            busy=_of_programs({name: used / len(floors.figures) for name, used in ours.busy.items()}, 1),
            busy_with_many=_of_programs(measured[many].busy, 1),
            many=f"{many:,}",
            memory="; ".join(f"{size:,} members: {_of_programs(measured[size].megabytes, 0)}" for size in sizes),
        ),
    )


def _per_member(size: int, members: int, measured: dict[int, Measured], most: float | None) -> Row:
    ours, compared = (measured[one].checked.middle / one * 1000 for one in (size, members))
    return Row(
        f"Queue and check, time a member of {size:,}",
        f"of {members:,}: {compared:.2f} ms",
        f"{ours:.2f} ms",
        f"{ours / compared:.2f} times",
        f"≤ {most:g} times" if most else "–",
        ours / compared <= most if most else None,
    )


def _steps(size: int, course: Course) -> str:
    return (
        f"{size:,} members: queued {course.queued:.1f}, listed {course.listed:.1f}, "
        f"check asked {course.options:.1f}, done {course.checked:.1f}"
    )


def _of_programs(figures: Mapping[str, float], digits: int) -> str:
    return ", ".join(f"{program} {figure:.{digits}f}" for program, figure in figures.items())


_HOW = """
A whole stack (`deploy.local.stack`): five services with one process each, the gateway, the simulators. {runs} times
in turn, chain and floor take a union each with {members} registered and numbered members, of whom one in twenty fails
the check; then the chain alone takes unions of fewer and, once, of more.

- **The chain** uses the HTTP API as a clerk does: `POST members/queue` with an empty filter, again while
  there are more (one request takes 10,000), `GET pending` every {poll} s until all are listed, `POST
  pending/validate`, `GET pending` until all have passed or failed. Time runs from the first request to the last
  answer, pauses and pages included. Seconds run by run: {courses}.
- **The floor** (`tests/bench/chain_floor.py`) is one process without a broker: it reads and decrypts the same
  members, asks the same simulated registry with the same client (100 persons a call, five calls at once), applies the
  same rules and writes the same rows, each once and in its final state, with one bulk statement a table and one
  commit a database. Counts show afterwards that both wrote the same.

Processor time of each process in a run of the chain, in seconds on average, without the nodes: {busy}; with {many}
members: {busy_with_many}. This is the limit: the processes need more than the two cores, beside
database and broker, since each person is encrypted, decrypted and checked against a schema between services.

Peak memory (VmHWM, in MB) of each process within the runs, {memory}.
"""
