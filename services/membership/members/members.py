"""Members: registered one by one or in sets, changed, shown with the history of their applications."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from services.contracts.events.membership import MEMBER_REGISTERED
from services.contracts.masks import mask_document, mask_phone
from services.contracts.operations.membership.members import RegisterMemberRequest
from services.contracts.values import clean_document_number, clean_name
from services.kit.data.bulk import is_among
from services.kit.events.contract import in_messages
from services.kit.events.outbox import tell
from services.kit.operations import audit
from services.kit.problems import Conflict, FieldProblem, Invalid, NotFound
from services.kit.rpc.methods import Caller
from services.kit.schemas import as_dict
from services.membership.applications.application_states import LIVE
from services.membership.members import member_phone_changes
from services.membership.members.corrections import corrections_of
from services.membership.members.documents import document_digest, document_end_digest, holder_of, judge, phone_digest
from services.membership.members.member_search import member_item
from services.membership.models import Application, ApplicationHistory, Member
from services.membership.unions import reachable_union

_IDENTITY = frozenset({"name", "document_type", "document_number", "birth_date", "sex"})
"""What batching took over when the member was queued: it is not changed while an application lives."""

_FACTS = (
    *("name", "document_type", "document_number", "document_expiry", "document_issued", "birth_date", "sex"),
    *("nationality", "phone", "address", "retirement_category", "special_retirement_month", "affiliation"),
)


TOLD_BY_NUMBER = ("birth_date", "sex")
"""What a document's number tells of its holder: shown beside a whole number alone."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one row: the new member, or why there is none; `warnings` say what someone should look at."""

    member_id: UUID | None = None
    problems: tuple[FieldProblem, ...] = ()
    warnings: tuple[FieldProblem, ...] = ()


def register_members(
    session: Session,
    union_id: UUID,
    rows: Sequence[RegisterMemberRequest | dict[str, Any]],
    import_id: UUID | None = None,
) -> list[Outcome]:
    """Registers those rows (the fields of RegisterMemberRequest) that can be members; an outcome for each, in order.

    A row is refused whose name, document or nationality the rules refuse, that repeats an earlier one, or names a
    person known in the city. What may still be missing or have run out, such as the document's validity, is not
    refused here. The members remember the import that they came by.
    """
    drafts: dict[bytes, dict[str, Any]] = {}
    outcomes: list[tuple[bytes, Outcome]] = []
    for row in rows:
        facts, digest, outcome = examine(row)
        if digest in drafts:
            outcome = replace(outcome, problems=(*outcome.problems, REPEATED))
        if not outcome.problems:
            own = {"member_id": uuid7(), "union_id": union_id, "import_id": import_id}
            drafts[digest] = {**own, **columns_of(facts)}
        outcomes.append((digest, outcome))
    registered = _insert(session, drafts)
    for chunk in in_messages([{"member_id": member_id} for member_id in registered.values()]):
        tell(session, MEMBER_REGISTERED, {"union_id": union_id, "members": chunk})
    return [
        outcome if outcome.problems else _outcome_of(registered.get(digest), outcome.warnings)
        for digest, outcome in outcomes
    ]


def examine(row: RegisterMemberRequest | dict[str, Any]) -> tuple[dict[str, Any], bytes, Outcome]:
    """A row's facts completed, the digest of its document, and what the rules say of it; nobody is registered."""
    facts = completed(as_dict(row))
    problems, warnings = judge(facts)
    digest = document_digest(facts["document_type"], facts["document_number"])
    return facts, digest, Outcome(problems=tuple(problems), warnings=tuple(warnings))


def register_member(session: Session, caller: Caller, facts: dict[str, Any]) -> dict[str, Any]:
    """Registers one member of the caller's union; raises Conflict `member_exists`, and Invalid."""
    (outcome,) = register_members(session, UUID(caller.union_id), [facts])
    if outcome.problems == (KNOWN,):
        raise _member_exists()
    if outcome.problems:
        raise Invalid(outcome.problems)
    member = session.get_one(Member, outcome.member_id)
    audit.note(session, ("member", member.member_id), new=_known_facts(member))
    return member_answer(session, member)


