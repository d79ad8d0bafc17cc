"""What the events of membership share: the facts of a union and of a person, chunks of at most MESSAGE_SIZE."""

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from services.common.contracts.event import MESSAGE_SIZE
from services.membership.models import Member, Union

Item = TypeVar("Item")

_FACTS = (
    *("name", "document_type", "document_number", "document_expiry", "document_issued", "birth_date", "sex"),
    *("nationality", "phone", "address", "retirement_category", "special_retirement_month"),
)


def in_chunks(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """The items in parts that fit into one message each."""
    return (items[start : start + MESSAGE_SIZE] for start in range(0, len(items), MESSAGE_SIZE))


def union_facts(union: Union) -> dict[str, Any]:
    """UnionFacts of the contracts."""
    return {
        "union_id": union.union_id,
        "code": union.code,
        "name": union.name,
        "superior_union_id": union.superior_union_id,
    }


def person_facts(member: Member) -> dict[str, Any]:
    """PersonFacts of the contracts, but for the application's id."""
    return {name: getattr(member, name) for name in _FACTS}
