"""All rules of validation, applied to one person, and the table of the rules in force."""

from dataclasses import dataclass
from datetime import date

from services.contracts.rules import persons
from services.contracts.rules.documents import EARLIEST_BIRTH, VALIDITY_TERM, check_validity_term
from services.contracts.rules.findings import Finding, Rule, passed
from services.contracts.rules.persons import Identity
from services.validation import age, retirement
from services.validation.retirement import RegistryAnswer, RetirementBasis

__all__ = ["RULES", "Person", "RegistryAnswer", "check_person", "passed"]

RULES: tuple[Rule, ...] = (*persons.RULES, *age.RULES, *retirement.RULES)
"""The rules in force, in the order in which they are applied; they hold for both channels alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person(Identity):
    """The person who is checked, with the facts of the member's record.

    `retirement_category` is M60, F55, F50 or special, the last with the month set by hand.
    """

    retirement_category: str | None
    special_retirement_month: date | None


def check_person(person: Person, registry: RegistryAnswer | None, today: date) -> tuple[Finding, ...]:
    """The findings of the rules in force on a person.

    `registry` None means that the registry has not answered, so the person does not pass. Birth date and sex in the
    document's number take precedence over the record's.
    """
    judged = persons.check_identity(person, today)
    birth_date, sex = person.birth_date, person.sex
    if judged.facts:
        birth_date, sex = judged.facts.birth_date or birth_date, judged.facts.sex or sex
    findings = [
        finding for finding in judged.findings if finding.rule != VALIDITY_TERM.id or _fits_nobody(person, today)
    ]
    findings += age.check_age(birth_date, today)
    wrong_category = retirement.check_category(person.retirement_category, sex)
    findings += wrong_category
    if not wrong_category or (registry and registry.status == "retired"):
        # Trying the categories of the other sex in turn would reveal more of the birth date by the calculation.
        basis = RetirementBasis(birth_date, person.retirement_category, person.special_retirement_month, sex)
        findings += retirement.check_retirement(basis, registry, today)
    return tuple(findings)


def _fits_nobody(person: Person, today: date) -> bool:
    """Whether the document has a validity term that is impossible at any age.

    The person's own age is not used: who may change the document's dates could find the birth date by trying.
    """
    return person.document_expiry is not None and all(
        check_validity_term(date(year, 1, 1), person.document_issued, person.document_expiry, today)
        for year in range(EARLIEST_BIRTH.year, today.year + 1, 5)
    )
