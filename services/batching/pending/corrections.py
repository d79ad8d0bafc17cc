"""Corrections of a person in the pending list (修改证件到期日, 完善信息, 处理): judged by the rules, then published."""

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.batching.models import Application
from services.batching.pending.application_states import Check, State
from services.batching.pending.persons import document_digest, facts_of, stored
from services.contracts.events.batching import MEMBER_CORRECTED, CorrectedFacts, MemberCorrectedData
from services.contracts.operations.batching import UpdatePendingRequest
from services.contracts.rules.documents import DocumentFacts
from services.contracts.rules.findings import Finding, errors_of
from services.contracts.rules.persons import Identity, IdentityJudgement, check_identity
from services.contracts.shared import PersonFacts
from services.contracts.values import today
from services.kit.events.outbox import publish
from services.kit.problems import Conflict, FieldProblem, Invalid
from services.kit.schemas import UNSET

CORRECTABLE = (
    *("document_type", "document_number", "document_expiry", "nationality", "name", "birth_date", "sex"),
    *("phone", "retirement_category", "special_retirement_month"),
)
_OF_DOCUMENT = frozenset({"document_type", "document_number", "document_expiry", "nationality", "birth_date", "sex"})
_OF_IDENTITY = ("document_type", "document_number", "nationality", "birth_date", "sex")
_IDENTITY = tuple(field.name for field in fields(Identity))
_LIVE_OR_ISSUED = (State.QUEUED, State.SUBMITTED, State.ISSUED)
_FIELDS_OF_RULES = {"document.expiry": "document_expiry", "person.birth_date": "birth_date"}
_NOT_YET_NEEDED = frozenset({"expiry_missing", "nationality_missing"})


def correct(session: Session, application: Application, request: UpdatePendingRequest, corrected_by: UUID) -> None:
    """Applies the request's changes of the person and publishes them for membership; the person needs a new check.

    Raises Invalid where the rules on name, document, nationality and validity refuse it, and for a birth date or sex
    that the number contains; Conflict `document_known` for a document under which somebody else has a card or is
    getting one.
    """
    before = facts_of(application)
    _refuse_derived(before, request)
    changed = {
        name: value
        for name in CORRECTABLE
        if (value := getattr(request, name)) is not UNSET and value != _recorded(application, before, name)
    }
    if not changed:
        return
    facts = _corrected(before, changed)
    refuse_invalid(judge(facts), changed)
    if "document_number" in changed:
        _refuse_known(session, application, facts.document_number)
    for name, value in stored(facts).items():
        setattr(application, name, value)
    application.check_state, application.findings, application.checked_at = Check.UNCHECKED, None, None
    publish(
        session,
        MEMBER_CORRECTED,
        MemberCorrectedData(
            union_id=application.union_id,
            application_id=application.application_id,
            member_id=application.member_id,
            corrected_by=corrected_by,
            corrected_at=datetime.now(UTC),
            person=CorrectedFacts(**_published(facts, changed)),
        ),
    )


def judge(facts: PersonFacts) -> IdentityJudgement:
    """The findings of the rules on name, document and nationality on a person today."""
    identity = Identity(**{name: getattr(facts, name) for name in _IDENTITY})
    return check_identity(identity, today())


def refuse_invalid(judgement: IdentityJudgement, changed: Iterable[str]) -> None:
    """Raises Invalid for errors in changed fields; type, number, nationality and what they tell are judged together."""
    judged = {"document_expiry", "name", "birth_date"} & set(changed)
    if set(changed) & set(_OF_IDENTITY):
        judged |= {"document_type", "document_number", "nationality"}
    problems = [
        FieldProblem(field, finding.code, finding.message)
        for finding in errors_of(judgement.findings)
        if (field := _field_of(finding)) in judged and finding.code not in _NOT_YET_NEEDED
    ]
    if problems:
        raise Invalid(problems)


def _published(facts: PersonFacts, changed: Iterable[str]) -> dict[str, Any]:
    """The whole document, and the other facts that changed: the member's may be newer than those copied here."""
    return {name: getattr(facts, name) for name in CORRECTABLE if name in _OF_DOCUMENT or name in changed}


def _recorded(application: Application, facts: PersonFacts, name: str) -> Any:
    """A recorded fact; of the nationality not the one that the document implies."""
    return application.nationality if name == "nationality" else getattr(facts, name)


def _refuse_derived(before: PersonFacts, request: UpdatePendingRequest) -> None:
    """Raises Invalid for a birth date or sex that the number contains, unless the request has the number too.

    Otherwise a caller who does not see the number could find the birth date by trying values.
    """
    if request.document_number is not UNSET:
        return
    kind = request.document_type or before.document_type
    in_number = judge(replace(before, document_type=kind)).facts or DocumentFacts("", "")
    problems = [
        FieldProblem(name, "told_by_number", "由证件号码确定；如有误，请一并填写完整的证件号码")
        for name in ("birth_date", "sex")
        if getattr(request, name) is not UNSET and getattr(in_number, name) is not None
    ]
    if problems:
        raise Invalid(problems)


def _corrected(facts: PersonFacts, changed: Mapping[str, Any]) -> PersonFacts:
    """The person with the changes; birth date and sex from a former number are dropped with it."""
    corrected = replace(facts, **changed)
    if changed.keys() & {"document_type", "document_number"}:
        of_number = judge(corrected).facts or DocumentFacts("", "")
        birth_date = of_number.birth_date or corrected.birth_date
        sex = of_number.sex or corrected.sex
        return replace(corrected, birth_date=birth_date, sex=sex)
    return corrected


def _field_of(finding: Finding) -> str:
    if field := _FIELDS_OF_RULES.get(finding.rule):
        return field
    return {"name": "name", "document": "document_number", "person": "nationality"}[finding.rule.partition(".")[0]]


def _refuse_known(session: Session, application: Application, number: str) -> None:
    others = select(Application).where(
        Application.document_digest == document_digest(number),
        Application.member_id != application.member_id,
        Application.state.in_(_LIVE_OR_ISSUED),
    )
    if session.scalar(select(others.exists())):
        problem = FieldProblem("document_number", "document_known", "该证件号码已有会员在办卡或已办卡")
        raise Conflict("document_known", "该证件号码已有会员在办卡或已办卡", "请核对证件原件上的号码。", [problem])
