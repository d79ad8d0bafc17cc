"""The probe: handlers that succeed, fail, wait or crash as the message requests."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

import requests
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from services.contracts.events.audit import ACTS_RECORDED
from services.kit.data.database import Database
from services.kit.events import relay
from services.kit.events.outbox import publish
from services.kit.events.relay import Relay
from services.kit.events.subscribe import (
    Event,
    Message,
    Reject,
    Retry,
    listen,
    subscribe_batch,
    subscribes,
    subscribes_sets,
)
from services.kit.problems import Conflict
from services.kit.rpc.methods import handles
from services.kit.rpc.operation import command, own_union, query
from services.kit.rpc.work import Work
from tests.integration.messaging.probe.contracts import (
    ACT_RECORDED,
    ANSWERED,
    BATCH_QUEUE,
    GROUPED,
    PINGED,
    UNHEARD,
    PingedData,
)
from tests.integration.messaging.probe.models import Effect

relay.POLL_SECONDS = float(os.environ.get("RELAY_POLL_SECONDS", relay.POLL_SECONDS))
ACTS_RECORDED["probe"] = ACT_RECORDED


@dataclass(frozen=True, kw_only=True)
class Knock:
    """The key to record, and how to behave."""

    key: str
    behaviour: str = "do"


@dataclass(frozen=True, kw_only=True)
class Knocked:
    """What was recorded, and when."""

    key: str
    at: int


@dataclass(frozen=True, kw_only=True)
class Written:
    """How often the key was recorded."""

    count: int


KNOCK = command("probe.knock", Knock, Knocked, allow=own_union("clerk"), title="敲门")
COUNT = query("probe.count", Knock, Written, allow=own_union("clerk"))


class Probe:
    """Behaves as messages request and records effects."""

    name = "probe"
    database = Database()
    relay = Relay()

    @subscribes(PINGED)
    def on_pinged(self, session: Session, event: Event[PingedData]) -> None:
        """Records the key, then behaves as requested."""
        key = event.data.key
        session.add(Effect(key=key, note=str(os.getpid())))
        session.flush()
        _behave(self, event.data.behaviour, session, key)
        publish(session, ANSWERED, PingedData(key=key))

    @subscribes_sets(GROUPED, size=10)
    def on_grouped(self, session: Session, events: list[Event[PingedData]]) -> None:
        """Records each key with the number of events in the set, and behaves as each requests."""
        for event in events:
            session.add(Effect(key=event.data.key, note=str(len(events))))
            session.flush()
            _behave(self, event.data.behaviour, session, event.data.key)

    @subscribe_batch(queue=BATCH_QUEUE, size=200)
    def on_foreign(self, session: Session, messages: list[Message]) -> None:
        """Records each body; `bad` fails the whole chunk, `refuse` is rejected, `gate` waits for the test."""
        for message in messages:
            key = message.body.decode()
            if key.startswith("gate"):
                _wait_at_gate(session, key)
            if key.startswith("bad"):
                raise ZeroDivisionError(key)
            if key.startswith("refuse"):
                message.reject("not wanted")
            else:
                session.add(Effect(key=key, note=str(len(messages))))

    @listen(ANSWERED)
    def on_answered(self, event: Event[PingedData]) -> None:
        """Records that the live event was received."""
        with self.database.begin() as session:
            session.add(Effect(key=event.data.key, note="heard"))

    @handles(KNOCK)
    def knock(self, work: Work, request: Knock) -> Knocked:
        """Records the key and publishes it."""
        work.session.add(Effect(key=request.key, note=work.caller.account_id or ""))
        work.session.flush()
        _behave(self, request.behaviour, work.session, request.key)
        publish(work.session, UNHEARD if request.behaviour == "unheard" else PINGED, PingedData(key=request.key))
        return Knocked(key=request.key, at=time.time_ns())

    @handles(COUNT)
    def count(self, work: Work, request: Knock) -> Written:
        """Returns how often the key was recorded; tries to write if requested."""
        if request.behaviour == "write":
            work.session.add(Effect(key=request.key))
            work.session.flush()
        found = select(func.count()).where(Effect.key == request.key)
        return Written(count=work.session.scalar(found) or 0)


def _behave(probe: Probe, behaviour: str, session: Session, key: str) -> None:
    name, _, argument = behaviour.partition(":")
    if name in _BEHAVIOURS:
        _BEHAVIOURS[name](argument)
    elif name == "gate":
        _wait_at_gate(session, key)
    elif name == "die":
        _wait_at_gate(session, key)
        os._exit(1)
    elif name == "unreachable" and _attempts(probe, key) < int(argument):
        requests.get("http://127.0.0.1:9", timeout=1)
    elif name == "retry" and _attempts(probe, key) < int(argument):
        raise Retry("the registry is away")
    elif name == "bug-until" and _attempts(probe, key) < int(argument):
        raise ZeroDivisionError


def _raise(error: Exception) -> None:
    raise error


_BEHAVIOURS: dict[str, Callable[[str], object]] = {
    "sleep": lambda seconds: time.sleep(float(seconds)),
    "reject": lambda _: _raise(Reject("wrong in itself")),
    "bug": lambda _: _raise(ZeroDivisionError("a value that must not be logged: 310101199001011234")),
    "conflict": lambda _: _raise(Conflict("taken", "已被占用", "请另选。")),
}


def _wait_at_gate(session: Session, key: str) -> None:
    """Returns once no test holds the gate of this key closed (`World.gate`)."""
    session.execute(text("select pg_advisory_xact_lock_shared(hashtext(:key))"), {"key": key})


def _attempts(probe: Probe, key: str) -> int:
    """Returns the number of earlier attempts, recorded outside the transaction that will be rolled back."""
    with probe.database.begin() as session:
        session.add(Effect(key=f"attempt at {key}"))
    with probe.database.read() as session:
        return (session.scalar(select(func.count()).where(Effect.key == f"attempt at {key}")) or 0) - 1
