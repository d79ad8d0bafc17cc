"""Compares the answers that clients got with the final state: each promise must be kept exactly once."""

import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from deploy.local.client import ApiClient
from deploy.simulators.bank_ledger import life_of_card
from tests.chaos.bank_faults import BankFault, is_answered_as
from tests.chaos.clients import RetryingClient

_READERS = 6
_STATUS_AFTER = {"collected": "collected", "activated": "active", "lost": "lost", "closed": "closed"}
"""The status of a card after the last step of its life."""
_LIVE = ("queued", "submitted")


@dataclass
class UnionPromises:
    """The answers that the clerk of one union got."""

    names: list[str] = field(default_factory=list)
    """The names of members whose registration was answered, singly or as a row of an import."""
    queued: int = 0
    removed: int = 0
    batches: dict[str, dict[str, Any]] = field(default_factory=dict)
    revocations: list[str] = field(default_factory=list)


class Promises:
    """The answers that all clients got; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.results: dict[str, str] = {}
        """The decision that the bank sent, by application."""
        self.results_sent = 0
        """How many results the bank sent, with repeated ones and intermediate steps."""
        self.cards: set[str] = set()
        """The applications of whose cards the bank has reported all that happens to them."""
        self.feedbacks: list[tuple[str, BankFault]] = []
        """The ids of the bank's feedback, each with the error in it."""
        self.decisions: dict[str, str] = {}
        """The reviewers' decisions, by revocation."""
        self.phone_applications: Counter[str] = Counter()
        """The applications on the phone, by telephone number."""
        self.passwords_requested: Counter[str] = Counter()
        """The one-time passwords that were, or may have been, requested, by telephone number."""

    def record_results(self, results: Iterable[dict[str, Any]]) -> None:
        with self._lock:
            for result in results:
                self.results_sent += 1
                if result["outcome"] in ("issued", "refused"):
                    self.results[result["application_id"]] = result["outcome"]

    def record_cards(self, reports: Iterable[dict[str, Any]]) -> None:
        with self._lock:
            self.cards |= {report["application_id"] for report in reports}

    def record_feedback(self, feedback_ids: Iterable[str], fault: BankFault) -> None:
        with self._lock:
            self.feedbacks += [(feedback_id, fault) for feedback_id in feedback_ids]

    def record_decision(self, revocation_id: str, state: str) -> None:
        with self._lock:
            self.decisions[revocation_id] = state

    def record_phone_application(self, phone: str) -> None:
        with self._lock:
            self.phone_applications[phone] += 1

    def record_password_request(self, phone: str) -> None:
        with self._lock:
            self.passwords_requested[phone] += 1


@dataclass
class Verdict:
    """The number of promises of each kind, and those that were lost or duplicated."""

    promised: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)

    def compare(self, what: str, promised: int, found: int, where: str) -> None:
        """Counts promises: missing ones are lost, surplus ones duplicated."""
        self.promised[what] += promised
        if found < promised:
            self.lost.append(f"{where}: {promised - found} of {promised} {what}")
        if found > promised:
            self.duplicated.append(f"{where}: {found - promised} {what} more than the {promised} promised")

    def expect(self, what: str, is_kept: bool, where: str) -> None:
        """Counts one promise, which is lost if it is not kept."""
        self.promised[what] += 1
        if not is_kept:
            self.lost.append(f"{what}: {where}")

    @property
    def offenders(self) -> list[str]:
        """Returns all violations as text."""
        return [f"lost: {one}" for one in self.lost] + [f"duplicated: {one}" for one in self.duplicated]


@dataclass(frozen=True)
class PhoneMember:
    """A member who applied on the phone, with the session."""

    phone: str
    client: RetryingClient