def update_member(session: Session, caller: Caller, asked: dict[str, Any]) -> dict[str, Any]:
    """Changes what is given of a member of the caller's union.

    Raises NotFound, Invalid, Conflict `application_live` for the identity while an application lives, and Conflict
    `member_exists` for a document that another member has.
    """
    audit.note(session, ("member", asked["member_id"]))
    member = session.get(Member, asked["member_id"], with_for_update=True)
    if member is None or str(member.union_id) != caller.union_id:
        raise NotFound(title="未找到该会员")
    before = {name: getattr(member, name) for name in _FACTS}
    given = {name: asked[name] for name in _FACTS if name in asked}
    _refuse_what_number_tells(before, given)
    facts = completed(before | given)
    if any(facts[name] != before[name] for name in ("document_type", "document_number")):
        # What the old number told does not hold for the new one.
        facts = completed(before | {"birth_date": None, "sex": None} | given)
    known = judge(before)[0]
    problems = [problem for problem in judge(facts)[0] if problem not in known]
    if problems:
        raise Invalid(problems)
    changed = {name for name in _FACTS if facts[name] != getattr(member, name)}
    if changed & _IDENTITY and _has_live_application(session, member.member_id):
        raise Conflict("application_live", "会员正在办卡，不能修改身份信息", "请先将其移出待办，或等待本次办卡结束。")
    for name, value in columns_of(facts).items():
        setattr(member, name, value)
    try:
        session.flush()
    except IntegrityError as taken:
        raise _member_exists() from taken
    member_phone_changes.take(session, member, before["phone"], before["affiliation"])
    audit.note(session, old=before, new=facts)
    return member_answer(session, member)


def _refuse_what_number_tells(before: dict[str, Any], given: dict[str, Any]) -> None:
    """Raises Invalid for a birth date or sex that the number tells, unless the number is given with it.

    Else whoever is not shown the number could find the birth date by trying what is not refused.
    """
    if "document_number" in given:
        return
    told = holder_of(given.get("document_type") or before["document_type"], before["document_number"])
    problems = [
        FieldProblem(name, "told_by_number", "由证件号码确定；如有误，请一并填写完整的证件号码")
        for name in TOLD_BY_NUMBER
        if name in given and getattr(told, name) is not None
    ]
    if problems:
        raise Invalid(problems)


def get_member(session: Session, caller: Caller, member_id: UUID) -> dict[str, Any]:
    """All of a member within the caller's reach; raises NotFound."""
    member = session.get(Member, member_id)
    if member is None:
        raise NotFound(title="未找到该会员")
    union = reachable_union(session, caller, member.union_id)
    audit.note(session, ("member", member_id), union_id=union.union_id)
    return member_answer(session, member)


def member_answer(session: Session, member: Member) -> dict[str, Any]:
    """A member in detail, with all applications."""
    return {
        **member_item(member),
        **{name: getattr(member, name) for name in _FACTS if name not in TOLD_BY_NUMBER},
        "document_number": mask_document(member.document_number),
        "phone": mask_phone(member.phone) if member.phone else None,
        "phone_held_until": member_phone_changes.held_until(member),
        "union_id": member.union_id,
        "registered_at": member.registered_at,
        "corrections": corrections_of(session, member.member_id),
        "applications": applications_of(session, member.member_id),
    }


