"""What batching tells a restored service, and how it learns again what its own restored database has forgotten.

Whoever is known elsewhere as submitted is submitted here too, so that nobody is ordered from the bank a second time;
batches that are learned are sent to the bank once more, marked as repeated, since the bank may lack them.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.batching.bank.bank_operations import resend
from services.batching.batches.batch_numbers import parts_of
from services.batching.batches.counting import count_month
from services.batching.cards.card_steps_learned import learn_steps
from services.batching.models import (
    Application,
    BankFeedback,
    Batch,
    BatchCounter,
    BatchPerson,
    Branch,
    ConsentReceipt,
    Outlet,
    PersonalApplication,
    ReminderDay,
)
from services.batching.pending.application_states import UNDER_CHECK, Check, Outcome, State
from services.batching.pending.channels import channel_for
from services.batching.pending.pending import LISTING_CHARSET
from services.batching.pending.persons import card_digest, facts_of, nationality_of, stored
from services.batching.places import current, let_nobody_move, remember_union
from services.batching.register.register import RegisteredPerson
from services.batching.register.registers import register_of
from services.contracts.consent import CURRENT_CONSENT
from services.contracts.operations.batching import ResendToBankRequest
from services.contracts.restores import (
    KnownApplication,
    KnownBatch,
    KnownCheck,
    KnownFacts,
    facts_from_json,
    facts_to_json,
)
from services.contracts.shared import UnionFacts
from services.kit.data.bulk import insert_rows, is_any_of
from services.kit.data.once_a_day import remember_days
from services.kit.data.repair import Learned
from services.kit.operations import audit
from services.kit.rpc.request import Caller
from services.kit.rpc.work import Work

_REASON = "数据库恢复后核对"
_NOBODY_KNOWS = "不详"
_OUTCOMES = {State.ISSUED: Outcome.ISSUED, State.REFUSED: Outcome.REFUSED}


def tell(session: Session, audience: str, ids: Sequence[str], _since: datetime) -> dict[str, Any]:
    """What a restored service forgot: membership applications, validation checks, revocation batches."""
    if audience == "revocation":
        found = session.scalars(select(Batch).where(is_any_of(Batch.batch_no, ids)).order_by(Batch.batch_no))
        return facts_to_json(KnownFacts(batches=[_known_batch(batch) for batch in found]))
    applications = session.scalars(
        select(Application)
        .where(is_any_of(Application.application_id, map(UUID, ids)))
        .order_by(Application.application_id)
    ).all()
    if audience == "validation":
        checks = [_known_check(one) for one in applications if one.check_state in (Check.PASSED, Check.FAILED)]
        return facts_to_json(KnownFacts(checks=checks))
    receipts = _receipts(session, [one.application_id for one in applications])
    return facts_to_json(
        KnownFacts(
            applications=[
                _known_application(one, receipts.get(one.application_id)) for one in applications if one.document_number
            ],
            member_no=session.scalar(select(func.max(Application.member_no))),
        )
    )


def learn(session: Session, document: dict[str, Any], _since: datetime, operator: Caller | None) -> Learned:
    """Learns batches, applications and numbers of checks that others know; numbers of batches are not given again.

    A batch that membership knows of and revocation does not is blocking: without its facts it cannot be learned.
    """
    let_nobody_move(session)
    facts, learned = facts_from_json(document), Learned()
    known = {batch.batch_no: batch for batch in facts.batches}
    missing = {batch_no: batch for batch_no, batch in known.items() if session.get(Batch, batch_no) is None}
    unknown = sorted(
        {one.batch_no for one in facts.applications if one.batch_no and one.batch_no not in known}
        - _existing(session, facts.applications)
    )
    learned.blocking += [f"batch {batch_no} is known to membership, and nobody knows its facts" for batch_no in unknown]
    applications = [one for one in facts.applications if one.batch_no not in unknown]
    for batch in missing.values():
        _add_batch(session, batch, learned)
    if learned.blocking:
        return learned
    touched = _learn_applications(session, applications, known, learned)
    for batch in missing.values():
        _freeze_persons(session, batch, applications, learned)
    learned.done += learn_steps(session, facts.card_steps)
    _learn_checks(session, facts.checks, learned)
    _learn_revocations(session, known.values())
    _learn_unions(session, facts)
    remember_days(session, ReminderDay, facts.reminded_days)
    _count_again(session, touched | missing.keys())
    _advance_counters(session, [*known, *facts.batch_nos])
    _send_again(session, missing, touched, operator or Caller(), learned)
    return learned


def _known_batch(batch: Batch) -> KnownBatch:
    return KnownBatch(
        batch_no=batch.batch_no,
        union=UnionFacts(
            union_id=batch.union_id,
            code=batch.union_code,
            name=batch.union_name,
            superior_union_id=batch.superior_union_id,
            superior_ids=batch.superior_ids,
        ),
        personal=batch.personal,
        channel=batch.channel,
        outlet_code=batch.outlet_code,
        outlet_name=batch.outlet_name,
        submitted_by=batch.submitted_by,
        submitted_at=batch.submitted_at,
        total=batch.total,
        contact_name=batch.contact_name,
        contact_phone=batch.contact_phone,
        revocation_state=batch.revocation_state,
        revocation_at=batch.revocation_at,
    )


def _known_check(application: Application) -> KnownCheck:
    return KnownCheck(
        application_id=application.application_id,
        check_no=application.check_no,
        union_id=application.union_id,
        result=application.check_state,
        checked_at=application.checked_at,
        findings=application.findings,
    )


def _known_application(application: Application, receipt: ConsentReceipt | None) -> KnownApplication:
    return KnownApplication(
        application_id=application.application_id,
        member_id=application.member_id,
        member_no=application.member_no,
        union_id=application.union_id,
        state=application.state,
        version=application.version,
        channel=application.channel,
        batch_no=application.batch_no,
        personal=application.personal,
        queued_at=application.listed_at,
        consent_version=receipt.version if receipt else None,
        consented_at=receipt.given_at if receipt else None,
        decided_at=application.decided_at,
        reason=application.reason or application.reason_code,
        card_no=application.card_no,
        person=facts_of(application),
    )


def _receipts(session: Session, application_ids: Iterable[UUID]) -> dict[UUID, ConsentReceipt]:
    found = session.scalars(select(ConsentReceipt).where(is_any_of(ConsentReceipt.application_id, application_ids)))
    return {receipt.application_id: receipt for receipt in found}


def _existing(session: Session, applications: Iterable[KnownApplication]) -> set[str]:
    named = {one.batch_no for one in applications if one.batch_no}
    return set(session.scalars(select(Batch.batch_no).where(is_any_of(Batch.batch_no, named))))


def _add_batch(session: Session, known: KnownBatch, learned: Learned) -> None:
    """Adds a batch without its persons; what nobody knows is said."""
    outlet = _outlet(session, known)
    if outlet is None:
        learned.blocking.append(f"batch {known.batch_no}: there is no outlet {known.outlet_code or known.outlet_name}")
        return
    if known.contact_name is None:
        learned.left.append(f"batch {known.batch_no}: its contact is not known, ask the union")
    branch, union = session.get_one(Branch, outlet.branch_code), current(session, known.union)
    session.add(
        Batch(
            batch_no=known.batch_no,
            union_id=union.union_id,
            union_code=known.union.code,
            union_name=known.union.name,
            superior_union_id=union.superior_union_id,
            superior_ids=union.superior_ids,
            personal=known.personal,
            channel=known.channel,
            branch_code=outlet.branch_code,
            outlet_code=outlet.code,
            outlet_name=known.outlet_name or outlet.name,
            outlet_address=outlet.address,
            contact_name=known.contact_name or _NOBODY_KNOWS,
            contact_phone=known.contact_phone or "",
            submitted_by=known.submitted_by or UUID(int=0),
            submitted_at=known.submitted_at,
            count_month=count_month(branch, known.submitted_at),
            register_hash="",
            total=known.total,
        )
    )
    session.flush()
    learned.done.append(f"batch {known.batch_no} of {known.total}")
    learned.records.append(("batch", known.batch_no))


def _outlet(session: Session, known: KnownBatch) -> Outlet | None:
    if known.outlet_code:
        return session.get(Outlet, known.outlet_code)
    return session.scalar(select(Outlet).where(Outlet.name == known.outlet_name).limit(1))


def _learn_applications(
    session: Session, known: Sequence[KnownApplication], batches: dict[str, KnownBatch], learned: Learned
) -> set[str]:
    """Adds applications, or brings them up to the known step; returns the batches whose applications changed.

    A personal application that is still queued is left to `publish_queued`, which lets it be checked and submitted.
    """
    rows = {
        row.application_id: row
        for row in session.scalars(
            select(Application).where(is_any_of(Application.application_id, (one.application_id for one in known)))
        )
    }
    forgotten = [
        one for one in known if one.application_id not in rows and not (one.personal and one.state == State.QUEUED)
    ]
    rows |= {one.application_id: _new_application(one) for one in forgotten}
    session.add_all(rows.values())
    session.flush()  # A card is made when an application that is there becomes issued.
    changed, outcomes = [], Counter[str]()
    for one in known:
        row = rows.get(one.application_id)
        if row is None or row.version >= one.version:
            continue
        heard = row.bank_outcome is not None
        _bring_up(row, one)
        outcomes[one.batch_no or ""] += row.bank_outcome is not None and not heard
        changed.append(one)
    session.flush()
    _keep_consents(session, [one for one in changed if one.batch_no], batches)
    _keep_choices(session, changed, batches)
    session.add_all(_feedback(batch_no, count) for batch_no, count in outcomes.items() if count)
    if changed:
        states = ", ".join(f"{number} {state}" for state, number in sorted(Counter(o.state for o in changed).items()))
        learned.done.append(f"{len(changed)} applications: {states}")
        learned.records += audit.references("application", (one.application_id for one in changed))
    return {one.batch_no for one in changed if one.batch_no}


def _new_application(known: KnownApplication) -> Application:
    person = known.person
    choice = channel_for(person.document_type, person.name, LISTING_CHARSET)
    is_as_chosen = choice.channel == known.channel
    return Application(
        **stored(person),
        application_id=known.application_id,
        member_id=known.member_id,
        member_no=known.member_no,
        union_id=known.union_id,
        personal=known.personal,
        listed_at=known.queued_at,
        channel=known.channel,
        channel_reason=choice.reason if is_as_chosen else _REASON,
        channel_reason_code=choice.reason_code if is_as_chosen else "other",
        check_state=Check.UNCHECKED,
        check_no=0,
        version=0,
        state=State.QUEUED,
    )


def _bring_up(row: Application, known: KnownApplication) -> None:
    """Sets an application to what membership knows; outcomes of the bank that do not decide may have been forgotten."""
    state = State(known.state)
    row.state, row.version, row.channel, row.batch_no = state, known.version, known.channel, known.batch_no
    if known.corrected:
        for name, value in stored(known.person).items():
            setattr(row, name, value)
    if known.batch_no:
        row.check_state = Check.PASSED
    if state in _OUTCOMES:
        row.bank_outcome, row.decided_at = _OUTCOMES[state], known.decided_at
    if state == State.ISSUED and known.card_no:
        row.card_no, row.card_digest = known.card_no, card_digest(known.card_no)
    if state == State.REFUSED:
        row.reason_code, row.reason = "not_known_after_restore", known.reason


def _keep_consents(session: Session, applications: Sequence[KnownApplication], batches: dict[str, KnownBatch]) -> None:
    """Adds missing consent receipts; who attested a signed form is who submitted the batch."""
    for one in applications:
        batch = batches.get(one.batch_no or "")
        clerk = batch.submitted_by if batch else None
        row = {
            "application_id": one.application_id,
            "member_id": one.member_id,
            "version": one.consent_version or CURRENT_CONSENT.version,
            "basis": "phone" if one.personal else "signed_form",
            "given_at": one.consented_at or (batch.submitted_at if batch else one.queued_at),
            "recorded_by": one.member_id if one.personal else clerk or UUID(int=0),
        }
        session.execute(insert(ConsentReceipt).values(row).on_conflict_do_nothing())


def _keep_choices(session: Session, applications: Sequence[KnownApplication], batches: dict[str, KnownBatch]) -> None:
    """Adds the missing outlets of personal applications."""
    for one in applications:
        batch = batches.get(one.batch_no or "")
        if not (one.personal and one.outlet_code and batch):
            continue
        row = {
            "application_id": one.application_id,
            "applied_by": one.member_id,
            "outlet_code": one.outlet_code,
            "union_code": batch.union.code,
            "union_name": batch.union.name,
            "superior_union_id": batch.union.superior_union_id,
            "superior_ids": batch.union.superior_ids,
        }
        session.execute(insert(PersonalApplication).values(row).on_conflict_do_nothing())


def _feedback(batch_no: str, count: int) -> BankFeedback:
    """A record in the place of feedback that was applied after the moment of the restore."""
    return BankFeedback(
        feedback_id=f"restored-{batch_no}"[:64],
        batch_no=batch_no,
        results=count,
        applied=count,
        repeated=0,
        rejected=0,
    )


def _freeze_persons(
    session: Session, known: KnownBatch, applications: Sequence[KnownApplication], learned: Learned
) -> None:
    """Freezes the persons of a learned batch in the register's order; the hash is that of what is known."""
    batch = session.get_one(Batch, known.batch_no)
    rows = session.scalars(
        select(Application)
        .where(Application.batch_no == known.batch_no)
        .order_by(Application.member_no, Application.application_id)
    ).all()
    persons = tuple(_person(position, row) for position, row in enumerate(rows, 1))
    if rows:
        frozen = [
            {"batch_no": batch.batch_no, "application_id": row.application_id, **asdict(person)}
            for row, person in zip(rows, persons, strict=True)
        ]
        session.execute(insert_rows(BatchPerson, frozen))
    batch.register_hash = register_of(batch, persons).digest()
    if len(rows) < known.total:
        learned.left.append(f"batch {batch.batch_no}: {len(rows)} of {known.total} persons are known")
    if batch.channel == "special":
        learned.left.append(
            f"batch {batch.batch_no}: the notes of the special channel are on its printed register only"
        )