def verify_union(own: UnionPromises, promises: Promises, clerk: ApiClient, verdict: Verdict) -> None:
    """Verifies one union: its members, applications, batches, the bank's results, and revocations."""
    where = clerk.account["account_name"]
    members = clerk.all_pages("members")
    _verify_members(own, members, where, verdict)
    with ThreadPoolExecutor(_READERS) as readers:
        details = list(readers.map(lambda member: clerk.get(f"members/{member['member_id']}"), members))
    applications = {one["application_id"]: one for member in details for one in member["applications"]}
    verdict.compare("applications queued", own.queued, len(applications), where)
    removed = sum(one["state"] == "removed" for one in applications.values())
    verdict.promised["applications removed"] += own.removed
    if removed < own.removed:  # a late card may have cancelled further ones
        verdict.lost.append(f"{where}: {own.removed - removed} of {own.removed} applications removed")
    for member in details:
        _hold_cards(member, verdict)
        _verify_card(promises, member, verdict)
    persons = _verify_batches(own, clerk, verdict)
    _hold_agreement(applications, persons, where, verdict)
    holders = {
        one["application_id"]
        for member in details
        for one in member["applications"]
        if any(other["state"] == "issued" for other in member["applications"])
    }
    for application_id, person in persons.items():
        _verify_result(promises.results.get(application_id), person, application_id in holders, verdict)
    _verify_revocations(own, promises, clerk, verdict)


def verify_phone_members(promises: Promises, members: Sequence[PhoneMember], verdict: Verdict) -> None:
    """Verifies that each has the applications that were answered, with the bank's results."""
    for member in members:
        applications = member.client.get("personal/applications")["items"]
        promised = promises.phone_applications[member.phone]
        verdict.compare("applications on the phone", promised, len(applications), member.phone)
        for one in applications:
            sent = promises.results.get(one["application_id"])
            verdict.expect("results of phone applications", sent in (None, one["state"]), one["application_id"])


def verify_enrolments(reported: Sequence[dict[str, Any]], clerk: ApiClient, verdict: Verdict) -> None:
    """Verifies that every member of one union who has a card is enrolled, as the mutual-aid society has reported."""
    where = clerk.account["account_name"]
    holders = {member["member_no"] for member in clerk.all_pages("members", card_state="issued")}
    sent = Counter(one["member_no"] for one in reported)
    for member_no in holders:
        verdict.expect("members with a card enrolled", sent[member_no] > 0, f"{where}: {member_no}")
    kept = clerk.all_pages("enrolments")
    verdict.compare("enrolments reported", sum(sent[one] for one in holders), len(kept), where)


def verify_messages(promises: Promises, sent: Sequence[dict[str, Any]], verdict: Verdict) -> None:
    """Verifies that no text message was sent twice: one for each request id and one-time password."""
    verdict.promised["text messages sent"] += len(sent)
    by_request = Counter(message["request_id"] for message in sent)
    by_text: dict[tuple[str, str], set[str]] = defaultdict(set)
    passwords: Counter[str] = Counter()
    for message in sent:
        if "验证码" in message["text"]:
            by_text[message["phone"], message["text"]].add(message["request_id"])
            passwords[message["phone"]] += 1
    verdict.duplicated += [f"text message {request}" for request, count in by_request.items() if count > 1]
    verdict.duplicated += [f"one-time password to {phone}" for (phone, _), ids in by_text.items() if len(ids) > 1]
    for phone, count in passwords.items():
        if count > promises.passwords_requested[phone]:
            verdict.duplicated.append(
                f"{count} one-time passwords to {phone}, {promises.passwords_requested[phone]} asked for"
            )


def verify_receipts(promises: Promises, receipts: Sequence[dict[str, Any]], verdict: Verdict) -> None:
    """Verifies that the bank has a receipt for each feedback, which accepts valid lines and names errors."""
    answers: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for receipt in receipts:
        answers[receipt["feedback_id"]].append(receipt)
    for feedback_id, fault in promises.feedbacks:
        answered = answers[feedback_id]
        what = "bank feedback answered" if fault.code is None else "faulty bank feedback named"
        is_answered = any(is_answered_as(one, fault) for one in answered)
        verdict.expect(what, is_answered, f"{feedback_id} with {fault.code}: {answered}")


