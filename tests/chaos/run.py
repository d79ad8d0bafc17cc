"""One chaos run: clients work, faults are injected, all work finishes, and the results are verified."""

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from deploy.invariants import check
from deploy.local.environment import SERVICES
from deploy.local.stack import Say
from services.membership.seed import demo_password
from tests.chaos.bank_desk import BankDesk
from tests.chaos.clients import RetryingClient
from tests.chaos.faults import Faults, InjectedFault
from tests.chaos.movers import Movers, hire_movers
from tests.chaos.plan import ALL_KINDS, Fault, Kind, draw
from tests.chaos.promises import (
    PhoneMember,
    Verdict,
    verify_enrolments,
    verify_messages,
    verify_phone_members,
    verify_receipts,
    verify_union,
)
from tests.chaos.watch import Recovery, Watch, recovery_by_kind
from tests.chaos.work import (
    Clerk,
    Office,
    apply_on_phones,
    hire_clerks,
    hire_phone_clerk,
    hire_reviewer,
    review,
)
from tests.chaos.world import World, start_world

_PROBED = ("members?size=1", "pending?size=1", "revocations?size=1", "messages?size=1")
_PROBE_SECONDS = 6
_SETTLE_SECONDS = 15
_SECONDS_TO_COMPARE = 900.0
_WORKING_SHARE = 0.9
"""The share of the faults' time in which new work begins, so that the last work also ends under faults."""
_LONG_NUMBER = re.compile(r"\d+")
_EVENTS = frozenset(
    {
        "broker_away",
        "broker_lost",
        "handling_failed",
        "message_moved",
        "no_answer",
        "registry_away",
        "relay_interrupted",
        "sms_not_sent",
    }
)


