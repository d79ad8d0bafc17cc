"""All rules of validation, applied to one person, and the table of the rules in force."""

from dataclasses import dataclass
from datetime import date

from services.validation import documents, names, retirement
from services.validation.findings import Finding, Rule, Sex
from services.validation.retirement import RegistryAnswer, RetirementBasis

__all__ = ["RULES", "Person", "RegistryAnswer", "check_person", "passed"]

RULES: tuple[Rule, ...] = (*documents.RULES, *names.RULES, *retirement.RULES)
"""The rules in force, in the order in which they are applied."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who is checked, as the member's record has it; None where it says nothing.

    `document_expiry` is `documents.LONG_TERM` for a document valid for life. `nationality` is ISO 3166 alpha-3,
    `retirement_category` M60, F55, F50 or special, the last with the month set by hand.
    """

    name: str
    document_type: str
    document_number: str
    document_expiry: date | None
    document_issued: date | None
    birth_date: date | None
    sex: Sex | None
    retirement_category: str | None
    special_retirement_month: date | None
    nationality: str | None


def check_person(person: Person, registry: RegistryAnswer | None, today: date) -> tuple[Finding, ...]:
    """What the rules in force find about a person.

    `registry` None means that the registry has not answered, which keeps the person from passing. Where the document's
    number tells birth date and sex, they count for more than the record's.
    """
    findings = [*names.check_name(person.name)]
    birth_date, sex = person.birth_date, person.sex
    try:
        facts = documents.read_document_number(person.document_type, person.document_number, today)
    except documents.InvalidDocumentNumber as invalid:
        findings.append(invalid.finding)
    else:
        findings += _check_document(person, facts, today)
        birth_date, sex = facts.birth_date or birth_date, facts.sex or sex
    findings += documents.check_expiry(person.document_expiry, today)
    findings += retirement.check_category(person.retirement_category, sex)
    basis = RetirementBasis(birth_date, person.retirement_category, person.special_retirement_month)
    findings += retirement.check_retirement(basis, registry, today)
    return tuple(findings)


def passed(findings: tuple[Finding, ...]) -> bool:
    """Whether a person with these findings passes: warnings do not stand in the way."""
    return all(finding.severity != "error" for finding in findings)


def _check_document(person: Person, facts: documents.DocumentFacts, today: date) -> list[Finding]:
    findings = [
        *documents.check_county(facts),
        *documents.check_agreement(facts, person.birth_date, person.sex),
    ]
    if person.document_type == "passport":
        findings += documents.check_chinese_passport(facts, person.nationality)
    if person.document_type == "resident_id" and facts.birth_date and person.document_expiry:
        findings += documents.check_validity_term(
            facts.birth_date, person.document_issued, person.document_expiry, today
        )
    return findings