def _verify_members(own: UnionPromises, members: Sequence[dict[str, Any]], where: str, verdict: Verdict) -> None:
    found = Counter(member["name"] for member in members)
    verdict.promised["members registered"] += len(own.names)
    for name, promised in Counter(own.names).items():
        if found[name] < promised:
            verdict.lost.append(f"{where}: member {name}")
        if found[name] > promised:
            verdict.duplicated.append(f"{where}: member {name}")
    verdict.duplicated += [f"{where}: member {name}, that no answer promised" for name in found.keys() - set(own.names)]
    numbers = Counter(member["member_no"] for member in members)
    verdict.duplicated += [f"{where}: member number {number}" for number, count in numbers.items() if count > 1]
    verdict.expect("all members numbered", None not in numbers, where)


def _hold_cards(member: dict[str, Any], verdict: Verdict) -> None:
    states = Counter(one["state"] for one in member["applications"])
    if states["issued"] > 1:
        verdict.duplicated.append(f"cards of member {member['member_id']}")
    if states["queued"] + states["submitted"] > 1:
        verdict.duplicated.append(f"live applications of member {member['member_id']}")


def _verify_card(promises: Promises, member: dict[str, Any], verdict: Verdict) -> None:
    """Verifies that a member's card is as the bank reported last, in whatever order the reports came."""
    issued = [one["application_id"] for one in member["applications"] if one["state"] == "issued"]
    for application_id in promises.cards.intersection(issued):
        life = life_of_card(application_id)
        found = member["card_status"], len(member["card_steps"])
        is_kept = found == (_STATUS_AFTER[life[-1]["step"]], len(life))
        verdict.expect("reports on cards applied", is_kept, f"{application_id} is {found} after {len(life)} reports")


def _verify_batches(own: UnionPromises, clerk: ApiClient, verdict: Verdict) -> dict[str, dict[str, Any]]:
    """Verifies the union's batches; returns their persons by application."""
    found = {batch["batch_no"]: batch for batch in clerk.all_pages("batches") if not batch["personal"]}
    verdict.compare("batches submitted", len(own.batches), len(found), clerk.account["account_name"])
    persons: dict[str, dict[str, Any]] = {}
    for batch_no, answer in own.batches.items():
        verdict.expect("batch is there", batch_no in found, batch_no)
        listed = clerk.all_pages(f"batches/{batch_no}/members")
        verdict.compare("persons in batches", answer["total"], len(listed), batch_no)
        frozen = clerk.get(f"batches/{batch_no}")["register_hash"]
        verdict.expect("register unchanged", frozen == answer["register_hash"], batch_no)
        persons |= {person["application_id"]: person for person in listed}
    return persons


def _hold_agreement(
    applications: dict[str, dict[str, Any]], persons: dict[str, dict[str, Any]], where: str, verdict: Verdict
) -> None:
    """Verifies that membership and batching agree on each application; queued ones without a batch are listed."""
    for application_id, person in persons.items():
        known = applications.get(application_id, {"state": "unknown"})
        verdict.expect("both services agree", known["state"] == person["state"], f"{where}: {application_id}")


def _verify_result(sent: str | None, person: dict[str, Any], has_card: bool, verdict: Verdict) -> None:
    """Verifies one result: an issued card is applied, unless the member had another already; a refusal may be late."""
    where, state = person["application_id"], person["state"]
    if sent == "issued":
        verdict.expect("bank results applied", state == "issued" or has_card, f"{where} is {state}, issued was sent")
    elif sent == "refused":
        verdict.expect(
            "bank results applied", state in ("refused", "released"), f"{where} is {state}, refused was sent"
        )
    elif state in ("issued", "refused"):
        verdict.duplicated.append(f"{where} is {state}, of which the bank has sent nothing")


def _verify_revocations(own: UnionPromises, promises: Promises, clerk: ApiClient, verdict: Verdict) -> None:
    found = {one["revocation_id"]: one for one in clerk.all_pages("revocations")}
    verdict.compare("revocations requested", len(own.revocations), len(found), clerk.account["account_name"])
    for revocation_id, one in found.items():
        decision = promises.decisions.get(revocation_id, "closed")
        verdict.expect("revocations decided", one["state"] == decision, f"{revocation_id} is {one['state']}")
        if one["state"] in ("approved", "closed"):
            batch = clerk.get(f"batches/{one['batch_no']}")
            left = batch["total"] - batch["issued"] - batch["refused"] - batch["released"]
            verdict.expect("revoked batches released", left == 0, f"{one['batch_no']}: {left} left")
