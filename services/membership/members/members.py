"""Members: registration of one or many, changes, and details with the history of their applications."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import String, cast, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from services.contracts.events.membership import (
    MEMBER_REGISTERED,
    MEMBERS_COUNTED,
    CountedMember,
    MemberRegisteredData,
    MembersCountedData,
    RegisteredMember,
)
from services.contracts.masks import mask_phone
from services.contracts.operations.membership.members import (
    REGISTER_MEMBER,
    UPDATE_MEMBER,
    ApplicationAnswer,
    GetMemberRequest,
    MemberAnswer,
    RegisterMemberRequest,
    StepAnswer,
    UpdateMemberRequest,
)
from services.kit.data.bulk import insert_rows, is_any_of
from services.kit.events.contract import in_chunks
from services.kit.events.outbox import publish
from services.kit.operations import audit
from services.kit.problems import Conflict, FieldProblem, Invalid, NotFound
from services.kit.rpc.work import Work
from services.kit.schemas import UNSET, values_of
from services.membership.applications.application_states import LIVE
from services.membership.applications.cards import card_steps_of
from services.membership.applications.ended import ended_applications
from services.membership.enrolments.covers import covers_of
from services.membership.members import member_phone_changes
from services.membership.members.corrections import corrections_of
from services.membership.members.facts import (
    NAMES,
    Facts,
    changed_facts,
    columns_of,
    completed,
    facts_of,
    identity_of,
    requested_facts,
)
from services.membership.members.member_documents import document_digest, holder_of, judge
from services.membership.members.member_search import member_item
from services.membership.members.number_searches import count, count_if_member_exists, numbers_in
from services.membership.models import MEMBER_NO, Application, ApplicationHistory, Member
from services.membership.unions import require_open, union_in_scope, union_names

_IDENTITY = frozenset({"name", "document_type", "document_number", "birth_date", "sex"})
"""The fields that batching copied when the member was queued; they cannot change while an application is live."""

DERIVED_FROM_NUMBER = ("birth_date", "sex")
"""The facts that a document number contains on its holder; shown only beside a whole number."""

REPEATED = FieldProblem("document_number", "repeated", "与前面的会员证件号码重复")
NEXT_NUMBER = func.lpad(cast(MEMBER_NO.next_value(), String), 10, "0")
"""SQL for the next member number, of ten digits."""
KNOWN = FieldProblem("document_number", "member_exists", "该证件号码已登记过会员")


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one row: the new member, or the problems; `warnings` are for review."""

    member_id: UUID | None = None
    problems: tuple[FieldProblem, ...] = ()
    warnings: tuple[FieldProblem, ...] = ()


def register_members(session: Session, union_id: UUID, rows: Sequence[RegisterMemberRequest]) -> list[Outcome]:
    """Registers the valid rows; returns an outcome for each row, in order.

    A row is refused if the rules refuse its name, document or nationality, if it repeats an earlier one, or if the
    person is a member in the city already. Missing or expired values that can be fixed later, such as the document's
    validity, are not refused here.
    """
    registered_at = datetime.now(UTC)
    drafts: dict[bytes, dict[str, Any]] = {}
    outcomes: list[tuple[bytes, Outcome]] = []
    for row in rows:
        facts, digest, outcome = examine(row)
        if digest in drafts:
            outcome = replace(outcome, problems=(*outcome.problems, REPEATED))
        if not outcome.problems:
            own = {"member_id": uuid7(), "union_id": union_id, "registered_at": registered_at}
            drafts[digest] = {**own, **columns_of(facts)}
        outcomes.append((digest, outcome))
    registered = _insert(session, drafts)
    for chunk in in_chunks([RegisteredMember(member_id=member_id) for member_id in registered.values()]):
        publish(session, MEMBER_REGISTERED, MemberRegisteredData(union_id=union_id, members=list(chunk)))
        counted = [
            CountedMember(member_id=one.member_id, union_id=union_id, registered_at=registered_at) for one in chunk
        ]
        publish(session, MEMBERS_COUNTED, MembersCountedData(members=counted))
    return [
        outcome if outcome.problems else _outcome_of(registered.get(digest), outcome.warnings)
        for digest, outcome in outcomes
    ]


