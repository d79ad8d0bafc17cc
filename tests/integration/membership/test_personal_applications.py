"""Members on the phone: their own data and their own application."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.orm import Session

from services.contracts.events.batching import BATCH_SUBMITTED, MEMBERS_REMOVED
from services.contracts.events.membership import MEMBERS_QUEUED
from services.contracts.operations.membership.members import (
    ApplyPersonallyRequest,
    GetPersonalApplicationsRequest,
    GetPersonalProfileRequest,
    UpdatePersonalProfileRequest,
)
from services.kit.problems import Conflict
from services.kit.rpc.methods import Caller
from services.kit.rpc.work import Work
from services.kit.schemas import as_dict
from services.membership.applications import personal_applications
from services.membership.models import Application
from tests.integration.membership.office import Office

PHONE = "13900000001"
CHOICE = ApplyPersonallyRequest(outlet_code="icbc-yp-01", consent_version="2026-01")


def a_member(office: Office, **changes: Any) -> UUID:
    """A numbered member in flexible employment."""
    (member_id,) = office.numbered(phone=PHONE, affiliation="flexible", **changes)
    return member_id


def on_the_phone(office: Office, session: Session, member_id: UUID) -> Work:
    return office.work(session, Caller(member_id=str(member_id), roles=frozenset({"member"})))


def apply(office: Office, member_id: UUID) -> dict[str, Any]:
    with office.begin() as session:
        applied = personal_applications.apply(on_the_phone(office, session, member_id), CHOICE)
    application: dict[str, Any] = as_dict(applied)
    return application


def profile(office: Office, member_id: UUID) -> dict[str, Any]:
    with office.begin() as session:
        work = on_the_phone(office, session, member_id)
        profile: dict[str, Any] = as_dict(personal_applications.get_profile(work, GetPersonalProfileRequest()))
    return profile


def test_an_application_names_the_outlet_and_keeps_the_consent(office: Office) -> None:
    member_id = a_member(office)
    before = datetime.now(UTC)
    application = apply(office, member_id)
    (published,) = office.published(MEMBERS_QUEUED)
    assert published["personal_application"] == {"outlet_code": "icbc-yp-01"}
    assert published["queued_by"] == member_id
    assert [one["application_id"] for one in published["persons"]] == [application["application_id"]]
    with office.begin() as session:
        kept = session.get_one(Application, application["application_id"])
    assert kept.consent_version == "2026-01"
    assert kept.consented_at is not None
    assert kept.consented_at >= before


@pytest.mark.parametrize(
    "changes",
    [
        {"affiliation": "employer"},
        {"document_type": "passport", "document_number": "E12345678"},
    ],
)
def test_who_is_for_the_union_to_serve_is_sent_there(office: Office, changes: dict[str, Any]) -> None:
    (member_id,) = office.numbered(**{"phone": PHONE, "affiliation": "flexible", **changes})
    with pytest.raises(Conflict, match="through_union") as refusal:
        apply(office, member_id)
    assert refusal.value.title == "请由所在工会办理"
    assert not profile(office, member_id)["can_apply"]
    assert office.published(MEMBERS_QUEUED) == []


def test_a_member_without_a_number_cannot_apply_yet(office: Office) -> None:
    member_id = office.register(phone=PHONE, affiliation="flexible")
    with pytest.raises(Conflict, match="number_missing"):
        apply(office, member_id)


def test_a_second_application_waits_for_the_end_of_the_first(office: Office) -> None:
    member_id = a_member(office)
    first = apply(office, member_id)
    with pytest.raises(Conflict, match="application_live"):
        apply(office, member_id)
    office.deliver(MEMBERS_REMOVED, (first["application_id"], 1), reason="check_failed")
    assert apply(office, member_id)["application_id"] != first["application_id"]


def test_progress_is_shown_step_by_step(office: Office) -> None:
    member_id = a_member(office)
    application = apply(office, member_id)
    office.deliver(BATCH_SUBMITTED, (application["application_id"], 1))
    with office.begin() as session:
        work = on_the_phone(office, session, member_id)
        (shown,) = personal_applications.list_applications(work, GetPersonalApplicationsRequest()).items
    assert (shown.state, [step.state for step in shown.steps]) == ("submitted", ["queued", "submitted"])


def test_what_is_shown_of_oneself_is_masked(office: Office) -> None:
    shown = profile(office, a_member(office))
    assert shown["phone"] == "139****0001"
    assert shown["document_number"][6:-2] == "*" * 10


def test_data_is_corrected_until_the_application_is_made(office: Office) -> None:
    member_id = a_member(office)
    with office.begin() as session:
        request = UpdatePersonalProfileRequest(address="上海市杨浦区黄兴路1号")
        changed = personal_applications.update_profile(on_the_phone(office, session, member_id), request)
    assert changed.address == request.address
    apply(office, member_id)
    elsewhere = UpdatePersonalProfileRequest(address="别处")
    with pytest.raises(Conflict), office.begin() as session:
        personal_applications.update_profile(on_the_phone(office, session, member_id), elsewhere)
