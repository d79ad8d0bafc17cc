"""Overload tests: a slow registry, all of the bank's results at once, a blocked broker.

Meanwhile people keep sending requests; queues may grow, but no process's memory, and all work is completed afterwards.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from deploy.invariants import check
from deploy.local.client import wait_until
from deploy.local.environment import SERVICES
from deploy.local.rabbitmq import SHARE_OF_MEMORY
from deploy.local.stack import Say
from tests.chaos.people import make_people
from tests.chaos.work import Clerk, Office, hire_clerks
from tests.chaos.world import World, start_world
from tests.memory import forget_peak, peak_megabytes

QUICK_MILLISECONDS, SLOW_MILLISECONDS = 20, 2_000
"""The registry's normal time for a call, and a hundred times as long."""
MOST_MEGABYTES = 400
"""The limit of each process's resident memory."""
RESULTS_AN_APPLICATION = 6
"""Accepted, made and issued, each sent twice."""
_ONCE_A_MESSAGE = 200
_ASKED = ("members?size=20", "pending?size=20", "batches?size=20", "messages?size=20")
_PAUSE = 0.1
_HANGS_SECONDS = 90
_CATCH_UP_SECONDS = 900
_SETTLE_SECONDS = 60
_PROGRAMS = (*SERVICES, "gateway")
_REGISTERED_MEANWHILE = 10


@dataclass(frozen=True)
class Size:
    """How much a run does."""

    members: int = 20_000
    quiet_seconds: float = 10
    slow_seconds: float = 30
    alarm_seconds: float = 20
    is_durable: bool = True


@dataclass
class Stage:
    """A phase under pressure, with its measurements."""

    name: str
    seconds: float = 0.0
    """The duration of the pressure and of the recovery afterwards."""
    catch_up_seconds: float = 0.0
    answers: list[float] = field(default_factory=list)
    """The seconds of each successful answer."""
    busy: int = 0
    """The number of answers 503 with Retry-After."""
    slowest: float = 0.0
    findings: Counter[str] = field(default_factory=Counter)
    """Unacceptable answers."""
    deepest: Counter[str] = field(default_factory=Counter)
    """The most messages in each queue and outbox."""
    megabytes: dict[str, float] = field(default_factory=dict)
    """The most memory of each program."""

    def violations(self) -> Iterator[str]:
        """Yields all violations as text."""
        for what, count in self.findings.items():
            yield f"{what} ({count} times)"
        if not self.answers and not self.busy:
            yield "nobody was answered"


@dataclass
class Outcome:
    """The result of a run."""

    size: Size
    stages: list[Stage] = field(default_factory=list)
    passed: int = 0
    issued: int = 0
    invariants: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    nodes: dict[str, str] = field(default_factory=dict)

    @property
    def heavy(self) -> list[str]:
        """Returns the programs over the memory limit, as text."""
        return [
            f"{stage.name}: {program} used {most:.0f} MB"
            for stage in self.stages
            for program, most in stage.megabytes.items()
            if most > MOST_MEGABYTES
        ]

    @property
    def violations(self) -> list[str]:
        """Returns all violations as text, without those of memory."""
        return [
            *(f"invariant: {one}" for one in self.invariants),
            *(f"worker: {one}" for one in self.troubles),
            *(f"{stage.name}: {one}" for stage in self.stages for one in stage.violations()),
            *([f"{self.issued} of {self.passed} cards are issued"] if self.issued != self.passed else []),
        ]


def run_pressure(size: Size, folder: Path, say: Say = print) -> Outcome:
    """Puts a separate stack in this folder under each pressure in turn."""
    outcome = Outcome(size)
    with start_world(folder, dict.fromkeys(SERVICES, 1), size.is_durable, say) as world:
        office = Office(world.stack.gateway_url, world.stack.simulator_urls["sms"])
        (clerk,) = hire_clerks(office, 1, 1)
        _ask_registry(world, QUICK_MILLISECONDS)
        _queue(clerk, size.members)
        say(f"{size.members} members are queued")
        with _stage(outcome, "nothing", world, clerk, say) as stage:
            time.sleep(size.quiet_seconds)
            stage.seconds = size.quiet_seconds
        with _stage(outcome, "a registry 100 times slower", world, clerk, say) as stage:
            _check_slowly(world, clerk, size.slow_seconds, stage)
        clerk.client.post("pending/remove", {"which": "not_passed"})
        batch_no = clerk.submit()
        outcome.passed = clerk.client.get(f"batches/{batch_no}")["total"]
        with _stage(outcome, "all results at once", world, clerk, say) as stage:
            _tell_all(world, batch_no, outcome.passed, stage)
        with _stage(outcome, "a broker that accepts nothing", world, clerk, say) as stage:
            _fill_broker(world, office, clerk, size, stage)
        outcome.issued = clerk.client.get(f"batches/{batch_no}")["issued"]
        outcome.troubles = office.troubles
        outcome.invariants = [str(one) for one in check(world.system, settle_seconds=_SETTLE_SECONDS)]
        outcome.nodes = world.versions()
    return outcome


