"""Members' cards after they are made, by batching's events, in whatever order these arrive."""

from datetime import UTC, datetime
from itertools import permutations
from uuid import UUID, uuid4

import pytest

from services.contracts.events.batching import BATCH_SUBMITTED, CARDS_CHANGED, CARDS_ISSUED, CardsChangedData
from services.kit.events.subscribe import Reject
from services.membership.applications import cards
from tests.integration.membership.office import Office, an_event

NEW_CARD = "6231620000000000013"
LIFE = (("collected", "collected"), ("lost", "lost"), ("replaced", "made"))


def issued(office: Office) -> tuple[UUID, UUID]:
    """A member with a card, and its application."""
    member_id, application_id = office.queued()
    office.deliver(BATCH_SUBMITTED, (application_id, 1))
    office.deliver(CARDS_ISSUED, (application_id, 2))
    return member_id, application_id


def report(office: Office, application_id: UUID, version: int) -> None:
    step, status = LIFE[version - 1]
    number = {"card_no": NEW_CARD} if step == "replaced" else {}
    office.report_card(application_id, version, step, status, **number)


def test_a_card_to_which_nothing_happened_is_made(office: Office) -> None:
    member_id, _ = issued(office)
    member = office.member(member_id)
    assert (member["card_status"], member["card_steps"]) == ("made", [])


@pytest.mark.parametrize("order", list(permutations((0, 1, 2, 3))))
def test_steps_of_a_card_in_any_order_and_before_the_issue_lead_to_the_same_member(
    office: Office, order: tuple[int, ...]
) -> None:
    member_id, application_id = office.queued()
    office.deliver(BATCH_SUBMITTED, (application_id, 1))
    for version in (*order, *order):
        if version:
            report(office, application_id, version)
        else:
            office.deliver(CARDS_ISSUED, (application_id, 2))
    member = office.member(member_id)
    assert (member["card_state"], member["card_status"], member["card_no"]) == ("issued", "made", "623162*********0013")
    assert [one["step"] for one in member["card_steps"]] == ["replaced", "lost", "collected"]


def test_members_are_found_by_the_status_of_their_card(office: Office) -> None:
    (_, first), _ = issued(office), issued(office)
    waiting, _ = office.queued()
    report(office, first, 1)
    listed = [office.listed(card_status=status)["total"] for status in ("made", "collected", "active")]
    assert listed == [1, 1, 0]
    assert office.member(waiting)["card_status"] is None


def test_the_card_of_an_unknown_application_is_refused(office: Office) -> None:
    member_id, application_id = issued(office)
    data = CardsChangedData(
        union_id=office.union.union_id,
        cards=[
            {  # type: ignore[list-item]
                "application_id": uuid4(),
                "member_id": member_id,
                "version": 1,
                "step": "closed",
                "happened_at": datetime(2026, 12, 1, tzinfo=UTC),
                "status": "closed",
            }
        ],
        numbers=[{"application_id": application_id, "card_no": NEW_CARD}],  # type: ignore[list-item]
    )
    with office.begin() as session, pytest.raises(Reject):
        cards.cards_changed(session, an_event(CARDS_CHANGED, vars(data)))
    assert office.member(member_id)["card_status"] == "made"
