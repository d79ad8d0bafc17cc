"""Sign-in, and the password of the caller's own account."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from services.contracts.operations.membership import identity as rpc
from services.kit.problems import Invalid, Problem
from services.kit.rpc.methods import Caller
from services.membership.accounts import accounts
from services.membership.identity import captchas, lockout, passwords
from services.membership.identity.sign_in import sign_in as membership_signs_in
from services.membership.models import Account, FailureCount, KnownDevice
from tests.documents import read
from tests.integration.membership.holder import (
    PASSWORD,
    VISITOR,
    a_captcha,
    a_session_of,
    change_password,
    fails,
    is_delayed,
    let_delays_pass,
    sign_in,
    sign_in_and_stay,
    work_of,
)
from tests.integration.membership.office import Office

SIGN_IN = {"account_name": "jianlang", "password": PASSWORD}


def open_account(office: Office, name: str) -> None:
    """Another clerk's account of the union, with the same password."""
    with office.begin() as session:
        session.add(accounts.new_account(office.union, name, "李伟", ["clerk"], PASSWORD))


def level_at(office: Office, device_id: UUID | None = None, purpose: str = "sign_in") -> int:
    """The level of a captcha for the visitor's address."""
    request = rpc.GetCaptchaLevelRequest(purpose=purpose, device_id=device_id)
    with office.begin() as session:
        return captchas.captcha_level(work_of(office, session, VISITOR), request).level


def test_an_account_signs_in_with_its_password(office: Office, account: Account) -> None:
    answer = sign_in(office, account_name=" JianLang ")
    assert (answer["account_id"], answer["roles"]) == (account.account_id, ["clerk"])
    assert answer["union"]["name"] == "上海建朗工会"
    assert answer["must_change_password"]


def test_an_unknown_account_and_a_wrong_password_are_answered_alike(office: Office, account: Account) -> None:
    unknown, wrong = fails(office, account_name="nobody"), fails(office, password="wrong")
    assert unknown.to_dict() == wrong.to_dict()
    assert unknown.status == 401


def test_after_five_wrong_passwords_strangers_wait_ever_longer_and_the_right_one_then_counts(
    office: Office, account: Account
) -> None:
    for _ in range(5):
        fails(office, password="wrong")
    assert is_delayed(office)
    waits = []
    for _ in range(8):
        let_delays_pass(office)
        fails(office, password="wrong")
        with pytest.raises(Problem, match="sign_in_delayed") as refusal:
            sign_in(office)
        waits.append(refusal.value.retry_after)
        assert f"请在 {refusal.value.retry_after} 秒后再试" in (refusal.value.detail or "")
    assert waits == [10, 20, 40, 80, 160, 300, 300, 300]
    let_delays_pass(office)
    assert sign_in(office)


def test_a_device_that_signed_the_account_in_goes_on_while_strangers_guess(office: Office, account: Account) -> None:
    device_id = uuid4()
    sign_in(office, device_id=device_id)
    for _ in range(5):
        fails(office, password="wrong", device_id=uuid4())
    assert is_delayed(office, device_id=uuid4())
    assert is_delayed(office)

    assert sign_in(office, device_id=device_id)

    assert is_delayed(office), "its success is nobody else's"


def test_a_device_is_known_for_the_accounts_that_it_signed_in_alone(office: Office, account: Account) -> None:
    open_account(office, "other")
    device_id = uuid4()
    sign_in(office, "other", device_id=device_id)
    for _ in range(5):
        fails(office, password="wrong", device_id=device_id)
    assert is_delayed(office, device_id=device_id)


def test_a_known_device_that_fails_as_often_is_a_stranger_again(office: Office, account: Account) -> None:
    device_id = uuid4()
    sign_in(office, device_id=device_id)
    for _ in range(10):
        fails(office, password="wrong", device_id=device_id)
    assert is_delayed(office, device_id=device_id)


def test_another_password_makes_strangers_of_the_devices(office: Office, account: Account) -> None:
    mine, another = uuid4(), uuid4()
    sign_in(office, device_id=another)
    holder = Caller.from_dict(sign_in_and_stay(office, device_id=mine)["session"]["caller"])
    change_password(office, holder, "another one 7")
    with office.begin() as session:
        assert session.scalars(select(KnownDevice.device_id)).all() == [mine]


