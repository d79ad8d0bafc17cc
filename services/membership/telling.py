"""What the events of membership share: the facts of a union and of a person."""

from typing import Any

from services.membership.models import Member, Union

_FACTS = (
    *("name", "document_type", "document_number", "document_expiry", "document_issued", "birth_date", "sex"),
    *("nationality", "phone", "address", "retirement_category", "special_retirement_month"),
)


def union_facts(union: Union) -> dict[str, Any]:
    """UnionFacts of the contracts."""
    return {
        "union_id": union.union_id,
        "code": union.code,
        "name": union.name,
        "superior_union_id": union.superior_union_id,
        "superior_ids": union.superior_ids,
    }


def person_facts(member: Member) -> dict[str, Any]:
    """PersonFacts of the contracts, but for the application's id."""
    return {name: getattr(member, name) for name in _FACTS}
