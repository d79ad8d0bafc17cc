"""Applications and card states follow batching's events, in whatever order these arrive."""

from datetime import UTC, datetime
from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import select

from services.contracts.events.batching import (
    BATCH_RELEASED,
    BATCH_SUBMITTED,
    CARDS_ISSUED,
    CARDS_REFUSED,
    CHANNEL_ASSIGNED,
    ISSUE_TIMES_CORRECTED,
    MEMBERS_REMOVED,
)
from services.contracts.events.membership import APPLICATION_CANCELLED
from services.kit.events.contract import EventContract
from services.kit.events.subscribe import Reject, Retry
from services.membership.models import Application
from tests.integration.membership.office import BATCH_NO, CARD_NO, Office


def test_a_submitted_application_shows_its_batch(office: Office) -> None:
    member_id, application_id = office.queued()
    office.deliver(BATCH_SUBMITTED, (application_id, 1))
    member = office.member(member_id)
    assert member["card_state"] == "submitted"
    assert member["applications"][0]["batch_no"] == BATCH_NO


def test_an_issued_card_is_shown_masked(office: Office) -> None:
    member_id, application_id = office.queued()
    office.deliver(BATCH_SUBMITTED, (application_id, 1))
    office.deliver(CARDS_ISSUED, (application_id, 2))
    member = office.member(member_id)
    assert (member["card_state"], member["card_no"]) == ("issued", "622478******7891")
    assert [step["state"] for step in member["applications"][0]["steps"]] == ["queued", "submitted", "issued"]


def test_a_corrected_time_of_issue_is_in_the_history(office: Office) -> None:
    member_id, application_id = office.queued()
    times = {"said_at": datetime(2062, 11, 25, 2, tzinfo=UTC), "issued_at": datetime(2026, 11, 25, 2, tzinfo=UTC)}
    with pytest.raises(Retry):
        office.deliver(ISSUE_TIMES_CORRECTED, (application_id, 2), **times)
    office.deliver(BATCH_SUBMITTED, (application_id, 1))
    issue = {"application_id": application_id, "member_id": member_id, "version": 2, "issued_at": times["said_at"]}
    office.deliver(CARDS_ISSUED, (application_id, 2), applications=[issue])
    for _ in range(2):
        office.deliver(ISSUE_TIMES_CORRECTED, (application_id, 2), **times)
    steps = office.member(member_id)["applications"][0]["steps"]
    assert (steps[-1]["state"], steps[-1]["at"]) == ("issued", times["issued_at"])


def test_a_refused_member_is_free_and_the_reason_is_kept(office: Office) -> None:
    member_id, application_id = office.queued()
    office.deliver(BATCH_SUBMITTED, (application_id, 1))
    office.deliver(CARDS_REFUSED, (application_id, 2))
    member = office.member(member_id)
    assert (member["card_state"], member["application_id"], member["selectable"]) == ("none", None, True)
    assert member["applications"][0]["steps"][-1]["note"] == "照片不清"


def test_a_removed_member_can_be_queued_again(office: Office) -> None:
    member_id, application_id = office.queued()
    office.deliver(MEMBERS_REMOVED, (application_id, 1))
    assert office.queue(member_id)["queued"] == 1
    states = [application["state"] for application in office.member(member_id)["applications"]]
    assert states == ["queued", "removed"]


def test_a_switched_channel_is_shown(office: Office) -> None:
    member_id, application_id = office.queued()
    office.deliver(CHANNEL_ASSIGNED, (application_id, 1), channel="special")
    member = office.member(member_id)
    assert (member["channel"], member["applications"][0]["channel"]) == ("special", "special")
    assert member["card_state"] == "pending"


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_steps_that_overtake_one_another_end_in_the_newest(office: Office, order: tuple[int, ...]) -> None:
    member_id, application_id = office.queued()
    steps: list[tuple[EventContract[Any], int]] = [(CHANNEL_ASSIGNED, 1), (BATCH_SUBMITTED, 2), (CARDS_ISSUED, 3)]
    for place in order:
        contract, version = steps[place]
        office.deliver(contract, (application_id, version))
    member = office.member(member_id)
    assert member["card_state"] == "issued"
    assert [step["state"] for step in member["applications"][0]["steps"]] == ["queued", "queued", "submitted", "issued"]


