"""Reconciles services whose databases were restored to an earlier moment: others tell them what they have forgotten.

A restored database is fenced: it takes no changes until its service has learned all that it may not give out again.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping

from deploy.invariants import System, Violation
from deploy.invariants.applications import checks_agree, membership_and_batching_agree
from deploy.invariants.audit_heads import stored_heads
from deploy.invariants.batches import revocation_knows_batches
from deploy.invariants.cards import membership_and_batching_agree as cards_agree
from deploy.invariants.messages import queue_depths
from deploy.invariants.system import Snapshots, snapshots_of
from deploy.repair.bank_record import BankBatch, facts_of
from deploy.repair.runner import Runner
from services.kit.amqp.queues import owner_of
from services.kit.data.fence import end_other_connections, lift_fence, restored_to
from services.kit.data.primary import tool_engine
from services.kit.system import the_system

_SECONDS_BETWEEN_LOOKS = 0.5
_BATCHES = "select batch_no from batch"
_LAST_ENTRY = """
    select greatest(
        (select coalesce(max(position), 0) from audit_entry),
        (select coalesce(max(last_position), 0) from audit_archive)
    ) as position
"""
Sides = Mapping[str, RowMapping | None]


@dataclass(frozen=True)
class Restored:
    """A service whose database was restored to a moment, and the bank's own record of batches, if there is one."""

    service: str
    moment: datetime
    bank: Mapping[str, BankBatch] = field(default_factory=dict)


@dataclass
class Reconciled:
    """What a restored service learned or would learn, what a person has to look at, and what keeps it fenced."""

    done: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    blocking: list[str] = field(default_factory=list)
    lost_audit_entries: str | None = None


def fenced_services(system: System) -> dict[str, datetime]:
    """Returns the services whose databases are fenced, with the moments that they were restored to."""
    moments = {}
    for service, url in system.database_urls.items():
        with tool_engine(url).connect() as connection:
            if moment := restored_to(connection):
                moments[service] = moment
    return moments


def reconcile(runner: Runner, restored: Restored, caller: dict[str, Any] | None, settle_seconds: float) -> Reconciled:
    """Lets a restored service learn from the others; without a caller only returns what it would learn.

    The messages of the other services must have been handled, so that they know all they will know.
    """
    service, since = restored.service, restored.moment.isoformat()
    if waiting := _waiting_for_others(runner.system, service, settle_seconds):
        return Reconciled(blocking=[f"{queue} is not empty: its service must have handled it" for queue in waiting])

    def tell(by: str, of: str, ids: Iterable[str]) -> dict[str, Any]:
        told: dict[str, Any] = runner.ask(by, {"tells": of, "ids": sorted(ids), "since": since})
        return told

    facts: dict[str, Any] = {}
    with snapshots_of(runner.system) as snapshots:
        for other, ids in _QUESTIONS[service](snapshots).items():
            facts |= {name: values for name, values in tell(other, service, ids).items() if values}
        if service == "membership":
            facts["lost_audit_entries"] = _lost_audit_entries(runner.system, snapshots)
        alone = _known_to_the_bank_alone(snapshots, restored.bank) if service == "batching" else {}
    theirs, left = facts_of(alone, restored.moment, lambda of, ids: tell("membership", of, ids))
    for name, values in theirs.items():
        facts[name] = [*facts.get(name, []), *values]
    learned = runner.ask(service, {"learns": facts, "since": since, "caller": caller})
    return Reconciled(learned["done"], [*left, *learned["left"]], learned["blocking"], facts.get("lost_audit_entries"))


def lift(system: System, service: str, owner_url: str) -> None:
    """Lets a reconciled service work: its database takes changes again, and connections from before are ended."""
    with tool_engine(owner_url).begin() as connection:
        lift_fence(connection)
    end_other_connections(tool_engine(system.database_urls[service]))


def is_work_of_others(queue: str, service: str) -> bool:
    """Whether a queue holds what another service of ours must handle: not what outside parties read or sent wrongly."""
    is_external = any(queue.startswith(f"{party.prefix}.") for party in the_system().external)
    return owner_of(queue) != service and not is_external and not queue.endswith(".dead")


def _known_to_the_bank_alone(snapshots: Snapshots, bank: Mapping[str, BankBatch]) -> dict[str, BankBatch]:
    ours = {row["batch_no"] for service in ("batching", "revocation") for row in snapshots.rows(service, _BATCHES)}
    return {batch_no: batch for batch_no, batch in bank.items() if batch_no not in ours}


def _waiting_for_others(system: System, service: str, settle_seconds: float) -> list[str]:
    """Returns the queues of other services that are not empty in time."""
    until = time.monotonic() + settle_seconds
    while True:
        depths = queue_depths(system)
        waiting = sorted(queue for queue, depth in depths.items() if depth and is_work_of_others(queue, service))
        if not waiting or time.monotonic() >= until:
            return waiting
        time.sleep(_SECONDS_BETWEEN_LOOKS)


def _for_batching(snapshots: Snapshots) -> dict[str, set[str]]:
    is_ahead = _is_ahead("membership", "batching", "version")
    behind = _ids(membership_and_batching_agree(snapshots), is_ahead) | _ids(cards_agree(snapshots), is_ahead)
    return {
        "membership": behind,
        "revocation": _ids(revocation_knows_batches(snapshots), lambda sides: sides["revocation"] is not None),
        "validation": _ids(checks_agree(snapshots), _is_ahead("validation", "batching", "check_no")),
        "notification": set(),
    }


def _for_membership(snapshots: Snapshots) -> dict[str, set[str]]:
    ahead = _ids(membership_and_batching_agree(snapshots), _is_ahead("batching", "membership", "version"))
    return {"batching": ahead, "notification": set()}


def _for_validation(snapshots: Snapshots) -> dict[str, set[str]]:
    return {"batching": _ids(checks_agree(snapshots), lambda sides: sides["batching"] is not None)}


def _for_revocation(snapshots: Snapshots) -> dict[str, set[str]]:
    differing = _ids(revocation_knows_batches(snapshots), lambda sides: sides["batching"] is not None)
    return {"batching": differing, "notification": set()}


def _for_notification(_snapshots: Snapshots) -> dict[str, set[str]]:
    return {}


_QUESTIONS: Mapping[str, Callable[[Snapshots], dict[str, set[str]]]] = {
    "batching": _for_batching,
    "membership": _for_membership,
    "validation": _for_validation,
    "revocation": _for_revocation,
    "notification": _for_notification,
}
"""For each restored service whom it asks, and about what."""


def _ids(violations: Iterable[Violation], predicate: Callable[[Sides], bool]) -> set[str]:
    return {one.offender for one in violations if predicate(one.sides)}


def _is_ahead(side: str, of: str, column: str) -> Callable[[Sides], bool]:
    """Returns a test whether one side knows what the other lacks, or a later step of it."""

    def is_ahead(sides: Sides) -> bool:
        ours, theirs = sides[of], sides[side]
        return theirs is not None and (ours is None or theirs[column] > ours[column])

    return is_ahead


def _lost_audit_entries(system: System, snapshots: Snapshots) -> str | None:
    """Returns the range of audit entries that others remember and the restored log lacks, as `A-B`."""
    last = int(next(_positions(snapshots)))
    newest = max(stored_heads(system, snapshots).newest.values(), default=0)
    return f"{last + 1}-{newest}" if newest > last else None


def _positions(snapshots: Snapshots) -> Iterator[int]:
    return (row["position"] for row in snapshots.rows("membership", _LAST_ENTRY))