def applications_of(session: Session, member_id: UUID) -> list[dict[str, Any]]:
    """A member's applications, newest first, each with its steps, oldest first."""
    newest_first = (
        select(Application).where(Application.member_id == member_id).order_by(Application.application_id.desc())
    )
    applications = session.scalars(newest_first).all()
    steps = _steps_of(session, [application.application_id for application in applications])
    return [
        {
            "application_id": application.application_id,
            "state": application.state,
            "channel": application.channel,
            "batch_no": application.batch_no,
            "outlet_code": application.outlet_code,
            "queued_at": application.queued_at,
            "consent_version": application.consent_version,
            "consented_at": application.consented_at,
            "steps": steps[application.application_id],
        }
        for application in applications
    ]


def completed(row: dict[str, Any]) -> dict[str, Any]:
    """The facts cleaned, with what the document's number tells where the row is silent.

    Whether an employed woman's post is F50 or F55 no number tells: it stays open, and the system check says so.
    """
    facts: dict[str, Any] = dict.fromkeys(_FACTS) | {name: row[name] for name in _FACTS if name in row}
    facts["name"] = clean_name(facts["name"])
    facts["document_number"] = clean_document_number(facts["document_number"])
    holder = holder_of(facts["document_type"], facts["document_number"])
    facts["birth_date"] = facts["birth_date"] or holder.birth_date
    facts["sex"] = facts["sex"] or holder.sex
    facts["retirement_category"] = facts["retirement_category"] or _certain_category(facts["sex"], facts["affiliation"])
    return facts


def columns_of(facts: dict[str, Any]) -> dict[str, Any]:
    """The columns of a member for its facts, with the digests by which it is found."""
    return {
        **facts,
        "document_digest": document_digest(facts["document_type"], facts["document_number"]),
        "document_end": document_end_digest(facts["document_number"]),
        "phone_digest": phone_digest(facts["phone"]) if facts["phone"] else None,
    }


def _known_facts(member: Member) -> dict[str, Any]:
    return {name: value for name in _FACTS if (value := getattr(member, name)) is not None}


def _certain_category(sex: str | None, affiliation: str | None) -> str | None:
    """The retirement category that needs no guess, by the decision of 2024-09-13: men, women in flexible employment."""
    if sex == "male":
        return "M60"
    return "F55" if sex == "female" and affiliation == "flexible" else None


REPEATED = FieldProblem("document_number", "repeated", "与前面的会员证件号码重复")
KNOWN = FieldProblem("document_number", "member_exists", "该证件号码已登记过会员")


def _insert(session: Session, drafts: dict[bytes, dict[str, Any]]) -> dict[bytes, UUID]:
    """Inserts those whose document nobody has; in the order of digests, so that two at once do not lock each other."""
    if not drafts:
        return {}
    returned = session.execute(
        insert(Member)
        .on_conflict_do_nothing(index_elements=[Member.document_digest])
        .returning(Member.document_digest, Member.member_id),
        [drafts[digest] for digest in sorted(drafts)],
    )
    found = {bytes(digest): member_id for digest, member_id in returned}
    return {digest: found[digest] for digest in drafts if digest in found}


def _outcome_of(member_id: UUID | None, warnings: tuple[FieldProblem, ...]) -> Outcome:
    return Outcome(member_id, warnings=warnings) if member_id else Outcome(problems=(KNOWN,))


def _member_exists() -> Conflict:
    return Conflict(
        "member_exists", "该证件号码已登记过会员", "请核对证件号码；会员如在其他工会，请先办理转会。", [KNOWN]
    )


def _has_live_application(session: Session, member_id: UUID) -> bool:
    live = select(Application).where(Application.member_id == member_id, Application.state.in_(LIVE))
    return bool(session.scalar(select(live.exists())))


def _steps_of(session: Session, application_ids: Iterable[UUID]) -> dict[UUID, list[dict[str, Any]]]:
    steps = defaultdict(list)
    for step in session.scalars(
        select(ApplicationHistory)
        .where(is_among(ApplicationHistory.application_id, application_ids))
        .order_by(ApplicationHistory.version)
    ):
        steps[step.application_id].append({"state": step.state, "at": step.at, "note": step.note})
    return steps
