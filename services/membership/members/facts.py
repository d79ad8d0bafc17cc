"""A member's facts: from a clerk's request, cleaned and completed, and as columns of the table."""

from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Any

from services.contracts.operations.membership.members import MemberFacts
from services.contracts.rules.findings import Sex
from services.contracts.rules.persons import Identity
from services.contracts.values import clean_document_number, clean_name
from services.kit.schemas import UNSET, values_of
from services.membership.members.member_documents import document_digest, document_end_digest, holder_of, phone_digest
from services.membership.models import Member


@dataclass(frozen=True, kw_only=True)
class Facts:
    """A member's facts, by the names of the columns; None means unknown."""

    name: str
    document_type: str
    document_number: str
    document_expiry: date | None = None
    document_issued: date | None = None
    birth_date: date | None = None
    sex: Sex | None = None
    nationality: str | None = None
    phone: str | None = None
    address: str | None = None
    retirement_category: str | None = None
    special_retirement_month: date | None = None
    affiliation: str


NAMES = tuple(field.name for field in fields(Facts))


def facts_of(member: Member) -> Facts:
    """The facts of a stored member."""
    return Facts(**{name: getattr(member, name) for name in NAMES})


def requested_facts(request: MemberFacts) -> Facts:
    """The completed facts of a registration request."""
    return completed(Facts(**_given(request)))


def changed_facts(facts: Facts, request: MemberFacts) -> Facts:
    """The facts with the present fields of a request in place of the former; not completed."""
    return replace(facts, **_given(request))


def completed(facts: Facts) -> Facts:
    """The cleaned facts, with unknown ones filled in from the document's number.

    Whether an employed woman's category is F50 or F55 is in no number: it stays unknown; the system check reports it.
    """
    number = clean_document_number(facts.document_number)
    holder = holder_of(facts.document_type, number)
    sex = facts.sex or holder.sex
    return replace(
        facts,
        name=clean_name(facts.name),
        document_number=number,
        birth_date=facts.birth_date or holder.birth_date,
        sex=sex,
        retirement_category=facts.retirement_category or _certain_category(sex, facts.affiliation),
    )


def identity_of(facts: Facts) -> Identity:
    """The identity that the rules on name, document and nationality judge."""
    return Identity(**{field.name: getattr(facts, field.name) for field in fields(Identity)})


def columns_of(facts: Facts) -> dict[str, Any]:
    """The columns of a member's row for these facts, with the digests that find the member."""
    return {
        **values_of(facts),
        "document_digest": document_digest(facts.document_type, facts.document_number),
        "document_end": document_end_digest(facts.document_number),
        "phone_digest": phone_digest(facts.phone) if facts.phone else None,
    }


def _given(request: MemberFacts) -> dict[str, Any]:
    """The present facts of a request, as keywords."""
    return {name: value for name in NAMES if (value := getattr(request, name)) is not UNSET}


def _certain_category(sex: str | None, affiliation: str | None) -> str | None:
    """The retirement category if the decision of 2024-09-13 leaves no choice: men, women in flexible employment."""
    if sex == "male":
        return "M60"
    return "F55" if sex == "female" and affiliation == "flexible" else None
