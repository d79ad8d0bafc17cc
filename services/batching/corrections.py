"""Corrections of a person in the pending list (修改证件到期日, 完善信息): judged by the rules, told to the member."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.batching.application_states import Check, State
from services.batching.models import Application
from services.batching.persons import document_digest, facts_of, stored
from services.contracts.events.batching import MEMBER_CORRECTED
from services.contracts.rules.documents import DocumentFacts
from services.contracts.rules.findings import Finding, errors_of
from services.contracts.rules.identity import Identity, IdentityJudgement, check_identity
from services.contracts.values import today
from services.kit.events.outbox import tell
from services.kit.problems import Conflict, FieldProblem, Invalid

CORRECTABLE = ("document_type", "document_number", "document_expiry", "nationality")
_TOLD = (*CORRECTABLE, "birth_date", "sex")
_IDENTITY = ("name", *_TOLD, "document_issued")
_LIVE_OR_ISSUED = (State.QUEUED, State.SUBMITTED, State.ISSUED)
_NOT_YET_NEEDED = frozenset({"expiry_missing", "nationality_missing"})


def correct(session: Session, application: Application, request: Mapping[str, Any], corrected_by: UUID) -> None:
    """Takes what the request says of the document, and tells membership of it; the person must be checked anew.

    Raises Invalid where the rules on document, nationality and validity refuse it, and Conflict `document_known` for a
    document under which somebody else has a card or is getting one.
    """
    changed = {
        name: request[name] for name in CORRECTABLE if name in request and request[name] != getattr(application, name)
    }
    if not changed:
        return
    facts = _corrected(facts_of(application), changed)
    refuse_invalid(judge(facts), changed)
    if "document_number" in changed:
        _refuse_known(session, application, facts["document_number"])
    for name, value in stored(facts).items():
        setattr(application, name, value)
    application.check_state, application.findings, application.checked_at = Check.UNCHECKED, None, None
    tell(
        session,
        MEMBER_CORRECTED,
        {
            "union_id": application.union_id,
            "application_id": application.application_id,
            "member_id": application.member_id,
            "corrected_by": corrected_by,
            "corrected_at": datetime.now(UTC),
            "person": {name: facts[name] for name in _TOLD},
        },
    )


def judge(facts: Mapping[str, Any]) -> IdentityJudgement:
    """What the rules on name, document and nationality find of a person (PersonFacts) today."""
    identity = Identity(**{name: facts[name] for name in _IDENTITY})
    return check_identity(identity, today())


def refuse_invalid(judgement: IdentityJudgement, changed: Iterable[str]) -> None:
    """Raises Invalid for errors in what was changed; type, number and nationality are judged together."""
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


def _corrected(facts: dict[str, Any], changed: Mapping[str, Any]) -> dict[str, Any]:
    """The person with the changes; what the former number told of birth date and sex does not hold for another one."""
    corrected = {**facts, **changed}
    if changed.keys() & {"document_type", "document_number"}:
        told = judge(corrected).facts or DocumentFacts("", "")
        corrected["birth_date"] = told.birth_date or facts["birth_date"]
        corrected["sex"] = told.sex or facts["sex"]
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