def _person(position: int, row: Application) -> RegisteredPerson:
    return RegisteredPerson(
        position=position,
        member_no=row.member_no,
        name=row.name,
        document_type=row.document_type,
        document_number=row.document_number,
        document_expiry=row.document_expiry,
        nationality=nationality_of(row),
        channel_reason="：".join(filter(None, (row.channel_reason, row.channel_note))) or None
        if row.channel == "special"
        else None,
    )


def _learn_checks(session: Session, checks: Sequence[KnownCheck], learned: Learned) -> None:
    """Advances the numbers of checks to validation's, which ignores older ones; it publishes the results again."""
    newest = {one.application_id: one.check_no for one in checks}
    rows = session.scalars(select(Application).where(is_any_of(Application.application_id, newest))).all()
    behind = [row for row in rows if row.check_no < newest[row.application_id]]
    for row in behind:
        row.check_no = newest[row.application_id]
        if row.state == State.QUEUED and row.check_state not in UNDER_CHECK:
            row.check_state, row.findings = Check.CHECKING, None
    if behind:
        learned.done.append(f"the numbers of {len(behind)} checks")
    session.flush()


def _learn_revocations(session: Session, batches: Iterable[KnownBatch]) -> None:
    """Shows the newest state of revocation; an approval that released nobody shows as closed."""
    for known in batches:
        batch = session.get(Batch, known.batch_no)
        if batch is None or known.revocation_at is None or known.revocation_state is None:
            continue
        if batch.revocation_at is None or batch.revocation_at < known.revocation_at:
            batch.revocation_state, batch.revocation_at = known.revocation_state, known.revocation_at
    session.flush()


