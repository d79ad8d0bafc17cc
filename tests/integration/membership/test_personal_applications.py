"""Members on the phone: passwords for one sign-in, their own data, their own application."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update

from services.common.contracts.batching import BATCH_SUBMITTED, MEMBERS_REMOVED
from services.common.contracts.membership import MEMBERS_QUEUED, OTP_ISSUED
from services.common.messaging.rpc import Caller
from services.common.problems import Conflict, Problem
from services.membership import personal_applications
from services.membership.models import Application, OneTimePassword
from services.membership.queueing import PersonalChoice
from tests.integration.membership.holder import VISIT, VISITOR, database_of
from tests.integration.membership.office import Office

PHONE = "13900000001"
CHOICE = PersonalChoice("icbc-yp-01", "2026-01")


def a_member(office: Office, **changes: Any) -> UUID:
    """A numbered member in flexible employment."""
    (member_id,) = office.numbered(phone=PHONE, affiliation="flexible", **changes)
    return member_id


def on_the_phone(member_id: UUID) -> Caller:
    return Caller(member_id=str(member_id), roles=frozenset({"member"}))


def request(office: Office, phone: str = PHONE) -> dict[str, Any]:
    with office.begin() as session:
        return personal_applications.request_otp(session, phone)


def sent_code(office: Office) -> str:
    return str(office.told(OTP_ISSUED)[-1]["recipient"]["code"])


def sign_in(office: Office, code: str, phone: str = PHONE, visitor: Caller = VISITOR) -> dict[str, Any]:
    asked = {"phone": phone, "code": code, "visit": VISIT}
    with office.begin() as session:
        answer = personal_applications.sign_in(session, database_of(office), visitor, asked)
    member: dict[str, Any] = answer["member"]
    return member


def is_refused(office: Office, code: str, phone: str = PHONE) -> bool:
    with pytest.raises(Problem, match="otp_wrong"):
        sign_in(office, code, phone)
    return True


def another_than(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06d}"


def apply(office: Office, member_id: UUID) -> dict[str, Any]:
    with office.begin() as session:
        return personal_applications.apply(session, on_the_phone(member_id), CHOICE)


def profile(office: Office, member_id: UUID) -> dict[str, Any]:
    with office.begin() as session:
        return personal_applications.get_profile(session, on_the_phone(member_id))


def make_older(office: Office, by: timedelta) -> None:
    with office.begin() as session:
        older = {"issued_at": OneTimePassword.issued_at - by, "expires_at": OneTimePassword.expires_at - by}
        session.execute(update(OneTimePassword).values(older))


def test_the_password_that_was_sent_signs_its_member_in_once(office: Office) -> None:
    member_id = a_member(office)
    request(office)
    assert sign_in(office, sent_code(office))["member_id"] == member_id
    assert is_refused(office, sent_code(office))


def test_who_tries_one_password_at_many_phones_is_locked_out_by_the_address(office: Office) -> None:
    member_id = a_member(office)
    request(office)
    for number in range(50):
        assert is_refused(office, "123456", f"139000001{number:02d}")

    with pytest.raises(Problem, match="address_locked"):
        sign_in(office, sent_code(office))
    assert sign_in(office, sent_code(office), visitor=Caller(origin="192.0.2.8"))["member_id"] == member_id


def test_an_unknown_phone_is_answered_alike_and_gets_nothing(office: Office) -> None:
    a_member(office)
    answers = [request(office), request(office, "13900000099")]
    assert {tuple(answer) for answer in answers} == {("expires_at",)}
    assert [told["recipient"]["phone"] for told in office.told(OTP_ISSUED)] == [PHONE]


def test_a_phone_that_two_members_share_lets_neither_in_for_the_other(office: Office) -> None:
    a_member(office)
    a_member(office)
    request(office)
    assert office.told(OTP_ISSUED) == []


@pytest.mark.parametrize("phone", [PHONE, "13900000099"])
def test_a_password_is_sent_at_most_once_a_minute_known_phone_or_not(office: Office, phone: str) -> None:
    a_member(office)
    request(office, phone)
    with pytest.raises(Problem, match="otp_too_soon") as refusal:
        request(office, phone)
    assert refusal.value.status == 429
    make_older(office, timedelta(seconds=61))
    request(office, phone)


def test_after_five_wrong_tries_the_right_password_is_refused_too(office: Office) -> None:
    a_member(office)
    request(office)
    code = sent_code(office)
    assert all(is_refused(office, another_than(code)) for _ in range(5))
    assert is_refused(office, code)


def test_four_wrong_tries_do_not_keep_the_member_out(office: Office) -> None:
    a_member(office)
    request(office)
    code = sent_code(office)
    assert all(is_refused(office, another_than(code)) for _ in range(4))
    sign_in(office, code)


def test_a_password_expires(office: Office) -> None:
    a_member(office)
    request(office)
    make_older(office, timedelta(minutes=6))
    assert is_refused(office, sent_code(office))


def test_the_password_is_not_kept_as_it_is(office: Office) -> None:
    a_member(office)
    request(office)
    with office.begin() as session:
        kept = session.scalars(select(OneTimePassword.code_digest)).one()
    assert sent_code(office).encode() not in kept


def test_an_application_names_the_outlet_and_keeps_the_consent(office: Office) -> None:
    member_id = a_member(office)
    before = datetime.now(UTC)
    application = apply(office, member_id)
    (told,) = office.told(MEMBERS_QUEUED)
    assert told["personal_application"] == {"outlet_code": "icbc-yp-01"}
    assert told["queued_by"] == member_id
    assert [one["application_id"] for one in told["persons"]] == [application["application_id"]]
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
    assert office.told(MEMBERS_QUEUED) == []


def test_a_member_without_a_number_cannot_apply_yet(office: Office) -> None:
    member_id = office.register(phone=PHONE, affiliation="flexible")
    with pytest.raises(Conflict, match="number_missing"):
        apply(office, member_id)


def test_a_second_application_waits_for_the_end_of_the_first(office: Office) -> None:
    member_id = a_member(office)
    first = apply(office, member_id)
    with pytest.raises(Conflict, match="application_live"):
        apply(office, member_id)
    office.hear(MEMBERS_REMOVED, (first["application_id"], 1), reason="check_failed")
    assert apply(office, member_id)["application_id"] != first["application_id"]


def test_progress_is_shown_step_by_step(office: Office) -> None:
    member_id = a_member(office)
    application = apply(office, member_id)
    office.hear(BATCH_SUBMITTED, (application["application_id"], 1))
    with office.begin() as session:
        (shown,) = personal_applications.list_applications(session, on_the_phone(member_id))["items"]
    assert (shown["state"], [step["state"] for step in shown["steps"]]) == ("submitted", ["queued", "submitted"])


def test_what_is_shown_of_oneself_is_masked(office: Office) -> None:
    shown = profile(office, a_member(office))
    assert shown["phone"] == "139****0001"
    assert shown["document_number"][6:-2] == "*" * 10


def test_data_is_corrected_until_the_application_is_made(office: Office) -> None:
    member_id = a_member(office)
    with office.begin() as session:
        given = {"address": "上海市杨浦区黄兴路1号"}
        changed = personal_applications.update_profile(session, on_the_phone(member_id), given)
    assert changed["address"] == given["address"]
    apply(office, member_id)
    with pytest.raises(Conflict), office.begin() as session:
        personal_applications.update_profile(session, on_the_phone(member_id), {"address": "别处"})
