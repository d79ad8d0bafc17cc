"""Plans repairs: which service repairs which violation, unless a message that is on its way may still do so."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from deploy.invariants import Violation
from services.contracts.events.batching import (
    BATCH_RELEASED,
    BATCH_SUBMITTED,
    CARDS_CHANGED,
    CARDS_ISSUED,
    CARDS_REFUSED,
    CHANNEL_ASSIGNED,
    MEMBERS_REMOVED,
    UNIONS_MOVED,
    VALIDATION_REQUESTED,
)
from services.contracts.events.membership import (
    IMPORT_CONTINUED,
    IMPORT_REQUESTED,
    MEMBER_REGISTERED,
    MEMBER_TRANSFERRED,
    MEMBERS_QUEUED,
    UNION_MERGED,
    UNIONS_CHANGED,
)
from services.contracts.events.revocation import (
    REVOCATION_APPROVED,
    REVOCATION_CLOSED,
    REVOCATION_REJECTED,
    REVOCATION_REQUESTED,
)
from services.contracts.events.subjects import SUBJECT_REQUESTED
from services.contracts.events.validation import MEMBERS_VALIDATED
from services.kit.amqp.queues import dead_queue, queue_name, retry_queue
from services.kit.events.contract import EventContract

_STEPS = (CHANNEL_ASSIGNED, MEMBERS_REMOVED, BATCH_SUBMITTED, CARDS_ISSUED, CARDS_REFUSED, BATCH_RELEASED)
_DECISIONS = (REVOCATION_REQUESTED, REVOCATION_APPROVED, REVOCATION_REJECTED, REVOCATION_CLOSED)


_HINTS = {
    "dead_letter_explained": "replay or discard it",
    **dict.fromkeys(("outbox_empty", "queue_empty", "sms_settled", "check_finished"), "it resolves without action"),
    **dict.fromkeys(("report_counts", "report_unions", "report_sums"), "rebuild the reports: make rebuild-reports"),
    **dict.fromkeys(
        ("register_unchanged", "batch_persons", "act_log_holds"), "leave it unchanged and find out who changed it"
    ),
}


@dataclass(frozen=True)
class Remedy:
    """A service's repair, the violations that it repairs, and the events that could still resolve them without it.

    A dead letter of these events must be replayed or discarded first, unless the remedy `is_lost_with_dead_letter`.
    """

    service: str
    name: str
    invariant: str
    fits: Callable[[Violation], bool]
    events: tuple[EventContract, ...] = ()
    consumer: str = ""
    is_lost_with_dead_letter: bool = False

    def queues(self, retry_delays: Iterable[float]) -> list[str]:
        """Returns the queues in which such an event may be on its way."""
        working = [queue_name(self.consumer, one.name) for one in self.events if self.consumer in one.consumers]
        return [*working, *(retry_queue(self.consumer, seconds) for seconds in retry_delays)]

    def dead_queues(self) -> list[str]:
        """Returns the dead-letter queues in which such an event may be."""
        return [dead_queue(queue) for queue in self.queues(())]


@dataclass(frozen=True)
class Task:
    """The ids for one repair."""

    remedy: Remedy
    ids: list[str] = field(default_factory=list)


def plan(
    violations: Sequence[Violation],
    is_on_its_way: Callable[[Remedy], bool],
    letters: Mapping[str, Sequence[bytes]],
) -> tuple[list[Task], list[str]]:
    """Returns the tasks, and one line for each violation that cannot be repaired.

    `letters` are the bodies of the dead letters by their queue.
    """
    tasks: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    remedies, left = {}, []
    known_to_batching = {
        str(known["member_id"])
        for one in violations
        if one.invariant == "applications_agree" and (known := one.sides.get("batching")) is not None
    }
    for violation in violations:
        remedy = next((one for one in REMEDIES if one.invariant == violation.invariant and one.fits(violation)), None)
        if remedy is None:
            left.append(f"{violation}  (not repaired: {_HINTS.get(violation.invariant, 'a person has to examine it')})")
        elif is_on_its_way(remedy):
            left.append(f"{violation}  (not repaired: a message on its way may still repair it)")
        elif not remedy.is_lost_with_dead_letter and _has_letter(violation, remedy, letters):
            left.append(f"{violation}  (not repaired: a dead letter carries it: replay or discard that first)")
        elif remedy.name == "free_locked_members" and violation.offender in known_to_batching:
            left.append(f"{violation}  (not repaired: batching knows of an application of this member)")
        else:
            remedies[remedy.service, remedy.name] = remedy
            tasks[remedy.service, remedy.name].append(violation.offender)
    return [Task(remedies[key], list(dict.fromkeys(ids))) for key, ids in tasks.items()], left


def _has_letter(violation: Violation, remedy: Remedy, letters: Mapping[str, Sequence[bytes]]) -> bool:
    return any(violation.offender.encode() in body for queue in remedy.dead_queues() for body in letters.get(queue, ()))


def _lacks(side: str) -> Callable[[Violation], bool]:
    """Returns a test for violations in which one side lacks the row."""
    return lambda one: side in one.sides and one.sides[side] is None


def _is_queued_in_membership_alone(one: Violation) -> bool:
    known = one.sides.get("membership")
    return known is not None and one.sides["batching"] is None and known["state"] == "queued"


def _is_behind(side: str) -> Callable[[Violation], bool]:
    """Returns a test for violations in which a side has an older version than batching."""

    def fits(one: Violation) -> bool:
        theirs, ours = one.sides.get(side), one.sides.get("batching")
        return theirs is not None and ours is not None and theirs["version"] < ours["version"]

    return fits


def _is_of_another_union(one: Violation) -> bool:
    ours, theirs = one.sides.get("membership"), one.sides.get("batching")
    return ours is not None and theirs is not None and ours["union_id"] != theirs["union_id"]


def _is_of(service: str) -> Callable[[Violation], bool]:
    return lambda one: one.sides.get(service) is not None


def _batching_lacks_transfer(one: Violation) -> bool:
    ours, theirs = one.sides.get("membership"), one.sides.get("batching")
    return ours is not None and (theirs is None or theirs["version"] < ours["version"])


def _is_left_in(service: str) -> Callable[[Violation], bool]:
    """Returns a test for persons whom membership has erased, and this service has not."""
    return lambda one: one.sides.get("membership") is not None and one.sides.get(service) is not None


def _revocation_differs_alone(one: Violation) -> bool:
    ours, theirs = one.sides.get("batching"), one.sides.get("revocation")
    if ours is None or theirs is None or theirs["revocation_state"] is None:
        return False
    return {name for name in ours if ours[name] != theirs[name]} == {"revocation_state"}


def _validation_lacks_check(one: Violation) -> bool:
    ours, theirs = one.sides.get("batching"), one.sides.get("validation")
    return ours is not None and (theirs is None or theirs["check_no"] < ours["check_no"])


def _batching_waits(one: Violation) -> bool:
    ours, theirs = one.sides.get("batching"), one.sides.get("validation")
    is_same_check = ours is not None and theirs is not None and theirs["check_no"] == ours["check_no"]
    return is_same_check and ours["result"] in ("checking", "waiting")  # type: ignore[index]


def _clerk_lacks_submission(one: Violation) -> bool:
    ours, theirs = one.sides.get("batching"), one.sides.get("notification")
    if ours is None:
        return False
    sent = theirs or {"submitted": 0, "issued": 0, "refused": 0}
    return not sent["submitted"] and (sent["issued"], sent["refused"]) == (ours["issued"], ours["refused"])


def _newest_message_is_missing(one: Violation) -> bool:
    """Whether only the newest message is missing, of the request or of the decision; older ones are not sent again."""
    ours, theirs = one.sides.get("revocation"), one.sides.get("notification")
    sent = theirs or {"asked": 0, "decided": 0}
    if ours is None:
        return False
    newest = "decided" if ours["decided"] else "asked"
    return not sent[newest] and all(sent[name] == ours[name] for name in ("asked", "decided") if name != newest)


def _always(_: Violation) -> bool:
    return True


REMEDIES = (
    Remedy(
        "membership",
        "publish_queued",
        "applications_agree",
        _is_queued_in_membership_alone,
        (MEMBERS_QUEUED,),
        "batching",
    ),
    Remedy(
        "batching", "publish_steps_to_membership", "applications_agree", _is_behind("membership"), _STEPS, "membership"
    ),
    Remedy("batching", "publish_steps_to_membership", "no_step_lost", _always, _STEPS, "membership"),
    Remedy("batching", "publish_card_steps", "cards_agree", _is_behind("membership"), (CARDS_CHANGED,), "membership"),
    Remedy("batching", "publish_card_steps", "no_card_step_lost", _always, (CARDS_CHANGED,), "membership"),
    Remedy("batching", "move_cards", "cards_agree", _is_of_another_union, (MEMBER_TRANSFERRED,), "batching"),
    Remedy(
        "membership",
        "publish_transfers",
        "transfers_agree",
        _batching_lacks_transfer,
        (MEMBER_TRANSFERRED,),
        "batching",
    ),
    *(
        Remedy("membership", "publish_places", "union_places_agree", _is_of(service), (UNIONS_CHANGED,), service)
        for service in ("batching", "revocation")
    ),
    *(
        Remedy("membership", "publish_places", "merged_unions_empty", _is_of(service), events, service)
        for service, events in (
            ("membership", (UNION_MERGED,)),
            ("batching", (UNIONS_CHANGED, UNIONS_MOVED)),
            ("revocation", (UNIONS_CHANGED,)),
            ("notification", (UNIONS_CHANGED,)),
        )
    ),
    *(
        Remedy("membership", "erase_again", "erasures_agree", _is_left_in(service), (SUBJECT_REQUESTED,), service)
        for service in ("batching", "validation", "notification")
    ),
    Remedy("membership", "free_locked_members", "card_state_follows", _always),
    Remedy(
        "membership",
        "end_imports",
        "import_finished",
        _always,
        (IMPORT_REQUESTED, IMPORT_CONTINUED, MEMBER_REGISTERED),
        "membership",
        is_lost_with_dead_letter=True,
    ),
    Remedy("batching", "publish_steps_to_revocation", "revocation_agrees", _lacks("revocation"), _STEPS, "revocation"),
    Remedy(
        "batching", "publish_steps_to_revocation", "revocation_agrees", _is_behind("revocation"), _STEPS, "revocation"
    ),
    Remedy("batching", "publish_batches_to_revocation", "batches_agree", _lacks("revocation"), _STEPS, "revocation"),
    Remedy(
        "revocation",
        "publish_newest_of_batches",
        "batches_agree",
        _revocation_differs_alone,
        _DECISIONS,
        "batching",
    ),
    Remedy("revocation", "publish_newest_of_batches", "revocation_done", _always, _DECISIONS, "batching"),
    Remedy(
        "batching",
        "ask_for_checks_again",
        "checks_agree",
        _validation_lacks_check,
        (VALIDATION_REQUESTED,),
        "validation",
    ),
    Remedy(
        "validation",
        "publish_results_to_batching",
        "checks_agree",
        _batching_waits,
        (MEMBERS_VALIDATED,),
        "batching",
    ),
    Remedy(
        "batching",
        "publish_submissions_to_notification",
        "clerk_told",
        _clerk_lacks_submission,
        (BATCH_SUBMITTED,),
        "notification",
    ),
    Remedy(
        "revocation",
        "publish_revocations_to_notification",
        "revocation_told",
        _newest_message_is_missing,
        _DECISIONS,
        "notification",
    ),
)
