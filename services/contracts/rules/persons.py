"""Judges name, document and nationality of a person together; registration, completion and check share it."""

from dataclasses import dataclass
from datetime import date

from services.contracts.rules import documents, names, nationality
from services.contracts.rules.findings import Finding, Rule, Sex

RULES: tuple[Rule, ...] = (*names.RULES, *documents.RULES, *nationality.RULES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A person's identity as recorded; None for an unknown value.

    `document_expiry` is `values.LONG_TERM` for a document valid for life. `nationality` is ISO 3166 alpha-3.
    """

    name: str
    document_type: str
    document_number: str
    document_expiry: date | None
    document_issued: date | None
    birth_date: date | None
    sex: Sex | None
    nationality: str | None


@dataclass(frozen=True, slots=True)
class IdentityJudgement:
    """The findings on an identity, and the facts in the document number if it is valid."""

    findings: tuple[Finding, ...]
    facts: documents.DocumentFacts | None


def check_identity(identity: Identity, today: date) -> IdentityJudgement:
    """The findings of the rules on name, document and nationality."""
    findings = [*names.check_name(identity.name)]
    facts = None
    try:
        facts = documents.read_document_number(identity.document_type, identity.document_number, today)
    except documents.InvalidDocumentNumber as invalid:
        findings.append(invalid.finding)
    else:
        findings += _check_document(identity, facts, today)
    if facts is None or facts.birth_date is None:
        findings += documents.check_birth_date(identity.birth_date, today)
    findings += documents.check_expiry(identity.document_expiry, today)
    findings += nationality.check_nationality(identity.document_type, facts, identity.nationality)
    return IdentityJudgement(tuple(findings), facts)


def _check_document(identity: Identity, facts: documents.DocumentFacts, today: date) -> list[Finding]:
    findings = [
        *documents.check_county(facts),
        *documents.check_agreement(facts, identity.birth_date, identity.sex),
    ]
    if identity.document_type == "passport":
        findings += documents.check_chinese_passport(facts, identity.nationality)
    if identity.document_type == "resident_id" and facts.birth_date and identity.document_expiry:
        findings += documents.check_validity_term(
            facts.birth_date, identity.document_issued, identity.document_expiry, today
        )
    return findings
