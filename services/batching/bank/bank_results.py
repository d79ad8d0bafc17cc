"""Judges the bank's results one by one in memory, and applies them to applications."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from services.batching.pending.application_states import BankStatus, Outcome, State, apply_outcome
from services.kit.external.contradictions import Contradiction

_COUNTED = (State.ISSUED, State.REFUSED, State.RELEASED)


class Result(NamedTuple):
    """One result of a feedback, for an applicant named by application or by member number."""

    batch_no: str
    processed_at: datetime
    application_id: UUID | None
    member_no: str | None
    outcome: Outcome
    card_no: str | None = None
    card: bytes | None = None
    reason_code: str | None = None
    reason: str | None = None


@dataclass(slots=True)
class Applicant:
    """A submitted application while results are applied to it.

    `version` counts the published steps; `decision` is the one to publish, `late` whether it came after the release. Of
    a person who was erased no number and no text is kept.
    """

    application_id: UUID
    member_id: UUID
    member_no: str
    batch_no: str
    version: int
    bank_status: BankStatus
    is_erased: bool = False
    is_changed: bool = False
    decision: Outcome | None = None
    late: bool = False
    card_no: str | None = None
    reason_code: str | None = None
    reason: str | None = None
    decided_at: datetime | None = None


class Applicants:
    """The applicants of several batches, with the used card numbers and the members who have a card.

    `card_owners` maps digests of used card numbers to applications, `holders` maps members with an issued card to its
    application. Both need to hold only entries that concern the results, and grow as cards are issued.
    """

    def __init__(
        self,
        batch_nos: Iterable[str],
        applicants: Iterable[Applicant],
        card_owners: Mapping[bytes, UUID],
        holders: Mapping[UUID, UUID],
    ) -> None:
        self._batch_nos = set(batch_nos)
        self._by_id = {applicant.application_id: applicant for applicant in applicants}
        self._by_member_no = {(one.batch_no, one.member_no): one for one in self._by_id.values()}
        self._card_owners = dict(card_owners)
        self._holders = dict(holders)
        self.counts: defaultdict[str, Counter[State]] = defaultdict(Counter)

    def apply(self, result: Result) -> bool:
        """Applies a result; False where it is a repetition. Raises Contradiction for one that cannot be true."""
        applicant = self._find(result)
        if result.outcome is Outcome.ISSUED:
            self._refuse_second_card(applicant, result)
        before = applicant.bank_status
        applicant.bank_status = apply_outcome(before, result.outcome, result.card)
        if applicant.bank_status is before:
            return False
        applicant.is_changed = True
        self._count(applicant.batch_no, before.state, applicant.bank_status.state)
        if result.outcome is Outcome.ISSUED:
            self._issue(applicant, result, late=before.state is State.RELEASED)
        elif result.outcome is Outcome.REFUSED:
            _refuse(applicant, result, is_step=before.state is not applicant.bank_status.state)
        return True

    def changed(self) -> list[Applicant]:
        """The applicants that were changed by a result."""
        return [applicant for applicant in self._by_id.values() if applicant.is_changed]

    def _find(self, result: Result) -> Applicant:
        if result.batch_no not in self._batch_nos:
            raise Contradiction("unknown_batch")
        if result.application_id is None:
            applicant = self._by_member_no.get((result.batch_no, result.member_no or ""))
        else:
            applicant = self._by_id.get(result.application_id)
        if applicant is None or applicant.batch_no != result.batch_no:
            raise Contradiction("unknown_application")
        if result.member_no not in (None, applicant.member_no):
            raise Contradiction("member_no_differs")
        return applicant

    def _refuse_second_card(self, applicant: Applicant, result: Result) -> None:
        if self._card_owners.get(result.card or b"", applicant.application_id) != applicant.application_id:
            raise Contradiction("card_no_reused")
        if self._holders.get(applicant.member_id, applicant.application_id) != applicant.application_id:
            raise Contradiction("already_issued")

    def _issue(self, applicant: Applicant, result: Result, late: bool) -> None:
        applicant.decision, applicant.late = Outcome.ISSUED, late
        applicant.version += 1
        applicant.card_no = "" if applicant.is_erased else result.card_no
        applicant.decided_at = result.processed_at
        self._card_owners[result.card or b""] = applicant.application_id
        self._holders[applicant.member_id] = applicant.application_id

    def _count(self, batch_no: str, before: State, now: State) -> None:
        counts = self.counts[batch_no]
        if before in _COUNTED:
            counts[before] -= 1
        if now in _COUNTED:
            counts[now] += 1


def _refuse(applicant: Applicant, result: Result, is_step: bool) -> None:
    """Stores the refusal; it is published only if it changed the application's state."""
    if is_step:
        applicant.decision = Outcome.REFUSED
        applicant.version += 1
    applicant.reason_code = result.reason_code
    applicant.reason = None if applicant.is_erased else result.reason
    applicant.decided_at = result.processed_at
