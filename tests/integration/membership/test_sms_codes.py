"""One-time passwords by SMS: their captchas, limits, and the browser that they are bound to."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, event, select, update

from services.contracts.events.audit import ACTS_RECORDED
from services.contracts.events.membership import OTP_ISSUED, OTP_REQUESTED
from services.contracts.operations.membership.identity import (
    PersonalSignInRequest,
    RequestOtpRequest,
)
from services.kit.problems import Invalid, Problem
from services.kit.rpc.methods import Caller
from services.membership.identity import lockout, passwords, sms_codes
from services.membership.models import Account, SmsCode
from tests.documents import read
from tests.integration.membership.holder import (
    VISIT,
    VISITOR,
    a_captcha,
    fails,
    issue_code,
    work_of,
)
from tests.integration.membership.office import Office

PHONE, UNKNOWN = "13900000001", "13900000099"


class Browser:
    """One that asks for passwords and signs in by them."""

    def __init__(self, office: Office, origin: str = "192.0.2.7") -> None:
        self.office = office
        self.device_id: UUID | None = uuid4()
        self.visitor = Caller(origin=origin)

    def request_code(self, phone: str = PHONE, **captcha: Any) -> None:
        self.request(RequestOtpRequest(phone=phone, captcha=a_captcha(**captcha), device_id=self.device_id))

    def request(self, request: RequestOtpRequest) -> None:
        with self.office.begin() as session:
            sms_codes.request_code(work_of(self.office, session, self.visitor), request)

    def code(self, phone: str = PHONE) -> str:
        """Requests a code and returns the one that is sent."""
        self.request_code(phone)
        return sent_code(self.office)

    def sign_in(self, code: str, phone: str = PHONE) -> UUID:
        request = PersonalSignInRequest(phone=phone, code=code, visit=replace(VISIT, device_id=self.device_id))
        with self.office.begin() as session:
            return sms_codes.sign_in(work_of(self.office, session, self.visitor), request).member.member_id

    def is_refused(self, code: str, phone: str = PHONE) -> bool:
        with pytest.raises(Problem, match="otp_wrong"):
            self.sign_in(code, phone)
        return True

    def is_told_to_wait(self, problem: str, phone: str = PHONE) -> int:
        """The seconds until a password is sent again, which the refusal says in Chinese too."""
        with pytest.raises(Problem, match=f"{problem}$") as refusal:
            self.request_code(phone)
        assert (refusal.value.status, "再获取验证码" in (refusal.value.detail or "")) == (429, True)
        return int(refusal.value.retry_after or 0)


@pytest.fixture
def browser(office: Office) -> Browser:
    return Browser(office)


@pytest.fixture
def member_id(office: Office) -> UUID:
    """A numbered member in flexible employment."""
    (member_id,) = office.numbered(phone=PHONE, affiliation="flexible")
    return member_id


def sent_code(office: Office) -> str:
    """The newest code of those sent, once membership has handled the request for it."""
    issue_code(office)
    return str(office.published(OTP_ISSUED)[-1]["recipient"]["code"])


def another_than(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06d}"


def let_pass(office: Office, by: timedelta) -> None:
    with office.begin() as session:
        older = {"issued_at": SmsCode.issued_at - by, "expires_at": SmsCode.expires_at - by}
        session.execute(update(SmsCode).values(older))


def test_the_password_that_was_sent_signs_its_member_in_once(browser: Browser, member_id: UUID) -> None:
    code = browser.code()
    assert browser.sign_in(code) == member_id
    assert browser.is_refused(code)


def test_a_password_works_in_the_browser_that_asked_for_it_alone(
    office: Office, browser: Browser, member_id: UUID
) -> None:
    code = browser.code()
    assert Browser(office).is_refused(code)
    assert browser.sign_in(code) == member_id


def test_neither_wrong_passwords_nor_requests_from_elsewhere_void_the_members(
    office: Office, browser: Browser, member_id: UUID
) -> None:
    code, other = browser.code(), Browser(office, "192.0.2.8")
    assert all(other.is_refused(another_than(code)) for _ in range(6))
    let_pass(office, timedelta(seconds=61))
    theirs = other.code()
    assert all(other.is_refused(another_than(theirs)) for _ in range(6))
    assert browser.sign_in(code) == member_id


def test_who_tries_passwords_at_made_up_phones_hinders_nobody_at_the_address(
    office: Office, browser: Browser, member_id: UUID
) -> None:
    code = browser.code()
    for number in range(60):
        assert Browser(office).is_refused("123456", f"139000001{number:02d}")
    assert browser.sign_in(code) == member_id
    with office.begin() as session:
        assert lockout.level_of_address(session, "sign_in", VISITOR.origin) == 0
        assert lockout.level_of_address(session, "sms_code", VISITOR.origin) == 3


def test_a_captcha_stands_before_each_sms(office: Office, browser: Browser, member_id: UUID) -> None:
    with pytest.raises(Invalid, match="captcha_wrong"):
        browser.request_code(is_right=False)
    with office.begin() as session:
        for _ in range(10):
            lockout.count_failure_of_address(session, "sms_code", VISITOR.origin)
    with pytest.raises(Invalid, match="captcha_too_easy"):
        browser.request_code(level=0)
    assert office.published(OTP_REQUESTED) == []
    browser.request_code(level=1)


def test_an_unknown_phone_gets_nothing(office: Office, browser: Browser, member_id: UUID) -> None:
    browser.code()
    browser.request_code(UNKNOWN)
    sent_code(office)
    assert [published["recipient"]["phone"] for published in office.published(OTP_ISSUED)] == [PHONE]


def test_a_phone_that_two_members_share_lets_neither_in_for_the_other(office: Office, browser: Browser) -> None:
    office.numbered(2, phone=PHONE, affiliation="flexible")
    browser.request_code()
    issue_code(office, 0)
    assert office.published(OTP_ISSUED) == []


def test_a_password_that_was_sent_is_on_record_with_its_member(
    office: Office, browser: Browser, member_id: UUID
) -> None:
    browser.code()
    [act] = [one for one in office.published(ACTS_RECORDED["membership"]) if one["action"] == "membership.request_otp"]
    assert (act["records"], act["origin"]) == ([f"member:{member_id}"], VISITOR.origin)


@pytest.mark.parametrize("phone", [PHONE, UNKNOWN])
def test_a_phone_gets_one_a_minute_five_an_hour_and_ten_a_day_whoever_asks(
    office: Office, member_id: UUID, phone: str
) -> None:
    for number in range(10):
        Browser(office, f"192.0.2.{number}").request_code(phone)
        assert 55 < Browser(office).is_told_to_wait("otp_too_soon", phone) <= 61
        let_pass(office, timedelta(minutes=2))
        if number == 4:
            assert 2900 < Browser(office).is_told_to_wait("otp_too_many", phone) <= 3001
            let_pass(office, timedelta(hours=1))
    let_pass(office, timedelta(hours=1))
    assert 70_000 < Browser(office).is_told_to_wait("otp_too_many", phone) < 86_400
    let_pass(office, timedelta(hours=22))
    Browser(office).request_code(phone)


def test_a_device_that_signed_the_member_in_goes_on_though_strangers_used_the_phone_up(
    office: Office, browser: Browser, member_id: UUID
) -> None:
    browser.sign_in(browser.code())
    for number in range(4):
        let_pass(office, timedelta(minutes=2))
        Browser(office, f"192.0.2.{number}").request_code()
    Browser(office).is_told_to_wait("otp_too_soon")
    for _ in range(4):
        assert browser.sign_in(browser.code()) == member_id
        let_pass(office, timedelta(minutes=2))
    browser.is_told_to_wait("otp_too_many")


def test_an_address_asks_for_twenty_phones_an_hour(office: Office, browser: Browser, member_id: UUID) -> None:
    browser.sign_in(browser.code())
    let_pass(office, timedelta(minutes=2))
    for number in range(19):
        Browser(office).request_code(f"139000002{number:02d}")
    assert 3000 < Browser(office).is_told_to_wait("otp_too_many_phones", UNKNOWN) <= 3601
    browser.request_code()
    Browser(office, "192.0.2.8").request_code(UNKNOWN)
    let_pass(office, timedelta(hours=1))
    Browser(office).request_code("13900000098")


def test_after_five_wrong_tries_the_right_password_is_refused_too(browser: Browser, member_id: UUID) -> None:
    code = browser.code()
    assert all(browser.is_refused(another_than(code)) for _ in range(5))
    assert browser.is_refused(code)


def test_four_wrong_tries_do_not_keep_the_member_out(browser: Browser, member_id: UUID) -> None:
    code = browser.code()
    assert all(browser.is_refused(another_than(code)) for _ in range(4))
    browser.sign_in(code)


def test_browsers_that_are_not_named_are_told_apart_by_their_address(office: Office, member_id: UUID) -> None:
    """Clients of a former gateway, or without cookies, use up no attempts of others."""
    browser, attacker = Browser(office), Browser(office, origin="198.51.100.9")
    browser.device_id = attacker.device_id = None
    code = browser.code()
    for _ in range(sms_codes.MOST_TRIES):
        assert attacker.is_refused("000000" if code != "000000" else "000001")
    assert browser.sign_in(code) == member_id


def test_after_twenty_tries_in_a_day_a_phone_gets_no_more_passwords(
    office: Office, browser: Browser, member_id: UUID
) -> None:
    own = browser.code()
    for number in range(4):
        let_pass(office, timedelta(seconds=61))
        guesser = Browser(office, f"192.0.2.{number}")
        code = guesser.code()
        assert all(guesser.is_refused(another_than(code)) for _ in range(5))
    assert browser.sign_in(own) == member_id, "what was sent before still works"
    let_pass(office, timedelta(hours=1))
    assert Browser(office).is_told_to_wait("otp_too_many_tries") > 70_000


def test_a_password_expires(office: Office, browser: Browser, member_id: UUID) -> None:
    code = browser.code()
    let_pass(office, timedelta(minutes=6))
    assert browser.is_refused(code)


def test_the_password_is_not_kept_as_it_is(office: Office, browser: Browser, member_id: UUID) -> None:
    code = browser.code()
    with office.begin() as session:
        (kept,) = session.scalars(select(SmsCode.code_digest))
    assert kept is not None
    assert code.encode() not in kept


def test_a_gateway_of_the_release_before_binds_to_no_browser_and_is_served(office: Office, member_id: UUID) -> None:
    browser = Browser(office)
    browser.device_id = None
    browser.request(read(RequestOtpRequest, {"phone": PHONE}))
    assert browser.sign_in(sent_code(office)) == member_id


class Effort:
    """What it takes to answer: statements to the database, and passwords verified."""

    def __init__(self) -> None:
        self.statements: list[str] = []
        self.verified = 0


@contextmanager
def counted_work(office: Office, monkeypatch: pytest.MonkeyPatch) -> Iterator[Effort]:
    work, verify = Effort(), passwords._HASHER.verify

    def watched(*given: Any) -> bool:
        work.verified += 1
        return verify(*given)

    def note(_connection: Connection, _cursor: Any, statement: str, *_more: Any) -> None:
        work.statements.append(statement)

    monkeypatch.setattr(passwords, "_HASHER", type("Hasher", (), {"verify": staticmethod(watched)}))
    event.listen(office.engine, "before_cursor_execute", note)
    try:
        yield work
    finally:
        event.remove(office.engine, "before_cursor_execute", note)
        monkeypatch.undo()


def test_a_known_and_an_unknown_phone_cost_the_same_work(
    office: Office, member_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, tried, again = [], [], []
    for phone in (PHONE, UNKNOWN):
        browser = Browser(office)
        with counted_work(office, monkeypatch) as work:
            browser.request_code(phone)
        asked.append(work.statements)
        issue_code(office)
        with counted_work(office, monkeypatch) as work:
            browser.is_refused("000000x", phone)
        tried.append(work.statements)
        with counted_work(office, monkeypatch) as work:
            browser.is_told_to_wait("otp_too_soon", phone)
        again.append(work.statements)
    for of_known, of_unknown in (asked, tried, again):
        assert of_known == of_unknown
    assert len(office.published(OTP_REQUESTED)) == 2


def test_a_known_and_an_unknown_account_cost_the_same_work(
    office: Office, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    passwords.is_right("x", None)
    done = []
    for name in ("jianlang", "nobody"):
        with counted_work(office, monkeypatch) as work:
            fails(office, account_name=name, password="wrong")
        done.append((work.statements, work.verified))
    assert done[0] == done[1]
    assert done[0][1] == 1