def examine(row: RegisterMemberRequest) -> tuple[Facts, bytes, Outcome]:
    """A row's completed facts, the digest of its document, and the rules' outcome, without registration."""
    facts = requested_facts(row)
    problems, warnings = judge(identity_of(facts))
    digest = document_digest(facts.document_type, facts.document_number)
    return facts, digest, Outcome(problems=tuple(problems), warnings=tuple(warnings))


def register_member(work: Work, request: RegisterMemberRequest) -> MemberAnswer:
    """Registers one member of the caller's union; raises Conflict `member_exists`, and Invalid.

    Raises Conflict `member_elsewhere` for a member of another union, whom the caller's may request (transfers.py). An
    answer that reveals a member counts as a search by the number.
    """
    number, place = request.document_number, REGISTER_MEMBER.name
    with count_if_member_exists(work.database, work.caller, number, place):
        (outcome,) = register_members(work.session, UUID(work.caller.union_id), [request])
        if outcome.problems == (KNOWN,):
            raise _member_exists() if _is_own_member(work, request) else _member_elsewhere()
        if outcome.problems:
            raise Invalid(outcome.problems)
        member = work.session.get_one(Member, outcome.member_id)
        known = {name: value for name, value in values_of(facts_of(member)).items() if value is not None}
        audit.record(work.session, ("member", member.member_id), new=known)
        return member_answer(work.session, member)


def update_member(work: Work, request: UpdateMemberRequest) -> MemberAnswer:
    """Changes the present fields of a member of the caller's union.

    Raises NotFound, Invalid, Conflict `application_live` for the identity while an application is live, and Conflict
    `member_exists` for a document that another member has.
    """
    session = work.session
    count(work.database, work.caller, numbers_in(request), UPDATE_MEMBER.name)
    audit.record(session, ("member", request.member_id))
    member = session.get(Member, request.member_id, with_for_update=True)
    if member is None or member.erased_at or str(member.union_id) != work.caller.union_id:
        raise NotFound(title="未找到该会员")
    before = facts_of(member)
    _refuse_derived_facts(before, request)
    facts = _changed(before, request)
    _refuse_new_problems(before, facts)
    changed = {name for name in NAMES if getattr(facts, name) != getattr(before, name)}
    if changed & _IDENTITY and _has_live_application(session, member.member_id):
        raise Conflict("application_live", "会员正在办卡，不能修改身份信息", "请先将其移出待办，或等待本次办卡结束。")
    for name, value in columns_of(facts).items():
        setattr(member, name, value)
    try:
        session.flush()
    except IntegrityError as taken:
        raise _member_exists() from taken
    member_phone_changes.apply_change(session, member, before.phone, before.affiliation)
    audit.record(session, old=values_of(before), new=values_of(facts))
    return member_answer(session, member)


def get_member(work: Work, request: GetMemberRequest) -> MemberAnswer:
    """A member in the caller's scope in detail; the call is recorded. Raises NotFound."""
    member = work.session.get(Member, request.member_id)
    if member is None or member.erased_at:
        raise NotFound(title="未找到该会员")
    union = union_in_scope(work.session, work.caller, member.union_id)
    audit.record(work.session, ("member", member.member_id), union_id=union.union_id)
    return member_answer(work.session, member)


def member_answer(session: Session, member: Member) -> MemberAnswer:
    """A member in detail, with all applications."""
    union_name = union_names(session, [member.union_id])[member.union_id]
    return MemberAnswer(
        **values_of(member_item(member, union_name, ended_applications(session, [member]).get(member.member_id))),
        document_expiry=member.document_expiry,
        document_issued=member.document_issued,
        nationality=member.nationality,
        phone=mask_phone(member.phone) if member.phone else None,
        phone_held_until=member_phone_changes.held_until(member),
        address=member.address,
        retirement_category=member.retirement_category,
        special_retirement_month=member.special_retirement_month,
        affiliation=member.affiliation,
        registered_at=member.registered_at,
        left_at=member.left_at,
        corrections=corrections_of(session, member.member_id),
        applications=applications_of(session, member.member_id),
        card_steps=card_steps_of(session, member.member_id),
        enrolments=covers_of(session, member.member_id),
    )


