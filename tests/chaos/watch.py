"""Watches a system under faults: whether it answers, how long it takes to recover, and its metrics."""

import math
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median, quantiles

import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.chaos.faults import InjectedFault
from tests.chaos.plan import PROGRAMS

_EVERY = 1.0
_SCRAPES_EVERY = 3
_TIMEOUT = 2.0

COUNTERS = ("messages_handled", "messages_redelivered", "messages_failed", "messages_retried", "outbox_published")
"""The metrics that are summed."""


@dataclass
class Counted:
    """The sum of a counter over restarts of its process, which begins at zero again."""

    total: float = 0.0
    _last: dict[str, float] = field(default_factory=dict)

    def record(self, source: str, value: float) -> None:
        last = self._last.get(source, 0.0)
        self.total += value - last if value >= last else value
        self._last[source] = value


@dataclass(frozen=True)
class Sample:
    """The state at one moment: which processes were ready, and whether queries were answered."""

    at: float
    answers: bool
    ready: Mapping[str, bool]

    @property
    def is_well(self) -> bool:
        return self.answers and all(self.ready.values())

    def is_at_work(self, program: str) -> bool:
        """Whether all processes of a program were ready."""
        return all(is_ready for name, is_ready in self.ready.items() if name.rpartition("-")[0] == program)


class Watch:
    """Checks each second; what a killed process counted since the last check is lost."""

    def __init__(self, ready_urls: Mapping[str, str], answers: Callable[[], bool]) -> None:
        """`ready_urls` are by process; `answers` sends queries that need the whole system."""
        self.counted: dict[str, Counted] = defaultdict(Counted)
        self._looks: list[Sample] = []
        self._ready_urls = ready_urls
        self._answers = answers
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def recovery_of(self, injected: InjectedFault) -> float | None:
        """Returns the seconds from the end of a fault until its target worked again; None if never.

        The target is the program of the process or connection; for a node or a simulator, the whole system.
        """
        program = _struck_program(injected)
        for look in self._looks:
            if look.at >= injected.ended and (look.is_at_work(program) if program else look.is_well):
                return look.at - injected.ended
        return None

    @property
    def share_of_well(self) -> float:
        """Returns the share of checks at which everything was well."""
        return sum(look.is_well for look in self._looks) / max(1, len(self._looks))

    @property
    def longest_silence(self) -> float:
        """Returns the most seconds from one check at which queries were answered to the next such check."""
        answered = [look.at for look in self._looks if look.answers]
        return max((after - before for before, after in pairwise(answered)), default=math.inf)

    def is_well(self) -> bool:
        """Whether everything was well at the last check."""
        return bool(self._looks) and self._looks[-1].is_well

    def _sample(self) -> None:
        with ThreadPoolExecutor(len(self._ready_urls) + 1) as asking:
            number = 0
            while not self._stopping.wait(_EVERY):
                at = time.monotonic()
                answering = asking.submit(self._answers)
                ready = list(asking.map(_is_ready, self._ready_urls.values()))
                self._looks.append(Sample(at, answering.result(), dict(zip(self._ready_urls, ready, strict=True))))
                number += 1
                if number % _SCRAPES_EVERY == 0:
                    list(asking.map(self._scrape, self._ready_urls.items()))

    def _scrape(self, process: tuple[str, str]) -> None:
        name, ready_url = process
        try:
            text = requests.get(ready_url.replace("/readyz", "/metrics"), timeout=_TIMEOUT).text
            families = list(text_string_to_metric_families(text))
        except (requests.RequestException, ValueError):
            return  # it is away, or has no metrics, like the simulators
        sums: Counter[str] = Counter()
        for family in families:
            if family.name in COUNTERS:
                for sample in family.samples:
                    if sample.name.endswith("_total"):
                        sums[family.name] += sample.value  # type: ignore[assignment]
        for counter, value in sums.items():
            self.counted[counter].record(name, float(value))


@dataclass(frozen=True)
class Recovery:
    """The recovery times of a kind of fault."""

    count: int
    never: int
    middle: float
    most: float
    longest: float


def recovery_by_kind(watch: Watch, injected: Sequence[InjectedFault]) -> dict[str, Recovery]:
    """Returns the recovery times for each kind of fault."""
    seconds: dict[str, list[float | None]] = defaultdict(list)
    for one in injected:
        seconds[one.fault.kind].append(watch.recovery_of(one))
    return {kind: _recovery(values) for kind, values in seconds.items()}


def _recovery(values: Sequence[float | None]) -> Recovery:
    known = sorted(value for value in values if value is not None) or [0.0]
    most = quantiles(known, n=20, method="inclusive")[-1] if len(known) > 1 else known[0]
    return Recovery(len(values), len(values) - sum(v is not None for v in values), median(known), most, known[-1])


def _struck_program(injected: InjectedFault) -> str | None:
    program = injected.fault.target.partition(" to ")[0]
    return program if program in PROGRAMS else None


def _is_ready(url: str) -> bool:
    try:
        return requests.get(url, timeout=_TIMEOUT).ok
    except requests.RequestException:
        return False
