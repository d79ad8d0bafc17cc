"""Signing in, and the password of one's own account."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.exc import OperationalError

from services.common.messaging.rpc import Caller
from services.common.problems import Invalid, Problem
from services.membership import passwords
from services.membership.models import Account, AddressFailures, UsedCaptcha
from tests.integration.membership.holder import PASSWORD, a_captcha, a_session_of, change_password, fails, sign_in
from tests.integration.membership.office import Office


def test_an_account_signs_in_with_its_password(office: Office, account: Account) -> None:
    answer = sign_in(office, account_name=" JianLang ")
    assert (answer["account_id"], answer["roles"]) == (account.account_id, ["clerk"])
    assert answer["union"]["name"] == "上海建朗工会"
    assert answer["must_change_password"]


def test_an_unknown_account_and_a_wrong_password_are_answered_alike(office: Office, account: Account) -> None:
    unknown, wrong = fails(office, account_name="nobody"), fails(office, password="wrong")
    assert unknown.to_dict() == wrong.to_dict()
    assert unknown.status == 401


def test_five_wrong_passwords_lock_the_account_for_an_hour(office: Office, account: Account) -> None:
    for _ in range(5):
        fails(office, password="wrong")
    fails(office)
    with office.begin() as session:
        session.get_one(Account, account.account_id).locked_until = datetime.now(UTC) - timedelta(seconds=1)
    assert sign_in(office)


def test_many_tries_at_once_are_no_more_than_five(office: Office, account: Account) -> None:
    def attempt(number: int) -> bool:
        return bool(fails(office, password=f"wrong {number}"))

    with ThreadPoolExecutor(12) as at_once:
        list(at_once.map(attempt, range(12)))

    with office.begin() as session:
        kept = session.get_one(Account, account.account_id)
    assert (kept.failures, kept.locked_until is not None) == (5, True)


def test_a_right_password_starts_counting_anew(office: Office, account: Account) -> None:
    for _ in range(2):
        for _ in range(4):
            fails(office, password="wrong")
        assert sign_in(office)


def test_a_locked_account_is_answered_like_a_wrong_password_even_for_the_right_one(
    office: Office, account: Account
) -> None:
    wrong = fails(office, password="wrong")
    for _ in range(4):
        fails(office, password="wrong")

    assert fails(office).to_dict() == wrong.to_dict()


@pytest.mark.parametrize("why", ["unknown", "locked", "disabled", "wrong"])
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
        kept = session.get_one(Account, account.account_id)
        kept.disabled = why == "disabled"
        kept.locked_until = datetime.now(UTC) + timedelta(hours=1) if why == "locked" else None

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
    fails(office)


def test_a_captcha_counts_once_whether_its_answer_was_right_or_not(office: Office, account: Account) -> None:
    right, wrong = a_captcha(), a_captcha(is_right=False)
    sign_in(office, captcha=right)
    for code, captcha in (
        ("captcha_used", right),
        ("captcha_wrong", wrong),
        ("captcha_used", {**wrong, "is_right": True}),
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


def test_captchas_that_have_expired_are_forgotten(office: Office, account: Account) -> None:
    sign_in(office, captcha=a_captcha(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    sign_in(office)
    with office.begin() as session:
        assert session.scalar(select(func.count()).select_from(UsedCaptcha)) == 1


def test_a_wrong_captcha_is_no_try_of_the_account(office: Office, account: Account) -> None:
    for _ in range(6):
        with pytest.raises(Invalid, match="captcha_wrong"):
            sign_in(office, captcha=a_captcha(is_right=False))
    assert sign_in(office)


def test_fifty_failures_lock_the_address_for_everybody_there_and_for_nobody_else(
    office: Office, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "is_right", lambda password, _hash: password == PASSWORD)
    for number in range(25):
        fails(office, account_name=f"nobody{number}")
        with pytest.raises(Invalid, match="captcha_wrong"):
            sign_in(office, captcha=a_captcha(is_right=False))

    with pytest.raises(Problem, match="address_locked") as refusal:
        sign_in(office)
    assert (refusal.value.status, 3500 < (refusal.value.retry_after or 0) <= 3601) == (429, True)
    assert sign_in(office, visitor=Caller(origin="192.0.2.8"))
    with office.begin() as session:
        session.execute(update(AddressFailures).values(locked_until=datetime.now(UTC) - timedelta(seconds=1)))
    assert sign_in(office)


def test_addresses_that_one_ipv6_customer_has_count_as_one(office: Office, account: Account) -> None:
    for origin in ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:3::1", "::ffff:192.0.2.9"):
        fails(office, password="wrong", account_name="nobody", visitor=Caller(origin=origin))
    with office.begin() as session:
        counted = {one.address: one.failures for one in session.scalars(select(AddressFailures))}
    assert counted == {"2001:db8:1:2::/64": 2, "2001:db8:1:3::/64": 1, "192.0.2.9": 1}


def test_failures_of_an_address_are_forgotten_in_time(office: Office, account: Account) -> None:
    fails(office, account_name="nobody")
    with office.begin() as session:
        session.execute(update(AddressFailures).values(first_failure_at=datetime.now(UTC) - timedelta(minutes=31)))
    fails(office, account_name="nobody", visitor=Caller(origin="192.0.2.8"))
    with office.begin() as session:
        assert session.scalars(select(AddressFailures.address)).all() == ["192.0.2.8"]


def test_wrong_passwords_of_long_ago_do_not_count(office: Office, account: Account) -> None:
    for _ in range(4):
        fails(office, password="wrong")
    with office.begin() as session:
        session.get_one(Account, account.account_id).first_failure_at = datetime.now(UTC) - timedelta(minutes=31)
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
