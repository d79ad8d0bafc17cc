"""What membership tells a restored service, and how it learns again what its own restored database has forgotten."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.contracts.events.membership import MEMBER_REGISTERED, MemberRegisteredData, RegisteredMember
from services.contracts.restores import KnownApplication, KnownCardStep, KnownFacts, facts_from_json, facts_to_json
from services.kit.data.bulk import is_any_of
from services.kit.data.repair import Learned
from services.kit.events.contract import in_chunks
from services.kit.events.outbox import publish
from services.kit.operations import audit
from services.kit.rpc.request import Caller
from services.membership.applications.application_states import LIVE, CardState, State, card_state_of
from services.membership.event_builders import person_facts, union_facts
from services.membership.members.facts import Facts, columns_of
from services.membership.members.member_documents import document_digest
from services.membership.models import (
    MEMBER_NO,
    Account,
    Application,
    ApplicationHistory,
    CardStep,
    Member,
    MemberCorrection,
    PhoneChange,
    ResetLink,
    SignedInSession,
    SmsCode,
    Union,
)

UNUSED_NUMBERS = 10_000
"""How many member numbers are left out after a restore: others know only the numbers of members that were queued."""


def tell(session: Session, audience: str, ids: Sequence[str], since: datetime) -> dict[str, Any]:
    """The applications that batching forgot, with the facts of their members and unions; or unions by their ids."""
    if audience == "unions":
        unions = session.scalars(select(Union).where(is_any_of(Union.union_id, map(UUID, ids))))
        return facts_to_json(KnownFacts(unions=[union_facts(union) for union in unions]))
    rows = session.execute(
        select(Application, Member)
        .join(Member, Member.member_id == Application.member_id)
        .where(is_any_of(Application.application_id, map(UUID, ids)))
        .order_by(Application.application_id)
    ).all()
    newest, card_steps = _newest_steps(session, ids), _card_steps(session, ids)
    first_numbers = {one.application_id: one.card_no for one in reversed(card_steps)}
    corrected = set(
        session.scalars(select(MemberCorrection.application_id).where(MemberCorrection.corrected_at >= since))
    )
    applications = [
        KnownApplication(
            application_id=one.application_id,
            member_id=member.member_id,
            member_no=member.member_no or "",
            union_id=one.union_id,
            state=one.state,
            version=one.version,
            channel=one.channel,
            batch_no=one.batch_no,
            personal=one.outlet_code is not None,
            outlet_code=one.outlet_code,
            queued_at=one.queued_at,
            queued_by=one.queued_by,
            consent_version=one.consent_version,
            consented_at=one.consented_at,
            decided_at=newest[one.application_id].at if one.application_id in newest else None,
            reason=newest[one.application_id].note if one.application_id in newest else None,
            card_no=first_numbers.get(one.application_id, member.card_no) if one.state == State.ISSUED else None,
            corrected=one.application_id in corrected,
            person=person_facts(one.application_id, member),
        )
        for one, member in rows
    ]
    unions = session.scalars(select(Union).where(is_any_of(Union.union_id, {one.union_id for one, _ in rows})))
    return facts_to_json(
        KnownFacts(applications=applications, unions=[union_facts(union) for union in unions], card_steps=card_steps)
    )


def _card_steps(session: Session, ids: Sequence[str]) -> list[KnownCardStep]:
    """The steps of these applications' cards, in their order."""
    steps = session.scalars(
        select(CardStep)
        .where(is_any_of(CardStep.application_id, map(UUID, ids)))
        .order_by(CardStep.application_id, CardStep.version)
    )
    return [
        KnownCardStep(
            application_id=one.application_id,
            version=one.version,
            step=one.step,
            happened_at=one.happened_at,
            by_union=one.by_union,
            card_no=one.card_no,
        )
        for one in steps
    ]


