"""Bank feedback 银行反馈 on applicants and cards: judges and applies what of it contradicts is rejected."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from services.batching.bank.bank_messages import BankSettings
from services.batching.bank.bank_reading import Feedback
from services.batching.bank.bank_results import Applicant, Applicants, Result
from services.batching.cards import card_reports
from services.batching.models import Application, BankFeedback, Batch
from services.batching.pending.application_states import BankStatus, Outcome, State
from services.batching.places import let_nobody_move
from services.contracts.events.batching import (
    CARDS_ISSUED,
    CARDS_REFUSED,
    CardsIssuedData,
    CardsRefusedData,
    Contact,
    IssuedApplication,
    IssuedCard,
    RefusedApplication,
)
from services.contracts.shared import ERASED_NAME
from services.kit.data.bulk import insert_rows, is_any_of, types_of, values_table
from services.kit.data.database import is_violated
from services.kit.events.contract import EventContract, EventData, in_chunks
from services.kit.events.outbox import publish_all
from services.kit.external.lined_messages import Fault, judge_lines
from services.kit.schemas import required
from services.kit.settings import read_settings

_FURTHEST_AHEAD = timedelta(days=1)
_TAKEN_ONCE = (
    *("uq_bank_feedback_content", "uq_application_card_digest", "uq_application_issued_member_id"),
    *card_reports.TAKEN_ONCE,
)
"""Unique indexes that two processes can violate when both find the same value unused."""
_MOST_RACES = 5
_processed_at = attrgetter("processed_at")
_CHANGE = types_of(
    Application,
    (
        "application_id",
        "state",
        "version",
        "bank_outcome",
        "card_no",
        "card_digest",
        "reason_code",
        "reason",
        "decided_at",
    ),
)
_COUNT = types_of(Batch, ("batch_no", "issued", "refused", "released", "feedback_at"))


Batched = Row[str, UUID, bool, str, str, str, datetime]
"""The columns of a batch that events need, its branch, and the time of submission."""


def apply_feedback(session: Session, feedbacks: Sequence[Feedback]) -> list[Feedback]:
    """Applies all results, then all reports on cards, in a few statements; returns the feedbacks with their outcome.

    A result is a repetition when it was applied before, or when the bank has reported a later outcome since.

    If a concurrent process stores the same id or card number, all is judged again after its commit, when its data is
    visible.
    """
    let_nobody_move(session)
    for _ in range(_MOST_RACES):
        try:
            with session.begin_nested():
                return _apply(session, [feedback.unjudged() for feedback in feedbacks])
        except IntegrityError as error:
            if not is_violated(error, _TAKEN_ONCE):
                raise
    return _apply(session, [feedback.unjudged() for feedback in feedbacks])


def _apply(session: Session, feedbacks: list[Feedback]) -> list[Feedback]:
    reports = [report for feedback in feedbacks for report in feedback.reports.values()]
    of_cards = card_reports.batches_of(session, reports)
    batches = _lock_batches(session, {feedback.batch_no for feedback in feedbacks if feedback.batch_no} | of_cards)
    _judge_messages(session, batches, feedbacks)
    sound = [feedback for feedback in feedbacks if not feedback.faults]
    applicants = _load_applicants(session, batches, [result for one in sound for result in one.results.values()])
    judge_lines(sound, attrgetter("results"), applicants.apply)
    _store_changes(session, applicants.changed())
    _store_counts(session, applicants, [feedback for feedback in sound if not feedback.is_of_cards])
    _publish_decisions(session, batches, applicants.changed())
    _apply_reports(session, applicants, sound)
    if records := [_record(feedback) for feedback in feedbacks if feedback.has_envelope]:
        session.execute(insert_rows(BankFeedback, records))
    return feedbacks


def _judge_messages(session: Session, batches: dict[str, Batched], feedbacks: Sequence[Feedback]) -> None:
    """Finds faults of whole messages: other content under a known id, and implausible times."""
    contents = _known_contents(session, [feedback.id for feedback in feedbacks])
    behind = timedelta(seconds=read_settings(BankSettings).bank_clock_behind_seconds)
    latest = datetime.now(UTC) + _FURTHEST_AHEAD
    for feedback in feedbacks:
        if not feedback.has_envelope:
            continue
        batch = batches.get(feedback.batch_no or "")
        feedback.is_first = feedback.id not in contents
        if contents.setdefault(feedback.id, feedback.content) != feedback.content:
            feedback.faults.append(Fault("feedback_id_reused", "feedback_id"))
        elif batch is not None and feedback.branch_code not in (None, batch.branch_code):
            feedback.faults.append(Fault("unknown_batch", "batch_no"))
        elif feedback.processed_at is None:
            _refuse_future_reports(feedback, latest)
        elif batch is not None and feedback.processed_at < batch.submitted_at - behind:
            feedback.faults.append(Fault("before_submission", "processed_at"))
        elif feedback.processed_at > latest:
            feedback.faults.append(Fault("in_the_future", "processed_at"))


def _refuse_future_reports(feedback: Feedback, latest: datetime) -> None:
    for position, report in list(feedback.reports.items()):
        if report.happened_at > latest:
            del feedback.reports[position]
            feedback.refusals[position] = [Fault("in_the_future", "happened_at")]


def _known_contents(session: Session, feedback_ids: Sequence[str]) -> dict[str, bytes]:
    """The digest of the first content of each id; ids from before digests were kept are missing."""
    columns = (BankFeedback.feedback_id, BankFeedback.content_digest)
    known = select(*columns).where(
        is_any_of(BankFeedback.feedback_id, feedback_ids), BankFeedback.content_digest.is_not(None)
    )
    return {row.feedback_id: row.content_digest for row in session.execute(known) if row.content_digest}


def _lock_batches(session: Session, batch_nos: Iterable[str]) -> dict[str, Batched]:
    """The batches by number, locked in order: all who change a batch's applications lock the batch first."""
    facts = (
        *(Batch.batch_no, Batch.union_id, Batch.personal, Batch.contact_name, Batch.contact_phone),
        *(Batch.branch_code, Batch.submitted_at),
    )
    locked = select(*facts).where(is_any_of(Batch.batch_no, batch_nos)).order_by(Batch.batch_no)
    return {batch.batch_no: batch for batch in session.execute(locked.with_for_update(key_share=True))}


