"""Cities of four sizes: their work in the busiest hour, the processes that this takes, and how long people wait."""

import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from deploy.capacity.measured import Measured
from deploy.capacity.queues import Arrival, Course, Step, simulate
from services.contracts.services import SERVICES

PROGRAMS = ("gateway", *SERVICES)
NODES = ("postgres", "rabbitmq")
SIZES = (10_000, 1_000_000, 10_000_000, 100_000_000)
BUSY_SHARE = 0.5
"""How much of a process's or a core's time the busiest hour may take: the rest is for what nobody foresaw."""
REGISTRY_SECONDS = 0.05
"""A call of the registry for a message of a check, as the simulated one answers."""
LOT = 100
"""Persons of a message, and results that a process takes from its queue in one transaction."""
_SIMULATED_READS, _SIMULATED_SECONDS = 10_000, 60
_SEED = 20261130


@dataclass(frozen=True)
class City:
    """A number of members, and the work that they make in the busiest hour."""

    members: int
    measured: Measured

    @property
    def clerks(self) -> int:
        """Clerks at work at the same time: one for 25,000 members, four at least."""
        return max(4, self.members // 25_000)

    @property
    def reads_a_second(self) -> float:
        """Each clerk opens a page every four seconds."""
        return self.clerks / 4

    @property
    def results_an_hour(self) -> int:
        """The bank answers for one member in a hundred; as many are queued and checked."""
        return self.members // 100

    @cached_property
    def cores(self) -> int:
        """Whole cores for all programs and nodes: busy for half of the hour at most, and enough for the burst."""
        results = self.results_an_hour * sum(self.measured.milliseconds["issue"].values()) / 1000
        reads = self.reads_a_second * sum(self.measured.milliseconds["read"].values()) / 1000
        return math.ceil(max(sum(self.busy.values()) / BUSY_SHARE, results / self.burst.ended["issue"] + reads))

    @cached_property
    def busy(self) -> Mapping[str, float]:
        """By program and node the cores that the busiest hour keeps busy."""
        used = self.measured.milliseconds
        return {
            name: sum(used[kind][name] * number / 1000 for kind, number in self._a_second.items())
            for name in (*PROGRAMS, *NODES)
        }

    @cached_property
    def processes(self) -> Mapping[str, int]:
        """By program as many as are busy for half of the hour at most; two at least, so that one may be lost."""
        least = 1 if self.members <= min(SIZES) else 2
        return {name: max(least, math.ceil(self._occupied(name) / BUSY_SHARE)) for name in PROGRAMS}

    @cached_property
    def burst(self) -> Course:
        """All results of the hour at once, while clerks read and have members checked, until all is done."""
        return simulate(self._arrivals(random.Random(_SEED)), self.processes)

    @property
    def _a_second(self) -> Mapping[str, float]:
        """By kind the pieces of work in a second of the hour."""
        results = self.results_an_hour / 3600
        return {"read": self.reads_a_second, "check": results, "issue": results}

    def _occupied(self, program: str) -> float:
        """The processes that wait or compute: those of checks wait for the registry too."""
        waits = REGISTRY_SECONDS * self.results_an_hour / LOT / 3600 if program == "validation" else 0.0
        return waits + sum(self._seconds(kind, program) * number for kind, number in self._a_second.items())

    def _seconds(self, kind: str, program: str) -> float:
        """A process's seconds for a piece of work: its own, and its share of the database's and the broker's."""
        used = self.measured.milliseconds[kind]
        own = sum(used[name] for name in PROGRAMS)
        return used[program] * (1 + sum(used[node] for node in NODES) / own) / 1000

    def _arrivals(self, drawn: random.Random) -> Iterator[Arrival]:
        seconds = min(_SIMULATED_SECONDS, _SIMULATED_READS / self.reads_a_second)
        page = Step("gateway", self._seconds("read", "gateway"), [self._step("membership", "read", 1)])
        yield from _at_random(drawn, "read", self.reads_a_second, seconds, page)
        yield from _at_random(drawn, "check", self.results_an_hour / 3600 / LOT, seconds, self._checked())
        for _ in range(math.ceil(self.results_an_hour / LOT)):
            yield Arrival(0.0, "issue", self._issued())

    def _checked(self) -> Step:
        answered = self._step("batching", "check", LOT / 2, self._step("notification", "check"))
        waiting = self._seconds("check", "validation") * LOT + REGISTRY_SECONDS
        listed = self._step("batching", "check", LOT / 2, Step("validation", waiting, [answered]))
        return self._step("membership", "check", LOT, listed)

    def _issued(self) -> Step:
        others = [self._step(name, "issue") for name in ("membership", "revocation", "notification")]
        return self._step("batching", "issue", LOT, *others)

    def _step(self, program: str, kind: str, pieces: float = LOT, *then: Step) -> Step:
        return Step(program, self._seconds(kind, program) * pieces, then)


def _at_random(drawn: random.Random, kind: str, a_second: float, seconds: float, step: Step) -> Iterator[Arrival]:
    """Arrivals independent of one another for so long, on average so many a second."""
    at = drawn.expovariate(a_second)
    while at < seconds:
        yield Arrival(at, kind, step)
        at += drawn.expovariate(a_second)