def applications_of(session: Session, member_id: UUID) -> list[ApplicationAnswer]:
    """A member's applications, newest first, each with its steps, oldest first."""
    newest_first = (
        select(Application).where(Application.member_id == member_id).order_by(Application.application_id.desc())
    )
    applications = session.scalars(newest_first).all()
    steps = _steps_of(session, [application.application_id for application in applications])
    return [
        ApplicationAnswer(
            application_id=application.application_id,
            state=application.state,
            channel=application.channel,
            batch_no=application.batch_no,
            outlet_code=application.outlet_code,
            queued_at=application.queued_at,
            consent_version=application.consent_version,
            consented_at=application.consented_at,
            steps=steps[application.application_id],
        )
        for application in applications
    ]


def _changed(before: Facts, request: UpdateMemberRequest) -> Facts:
    """The changed facts; those from the old document number are dropped with it."""
    facts = completed(changed_facts(before, request))
    if (facts.document_type, facts.document_number) == (before.document_type, before.document_number):
        return facts
    return completed(changed_facts(replace(before, birth_date=None, sex=None), request))


def _refuse_derived_facts(before: Facts, request: UpdateMemberRequest) -> None:
    """Raises Invalid for a birth date or sex that the number contains, unless the request has the number too.

    Otherwise a caller who does not see the number could find the birth date by trying values.
    """
    if request.document_number is not UNSET:
        return
    in_number = holder_of(request.document_type or before.document_type, before.document_number)
    problems = [
        FieldProblem(name, "told_by_number", "由证件号码确定；如有误，请一并填写完整的证件号码")
        for name in DERIVED_FROM_NUMBER
        if getattr(request, name) is not UNSET and getattr(in_number, name) is not None
    ]
    if problems:
        raise Invalid(problems)


def _refuse_new_problems(before: Facts, facts: Facts) -> None:
    """Raises Invalid for errors of the changed facts, except those that existed before."""
    known = judge(identity_of(before))[0]
    problems = [problem for problem in judge(identity_of(facts))[0] if problem not in known]
    if problems:
        raise Invalid(problems)


def _insert(session: Session, drafts: Mapping[bytes, Mapping[str, Any]]) -> dict[bytes, UUID]:
    """Inserts the rows whose document no member has; returns the members' ids by the digests of their documents.

    Rows are inserted in the order of the digests, so that two transactions do not deadlock.
    """
    if not drafts:
        return {}
    for union_id in {draft["union_id"] for draft in drafts.values()}:
        require_open(session, union_id)
    returned = session.execute(
        insert_rows(Member, [drafts[digest] for digest in sorted(drafts)])
        .on_conflict_do_nothing(index_elements=[Member.document_digest])
        .returning(Member.document_digest, Member.member_id)
    )
    found = {bytes(digest): member_id for digest, member_id in returned}
    return {digest: found[digest] for digest in drafts if digest in found}


def _outcome_of(member_id: UUID | None, warnings: tuple[FieldProblem, ...]) -> Outcome:
    return Outcome(member_id, warnings=warnings) if member_id else Outcome(problems=(KNOWN,))


def _member_exists() -> Conflict:
    return Conflict("member_exists", "该证件号码已登记过会员", "请核对证件号码，或在卡片信息管理中查询。", [KNOWN])


def _member_elsewhere() -> Conflict:
    """Says neither in which union nor who it is."""
    advice = "请核对证件号码；会员确已到本工会的，可申请转会，会员编号和卡片随会员转入。"
    return Conflict("member_elsewhere", "该证件号码已在其他工会登记", advice, [KNOWN])


def _is_own_member(work: Work, request: RegisterMemberRequest) -> bool:
    digest = document_digest(request.document_type, request.document_number)
    own = select(Member.member_id).where(Member.document_digest == digest, Member.union_id == work.caller.union_id)
    return work.session.scalar(own) is not None


def _has_live_application(session: Session, member_id: UUID) -> bool:
    live = select(Application).where(Application.member_id == member_id, Application.state.in_(LIVE))
    return bool(session.scalar(select(live.exists())))


def _steps_of(session: Session, application_ids: Iterable[UUID]) -> dict[UUID, list[StepAnswer]]:
    steps = defaultdict(list)
    for step in session.scalars(
        select(ApplicationHistory)
        .where(is_any_of(ApplicationHistory.application_id, application_ids))
        .order_by(ApplicationHistory.version)
    ):
        steps[step.application_id].append(StepAnswer(state=step.state, at=step.at, note=step.note))
    return steps
