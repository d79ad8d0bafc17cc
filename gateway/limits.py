"""Rate limits: how many requests a minute an account or an address may make, over all processes of the gateway.

Each process counts the requests that it allows and receives the others' counts four times a second (`gateway.gossip`).
So a check costs no message, and each process continues with what it knows while the broker is away.
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
    """The requests allowed a minute; 0 is no limit."""

    per_account: int
    per_address: int


@dataclass(frozen=True, order=True)
class Allowance:
    """What is left of a budget; the smallest is the strictest.

    `remaining` is -1 for a request that was refused; `seconds` is the time until more requests are allowed.
    """

    remaining: int
    limit: int
    seconds: int

    @property
    def is_exceeded(self) -> bool:
        """Whether the request exceeds the budget."""
        return self.remaining < 0

    @property
    def headers(self) -> dict[str, str]:
        """The RateLimit headers of the response."""
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(max(0, self.remaining)),
            "RateLimit-Reset": str(self.seconds),
        }


class TooManyRequests(Problem):
    """The account or the address has used up its requests for now."""

    def __init__(self, seconds: int) -> None:
        super().__init__("too_many_requests", 429, "操作过于频繁", f"请在 {seconds} 秒后重试。")
        self.retry_after = seconds


class Limits:
    """Counts requests in a sliding window: the previous minute counts in proportion to what the window still covers."""

    def __init__(self, budgets: Mapping[str, Budget], now: Callable[[], float] = time.time) -> None:
        self._budgets = budgets
        self._now = now
        self._own: dict[int, Counter[str]] = defaultdict(Counter)
        self._others: dict[int, Counter[str]] = defaultdict(Counter)
        self._counted_by: dict[int, Counter[tuple[str, str]]] = defaultdict(Counter)
        self._unpublished: set[tuple[int, str]] = set()

    def count_address(self, kind: str | None, address: str | None) -> Allowance | None:
        """Counts a request of an address unless it exceeds the limit; returns None if nothing limits it."""
        if kind is None:
            return None
        return self._count(f"{kind} of address {counted_origin(address)}", self._budgets[kind].per_address)

    def count_account(self, kind: str | None, caller: Caller | None) -> Allowance | None:
        """Counts a request of a signed-in account or member, as `count_address` does."""
        if kind is None or caller is None:
            return None
        return self._count(
            f"{kind} of account {caller.account_id or caller.member_id}", self._budgets[kind].per_account
        )

    def take_unpublished(self) -> list[tuple[int, str, int]]:
        """Returns window, key and count of what this process counted since the last call; drops old windows."""
        self._forget_before(int(self._now() // WINDOW_SECONDS) - 1)
        unpublished, self._unpublished = self._unpublished, set()
        return [(window, key, self._own[window][key]) for window, key in unpublished if window in self._own]

    def apply_counts(self, process: str, counts: list[Any]) -> None:
        """Adds the counts of another process; repeated and skipped messages do no harm."""
        oldest = int(self._now() // WINDOW_SECONDS) - 1
        for window, key, count in counts:
            if window >= oldest and (grown := count - self._counted_by[window][process, key]) > 0:
                self._counted_by[window][process, key] = count
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
        self._unpublished.add((window, key))
        return Allowance(int(limit - used - 1), limit, math.ceil(WINDOW_SECONDS - elapsed))

    def _counted(self, window: int, key: str) -> int:
        return self._own[window][key] + self._others[window][key]

    def _forget_before(self, oldest: int) -> None:
        for counts in (self._own, self._others, self._counted_by):
            for window in [window for window in counts if window < oldest]:
                del counts[window]


def _seconds_until_one_fits(before: int, current: int, elapsed: float, limit: int) -> int:
    """Returns the seconds until the sliding count has shrunk to `limit - 1` if nothing is added."""
    room = limit - 1 - current
    if room >= 0:
        seconds = WINDOW_SECONDS * (1 - room / before) - elapsed
    else:
        seconds = WINDOW_SECONDS - elapsed + WINDOW_SECONDS * (1 - (limit - 1) / current)
    return max(1, math.ceil(seconds))
