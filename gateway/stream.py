"""Live updates: open pages receive changes in their union as server-sent events, without personal data.

A notification only says that something changed, and the page fetches its data again. Delivery is not guaranteed.
"""

import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, Full, Queue
from typing import Any

from prometheus_client import Gauge

from gateway.sessions import Session
from services.contracts.events.notification import EVERYWHERE
from services.kit.problems import Problem
from services.kit.rpc.methods import Caller

HEARTBEAT_SECONDS = 15
QUEUE_SIZE = 100
"""How many notifications may wait for a slow page before its stream is ended; it reconnects and gets a resync."""

_REVIEWER = "reviewer"
"""The role whose updates go also to deputies, and to the next superior of a union without reviewers."""
_OPERATOR = "operator"
"""The role whose accounts also get the updates of no union."""
_EVERYWHERE = str(EVERYWHERE)

_open_streams = Gauge("http_streams_open", "Pages that listen to live updates.")


@dataclass(frozen=True)
class Audience:
    """The accounts of a union; with `role`, those that have it; with `account_id`, that account only.

    Of the union EVERYWHERE, all operators.
    """

    union_id: str
    role: str | None = None
    account_id: str | None = None

    def includes(self, caller: Caller) -> bool:
        """Whether the caller belongs to the audience."""
        if self.account_id is not None:
            return caller.account_id == self.account_id
        if self.role == _REVIEWER and self.union_id in caller.other_union_ids:
            return True
        if self.union_id == _EVERYWHERE:
            return self.role == _OPERATOR and _OPERATOR in caller.roles
        return caller.union_id == self.union_id and (self.role is None or self.role in caller.roles)


@dataclass(frozen=True)
class LiveUpdate:
    """A notification to pages: which kind of thing changed, which one, and how many."""

    type: str
    facts: dict[str, Any]
    audiences: tuple[Audience, ...]


class TooManyStreams(Problem):
    """The account has too many pages open at once."""

    def __init__(self) -> None:
        super().__init__("too_many_streams", 429, "打开的页面过多", "请关闭不用的页面后刷新。")
        self.retry_after = HEARTBEAT_SECONDS


class Streams:
    """The open streams of this process.

    Each account may have `most_per_account` streams over all processes, 0 is no limit; `elsewhere(account)` returns how
    many of its streams are open at the other processes.
    """

    def __init__(
        self,
        now: Callable[[], float] = time.time,
        most_per_account: int = 0,
        elsewhere: Callable[[str], int] = lambda account: 0,
    ) -> None:
        self._now = now
        self._most_per_account = most_per_account
        self._elsewhere = elsewhere
        self._listeners: dict[str | None, set[_Listener]] = defaultdict(set)

    def publish(self, update: LiveUpdate) -> None:
        """Sends a notification once to each listener of its audiences, without waiting."""
        for listener in self._find(update.audiences):
            listener.put(update)

    def listen(self, session: Session) -> Iterator[bytes]:
        """Returns a session's stream as bytes, from a `resync` until the session ends or the page is too slow.

        Raises TooManyStreams.
        """
        account = session.caller.account_id
        if account and 0 < self._most_per_account <= self.open_by_account()[account] + self._elsewhere(account):
            raise TooManyStreams
        return self._updates(session)

    def open_by_account(self) -> Counter[str]:
        """Returns how many streams of each account are open at this process."""
        listeners = {listener for those in self._listeners.values() for listener in those}
        return Counter(listener.caller.account_id for listener in listeners if listener.caller.account_id)

    def close(self) -> None:
        """Ends all streams; the pages reconnect to another process."""
        for listeners in list(self._listeners.values()):
            for listener in listeners:
                listener.end()

    def _updates(self, session: Session) -> Iterator[bytes]:
        listener = _Listener(session.caller)
        for union_id in listener.union_ids:
            self._listeners[union_id].add(listener)
        _open_streams.inc()
        try:
            yield _frame("resync", {})
            while (seconds_left := session.ends_at - self._now()) > 0:
                try:
                    update = listener.updates.get(timeout=min(HEARTBEAT_SECONDS, seconds_left))
                except Empty:
                    yield b": heartbeat\n\n"
                    continue
                if update is None:
                    return
                yield _frame(update.type, update.facts)
        finally:
            _open_streams.dec()
            self._leave(listener)

    def end_sessions(self, session_ids: Collection[str]) -> None:
        """Ends the streams of these sessions."""
        for listeners in list(self._listeners.values()):
            for listener in listeners:
                if listener.caller.session_id in session_ids:
                    listener.end()

    def _find(self, audiences: Iterable[Audience]) -> "set[_Listener]":
        return {
            listener
            for audience in audiences
            for listener in self._listeners.get(audience.union_id, ())
            if audience.includes(listener.caller)
        }

    def _leave(self, listener: "_Listener") -> None:
        for union_id in listener.union_ids:
            listeners = self._listeners[union_id]
            listeners.discard(listener)
            if not listeners:
                del self._listeners[union_id]


class _Listener:
    """One open page; None in its queue of notifications ends the stream."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.union_ids: set[str | None] = {caller.union_id, *caller.other_union_ids}
        if _OPERATOR in caller.roles:
            self.union_ids.add(_EVERYWHERE)
        self.updates: Queue[LiveUpdate | None] = Queue(QUEUE_SIZE)

    def put(self, update: LiveUpdate) -> None:
        try:
            self.updates.put_nowait(update)
        except Full:
            self.end()

    def end(self) -> None:
        with suppress(Empty):
            while True:
                self.updates.get_nowait()
        self.updates.put_nowait(None)


def _frame(kind: str, facts: dict[str, Any]) -> bytes:
    return f"event: {kind}\ndata: {json.dumps(facts, default=str)}\n\n".encode()
