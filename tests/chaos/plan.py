"""The plan of a chaos run, drawn from a seed: which fault hits which target, when and for how long."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from services.kit.events.topology import event_queues
from tests.chaos.bank_faults import BANK_FAULTS

SERVICES = ("membership", "validation", "batching", "revocation", "notification")
PROGRAMS = (*SERVICES, "gateway")


@dataclass(frozen=True)
class Kind:
    """A kind of fault: its weight among all faults, how long it may last, and its possible targets."""

    name: str
    weight: float
    seconds: tuple[float, float]
    targets: Sequence[str]


@dataclass(frozen=True, order=True)
class Fault:
    """One fault of a plan; `at` is in seconds from the beginning of the faults."""

    at: float
    kind: str
    target: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.at:.1f} s: {self.kind} {self.target}, {self.seconds:.1f} s"


_AT_ONCE = (0.0, 0.0)
_OF_BROKER = tuple(f"{program} to broker" for program in (*PROGRAMS, "bank"))
_OF_DATABASE = tuple(f"{service} to database" for service in SERVICES)

KILL = Kind("process killed", 26, _AT_ONCE, PROGRAMS)
TERMINATE = Kind("process terminated", 18, _AT_ONCE, PROGRAMS)
CUT = Kind("connections cut", 24, _AT_ONCE, (*_OF_BROKER, *_OF_DATABASE))
DELAY = Kind("connections delayed", 12, (2, 8), (*_OF_BROKER, *_OF_DATABASE))
RESTART_DATABASE = Kind("PostgreSQL restarted", 4, (0, 3), ("postgres",))
RESTART_BROKER = Kind("broker restarted", 3, (0, 3), ("rabbitmq",))
FREEZE_BROKER = Kind("broker frozen", 1.5, (20, 20), ("rabbitmq",))
KILL_NODE = Kind("broker node killed", 6, (1, 10), ("node 1", "node 2", "node 3"))
REGISTRY = Kind("registry failing", 9, (2, 8), ("down", "slow", "rubbish", "partial", "error"))
SMS = Kind("SMS provider failing", 9, (2, 8), ("down", "slow", "error", "lose_answer"))
TWICE = Kind("bank messages duplicated", 6, (3, 8), ("bank",))
DISORDER = Kind("bank messages out of order", 6, (3, 8), ("bank",))
WRONG = Kind("bank messages wrong", 7, _AT_ONCE, ("malformed", "unsigned", "unknown batch"))
FAULTY = Kind("bank feedback faulty", 7, _AT_ONCE, tuple(BANK_FAULTS))
CLOCK = Kind("bank's clock wrong", 5, (3, 8), ("6 hours ahead", "50 seconds behind"))

UNBIND = Kind("queue unbound", 8, (2, 6), event_queues())
DELETE = Kind("queue deleted", 4, (1, 4), event_queues())

CHEAP_KINDS = (
    KILL,
    TERMINATE,
    CUT,
    DELAY,
    RESTART_DATABASE,
    REGISTRY,
    SMS,
    TWICE,
    DISORDER,
    WRONG,
    FAULTY,
    CLOCK,
    UNBIND,
)
"""Kinds after which work resumes within seconds."""
FAIL_OVER = Kind("database's primary killed", 3, (1, 3), ("postgres",))
"""For a stack whose database has a standby; it is promoted after the fault's seconds, and gets a standby itself."""
ALL_KINDS = (*CHEAP_KINDS, DELETE, RESTART_BROKER, FREEZE_BROKER)
KINDS_OF_CLUSTER = (KILL_NODE, *ALL_KINDS)
"""With a broker of three nodes; what strikes the broker strikes one of them."""


def draw(seed: int, count: int, seconds: float, kinds: Sequence[Kind] = ALL_KINDS) -> list[Fault]:
    """Draws `count` faults within `seconds`, in order; each kind at least once if there are enough."""
    dice = random.Random(seed)
    chosen = list(kinds[:count])
    chosen += dice.choices(kinds, [kind.weight for kind in kinds], k=count - len(chosen))
    return sorted(_fault(dice, kind, dice.uniform(0, seconds)) for kind in chosen)


def _fault(dice: random.Random, kind: Kind, at: float) -> Fault:
    return Fault(round(at, 2), kind.name, dice.choice(kind.targets), round(dice.uniform(*kind.seconds), 2))