@dataclass(frozen=True)
class Size:
    """The size of a run; all random choices come from the seed."""

    faults: int
    members: int
    seed: int
    seconds: float
    """The time in which the faults strike."""
    members_a_union: int = 250
    members_a_round: int = 50
    phones: int = 20
    transfers: int = 20
    """How many transfers between two unions are requested."""
    kinds: Sequence[Kind] = ALL_KINDS
    scale: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(SERVICES, 2))
    is_durable: bool = True
    has_standby: bool = False
    """Whether the database has a synchronous standby, as faults of its primary need."""
    brokers: int = 1
    """The number of the broker's nodes."""
    rest_seconds: float = 120
    """The time after the last fault in which the system must come to rest."""

    @property
    def name(self) -> str:
        """What tells runs apart that are kept side by side."""
        return str(self.seed) if self.brokers == 1 else f"{self.seed}-nodes-{self.brokers}"

    @property
    def clerks(self) -> int:
        return max(1, self.members // self.members_a_union)

    @property
    def rounds(self) -> list[int]:
        """Returns the number of members that a clerk registers in each round."""
        share = self.members // self.clerks
        full, rest = divmod(share, self.members_a_round)
        return [self.members_a_round] * full + ([rest] if rest else [])


@dataclass
class Outcome:
    """The result of a run."""

    size: Size
    plan: list[Fault]
    injected: list[InjectedFault] = field(default_factory=list)
    recoveries: dict[str, Recovery] = field(default_factory=dict)
    share_of_well: float = 0.0
    longest_silence: float = 0.0
    """The longest time in which queries to all services were not answered at once."""
    fault_seconds: float = 0.0
    working_seconds: float = 0.0
    """The time from the end of the last fault until the last client had finished."""
    rest_seconds: float = 0.0
    """The time from the end of the last fault until no message was on its way."""
    unfinished: dict[str, int] = field(default_factory=dict)
    requests: int = 0
    refusals: Counter[str] = field(default_factory=Counter)
    retries: Counter[str] = field(default_factory=Counter)
    findings: Counter[str] = field(default_factory=Counter)
    troubles: list[str] = field(default_factory=list)
    counted: dict[str, int] = field(default_factory=dict)
    logged: Counter[str] = field(default_factory=Counter)
    restarts: Counter[str] = field(default_factory=Counter)
    results_sent: int = 0
    verdict: Verdict = field(default_factory=Verdict)
    invariants: list[str] = field(default_factory=list)
    letters: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Dead letters and rejected messages, by queue and reason."""
    nodes: dict[str, str] = field(default_factory=dict)
    """The nodes' versions."""

    def overlaps(self, injected: InjectedFault) -> bool:
        """Whether another fault lasted when this one ended."""
        return any(other is not injected and other.began <= injected.ended <= other.ended for other in self.injected)

    @property
    def overlapping(self) -> int:
        """Returns how many faults ended while another one lasted."""
        return sum(map(self.overlaps, self.injected))

    @property
    def violations(self) -> list[str]:
        """Returns all violations as text; empty after a good run."""
        return [
            *self.verdict.offenders,
            *(f"invariant: {one}" for one in self.invariants),
            *(f"unfinished: {name}: {count}" for name, count in self.unfinished.items()),
            *(f"answer: {what} ({count} times)" for what, count in self.findings.items()),
            *(f"worker: {trouble}" for trouble in self.troubles),
            *(f"fault: {one.fault}: {one.trouble}" for one in self.injected if one.trouble),
        ]


def run_chaos(size: Size, folder: Path, say: Say = print) -> Outcome:
    """Injects faults into a separate stack in this folder, by the size and its seed; returns the result."""
    outcome = Outcome(size, draw(size.seed, size.faults, size.seconds, size.kinds))
    with start_world(
        folder, size.scale, size.is_durable, say, has_standby=size.has_standby, brokers=size.brokers
    ) as world:
        office = Office(world.stack.gateway_url, world.stack.simulator_urls["sms"])
        clerks = hire_clerks(office, size.clerks, size.seed)
        with Watch(world.ready_urls, _probe(clerks[0])) as watch:
            phones, movers = _work_under_fire(outcome, world, office, clerks, say)
            _come_to_rest(outcome, world, watch)
        say("comparing what was answered with the final state")
        _hold_accounts(outcome, office, clerks, phones, movers)
        reported = world.enrolments()
        for clerk in clerks:
            verify_enrolments(reported, clerk.client, outcome.verdict)
        verify_receipts(office.promises, _receipts(world), outcome.verdict)
        outcome.invariants = [str(one) for one in check(world.system, settle_seconds=_SETTLE_SECONDS)]
        _sum_up(outcome, world, office, watch)
    return outcome


def _work_under_fire(
    outcome: Outcome, world: World, office: Office, clerks: Sequence[Clerk], say: Say
) -> tuple[list[PhoneMember], Movers]:
    """Returns when the faults are over and all workers have finished or their time is over."""
    size = outcome.size
    desk = BankDesk(world.stack.simulator_urls["bank"], office.promises, world.targets.behaviour, size.seed)
    reviewer, phone_clerk = hire_reviewer(office), hire_phone_clerk(office)
    movers = hire_movers(office, size.seed)
    phones: list[PhoneMember] = []
    is_over = threading.Event()
    say(f"{size.faults} faults strike within {size.seconds:.0f} s, while {len(clerks)} clerks work")
    begin = time.monotonic()
    pause = _WORKING_SHARE * size.seconds / len(size.rounds)
    fronts = [
        office.begin(f"clerk {number}", clerk.work, size.rounds, begin + pause * number / len(clerks), pause)
        for number, clerk in enumerate(clerks)
    ]
    every = _WORKING_SHARE * size.seconds / max(1, size.phones)
    fronts.append(office.begin("phones", apply_on_phones, office, phone_clerk, phones, size.phones, every))
    every = _WORKING_SHARE * size.seconds / max(1, size.transfers)
    fronts.append(office.begin("movers", movers.work, size.transfers, begin, every))
    others = [
        office.begin("reviewer", review, office, reviewer, size.seed, is_over),
        office.begin("bank", desk.work, is_over, office.over),
    ]
    faults = Faults(world.targets, outcome.plan, size.seed)
    faults.inject_all()
    outcome.injected = faults.injected
    outcome.fault_seconds = time.monotonic() - begin
    deadline = time.monotonic() + size.rest_seconds
    _join(fronts, deadline)
    is_over.set()
    _join(others, deadline)
    outcome.working_seconds = time.monotonic() - begin - outcome.fault_seconds
    office.troubles += [f"not finished in time: {one.name}" for one in (*fronts, *others) if one.is_alive()]
    office.over.set()
    outcome.results_sent = office.promises.results_sent
    return phones, movers


def _join(threads: Sequence[threading.Thread], deadline: float) -> None:
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))


