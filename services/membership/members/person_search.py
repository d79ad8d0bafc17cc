"""Answers whether a person is a member, of which union, and how far the card is 会员核查, by the whole number."""

from sqlalchemy import select

from services.contracts.masks import mask_document
from services.contracts.operations.membership.members import (
    FIND_PERSON,
    FindPersonAnswer,
    FindPersonRequest,
    FoundPerson,
)
from services.kit.data.bulk import is_any_of
from services.kit.rpc.work import Work
from services.membership.members.member_documents import possible_digests
from services.membership.members.number_searches import count_search
from services.membership.models import Member, Union
from services.membership.unions import own_and_subordinates, union_answer


def find_person(work: Work, request: FindPersonRequest) -> FindPersonAnswer:
    """The members with this number in the caller's union and below, whatever their affiliation.

    The search is counted and recorded, hit or miss. Raises Problem `too_many_number_searches`.
    """
    count_search(work.session, work.caller, {"document_number": request.document_number}, FIND_PERSON.name)
    found = work.session.execute(
        select(Member, Union)
        .join(Union, Union.union_id == Member.union_id)
        .where(
            is_any_of(Member.document_digest, possible_digests(request.document_number)),
            own_and_subordinates(work.caller),
        )
        .order_by(Member.document_type)
    )
    return FindPersonAnswer(items=[_found(member, union) for member, union in found])


def _found(member: Member, union: Union) -> FoundPerson:
    return FoundPerson(
        member_id=member.member_id,
        member_no=member.member_no,
        name=member.name,
        document_type=member.document_type,
        document_number=mask_document(member.document_number),
        union=union_answer(union),
        affiliation=member.affiliation,
        card_state=member.card_state,
        applied_at=member.applied_at,
    )
