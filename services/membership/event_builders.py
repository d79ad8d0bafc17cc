"""Event builders: the union and the person in events of membership."""

from uuid import UUID

from services.contracts.shared import PersonFacts, UnionFacts
from services.membership.models import Member, Union


def union_facts(union: Union) -> UnionFacts:
    """A union as event data."""
    return UnionFacts(
        union_id=union.union_id,
        code=union.code,
        name=union.name,
        superior_union_id=union.superior_union_id,
        superior_ids=union.superior_ids,
    )


def person_facts(application_id: UUID, member: Member) -> PersonFacts:
    """The person of an application as event data."""
    return PersonFacts(
        application_id=application_id,
        name=member.name,
        document_type=member.document_type,
        document_number=member.document_number,
        document_expiry=member.document_expiry,
        document_issued=member.document_issued,
        birth_date=member.birth_date,
        sex=member.sex,
        nationality=member.nationality,
        phone=member.phone,
        address=member.address,
        retirement_category=member.retirement_category,
        special_retirement_month=member.special_retirement_month,
    )