def _come_to_rest(outcome: Outcome, world: World, watch: Watch) -> None:
    """Waits until nothing is on its way, twice in a row, since a message may be between outbox and queue."""
    last_fault = max(one.ended for one in outcome.injected)
    deadline = last_fault + outcome.size.rest_seconds
    quiet = 0
    while quiet < 2:
        outcome.unfinished = world.unfinished() | ({} if watch.is_well() else {"processes not ready": 1})
        quiet = 0 if outcome.unfinished else quiet + 1
        outcome.rest_seconds = time.monotonic() - last_fault
        if time.monotonic() > deadline and outcome.unfinished:
            return
        time.sleep(0.5)


def _hold_accounts(
    outcome: Outcome, office: Office, clerks: Sequence[Clerk], phones: Sequence[PhoneMember], movers: Movers
) -> None:
    _be_patient([*(one.client for one in (*clerks, *movers.clerks)), *(phone.client for phone in phones)])
    for clerk in clerks:
        verify_union(clerk.promised, office.promises, clerk.client, outcome.verdict)
    movers.verify(outcome.verdict)
    verify_phone_members(office.promises, phones, outcome.verdict)
    sent = requests.get(f"{office.sms_url}/messages", timeout=30).json()["items"]
    verify_messages(office.promises, sent, outcome.verdict)


def _be_patient(clients: Sequence[RetryingClient]) -> None:
    """Lets clients repeat requests again: on a busy machine an answer may miss its deadline without any fault."""
    given_up = threading.Event()
    timer = threading.Timer(_SECONDS_TO_COMPARE, given_up.set)
    timer.daemon = True
    timer.start()
    for client in clients:
        client.repeat_until(given_up)


def _receipts(world: World) -> list[dict[str, Any]]:
    """Returns all receipts of the bank."""
    answer = requests.get(f"{world.stack.simulator_urls['bank']}/receipts", timeout=30)
    receipts: list[dict[str, Any]] = answer.json()["items"]
    return receipts


def _sum_up(outcome: Outcome, world: World, office: Office, watch: Watch) -> None:
    tally = office.tally
    outcome.requests = tally.answered
    outcome.refusals, outcome.retries, outcome.findings = tally.refused, tally.retries, tally.findings
    outcome.troubles = office.troubles
    outcome.recoveries = recovery_by_kind(watch, outcome.injected)
    outcome.share_of_well = watch.share_of_well
    outcome.longest_silence = watch.longest_silence
    outcome.counted = {name: round(counted.total) for name, counted in watch.counted.items()}
    outcome.logged = _logged(world.stack.folder / "logs")
    outcome.restarts = world.restarts()
    outcome.letters = _letters(office)
    outcome.nodes = world.versions()


def _letters(office: Office) -> Counter[tuple[str, str]]:
    operator = office.client()
    operator.sign_in("ops", demo_password())
    letters = operator.all_pages("operations/dead-letters")
    return Counter((letter["queue"], _LONG_NUMBER.sub("…", letter["reason"])) for letter in letters)


def _probe(clerk: Clerk) -> Callable[[], bool]:
    """Returns a probe that calls each service that answers clerks, without retries."""
    cookies = clerk.client.http.cookies.get_dict()

    def answers() -> bool:
        try:
            return all(
                requests.get(f"{clerk.client.base}/api/v1/{path}", cookies=cookies, timeout=_PROBE_SECONDS).ok
                for path in _PROBED
            )
        except requests.RequestException:
            return False

    return answers


def _logged(folder: Path) -> Counter[str]:
    """Counts the retries in the processes' logs, which outlive the processes."""
    counted: Counter[str] = Counter()
    for path in folder.glob("*.log*"):
        with path.open(errors="replace") as lines:
            counted.update(event for line in lines if (event := _event(line)) in _EVENTS)
    return counted


def _event(line: str) -> str:
    try:
        return str(json.loads(line).get("event"))
    except (ValueError, AttributeError):
        return ""
