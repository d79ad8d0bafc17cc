"""Reset links, by which the holder of an account chooses another password."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, update

from services.contracts.events.membership import ACCOUNT_CHANGED, RESET_LINK_MADE
from services.contracts.operations.membership.accounts import (
    AccountRequest,
    CheckResetLinkAnswer,
    CheckResetLinkRequest,
    ResetLinkAnswer,
    ResetPasswordAnswer,
    ResetPasswordRequest,
    UpdateAccountRequest,
)
from services.kit.problems import Conflict, Invalid, NotFound, Problem
from services.kit.rpc.methods import Caller
from services.kit.rpc.work import Work
from services.membership.accounts import accounts, reset_links
from services.membership.identity import lockout
from services.membership.models import Account, FailureCount, KnownDevice, ResetLink
from tests.integration.membership.holder import (
    PASSWORD,
    VISITOR,
    a_holder,
    a_link_sent,
    a_session_of,
    change_password,
    fails,
    give_phone,
    is_delayed,
    let_delays_pass,
    sign_in,
)
from tests.integration.membership.office import Office, a_caller

NEW = "a much better one"


@pytest.fixture
def account(office: Office, account: Account) -> Account:
    """The clerk's account, to whose telephone links go."""
    give_phone(office, account)
    return account


def make(office: Office, account: Account, *, union: Any = None) -> str:
    """The token of a link that was sent to the account's telephone."""
    send(office, a_caller(union or office.superior, "administrator"), account)
    return a_link_sent(office)


def send(office: Office, administrator: Caller, account: Account) -> ResetLinkAnswer:
    with office.begin() as session:
        request = AccountRequest(account_id=account.account_id)
        return reset_links.create_reset_link(Work(session, administrator), request)


def choose(office: Office, token: str, password: str = NEW, device_id: UUID | None = None) -> ResetPasswordAnswer:
    with office.begin() as session:
        request = ResetPasswordRequest(token=token, new_password=password, device_id=device_id)
        return reset_links.reset_password(Work(session, VISITOR), request)


def refuses(office: Office, token: str) -> None:
    """Neither greets nor changes anything by this token."""
    with pytest.raises(NotFound, match="reset_link_invalid"), office.begin() as session:
        reset_links.check_reset_link(Work(session, VISITOR), CheckResetLinkRequest(token=token))
    with pytest.raises(NotFound, match="reset_link_invalid"):
        choose(office, token)


def test_who_holds_the_link_chooses_a_password_and_is_unlocked(office: Office, account: Account) -> None:
    for _ in range(5):
        fails(office, password="wrong")
    assert is_delayed(office)
    token = make(office, account)
    with office.begin() as session:
        greeted = reset_links.check_reset_link(Work(session, VISITOR), CheckResetLinkRequest(token=token))
    expires_at = office.published(RESET_LINK_MADE)[0]["expires_at"]
    assert greeted == CheckResetLinkAnswer(account_name="j******g", expires_at=expires_at)
    assert choose(office, token).account_name == "jianlang"
    assert sign_in(office, password=NEW)["must_change_password"] is False


def test_who_chose_a_password_signs_in_from_there_though_strangers_go_on_failing(
    office: Office, account: Account
) -> None:
    device_id = uuid4()
    choose(office, make(office, account), device_id=device_id)
    for _ in range(5):
        fails(office, password="wrong")
    assert is_delayed(office, password=NEW)
    assert sign_in(office, password=NEW, device_id=device_id)


def test_a_link_that_does_not_work_makes_no_device_known(office: Office, account: Account) -> None:
    with pytest.raises(NotFound):
        choose(office, "guessed", device_id=uuid4())
    with pytest.raises(Invalid):
        choose(office, make(office, account), "jianlang2026", device_id=uuid4())
    with office.begin() as session:
        assert session.scalars(select(KnownDevice)).all() == []


@pytest.fixture
def late(office: Office) -> Account:
    """An account with a name at which strangers have failed too often already."""
    for _ in range(5):
        fails(office, account_name="lihua", password="wrong")
    account = accounts.new_account(office.union, "lihua", "李华", ["clerk"], PASSWORD)
    with office.begin() as session:
        session.add(account)
    return account


def test_an_administrator_requests_five_links_a_day_for_a_holder_which_keeps_no_other_from_it(
    office: Office, account: Account
) -> None:
    administrator, other = (a_caller(office.superior, "administrator") for _ in range(2))
    for _ in range(5):
        send(office, administrator, account)
    with pytest.raises(Problem) as refused:
        send(office, administrator, account)
    assert (refused.value.code, refused.value.status) == ("too_many_links", 429)
    assert 23 * 3600 < (refused.value.retry_after or 0) <= 24 * 3600
    assert len(office.published(RESET_LINK_MADE)) == 5
    send(office, other, account)
    with office.begin() as session:
        session.execute(update(ResetLink).values(made_at=ResetLink.made_at - timedelta(days=1)))
    send(office, administrator, account)