def learn(session: Session, document: dict[str, Any], since: datetime, operator: Caller | None) -> Learned:
    """Learns members and applications that batching knows; numbers are not given again; changed accounts are disabled.

    Steps between are added to the history by `publish_steps_to_membership`.
    """
    facts, learned = facts_from_json(document), Learned()
    known = [one for one in facts.applications if _learn_member(session, one, learned)]
    _learn_applications(session, known, learned)
    if operator is not None:
        _advance_numbers(session, facts.member_no, learned)
    _ask_for_numbers(session, learned)
    _disable_changed(session, facts.changed_accounts, operator, learned)
    learned.left.append(
        f"members who were registered after {since.isoformat()} and not queued are not known: register them again"
    )
    learned.left.append(
        f"passwords, roles, disabled accounts, second factors and recovery codes are those of {since.isoformat()}: "
        "disable again whoever was disabled since"
    )
    if facts.lost_audit_entries:
        learned.left.append(
            f"audit entries {facts.lost_audit_entries} are missing: AUDIT_LOST={facts.lost_audit_entries}"
        )
        learned.new["audit_lost"] = facts.lost_audit_entries
    return learned


def secure(session: Session) -> None:
    """Ends what a restore has revived: all sessions, links, codes and open changes of telephones."""
    now = func.now()
    open_sessions = SignedInSession.ended_at.is_(None)
    session.execute(update(SignedInSession).where(open_sessions).values(ended_at=now, ended_because="restored"))
    unused = ResetLink.used_at.is_(None) & ResetLink.void_since.is_(None)
    session.execute(update(ResetLink).where(unused).values(void_since=now))
    session.execute(update(SmsCode).where(SmsCode.expires_at > now).values(expires_at=now))
    session.execute(update(PhoneChange).where(PhoneChange.state == "requested").values(expires_at=now))


def _newest_steps(session: Session, ids: Sequence[str]) -> dict[UUID, ApplicationHistory]:
    steps = session.scalars(
        select(ApplicationHistory)
        .where(is_any_of(ApplicationHistory.application_id, map(UUID, ids)), ApplicationHistory.version > 0)
        .order_by(ApplicationHistory.version)
    )
    return {step.application_id: step for step in steps}


def _learn_member(session: Session, known: KnownApplication, learned: Learned) -> bool:
    """Adds the application's member where it is missing; returns whether there is one now."""
    member = session.get(Member, known.member_id)
    if member is not None:
        member.member_no = member.member_no or known.member_no
        return True
    person = known.person
    digest = document_digest(person.document_type, person.document_number)
    if session.get(Union, known.union_id) is None:
        learned.left.append(f"application {known.application_id}: its union {known.union_id} is not known")
        return False
    if session.scalar(select(Member.member_id).where(Member.document_digest == digest)):
        learned.left.append(f"application {known.application_id}: another member has the document of its member")
        return False
    columns = {name: getattr(person, name) for name in Facts.__dataclass_fields__ if hasattr(person, name)}
    facts = Facts(**columns, affiliation="flexible" if known.personal else "employer")
    session.add(
        Member(
            **columns_of(facts),
            member_id=known.member_id,
            union_id=known.union_id,
            member_no=known.member_no,
            registered_at=known.queued_at,
        )
    )
    session.flush()
    learned.done.append(f"member {known.member_no}")
    learned.records.append(("member", known.member_id))
    return True


def _learn_applications(session: Session, known: Sequence[KnownApplication], learned: Learned) -> None:
    """Brings applications up to batching's, ended ones first, for a member has one live application."""
    changed = []
    for one in sorted(known, key=lambda one: (one.state in LIVE, one.application_id)):
        row = session.get(Application, one.application_id)
        if row is not None and row.version >= one.version:
            continue
        if row is None:
            row = Application(
                application_id=one.application_id,
                member_id=one.member_id,
                union_id=one.union_id,
                queued_by=one.queued_by or UUID(int=0),
                queued_at=one.queued_at,
            )
            session.add(row)
        row.state, row.version, row.channel, row.batch_no = one.state, one.version, one.channel, one.batch_no
        row.consent_version, row.consented_at = one.consent_version, one.consented_at
        session.flush()
        _keep_queueing(session, one)
        changed.append(one)
    _follow_applications(session, changed)
    if changed:
        learned.done.append(f"{len(changed)} applications")
        learned.records += audit.references("application", (one.application_id for one in changed))