def _learn_unions(session: Session, facts: KnownFacts) -> None:
    """Describes the unions of learned applications, without which the unions above would not see these."""
    queued_at: dict[UUID, datetime] = {}
    for one in facts.applications:
        queued_at[one.union_id] = max(one.queued_at, queued_at.get(one.union_id, one.queued_at))
    for union in facts.unions:
        if union.union_id in queued_at:
            remember_union(session, union, queued_at[union.union_id])


def _count_again(session: Session, batch_nos: Iterable[str]) -> None:
    counted = (
        select(Application.batch_no, Application.state, func.count(), func.max(Application.decided_at))
        .where(is_any_of(Application.batch_no, batch_nos))
        .group_by(Application.batch_no, Application.state)
    )
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    decided_at: dict[str, datetime] = {}
    for batch_no, state, number, at in session.execute(counted):
        counts[str(batch_no)][state] += number
        if state in _OUTCOMES and at is not None:
            decided_at[str(batch_no)] = max(at, decided_at.get(str(batch_no), at))
    for batch in session.scalars(select(Batch).where(is_any_of(Batch.batch_no, counts))):
        found = counts[batch.batch_no]
        batch.issued, batch.refused, batch.released = found[State.ISSUED], found[State.REFUSED], found[State.RELEASED]
        batch.feedback_at = batch.feedback_at or decided_at.get(batch.batch_no)
        if batch.revocation_state == "approved" and not batch.released:
            batch.revocation_state = "closed"
    session.flush()


