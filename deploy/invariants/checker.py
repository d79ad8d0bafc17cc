"""Reads a whole system and checks every invariant."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from deploy.invariants import (
    applications,
    audit_heads,
    bank_results,
    batches,
    cards,
    enrolments,
    erasures,
    messages,
    notifications,
    reports,
    transfers,
    unions,
)
from deploy.invariants.system import Snapshots, System, Unreadable, snapshots_of
from deploy.invariants.violations import Violation
from services.contracts.external import bank, insurer
from services.kit.amqp.connection import BROKER_ERRORS
from services.kit.dead_letters.letters import InUse
from services.kit.operations.logs import class_name

_RECHECK_SECONDS = 0.5
_HELD = ("AUDIT_KEYS", "AUDIT_PUBLIC_KEYS", "BLIND_INDEX_KEY", "DATABASE_URL", "PERSONAL_DATA_KEYS")
"""Beginnings of variables that a System holds, as values or as names of files; a process is given only one of both."""

_IN_DATABASES: Mapping[str, Callable[[Snapshots], Iterator[Violation]]] = {
    "applications_agree": applications.membership_and_batching_agree,
    "revocation_agrees": applications.revocation_and_batching_agree,
    "possible_state": applications.states_are_possible,
    "no_step_lost": applications.no_step_is_lost,
    "one_live_application": applications.one_live_application,
    "one_issued_card": applications.one_issued_card,
    "unique_member_number": applications.member_numbers_are_unique,
    "card_state_follows": applications.card_states_follow_applications,
    "card_of_issue": cards.issued_applications_have_cards,
    "one_active_card": cards.one_active_card,
    "card_follows_reports": cards.cards_follow_reports,
    "card_report_applied": cards.reports_are_applied,
    "no_card_step_lost": cards.no_step_is_lost,
    "cards_agree": cards.membership_and_batching_agree,
    "transfers_conserve": transfers.transfers_conserve_members,
    "transfers_agree": transfers.membership_and_batching_agree,
    "transfer_leaves_nothing": transfers.nothing_is_left_behind,
    "union_tree": unions.tree_is_sound,
    "union_places_agree": unions.places_agree,
    "merged_unions_empty": unions.merged_unions_hold_nothing,
    "checks_agree": applications.checks_agree,
    "check_finished": applications.checks_are_finished,
    "import_finished": applications.imports_are_finished,
    "batches_agree": batches.revocation_knows_batches,
    "revocation_done": batches.revocations_are_done,
    "batch_counts": batches.counts_add_up,
    "batch_persons": batches.persons_are_those_of_their_applications,
    "batch_numbers": batches.numbers_have_no_gap,
    "feedback_adds_up": bank_results.feedback_adds_up,
    "result_file_adds_up": bank_results.result_files_add_up,
    "result_applied_once": bank_results.results_are_applied_once,
    "enrolled_with_card": enrolments.only_holders_are_enrolled,
    "one_enrolment_counts": enrolments.one_enrolment_counts,
    "possible_enrolment": enrolments.enrolments_are_possible,
    "enrolments_add_up": enrolments.reports_add_up,
    "erasures_agree": erasures.erasures_agree,
    "nothing_of_erased": erasures.erased_members_have_no_numbers,
    "outbox_empty": messages.outboxes_are_empty,
    "sms_settled": notifications.sms_are_settled,
    "member_told": notifications.members_were_told,
    "clerk_told": notifications.clerks_were_notified,
    "contact_texted": notifications.contacts_were_texted,
    "report_counts": reports.counts_are_the_services_own,
    "report_unions": reports.unions_are_known,
    "report_sums": reports.sums_add_up,
}

INVARIANTS = (
    *_IN_DATABASES,
    "revocation_told",
    "register_unchanged",
    "rejected_result_waits",
    "rejected_enrolment_waits",
    "dead_letter_explained",
    "queue_empty",
    "audit_head_remembered",
    "audit_head_signed",
    "act_log_holds",
    "service_readable",
    "broker_readable",
)
"""The names of all invariants."""


def check(system: System, *, settle_seconds: float = 0, allowed: Sequence[str] = ()) -> list[Violation]:
    """Returns all violations; a service or broker that cannot be read is one itself.

    The system is expected to be at rest, without requests. For up to `settle_seconds` the check is repeated while
    messages are on their way or violations remain, so that earlier requests can finish.
    `allowed` are patterns of known violations, such as `dead_letter_explained:notification.*`.
    """
    until = time.monotonic() + settle_seconds
    while True:
        is_last = time.monotonic() >= until
        if is_last or not _has_messages_on_their_way(system):
            found = [one for one in _check_once(system) if not _is_allowed(one, allowed)]
            if is_last or not found:
                return found
        time.sleep(_RECHECK_SECONDS)


def _has_messages_on_their_way(system: System) -> bool:
    try:
        return bool(list(messages.waiting_messages(messages.queue_depths(system))))
    except BROKER_ERRORS:
        return False


def _check_once(system: System) -> list[Violation]:
    found: list[Violation] = []
    unchecked: dict[tuple[str, str], list[str]] = {}
    try:
        letters = messages.inspect_broker(system)
    except (*BROKER_ERRORS, InUse) as error:
        letters = None
        reason = str(error).strip() or type(error).__name__
        found.append(Violation("broker_readable", messages.vhost_of(system), f"{reason}; no queue was checked"))
    with snapshots_of(system) as snapshots:
        for name, violations in _all_checks(system, snapshots, letters):
            try:
                found.extend(violations)
            except Unreadable as error:
                unchecked.setdefault((error.service, error.reason), []).append(name)
    for (service, reason), names in unchecked.items():
        found.append(Violation("service_readable", service, f"{reason}; not checked: {', '.join(names)}"))
    return found


def _all_checks(
    system: System, snapshots: Snapshots, letters: messages.BrokerState | None
) -> Iterator[tuple[str, Iterator[Violation]]]:
    for name, find in _IN_DATABASES.items():
        yield name, find(snapshots)
    yield "register_unchanged", _registers_say_the_same(system, snapshots)
    known = audit_heads.stored_heads(system, snapshots)
    yield "audit_head_remembered", audit_heads.stored_heads_are_in_log(snapshots, known)
    yield "audit_head_signed", audit_heads.heads_are_signed(known)
    yield "act_log_holds", audit_log_is_intact(system, sorted(known.statements))
    if letters is not None:
        results, reported = (letters.rejected[queue] for queue in (bank.REJECTED_QUEUE, insurer.REJECTED_QUEUE))
        yield "rejected_result_waits", bank_results.rejected_results_wait(snapshots, results)
        yield "rejected_enrolment_waits", enrolments.rejected_enrolments_wait(snapshots, reported)
        yield "dead_letter_explained", iter(letters.unexplained)
        yield "queue_empty", messages.waiting_messages(letters.depths)


def _registers_say_the_same(system: System, snapshots: Snapshots) -> Iterator[Violation]:
    try:
        keyring = system.keyring()
    except (KeyError, OSError, ValueError) as error:
        yield Violation("register_unchanged", "keys", f"the keys of personal data cannot be read ({class_name(error)})")
        return
    yield from batches.registers_say_the_same(snapshots, keyring)


def audit_log_is_intact(system: System, heads: Sequence[str] = ()) -> Iterator[Violation]:
    """The audit log is one chain, authenticated by the keys, that contains all these signed heads.

    Another process, which has the keys, verifies it.
    """
    ours = {name: value for name, value in os.environ.items() if not name.startswith(_HELD)}
    lost = ",".join(filter(None, (os.environ.get("AUDIT_LOST"), system.keys.get("AUDIT_LOST"))))
    environment = {**ours, **system.keys, "AUDIT_LOST": lost, "DATABASE_URL": system.database_urls["membership"]}
    command = [sys.executable, "-W", "ignore", "-m", "services.membership.audit.audit_verify"]
    if heads:
        command += ["--heads", "-"]
    lines = "".join(f"{head}\n" for head in heads)
    verified = subprocess.run(command, env=environment, input=lines, capture_output=True, text=True, check=False)
    if verified.returncode:
        last_line = (verified.stderr.strip().splitlines() or ["no word"])[-1]
        yield Violation("act_log_holds", "membership", last_line)


def _is_allowed(violation: Violation, allowed: Sequence[str]) -> bool:
    return any(fnmatchcase(f"{violation.invariant}:{violation.offender}", pattern) for pattern in allowed)
