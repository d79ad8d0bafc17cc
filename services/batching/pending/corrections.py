"""Corrections of a person in the pending list (修改证件到期日, 完善信息): judged by the rules, then published."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
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

CORRECTABLE = ("document_type", "document_number", "document_expiry", "nationality")
_PUBLISHED = (*CORRECTABLE, "birth_date", "sex")
_IDENTITY = ("name", *_PUBLISHED, "document_issued")
_LIVE_OR_ISSUED = (State.QUEUED, State.SUBMITTED, State.ISSUED)
_NOT_YET_NEEDED = frozenset({"expiry_missing", "nationality_missing"})


def correct(session: Session, application: Application, request: UpdatePendingRequest, corrected_by: UUID) -> None:
    """Applies the request's changes of the document and publishes them for membership; the person needs a new check.

    Raises Invalid where the rules on document, nationality and validity refuse it, and Conflict `document_known` for a
    document under which somebody else has a card or is getting one.
    """
    changed = {
        name: value
        for name in CORRECTABLE
        if (value := getattr(request, name)) is not UNSET and value != getattr(application, name)
    }
    if not changed:
        return
    facts = _corrected(facts_of(application), changed)
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
            person=CorrectedFacts(**{name: getattr(facts, name) for name in _PUBLISHED}),
        ),
    )


def judge(facts: PersonFacts) -> IdentityJudgement:
    """The findings of the rules on name, document and nationality on a person today."""
    identity = Identity(**{name: getattr(facts, name) for name in _IDENTITY})
    return check_identity(identity, today())


def refuse_invalid(judgement: IdentityJudgement, changed: Iterable[str]) -> None:
    """Raises Invalid for errors in changed fields; type, number and nationality are judged together."""
    fields = {"document_expiry"} & set(changed)
    if set(changed) - {"document_expiry"}:
        fields |= {"document_type", "document_number", "nationality"}
    problems = [
        FieldProblem(field, finding.code, finding.message)
        for finding in errors_of(judgement.findings)
        if (field := _field_of(finding)) in fields and finding.code not in _NOT_YET_NEEDED
    ]
    if problems:
        raise Invalid(problems)


def _corrected(facts: PersonFacts, changed: Mapping[str, Any]) -> PersonFacts:
    """The person with the changes; birth date and sex from a former number are dropped with it."""
    corrected = replace(facts, **changed)
    if changed.keys() & {"document_type", "document_number"}:
        of_number = judge(corrected).facts or DocumentFacts("", "")
        birth_date, sex = of_number.birth_date or facts.birth_date, of_number.sex or facts.sex
        return replace(corrected, birth_date=birth_date, sex=sex)
    return corrected


def _field_of(finding: Finding) -> str:
    if finding.rule == "document.expiry":
        return "document_expiry"
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
