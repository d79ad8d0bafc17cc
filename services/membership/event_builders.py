"""Event builders: unions and persons in events of membership."""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy.orm import Session

from services.contracts.events.membership import UNIONS_CHANGED, ChangedUnion, UnionsChangedData
from services.contracts.shared import PersonFacts, UnionFacts
from services.kit.events.outbox import publish
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


def publish_unions(session: Session, unions: Iterable[Union], *, rebuild_id: UUID | None = None) -> None:
    """Publishes the names and places of at most MESSAGE_SIZE unions, whose rows are new or locked."""
    changed = [
        ChangedUnion(
            **vars(union_facts(union)),
            kind=union.kind,
            ended_at=union.ended_at,
            successor_union_id=union.successor_union_id,
        )
        for union in unions
    ]
    publish(session, UNIONS_CHANGED, UnionsChangedData(unions=changed, rebuild_id=rebuild_id))


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