def _keep_queueing(session: Session, known: KnownApplication) -> None:
    """Adds the queueing to the history; the later steps follow from batching."""
    step = {"application_id": known.application_id, "version": 0, "union_id": known.union_id}
    queued = {**step, "state": State.QUEUED, "at": known.queued_at}
    session.execute(insert(ApplicationHistory).values(queued).on_conflict_do_nothing())


def _follow_applications(session: Session, changed: Sequence[KnownApplication]) -> None:
    """Sets the card states of members by their issued or live application."""
    cards = {one.application_id: one.card_no for one in changed if one.card_no}
    member_ids = {one.member_id for one in changed}
    rows = session.scalars(
        select(Application).where(
            is_any_of(Application.member_id, member_ids), Application.state.in_((*LIVE, State.ISSUED))
        )
    )
    of_member: dict[UUID, Application] = {}
    for row in rows:
        if row.state == State.ISSUED or row.member_id not in of_member:
            of_member[row.member_id] = row
    for member in session.scalars(select(Member).where(is_any_of(Member.member_id, member_ids))):
        application = of_member.get(member.member_id)
        if application is None:
            member.card_state = CardState.NONE
            member.application_id = member.channel = member.applied_at = None
            continue
        member.card_state = card_state_of(State(application.state))
        member.application_id, member.channel = application.application_id, application.channel
        member.applied_at = application.queued_at
        member.card_no = cards.get(application.application_id, member.card_no)
    session.flush()


def _advance_numbers(session: Session, highest_known: str | None, learned: Learned) -> None:
    """Uses up the member numbers to beyond the highest known one, and those that only the lost data knew.

    The service may only take the next number of the sequence. Taken ones are not given back if all is rolled back.
    """
    highest = max(int(highest_known or 0), int(session.scalar(select(func.max(Member.member_no))) or 0))
    last = session.execute(MEMBER_NO.next_value()).scalar_one()
    target = max(highest, last) + UNUSED_NUMBERS
    session.execute(select(func.max(MEMBER_NO.next_value())).select_from(func.generate_series(1, target - last)))
    learned.done.append(f"member numbers go on after {target:010d}")


def _ask_for_numbers(session: Session, learned: Learned) -> None:
    """Publishes again that members wait for their numbers: the events may have been handled and forgotten."""
    waiting: defaultdict[UUID, list[UUID]] = defaultdict(list)
    for union_id, member_id in session.execute(
        select(Member.union_id, Member.member_id).where(Member.member_no.is_(None)).order_by(Member.member_id)
    ):
        waiting[union_id].append(member_id)
    for union_id, member_ids in waiting.items():
        for part in in_chunks(member_ids):
            members = [RegisteredMember(member_id=member_id) for member_id in part]
            data = MemberRegisteredData(union_id=union_id, members=members)
            publish(session, MEMBER_REGISTERED, data, recipient="membership")
    if waiting:
        learned.done.append(f"{sum(map(len, waiting.values()))} members wait for their numbers")


def _disable_changed(session: Session, account_ids: Iterable[UUID], operator: Caller | None, learned: Learned) -> None:
    """Disables accounts whose credentials or roles changed after the moment, since their former ones are valid again.

    The operator's own account stays, and is named.
    """
    for account_id in sorted(set(account_ids)):
        account = session.get(Account, account_id)
        if account is None:
            learned.left.append(f"account {account_id} was made after the moment: make it again")
        elif operator is not None and operator.account_id == str(account_id):
            learned.left.append(
                f"account {account.account_name} has its former password and second factor: change them"
            )
        elif not account.disabled:
            account.disabled = True
            learned.left.append(
                f"account {account.account_name} was changed after the moment and is disabled: ask its holder"
            )
            learned.records.append(("account", account_id))
    session.flush()
