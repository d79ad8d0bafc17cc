"""A member's changed phone: the old number is notified, and passwords and sessions end."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text

from deploy.local.client import wait_until
from services.contracts.events.membership import MEMBER_PHONE_CHANGED, OTP_ISSUED
from services.contracts.operations.membership.identity import PersonalSignInRequest, RequestOtpRequest
from services.kit.problems import Problem
from services.membership.identity import sessions, sms_codes
from services.membership.models import SignedInSession
from tests.integration.membership.holder import VISIT, VISITOR, a_captcha, issue_code, work_of
from tests.integration.membership.office import Office

OWN, OTHER, ANOTHER = "13900000001", "13900000002", "13900000003"


def told_numbers(office: Office) -> list[tuple[str | None, str | None]]:
    """The old and the new number of each published change."""
    numbers = [published["numbers"] for published in office.published(MEMBER_PHONE_CHANGED)]
    return [(one["old_phone"], one["new_phone"]) for one in numbers]


@pytest.mark.parametrize("on_the_way", [{"phone": OTHER}, {"phone": None}])
def test_the_number_of_an_employed_member_is_notified_of_each_change_and_of_its_replacement(
    office: Office, on_the_way: dict[str, Any]
) -> None:
    member_id = office.register(phone=OWN)
    office.update(member_id, **on_the_way)
    assert told_numbers(office) == [(OWN, on_the_way["phone"])]
    assert office.member(member_id)["phone_held_until"] is not None
    office.update(member_id, phone=ANOTHER)
    office.update(member_id, affiliation="flexible")
    last_but_one = on_the_way["phone"] or OWN
    assert told_numbers(office)[1:] == [(last_but_one, ANOTHER), (last_but_one, ANOTHER)]
    assert office.kept(member_id, "replaced_phone") == (None,), "nobody is left to be told"


def test_a_number_that_was_replaced_first_is_notified_who_signs_in_in_its_place(office: Office) -> None:
    member_id = office.register(phone=OWN, affiliation="flexible")
    office.update(member_id, phone=None)
    office.update(member_id, phone=ANOTHER)
    office.update(member_id, address="上海市杨浦区闸殷路1弄1号")
    assert told_numbers(office) == [(OWN, None), (OWN, ANOTHER)]


def test_the_replaced_number_is_kept_encrypted(office: Office) -> None:
    member_id = office.register(phone=OWN)
    office.update(member_id, phone=OTHER)
    with office.begin() as session:
        kept = session.scalar(text("select replaced_phone from member"))
    assert OWN.encode() not in bytes(kept)
    assert office.kept(member_id, "replaced_phone") == (OWN,)


DEVICE = uuid4()
_WAITING = text("select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'")


@pytest.fixture
def member_id(office: Office) -> UUID:
    """A member on the phone who has just requested a one-time password."""
    member_id = office.register(phone=OWN, affiliation="flexible")
    request = RequestOtpRequest(phone=OWN, captcha=a_captcha(), device_id=DEVICE)
    with office.begin() as session:
        sms_codes.request_code(work_of(office, session, VISITOR), request)
    return member_id


def sign_in(office: Office) -> None:
    code = office.published(OTP_ISSUED)[-1]["recipient"]["code"]
    request = PersonalSignInRequest(phone=OWN, code=code, visit=replace(VISIT, device_id=DEVICE))
    with office.begin() as session:
        sms_codes.sign_in(work_of(office, session, VISITOR), request)


def change_meanwhile(
    office: Office, member_id: UUID, before: tuple[Any, str], other: Callable[[Office], None]
) -> Future[None]:
    """The result of the other request, which ran or waited while a change of the phone was paused before this step."""
    module, name = before
    step = getattr(module, name)
    with ThreadPoolExecutor(1) as pool, pytest.MonkeyPatch.context() as patched:
        begun: list[Future[None]] = []

        def held(*arguments: Any) -> None:
            begun.append(pool.submit(other, office))
            wait_until(lambda: begun[0].done() or _is_somebody_waiting(office), "the other has come as far as it can")
            step(*arguments)

        patched.setattr(module, name, held)
        office.update(member_id, phone=OTHER)
        begun[0].exception(timeout=60)
        return begun[0]


def _is_somebody_waiting(office: Office) -> bool:
    with office.engine.connect() as connection:
        return bool(connection.scalar(_WAITING))


def test_who_signs_in_while_the_phone_is_changed_waits_for_that_and_is_refused(office: Office, member_id: UUID) -> None:
    issue_code(office)
    tried = change_meanwhile(office, member_id, (sms_codes, "void_all_of_member"), sign_in)
    with pytest.raises(Problem, match="otp_wrong"):
        tried.result()
    with office.begin() as session:
        assert session.scalars(select(SignedInSession)).all() == []


def test_a_session_that_began_just_before_the_change_ends_by_it(office: Office, member_id: UUID) -> None:
    issue_code(office)
    sign_in(office)
    office.update(member_id, phone=OTHER)
    with office.begin() as session:
        (begun,) = session.scalars(select(SignedInSession))
        assert begun.ended_because == "locked"


def test_a_password_that_was_asked_for_is_not_made_while_the_phone_is_changed(office: Office, member_id: UUID) -> None:
    change_meanwhile(office, member_id, (sessions, "end_all_of_member"), issue_code).result()
    assert office.published(OTP_ISSUED) == []


def test_a_password_that_was_asked_for_at_the_old_number_is_void_before_it_is_made(
    office: Office, member_id: UUID
) -> None:
    office.update(member_id, phone=OTHER)
    office.update(member_id, phone=OWN)
    issue_code(office)
    assert office.published(OTP_ISSUED) == []


def test_an_employed_members_code_signs_nobody_in(office: Office, member_id: UUID) -> None:
    issue_code(office)
    office.update(member_id, affiliation="employer")
    with pytest.raises(Problem, match="otp_wrong"):
        sign_in(office)
