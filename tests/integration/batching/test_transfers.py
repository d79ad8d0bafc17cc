"""Members who move to another union: cards go along, queued applications end, submitted ones go on, in any order."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy.orm import Session

from services.batching.bank import bank_feedback, bank_reading, bank_receipts
from services.batching.models import Card, MovedMember
from services.batching.pending import listing, transfers
from services.contracts.events.batching import MEMBERS_REMOVED
from services.contracts.events.membership import MEMBER_TRANSFERRED, MEMBERS_QUEUED
from tests.documents import an_event
from tests.integration.batching.desk import Desk, a_feedback
from tests.mothers import a_card_number, a_queueing, a_union, an_applicant
from tests.two_transactions import at_once


def move(desk: Desk, member_id: UUID, union: dict[str, Any], version: int = 1, at: datetime | None = None) -> None:
    with desk.begin() as session:
        move_in(desk, member_id, union, session, version, at)


def move_in(  # noqa: PLR0917 - a transfer's facts
    desk: Desk,
    member_id: UUID,
    union: dict[str, Any],
    session: Session,
    version: int = 1,
    at: datetime | None = None,
) -> None:
    data = {
        "transfer_id": uuid4(),
        "member_id": member_id,
        "member_no": "0070000001",
        "from_union_id": desk.union_id,
        "union": union,
        "version": version,
        "transferred_at": at or datetime.now(UTC),
    }
    transfers.member_transferred(session, an_event(MEMBER_TRANSFERRED.read(MEMBER_TRANSFERRED.dump(data))))


def member_of(desk: Desk, application_id: UUID) -> UUID:
    return desk.application(application_id).member_id


def card_of(desk: Desk, application_id: UUID) -> Card:
    with desk.begin() as session:
        return session.get_one(Card, application_id)


def issue(desk: Desk, batch_no: str, application_id: UUID) -> None:
    with desk.begin() as session:
        issue_in(batch_no, application_id, session)


def issue_in(batch_no: str, application_id: UUID, session: Session) -> None:
    result = {"application_id": application_id, "outcome": "issued", "card_no": a_card_number()}
    message = a_feedback(batch_no, result)
    bank_receipts.answer(session, bank_feedback.apply_feedback(session, [bank_reading.read_feedback(message)]))
    assert message.rejection is None


def list_in(queueing: dict[str, Any], session: Session) -> None:
    listing.members_queued(session, an_event(MEMBERS_QUEUED.read(MEMBERS_QUEUED.dump(queueing))))


def test_a_queued_application_ends_when_its_member_moves_and_others_stay(desk: Desk) -> None:
    moving, staying = desk.queue(an_applicant(), an_applicant())
    move(desk, member_of(desk, moving), a_union())
    assert desk.states([moving, staying]) == ["removed", "queued"]
    [removed] = desk.published(MEMBERS_REMOVED)
    assert (removed["reason"], "转会" in removed["detail"]) == ("cancelled", True)


def test_a_member_who_moved_while_the_queueing_was_on_its_way_is_not_left_on_the_list(desk: Desk) -> None:
    [known] = desk.queue()
    member_id = member_of(desk, known)
    desk.remove(application_ids=[known])
    move(desk, member_id, a_union())
    applicant = an_applicant()
    queued = {"application_id": applicant["application_id"], "member_id": member_id, "member_no": "0070000009"}
    [late] = desk.queue(applicant, queued_at=datetime.now(UTC) - timedelta(hours=1), applications=[queued])
    assert desk.states([late]) == ["removed"]


def test_a_submitted_application_goes_on_and_its_card_is_the_new_unions(desk: Desk) -> None:
    batch_no, [application_id] = desk.a_batch(1)
    new = a_union()
    move(desk, member_of(desk, application_id), new)
    assert desk.states([application_id]) == ["submitted"]
    issue(desk, batch_no, application_id)
    card = card_of(desk, application_id)
    assert (card.union_id, card.union_name, card.superior_ids) == (new["union_id"], new["name"], new["superior_ids"])
    assert desk.application(application_id).union_id == desk.union_id


def test_a_card_goes_along(desk: Desk) -> None:
    batch_no, [application_id] = desk.a_batch(1)
    issue(desk, batch_no, application_id)
    new = a_union()
    move(desk, member_of(desk, application_id), new)
    assert card_of(desk, application_id).union_id == new["union_id"]


@pytest.mark.parametrize("first", ["the move", "the card"])
def test_a_card_that_is_issued_while_its_member_moves_is_the_new_unions(desk: Desk, first: str) -> None:
    batch_no, [application_id] = desk.a_batch(1)
    new = a_union()
    works = [partial(move_in, desk, member_of(desk, application_id), new), partial(issue_in, batch_no, application_id)]
    at_once(desk.begin, *(works if first == "the move" else reversed(works)))
    assert card_of(desk, application_id).union_id == new["union_id"]


@pytest.mark.parametrize("first", ["the move", "the queueing"])
def test_a_member_who_moves_while_being_listed_is_not_left_on_the_list(desk: Desk, first: str) -> None:
    [known] = desk.queue()
    member_id = member_of(desk, known)
    desk.remove(application_ids=[known])
    applicant = an_applicant()
    queued = {"application_id": applicant["application_id"], "member_id": member_id, "member_no": "0070000009"}
    queueing = a_queueing(
        applicant, union=desk.union, queued_at=datetime.now(UTC) - timedelta(hours=1), applications=[queued]
    )
    works = [partial(move_in, desk, member_id, a_union()), partial(list_in, queueing)]
    at_once(desk.begin, *(works if first == "the move" else reversed(works)))
    assert desk.states([applicant["application_id"]]) == ["removed"]


def test_of_two_transfers_the_newer_counts_in_whatever_order_they_come(desk: Desk) -> None:
    batch_no, [application_id] = desk.a_batch(1)
    issue(desk, batch_no, application_id)
    member_id, first, second = member_of(desk, application_id), a_union(), a_union()
    for union, version in ((second, 2), (first, 1), (second, 2)):
        move(desk, member_id, union, version)
    with desk.begin() as session:
        assert session.get_one(MovedMember, member_id).union_id == second["union_id"]
    assert card_of(desk, application_id).union_id == second["union_id"]


def test_a_member_who_was_queued_by_the_new_union_stays_on_its_list(desk: Desk) -> None:
    [application_id] = desk.queue()
    at = desk.application(application_id).listed_at
    move(desk, member_of(desk, application_id), a_union(), at=at - timedelta(minutes=1))
    assert desk.states([application_id]) == ["queued"]