def _load_applicants(session: Session, batches: dict[str, Batched], results: Sequence[Result]) -> Applicants:
    applicants = _named_applicants(session, batches, results)
    cards = {result.card for result in results if result.outcome is Outcome.ISSUED and result.card}
    issued = session.execute(
        select(Application.application_id, Application.member_id, Application.card_digest, Application.state).where(
            or_(
                is_any_of(Application.card_digest, cards),
                is_any_of(Application.member_id, {applicant.member_id for applicant in applicants})
                & (Application.state == State.ISSUED),
            )
        )
    ).all()
    owners = {row.card_digest: row.application_id for row in issued if row.card_digest}
    return Applicants(
        batches,
        applicants,
        card_owners=owners | card_reports.owners_of_new_numbers(session, cards),
        holders={row.member_id: row.application_id for row in issued},
    )


def _named_applicants(session: Session, batches: dict[str, Batched], results: Sequence[Result]) -> list[Applicant]:
    by_number = {result.member_no for result in results if result.application_id is None}
    named = or_(
        is_any_of(Application.application_id, {result.application_id for result in results if result.application_id}),
        is_any_of(Application.member_no, by_number),
    )
    rows = session.execute(
        select(
            Application.application_id,
            Application.member_id,
            Application.member_no,
            Application.batch_no,
            Application.version,
            Application.state,
            Application.bank_outcome,
            Application.card_digest,
            Application.name == ERASED_NAME,
        ).where(is_any_of(Application.batch_no, batches), named)
    )
    return [
        Applicant(
            application_id=application_id,
            member_id=member_id,
            member_no=member_no,
            batch_no=batch_no or "",
            version=version,
            bank_status=BankStatus(State(state), Outcome(outcome) if outcome else None, card),
            is_erased=is_erased,
        )
        for application_id, member_id, member_no, batch_no, version, state, outcome, card, is_erased in rows
    ]