def test_unlocking_an_account_that_nobody_failed_to_sign_in_to_sends_its_holder_nothing(
    office: Office, account: Account
) -> None:
    administrator, request = a_caller(office.superior, "administrator"), AccountRequest(account_id=account.account_id)
    fails(office, password="wrong")
    for _ in range(3):
        with office.begin() as session:
            accounts.unlock_account(Work(session, administrator), request)
    assert [news["change"] for news in office.published(ACCOUNT_CHANGED)] == ["unlocked"]


def test_what_was_counted_at_the_name_before_the_account_existed_is_forgotten_too(
    office: Office, late: Account
) -> None:
    assert is_delayed(office, account_name="lihua")
    with office.begin() as session:
        work = Work(session, a_caller(office.superior, "administrator"))
        accounts.unlock_account(work, AccountRequest(account_id=late.account_id))
    assert sign_in(office, account_name="lihua")


def test_an_account_that_strangers_failed_at_before_is_shown_as_locked(office: Office, late: Account) -> None:
    let_delays_pass(office)
    fails(office, account_name="lihua", password="wrong")
    with office.begin() as session:
        assert lockout.is_locked(session.get_one(Account, late.account_id))


def test_a_link_works_once(office: Office, account: Account) -> None:
    token = make(office, account)
    choose(office, token)
    refuses(office, token)


def test_the_newest_link_makes_older_ones_void(office: Office, account: Account) -> None:
    older, newer = make(office, account), make(office, account)
    refuses(office, older)
    choose(office, newer)


def test_a_link_expires(office: Office, account: Account) -> None:
    token = make(office, account)
    assert office.published(RESET_LINK_MADE)[0]["expires_at"] - datetime.now(UTC) <= timedelta(minutes=30)
    with office.begin() as session:
        session.execute(update(ResetLink).values(expires_at=datetime.now(UTC)))
    refuses(office, token)


@pytest.mark.parametrize("token", ["", "x", "kTj0cRrQbYI0d9VwQJ7yq4m5mZt1u8sXbS3f6gA2hEo"])
def test_a_guessed_token_is_refused_like_an_old_one(office: Office, account: Account, token: str) -> None:
    make(office, account)
    refuses(office, token)


def test_who_sends_rubbish_for_tokens_hinders_nobody_at_the_address(office: Office, account: Account) -> None:
    token = make(office, account)
    for _ in range(60):
        refuses(office, "guessed")

    choose(office, token)
    assert sign_in(office, password=NEW)
    with office.begin() as session:
        assert session.scalars(select(FailureCount)).all() == []


def test_a_weak_password_is_refused_and_the_link_still_works(office: Office, account: Account) -> None:
    token = make(office, account)
    with pytest.raises(Invalid):
        choose(office, token, "jianlang2026")
    choose(office, token)


def test_the_link_of_an_account_that_was_closed_is_refused(office: Office, account: Account) -> None:
    token = make(office, account)
    with office.begin() as session:
        work = Work(session, a_caller(office.superior, "administrator"))
        accounts.update_account(work, UpdateAccountRequest(account_id=account.account_id, disabled=True))
    refuses(office, token)
    with pytest.raises(Conflict, match="account_disabled"):
        make(office, account)


def test_a_password_that_the_holder_changes_makes_the_link_void(office: Office, account: Account) -> None:
    token = make(office, account)
    holder = a_session_of(office, account)
    change_password(office, holder, NEW)
    refuses(office, token)


def test_the_database_does_not_know_the_token(office: Office, account: Account) -> None:
    token = make(office, account)
    with office.begin() as session:
        (kept,) = session.scalars(select(ResetLink.token_hash))
    assert token.encode() not in kept


def test_links_are_made_by_administrators_of_the_union_and_above(office: Office, account: Account) -> None:
    for union in (office.union, office.superior, office.city):
        make(office, account, union=union)
    with pytest.raises(NotFound):
        make(office, account, union=office.other)


def test_nobody_makes_a_link_for_the_own_account(office: Office, account: Account) -> None:
    with pytest.raises(Conflict, match="own_account"):
        send(office, a_holder(account), account)


def test_a_link_goes_to_the_accounts_telephone_and_to_nobody_else(office: Office, account: Account) -> None:
    answer = send(office, a_caller(office.superior, "administrator"), account)
    (published,) = office.published(RESET_LINK_MADE)
    assert answer == ResetLinkAnswer(sent_to="138****5678", expires_at=published["expires_at"])
    assert (published["recipient"]["phone"], published["recipient"]["account_name"]) == ("13812345678", "jianlang")


def test_an_account_without_a_telephone_gets_no_link(office: Office, account: Account) -> None:
    with office.begin() as session:
        accounts.set_phone(session.get_one(Account, account.account_id), None)
    with pytest.raises(Conflict, match="no_phone"):
        make(office, account)
