"""Clerks' corrections from the pending list are applied to the member, in whatever order they arrive."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.contracts.events.batching import MEMBER_CORRECTED, MemberCorrectedData
from services.contracts.events.membership import CORRECTION_REFUSED, MEMBER_PHONE_CHANGED
from services.kit.events.subscribe import Event, Reject
from services.membership.members import corrections
from tests.integration.membership.office import Office, an_account, an_event
from tests.mothers import a_resident_number

NUMBER = a_resident_number(date(1991, 2, 3), "female")
NOW = datetime.now(UTC)


def a_correction(
    office: Office, member_id: UUID, application_id: UUID, at: datetime = NOW, by: UUID | None = None, **changes: Any
) -> Event[MemberCorrectedData]:
    """What a clerk corrected."""
    person = {
        "document_type": "resident_id",
        "document_number": NUMBER,
        "document_expiry": date(2041, 2, 3),
        "nationality": "CHN",
        "birth_date": date(1991, 2, 3),
        "sex": "female",
    }
    published = {
        "union_id": office.union.union_id,
        "application_id": application_id,
        "member_id": member_id,
        "corrected_by": by or uuid4(),
        "corrected_at": at,
        "person": person | changes,
    }
    return an_event(MEMBER_CORRECTED, published)


def deliver(office: Office, member_id: UUID, at: datetime = NOW, by: UUID | None = None, **changes: Any) -> None:
    """Delivers batching's event of a correction to membership."""
    event = a_correction(office, member_id, office.newest_application(member_id), at, by, **changes)
    with office.begin() as session:
        corrections.member_corrected(session, event)


def test_a_correction_is_the_members_and_its_history_says_who_made_it(office: Office) -> None:
    clerk = an_account(office, office.union, "clerk")
    member_id, _ = office.queued(document_expiry="2030-01-31")
    deliver(office, member_id, by=UUID(clerk.account_id))
    member = office.member(member_id)
    assert office.kept(member_id, "document_expiry", "sex") == (date(2041, 2, 3), "female")
    assert office.names(document_number=NUMBER) == [member["name"]]
    [correction] = member["corrections"]
    assert (correction["corrected_by"], correction["refused"]) == ("王芳", False)
    changes = {one["field"]: (one["old"], one["new"]) for one in correction["changes"]}
    assert changes["document_expiry"] == ("2030-01-31", "2041-02-03")
    assert NUMBER not in str(changes["document_number"])
    assert not {"birth_date", "sex"} & changes.keys()


def test_the_later_of_two_corrections_counts_whichever_is_handled_first(office: Office) -> None:
    member_id, _ = office.queued()
    deliver(office, member_id, NOW, document_expiry=date(2042, 1, 1))
    deliver(office, member_id, NOW - timedelta(seconds=1), document_expiry=date(2041, 1, 1))
    assert office.member(member_id)["document_expiry"] == date(2042, 1, 1)
    assert len(office.member(member_id)["corrections"]) == 2


def test_a_document_of_another_member_is_not_taken_and_the_application_ends(office: Office) -> None:
    office.register(document_number=NUMBER)
    member_id, application_id = office.queued()
    before = office.member(member_id)
    deliver(office, member_id)
    after = office.member(member_id)
    assert after["document_expiry"] == before["document_expiry"]
    assert [one["refused"] for one in after["corrections"]] == [True]
    [published] = office.published(CORRECTION_REFUSED)
    assert (published["application_id"], published["reason"]) == (application_id, "document_known")


def test_a_correction_of_nobody_we_know_is_rejected(office: Office) -> None:
    member_id, application_id = office.queued()
    with pytest.raises(Reject), office.begin() as session:
        corrections.member_corrected(session, a_correction(office, uuid4(), application_id))
    assert office.member(member_id)["corrections"] == []


def test_a_mended_name_category_and_phone_are_the_members_and_both_numbers_are_told(office: Office) -> None:
    member_id, _ = office.queued(phone="13800000001")
    deliver(office, member_id, name="韩梅梅", retirement_category="F50", phone="13900000009")

    assert office.kept(member_id, "name", "retirement_category", "phone") == ("韩梅梅", "F50", "13900000009")
    assert office.names(phone="13900000009") == ["韩梅梅"]
    [told] = office.published(MEMBER_PHONE_CHANGED)
    assert (told["numbers"]["old_phone"], told["numbers"]["new_phone"]) == ("13800000001", "13900000009")
    [correction] = office.member(member_id)["corrections"]
    changes = {one["field"]: (one["old"], one["new"]) for one in correction["changes"]}
    assert changes["phone"] == ("138****0001", "139****0009")


def test_a_correction_of_a_former_release_leaves_name_category_and_phone(office: Office) -> None:
    member_id, _ = office.queued(phone="13800000001", name="韩梅")
    category = office.kept(member_id, "retirement_category")
    deliver(office, member_id)

    assert office.kept(member_id, "name", "phone") == ("韩梅", "13800000001")
    assert office.kept(member_id, "retirement_category") == category
    assert office.published(MEMBER_PHONE_CHANGED) == []


def test_of_two_corrections_of_different_facts_both_count_in_any_order(office: Office) -> None:
    member_id, _ = office.queued(phone="13800000001", name="韩梅")
    deliver(office, member_id, NOW, phone="13900000009", document_expiry=date(2042, 1, 1))
    deliver(office, member_id, NOW - timedelta(seconds=1), name="韩梅梅", document_expiry=date(2041, 1, 1))

    assert office.kept(member_id, "name", "phone") == ("韩梅梅", "13900000009")
    assert office.member(member_id)["document_expiry"] == date(2042, 1, 1)


def test_a_correction_of_the_document_leaves_what_was_changed_on_the_member_meanwhile(office: Office) -> None:
    member_id, _ = office.queued(phone="13800000001")
    office.update(member_id, phone="13900000009")
    deliver(office, member_id)
    assert office.kept(member_id, "phone") == ("13900000009",)