def _apply_reports(session: Session, applicants: Applicants, feedbacks: Sequence[Feedback]) -> None:
    issued = [one.application_id for one in applicants.changed() if one.decision is Outcome.ISSUED]
    reports = [report for feedback in feedbacks for report in feedback.reports.values()]
    if not reports and not issued:
        return
    cards = card_reports.load(session, reports, issued)
    judge_lines(feedbacks, attrgetter("reports"), cards.apply)
    card_reports.store(session, cards)


def _store_changes(session: Session, changed: Sequence[Applicant]) -> None:
    if not changed:
        return
    changes = values_table(
        "changes",
        _CHANGE,
        [
            (
                one.application_id,
                one.bank_status.state,
                one.version,
                one.bank_status.outcome,
                one.card_no,
                one.bank_status.card,
                one.reason_code,
                one.reason,
                one.decided_at,
            )
            for one in changed
        ],
    ).c
    session.execute(
        update(Application)
        .where(Application.application_id == changes.application_id)
        .values({name: changes[name] for name in _CHANGE if name != "application_id"})
        .execution_options(synchronize_session=False)
    )


def _store_counts(session: Session, applicants: Applicants, feedbacks: Sequence[Feedback]) -> None:
    if not applicants.counts:
        return
    spoken = {one.batch_no: one.processed_at for one in sorted(feedbacks, key=_processed_at) if one.applied}
    rows = [
        (batch_no, counts[State.ISSUED], counts[State.REFUSED], counts[State.RELEASED], spoken[batch_no])
        for batch_no, counts in applicants.counts.items()
    ]
    counted = values_table("counted", _COUNT, rows).c
    session.execute(
        update(Batch)
        .where(Batch.batch_no == counted.batch_no)
        .values(
            issued=Batch.issued + counted.issued,
            refused=Batch.refused + counted.refused,
            released=Batch.released + counted.released,
            feedback_at=func.greatest(Batch.feedback_at, counted.feedback_at),
        )
        .execution_options(synchronize_session=False)
    )


def _publish_decisions(session: Session, batches: dict[str, Batched], changed: Sequence[Applicant]) -> None:
    decided: dict[tuple[str, Outcome], list[Applicant]] = defaultdict(list)
    for applicant in changed:
        if applicant.decision:
            decided[applicant.batch_no, applicant.decision].append(applicant)
    publish_all(
        session,
        [
            _issued(batches[batch_no], part) if outcome is Outcome.ISSUED else _refused(batches[batch_no], part)
            for (batch_no, outcome), applicants in decided.items()
            for part in in_chunks(applicants)
        ],
    )


def _issued(batch: Batched, applicants: Sequence[Applicant]) -> tuple[EventContract[Any], EventData]:
    return CARDS_ISSUED, CardsIssuedData(
        batch_no=batch.batch_no,
        union_id=batch.union_id,
        personal=batch.personal,
        contact=_contact(batch),
        applications=[
            IssuedApplication(
                application_id=one.application_id,
                member_id=one.member_id,
                version=one.version,
                issued_at=required(one.decided_at),
                late=one.late,
            )
            for one in applicants
        ],
        cards=[IssuedCard(application_id=one.application_id, card_no=required(one.card_no)) for one in applicants],
    )


def _refused(batch: Batched, applicants: Sequence[Applicant]) -> tuple[EventContract[Any], EventData]:
    return CARDS_REFUSED, CardsRefusedData(
        batch_no=batch.batch_no,
        union_id=batch.union_id,
        personal=batch.personal,
        contact=_contact(batch),
        applications=[
            RefusedApplication(
                application_id=one.application_id,
                member_id=one.member_id,
                version=one.version,
                reason_code=required(one.reason_code),
                reason=one.reason or required(one.reason_code),
                refused_at=one.decided_at,
            )
            for one in applicants
        ],
    )


def _contact(batch: Batched) -> Contact:
    return Contact(name=batch.contact_name, phone=batch.contact_phone)


def _record(feedback: Feedback) -> dict[str, Any]:
    return {
        "feedback_id": feedback.id,
        "batch_no": feedback.batch_no,
        "content_digest": feedback.content if feedback.is_first else None,
        "processed_at": feedback.processed_at,
        "results": feedback.total,
        "applied": feedback.applied,
        "repeated": feedback.repeated,
        "rejected": feedback.rejected,
        "result_file_id": feedback.result_file_id,
    }