def test_many_tries_at_once_are_no_more_than_five(
    office: Office, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified: list[str] = []

    def watched(password: str, _hash: str | None) -> bool:
        verified.append(password)
        return False

    monkeypatch.setattr(passwords, "is_right", watched)

    def attempt(number: int) -> None:
        with pytest.raises(Problem, match=r"sign_in_failed|sign_in_delayed"):
            sign_in(office, password=f"wrong {number}")

    with ThreadPoolExecutor(12) as at_once:
        list(at_once.map(attempt, range(12)))

    assert len(verified) == 5


def test_a_right_password_starts_counting_anew(office: Office, account: Account) -> None:
    for _ in range(2):
        for _ in range(4):
            fails(office, password="wrong")
        assert sign_in(office)


def test_a_name_that_no_account_has_is_delayed_alike(office: Office, account: Account) -> None:
    published = []
    for name in ("jianlang", "nobody"):
        for _ in range(5):
            fails(office, account_name=name, password="wrong")
        with pytest.raises(Problem, match="sign_in_delayed") as refusal:
            sign_in(office, name)
        published.append(refusal.value.to_dict())
    assert published[0] == published[1]


@pytest.mark.parametrize("why", ["unknown", "disabled", "wrong"])
def test_a_password_is_verified_whatever_the_refusal(
    office: Office, account: Account, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    verified: list[str] = []
    is_right = passwords.is_right

    def watched(password: str, password_hash: str | None) -> bool:
        verified.append(why)
        return is_right(password, password_hash)

    monkeypatch.setattr(passwords, "is_right", watched)
    with office.begin() as session:
        session.get_one(Account, account.account_id).disabled = why == "disabled"

    fails(
        office,
        account_name="nobody" if why == "unknown" else "jianlang",
        password="wrong" if why == "wrong" else PASSWORD,
    )

    assert verified == [why]


def test_who_knows_the_old_password_is_not_let_in_while_another_takes_its_place(
    office: Office, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_right = passwords.is_right

    def overtaken(password: str, password_hash: str | None) -> bool:
        with office.begin() as session:
            session.get_one(Account, account.account_id).password_hash = passwords.hash_password("another one 7")
        return is_right(password, password_hash)

    monkeypatch.setattr(passwords, "is_right", overtaken)
    fails(office)


def test_nobody_else_changes_an_account_while_its_holder_changes_the_password(
    office: Office, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = a_session_of(office, account)
    is_right = passwords.is_right

    def watched(password: str, password_hash: str | None) -> bool:
        with pytest.raises(OperationalError, match="could not obtain lock"), office.begin() as session:
            session.get_one(Account, account.account_id, with_for_update={"nowait": True})
        return is_right(password, password_hash)

    monkeypatch.setattr(passwords, "is_right", watched)
    change_password(office, holder, "another one 7")


def test_wrong_current_passwords_count_as_wrong_ones_at_sign_in_and_end_the_session(
    office: Office, account: Account
) -> None:
    holder = a_session_of(office, account)
    for _ in range(5):
        with pytest.raises(Invalid):
            change_password(office, holder, "another one 7", current="wrong")

    with pytest.raises(Problem, match="session_ended"):
        change_password(office, holder, "another one 7")


def test_a_captcha_counts_once_whether_its_answer_was_right_or_not(office: Office, account: Account) -> None:
    right, wrong = a_captcha(), a_captcha(is_right=False)
    sign_in(office, captcha=right)
    for code, captcha in (
        ("captcha_used", right),
        ("captcha_wrong", wrong),
        ("captcha_used", replace(wrong, is_right=True)),
    ):
        with pytest.raises(Invalid, match=code) as refusal:
            sign_in(office, captcha=captcha)
        assert [(one.field, one.code) for one in refusal.value.fields] == [("captcha_answer", code)]


def test_a_captcha_that_two_send_at_once_counts_for_one(office: Office, account: Account) -> None:
    captcha = a_captcha()

    def attempt(_number: int) -> bool:
        try:
            sign_in(office, captcha=captcha)
        except Invalid as refusal:
            return refusal.code != "captcha_used"
        return True

    with ThreadPoolExecutor(4) as at_once:
        assert sorted(at_once.map(attempt, range(4))) == [False, False, False, True]


def test_a_wrong_captcha_is_no_try_of_the_account(office: Office, account: Account) -> None:
    for _ in range(6):
        with pytest.raises(Invalid, match="captcha_wrong"):
            sign_in(office, captcha=a_captcha(is_right=False))
    assert sign_in(office)


def test_failures_at_an_address_make_its_captchas_harder_and_refuse_nobody(
    office: Office, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "is_right", lambda password, _hash: password == PASSWORD)
    known = uuid4()
    sign_in(office, device_id=known)
    levels = []
    for number in range(80):
        levels.append(level_at(office))
        if number % 2:
            fails(office, account_name=f"nobody{number}", captcha=a_captcha(level=5))
        else:
            with pytest.raises(Invalid, match="captcha_wrong"):
                sign_in(office, captcha=a_captcha(is_right=False))
    assert [levels[number] for number in (0, 9, 10, 20, 40, 79)] == [0, 0, 1, 2, 3, 3]

    with pytest.raises(Invalid, match="captcha_too_easy"):
        sign_in(office, captcha=a_captcha(level=3))
    assert sign_in(office, captcha=a_captcha(level=4))
    assert (level_at(office, known), level_at(office)) == (0, 4)
    assert sign_in(office, captcha=a_captcha(level=0), device_id=known)
    assert sign_in(office, captcha=a_captcha(level=0), visitor=Caller(origin="192.0.2.8"))
    assert level_at(office, purpose="sms_code") == 0
    with office.begin() as session:
        session.execute(update(FailureCount).values(counted_at=datetime.now(UTC) - timedelta(minutes=31)))
    assert sign_in(office, captcha=a_captcha(level=0))


def test_a_gateway_of_the_former_release_sends_no_level_and_is_accepted(office: Office, account: Account) -> None:
    captcha = {"captcha_id": str(uuid4()), "expires_at": "2050-01-01T00:00:00Z", "is_right": True}
    visit = {"user_agent": None, "replaces": None}
    request = read(rpc.SignInRequest, {**SIGN_IN, "captcha": captcha, "visit": visit})
    with office.begin() as session:
        for _ in range(20):
            lockout.count_failure_of_address(session, "sign_in", VISITOR.origin)
    with office.begin() as session:
        assert membership_signs_in(work_of(office, session, VISITOR), request).account


def test_addresses_that_one_ipv6_customer_has_count_as_one(office: Office, account: Account) -> None:
    for origin in ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:3::1", "::ffff:192.0.2.9"):
        fails(office, password="wrong", account_name="nobody", visitor=Caller(origin=origin))
    with office.begin() as session:
        of_addresses = session.scalars(select(FailureCount).where(FailureCount.kind == "sign_in"))
        counted = {one.subject: one.failures for one in of_addresses}
    assert counted == {"2001:db8:1:2::/64": 2, "2001:db8:1:3::/64": 1, "192.0.2.9": 1}


def test_failures_are_forgotten_in_time(office: Office, account: Account) -> None:
    fails(office, account_name="nobody")
    with office.begin() as session:
        session.execute(update(FailureCount).values(counted_at=datetime.now(UTC) - timedelta(minutes=31)))
    fails(office, account_name="nobody", visitor=Caller(origin="192.0.2.8"))
    with office.begin() as session:
        kept = session.execute(select(FailureCount.kind, FailureCount.failures)).all()
    assert sorted(map(tuple, kept)) == [("name", 1), ("sign_in", 1)]


def test_wrong_passwords_of_long_ago_do_not_count(office: Office, account: Account) -> None:
    for _ in range(4):
        fails(office, password="wrong")
    with office.begin() as session:
        session.execute(update(FailureCount).values(counted_at=datetime.now(UTC) - timedelta(minutes=31)))
    fails(office, password="wrong")
    assert sign_in(office)


def test_a_changed_password_takes_the_place_of_the_old_one(office: Office, account: Account) -> None:
    holder = a_session_of(office, account)
    change_password(office, holder, "another one 7")
    fails(office)
    assert not sign_in(office, password="another one 7")["must_change_password"]


@pytest.mark.parametrize("new", ["1qaz2wsx", "jianlang2026", PASSWORD])
def test_a_password_that_is_guessed_easily_is_refused(office: Office, account: Account, new: str) -> None:
    holder = a_session_of(office, account)
    with pytest.raises(Invalid) as refusal:
        change_password(office, holder, new)
    assert refusal.value.fields[0].field == "new_password"


def test_the_current_password_must_be_right(office: Office, account: Account) -> None:
    holder = a_session_of(office, account)
    with pytest.raises(Invalid) as refusal:
        change_password(office, holder, "another one 7", current="wrong")
    assert refusal.value.fields[0].code == "password_wrong"
