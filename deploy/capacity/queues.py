"""Simulates messages that wait in queues for processes, to see how long they take and how many wait."""

import heapq
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count


@dataclass(frozen=True)
class Step:
    """A message at a program: seconds of a process, then the messages that follow, all at once."""

    program: str
    seconds: float
    then: Sequence["Step"] = ()


@dataclass(frozen=True)
class Arrival:
    """Work that arrives at a second of the simulated time; its kind has a queue of its own at each program."""

    at: float
    kind: str
    step: Step


@dataclass
class Course:
    """What a simulation found."""

    took: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """By kind the seconds from each arrival until all that follows from it was done, in the order of the ends."""
    ended: dict[str, float] = field(default_factory=dict)
    """By kind the second in which the last of it was done."""
    longest: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """By program the most messages that waited at once."""
    busy: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    """By program the seconds that its processes worked, all together."""


def simulate(arrivals: Iterable[Arrival], processes: Mapping[str, int]) -> Course:
    """Lets the processes of each program do the work until all is done.

    A process takes one message at a time, from the queues of its program in turn, and each queue in its order.
    """
    return _Simulation(processes).run(arrivals)


def percentile(figures: Sequence[float], share: float) -> float:
    """The figure that so large a share of them does not exceed; 0 where there are none."""
    ordered = sorted(figures)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


@dataclass
class _Work:
    kind: str
    began: float
    open_steps: int = 1


@dataclass
class _Program:
    free: int
    queues: dict[str, deque[tuple[_Work, Step]]] = field(default_factory=lambda: defaultdict(deque))
    served: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    turn: int = 0
    waiting: int = 0


class _Simulation:
    def __init__(self, processes: Mapping[str, int]) -> None:
        self._programs = {name: _Program(number) for name, number in processes.items()}
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._order = count()
        self._course = Course()

    def run(self, arrivals: Iterable[Arrival]) -> Course:
        for arrival in arrivals:
            work = _Work(arrival.kind, arrival.at)
            self._at(arrival.at, partial(self._receive, work, arrival.step))
        while self._events:
            now, _, happen = heapq.heappop(self._events)
            happen(now)
        return self._course

    def _at(self, when: float, happen: Callable[[float], None]) -> None:
        heapq.heappush(self._events, (when, next(self._order), happen))

    def _receive(self, work: _Work, step: Step, now: float) -> None:
        program = self._programs[step.program]
        program.queues[work.kind].append((work, step))
        program.waiting += 1
        if program.free:
            program.free -= 1
            self._take(program, now)
        self._course.longest[step.program] = max(self._course.longest[step.program], program.waiting)

    def _take(self, program: _Program, now: float) -> None:
        """A process takes the next message of the queue that was served the longest ago."""
        kind = min((kind for kind, queue in program.queues.items() if queue), key=lambda one: program.served[one])
        program.turn += 1
        program.served[kind] = program.turn
        work, step = program.queues[kind].popleft()
        program.waiting -= 1
        self._course.busy[step.program] += step.seconds
        self._at(now + step.seconds, partial(self._finish, program, work, step))

    def _finish(self, program: _Program, work: _Work, step: Step, now: float) -> None:
        work.open_steps += len(step.then) - 1
        for following in step.then:
            self._receive(work, following, now)
        if not work.open_steps:
            self._course.took[work.kind].append(now - work.began)
            self._course.ended[work.kind] = now
        if program.waiting:
            self._take(program, now)
        else:
            program.free += 1