def test_a_late_event_on_an_old_application_does_not_change_the_new_one(office: Office) -> None:
    member_id, old = office.queued()
    office.deliver(MEMBERS_REMOVED, (old, 2))
    office.queue(member_id)
    office.deliver(CHANNEL_ASSIGNED, (old, 1), channel="special")
    office.deliver(MEMBERS_REMOVED, (old, 2))
    assert office.member(member_id)["card_state"] == "pending"


def test_a_card_issued_after_the_release_still_counts(office: Office) -> None:
    member_id, application_id = office.queued()
    office.deliver(BATCH_SUBMITTED, (application_id, 1))
    office.deliver(BATCH_RELEASED, (application_id, 2))
    assert office.member(member_id)["card_state"] == "none"
    office.deliver(CARDS_ISSUED, (application_id, 3))
    member = office.member(member_id)
    assert (member["card_state"], member["application_id"]) == ("issued", application_id)
    assert office.published(APPLICATION_CANCELLED) == []


def test_a_late_card_cancels_the_application_queued_since(office: Office) -> None:
    member_id, released = office.queued()
    office.deliver(BATCH_SUBMITTED, (released, 1))
    office.deliver(BATCH_RELEASED, (released, 2))
    office.queue(member_id)
    queued_since = office.newest_application(member_id)
    office.deliver(CARDS_ISSUED, (released, 3))
    (published,) = office.published(APPLICATION_CANCELLED)
    assert (published["application_id"], published["issued_application_id"]) == (queued_since, released)
    assert published["member_no"] == office.member(member_id)["member_no"]
    office.deliver(MEMBERS_REMOVED, (queued_since, 1), reason="cancelled")
    member = office.member(member_id)
    assert (member["card_state"], member["application_id"]) == ("issued", released)
    assert [application["state"] for application in member["applications"]] == ["removed", "issued"]


def test_a_second_card_is_refused_and_the_first_is_kept(office: Office) -> None:
    member_id, released = office.queued()
    office.deliver(BATCH_SUBMITTED, (released, 1))
    office.deliver(BATCH_RELEASED, (released, 2))
    office.queue(member_id)
    queued_since = office.newest_application(member_id)
    office.deliver(CARDS_ISSUED, (released, 3))
    with pytest.raises(Reject, match="another application"):
        office.deliver(
            CARDS_ISSUED, (queued_since, 2), cards=[{"application_id": queued_since, "card_no": "6231620000000000013"}]
        )
    member = office.member(member_id)
    assert member["card_no"] == f"{CARD_NO[:6]}******{CARD_NO[-4:]}"


def test_what_cannot_follow_is_rejected_and_changes_nothing(office: Office) -> None:
    member_id, application_id = office.queued()
    office.deliver(BATCH_SUBMITTED, (application_id, 1))
    office.deliver(CARDS_ISSUED, (application_id, 2))
    with pytest.raises(Reject, match="cannot become"):
        office.deliver(BATCH_RELEASED, (application_id, 3))
    assert office.member(member_id)["card_state"] == "issued"


def test_an_event_about_hundreds_is_applied_to_each(office: Office) -> None:
    office.numbered(120)
    office.queue_all()
    with office.begin() as session:
        application_ids = session.scalars(select(Application.application_id)).all()
    office.deliver(BATCH_SUBMITTED, *((application_id, 1) for application_id in application_ids))
    office.deliver(CARDS_ISSUED, *((application_id, 2) for application_id in application_ids[:100]), cards=[
        {"application_id": application_id, "card_no": f"62247812345{place:05}"}
        for place, application_id in enumerate(application_ids[:100])
    ])  # fmt: skip
    assert office.listed(card_state="issued")["total"] == 100
    assert office.listed(card_state="submitted")["total"] == 20


def test_a_submission_says_what_its_members_signed(office: Office) -> None:
    member_id, application_id = office.queued()
    office.deliver(BATCH_SUBMITTED, (application_id, 1), consent_version="2026-01", consent_basis="signed_form")
    [application] = office.member(member_id)["applications"]
    assert application["consent_version"] == "2026-01"
    assert application["consented_at"] is not None
