"""How many requests an account or an address may make a minute, counted over all processes of the gateway.

Each process counts what it lets in and hears a few times a second what the others counted (`gateway.gossip`); so a
question costs no message, and while the broker is away each process goes on by what it knows.
"""

import math
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from services.kit.origins import counted_origin
from services.kit.problems import Problem
from services.kit.rpc.methods import Caller

WINDOW_SECONDS = 60
KINDS = ("reads", "writes", "files", "sensitive")


@dataclass(frozen=True)
class Budget:
    """Requests a minute; 0 is without limit."""

    per_account: int
    per_address: int


@dataclass(frozen=True, order=True)
class Allowance:
    """What is left of a budget; the least is the tightest. `seconds` pass until more is there; -1 let nothing in."""

    remaining: int
    limit: int
    seconds: int

    @property
    def is_spent(self) -> bool:
        """Whether the request was one too many."""
        return self.remaining < 0

    @property
    def headers(self) -> dict[str, str]:
        """What the answer says of it."""
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(max(0, self.remaining)),
            "RateLimit-Reset": str(self.seconds),
        }


class TooManyRequests(Problem):
    """The account or the address has made all requests that it may make for now."""

    def __init__(self, seconds: int) -> None:
        super().__init__("too_many_requests", 429, "操作过于频繁", f"请在 {seconds} 秒后重试。")
        self.retry_after = seconds


class Limits:
    """Counts in windows of a minute; the window before counts by the part of it that is less than a minute ago."""

    def __init__(self, budgets: Mapping[str, Budget], now: Callable[[], float] = time.time) -> None:
        self._budgets = budgets
        self._now = now
        self._own: dict[int, Counter[str]] = defaultdict(Counter)
        self._others: dict[int, Counter[str]] = defaultdict(Counter)
        self._told_by: dict[int, Counter[tuple[str, str]]] = defaultdict(Counter)
        self._untold: set[tuple[int, str]] = set()

    def count_address(self, kind: str | None, address: str | None) -> Allowance | None:
        """Counts a request of an address, unless it is one too many; None where nothing limits it."""
        if kind is None:
            return None
        return self._count(f"{kind} of address {counted_origin(address)}", self._budgets[kind].per_address)

    def count_account(self, kind: str | None, caller: Caller | None) -> Allowance | None:
        """The same for who is signed in, with an account or as a member."""
        if kind is None or caller is None:
            return None
        return self._count(
            f"{kind} of account {caller.account_id or caller.member_id}", self._budgets[kind].per_account
        )

    def take_untold(self) -> list[tuple[int, str, int]]:
        """Window, key and count of all that this process counted since it was last asked; forgets old windows."""
        self._forget_before(int(self._now() // WINDOW_SECONDS) - 1)
        untold, self._untold = self._untold, set()
        return [(window, key, self._own[window][key]) for window, key in untold if window in self._own]

    def learn(self, process: str, counts: list[Any]) -> None:
        """Takes in what another process told; hearing it twice, or a later count alone, is the same."""
        oldest = int(self._now() // WINDOW_SECONDS) - 1
        for window, key, count in counts:
            if window >= oldest and (grown := count - self._told_by[window][process, key]) > 0:
                self._told_by[window][process, key] = count
                self._others[window][key] += grown

    def _count(self, key: str, limit: int) -> Allowance | None:
        if not limit:
            return None
        now = self._now()
        window, elapsed = int(now // WINDOW_SECONDS), now % WINDOW_SECONDS
        before, current = self._counted(window - 1, key), self._counted(window, key)
        used = current + before * (1 - elapsed / WINDOW_SECONDS)
        if used + 1 > limit:
            return Allowance(-1, limit, _seconds_until_one_fits(before, current, elapsed, limit))
        self._own[window][key] += 1
        self._untold.add((window, key))
        return Allowance(int(limit - used - 1), limit, math.ceil(WINDOW_SECONDS - elapsed))

    def _counted(self, window: int, key: str) -> int:
        return self._own[window][key] + self._others[window][key]

    def _forget_before(self, oldest: int) -> None:
        for counts in (self._own, self._others, self._told_by):
            for window in [window for window in counts if window < oldest]:
                del counts[window]


def _seconds_until_one_fits(before: int, current: int, elapsed: float, limit: int) -> int:
    """By then what counts has shrunk to `limit - 1`, if nothing is added."""
    room = limit - 1 - current
    if room >= 0:
        seconds = WINDOW_SECONDS * (1 - room / before) - elapsed
    else:
        seconds = WINDOW_SECONDS - elapsed + WINDOW_SECONDS * (1 - (limit - 1) / current)
    return max(1, math.ceil(seconds))