def _advance_counters(session: Session, batch_nos: Iterable[str]) -> None:
    """Advances the counter of each union and day beyond the numbers that were given."""
    last: Counter[tuple[str, date]] = Counter()
    for batch_no in batch_nos:
        if parts := parts_of(batch_no):
            union_code, day, number = parts
            last[union_code, day] = max(last[union_code, day], number)
    for (union_code, day), number in last.items():
        counter = insert(BatchCounter).values(union_code=union_code, day=day, last=number)
        session.execute(
            counter.on_conflict_do_update(
                index_elements=["union_code", "day"],
                set_={"last": func.greatest(BatchCounter.last, counter.excluded.last)},
            )
        )


def _send_again(
    session: Session, missing: Iterable[str], touched: Iterable[str], caller: Caller, learned: Learned
) -> None:
    """Sends learned batches to the bank once more, and the recalls of others whose applications were released."""
    of_missing, work = set(missing), Work(session, caller)
    for batch_no in sorted({*of_missing, *touched}):
        batch = session.get(Batch, batch_no)
        what = "batch" if batch_no in of_missing else "recall"
        if batch is None or (what == "recall" and not batch.released):
            continue
        resend(work, ResendToBankRequest(batch_no=batch_no, what=what, reason=_REASON))
        learned.done.append(f"{what} {batch_no} is sent to the bank again, marked as repeated")