def _queue(clerk: Clerk, members: int) -> None:
    clerk.import_members(make_people(clerk.first_serial, members))
    clerk.office.wait(clerk.are_all_numbered, _CATCH_UP_SECONDS)
    while clerk.client.post("members/queue", {"filter": {"card_state": "none"}})["more"]:
        pass
    wait_until(lambda: _listed(clerk) == members, "all are listed", _CATCH_UP_SECONDS)


def _listed(clerk: Clerk) -> int:
    return int(clerk.client.get("pending", size=1)["counts"]["ordinary"]["total"])


def _check_slowly(world: World, clerk: Clerk, seconds: float, stage: Stage) -> None:
    began = time.monotonic()
    _ask_registry(world, SLOW_MILLISECONDS)
    clerk.client.post("pending/validate")
    time.sleep(seconds)
    _ask_registry(world, QUICK_MILLISECONDS)
    stage.seconds = time.monotonic() - began
    wait_until(clerk.are_all_checked, "all are checked", _CATCH_UP_SECONDS)


def _ask_registry(world: World, milliseconds: int) -> None:
    _put(f"{world.stack.simulator_urls['registry']}/control", {"mode": "normal", "latency_ms": milliseconds})


def _tell_all(world: World, batch_no: str, results: int, stage: Stage) -> None:
    """Sends all results: intermediate steps in messages of 200, the final decisions in messages of one."""
    began = time.monotonic()
    url = f"{world.stack.simulator_urls['bank']}/batches/{batch_no}"
    wait_until(lambda: requests.get(url, timeout=30).ok, "the bank has the batch")
    for outcome, parts in (("accepted", 0), ("made", 0), ("issued", results)):
        order = {"outcome": outcome, "parts": parts or -(-results // _ONCE_A_MESSAGE), "duplicate": True}
        requests.post(f"{url}/feedback", json=order, timeout=_CATCH_UP_SECONDS).raise_for_status()
    stage.seconds = time.monotonic() - began


def _fill_broker(world: World, office: Office, clerk: Clerk, size: Size, stage: Stage) -> None:
    began = time.monotonic()
    forms = make_people(clerk.first_serial + size.members, _REGISTERED_MEANWHILE)
    world.nodes.rabbitmq.limit_memory(1e-9)
    try:
        working = office.begin("clerk", lambda: [clerk.client.post("members", form) for form in forms])
        time.sleep(size.alarm_seconds)
        wait_until(lambda: stage.busy, "somebody is told to come again", _CATCH_UP_SECONDS)
    finally:
        world.nodes.rabbitmq.limit_memory(SHARE_OF_MEMORY)
    stage.seconds = time.monotonic() - began
    working.join(_CATCH_UP_SECONDS)


@contextmanager
def _stage(outcome: Outcome, name: str, world: World, clerk: Clerk, say: Say) -> Iterator[Stage]:
    """Runs a phase while others send requests; at the end waits until all work is done."""
    stage = Stage(name)
    pids = {program: world.stack.pids(program) for program in _PROGRAMS}
    for pid in (one for program in pids.values() for one in program):
        forget_peak(pid)
    over = threading.Event()
    others = [
        threading.Thread(target=_repeat, args=(over, _asking(clerk, stage))),
        threading.Thread(target=_repeat, args=(over, lambda: _sample(world, stage))),
    ]
    for other in others:
        other.start()
    began = time.monotonic()
    try:
        yield stage
        wait_until(lambda: not world.unfinished(), "nothing is on its way", _CATCH_UP_SECONDS)
    finally:
        over.set()
        for other in others:
            other.join()
    stage.catch_up_seconds = time.monotonic() - began - stage.seconds
    stage.megabytes = {program: max(map(peak_megabytes, of_program)) for program, of_program in pids.items()}
    outcome.stages.append(stage)
    say(f"{name}: {stage.seconds:.1f} s, caught up after {stage.catch_up_seconds:.1f} s")


def _repeat(over: threading.Event, step: Callable[[], None]) -> None:
    while not over.wait(_PAUSE):
        step()


def _sample(world: World, stage: Stage) -> None:
    for name, depth in world.unfinished().items():
        stage.deepest[name] = max(depth, stage.deepest[name])


def _asking(clerk: Clerk, stage: Stage) -> Callable[[], None]:
    """Returns a function that requests one list after another, without retries."""
    session = requests.Session()
    session.cookies.update(clerk.client.http.cookies.get_dict())
    turn = 0

    def ask() -> None:
        nonlocal turn
        path = _ASKED[turn % len(_ASKED)]
        turn += 1
        began = time.monotonic()
        try:
            answer = session.get(f"{clerk.client.base}/api/v1/{path}", timeout=_HANGS_SECONDS)
        except requests.RequestException as error:
            stage.findings[f"{path}: {type(error).__name__}"] += 1
            return
        seconds = time.monotonic() - began
        stage.slowest = max(stage.slowest, seconds)
        if answer.ok:
            stage.answers.append(seconds)
        elif answer.status_code == 503 and "Retry-After" in answer.headers:
            stage.busy += 1
        else:
            stage.findings[f"{path}: {answer.status_code}"] += 1

    return ask


def _put(url: str, body: dict[str, Any]) -> None:
    requests.put(url, json=body, timeout=30).raise_for_status()
