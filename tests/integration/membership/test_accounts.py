"""The accounts that administrators manage for their union and its subordinates."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.contracts.events.membership import RESET_LINK_MADE
from services.contracts.operations.membership.accounts import (
    AccountItem,
    AccountRequest,
    CreateAccountRequest,
    ListAccountsAnswer,
    ListAccountsRequest,
    NewAccountAnswer,
    ResetPasswordRequest,
    UpdateAccountRequest,
)
from services.contracts.operations.membership.identity import GetMeRequest
from services.kit.problems import Conflict, Forbidden, NotFound, Problem
from services.kit.rpc.methods import Caller
from services.kit.rpc.work import Work
from services.membership.accounts import accounts, reset_links
from services.membership.identity import own_account
from services.membership.models import Account, Union
from tests.integration.membership.holder import PASSWORD, a_holder, a_link_sent, fails, give_phone, is_delayed, sign_in
from tests.integration.membership.office import Office, a_caller

CHOSEN = "a much better one"


def change(office: Office, caller: Caller, account: Account, **given: Any) -> AccountItem:
    with office.begin() as session:
        request = UpdateAccountRequest(account_id=account.account_id, **given)
        return accounts.update_account(Work(session, caller), request)


def shown(office: Office, caller: Caller, account: Account) -> AccountItem:
    with office.begin() as session:
        return accounts.get_account(Work(session, caller), AccountRequest(account_id=account.account_id))


def listed(office: Office, caller: Caller, **given: Any) -> ListAccountsAnswer:
    with office.begin() as session:
        return accounts.list_accounts(Work(session, caller), ListAccountsRequest(**given))


def create(office: Office, caller: Caller, **given: Any) -> NewAccountAnswer:
    """A new account of the office's union."""
    form = {
        "union_id": office.union.union_id,
        "display_name": "李雷",
        "roles": ["clerk"],
        "phone": "13812345678",
        **given,
    }
    with office.begin() as session:
        return accounts.create_account(Work(session, caller), CreateAccountRequest(**form))


def choose(office: Office, device_id: UUID | None = None) -> None:
    """Who holds the link that was sent last chooses a password."""
    request = ResetPasswordRequest(token=a_link_sent(office), new_password=CHOSEN, device_id=device_id)
    with office.begin() as session:
        reset_links.reset_password(Work(session, Caller()), request)


def test_a_disabled_account_can_neither_sign_in_nor_go_on(office: Office, account: Account) -> None:
    change(office, a_caller(office.superior, "administrator"), account, disabled=True)
    fails(office)
    with pytest.raises(Problem, match="session_ended"), office.begin() as session:
        own_account.get_me(Work(session, a_holder(account)), GetMeRequest())


def test_another_branch_of_the_tree_cannot_touch_the_account(office: Office, account: Account) -> None:
    stranger = a_caller(office.other, "administrator")
    named = AccountRequest(account_id=account.account_id)
    closing = UpdateAccountRequest(account_id=account.account_id, disabled=True)
    touches: tuple[Callable[[Work], object], ...] = (
        lambda work: accounts.get_account(work, named),
        lambda work: accounts.update_account(work, closing),
        lambda work: accounts.unlock_account(work, named),
        lambda work: accounts.list_accounts(work, ListAccountsRequest(union_id=office.union.union_id)),
    )
    for touch in touches:
        with pytest.raises(NotFound), office.begin() as session:
            touch(Work(session, stranger))


def test_an_administrator_does_not_reach_up(office: Office) -> None:
    boss = open_account(office, "yangpu-admin", ["administrator"], union=office.superior)
    with pytest.raises(NotFound):
        change(office, a_caller(office.union, "administrator"), boss, disabled=True)


def test_an_administrator_above_unlocks(office: Office, account: Account) -> None:
    for _ in range(5):
        fails(office, password="wrong")
    assert is_delayed(office)
    administrator = a_caller(office.city, "administrator")
    locked = shown(office, administrator, account)
    assert (locked.state, locked.locked_until is None) == ("locked", False)
    assert [one.account_name for one in listed(office, administrator, state="locked").items] == ["jianlang"]
    with office.begin() as session:
        request = AccountRequest(account_id=account.account_id)
        unlocked = accounts.unlock_account(Work(session, administrator), request)
    assert (unlocked.state, unlocked.locked_until, unlocked.last_signed_in_at) == ("active", None, None)
    sign_in(office)
    assert shown(office, administrator, account).last_signed_in_at


@pytest.mark.parametrize("words", ["jianl", "王芳", "13812345678", "JIANLANG"])
def test_who_forgot_the_account_is_found_by_somebody_above(office: Office, account: Account, words: str) -> None:
    administrator = a_caller(office.city, "administrator")
    open_account(office, "guohua", ["clerk"], display_name="李雷")
    with office.begin() as session:
        accounts.set_phone(session.get_one(Account, account.account_id), "13812345678")
    found = listed(office, administrator, q=words)
    assert [(one.account_name, one.union_name) for one in found.items] == [("jianlang", "上海建朗工会")]
    assert listed(office, a_caller(office.other, "administrator"), q=words).items == []


def test_part_of_a_telephone_number_finds_nobody(office: Office, account: Account) -> None:
    administrator = a_caller(office.city, "administrator")
    with office.begin() as session:
        accounts.set_phone(session.get_one(Account, account.account_id), "13812345678")
    assert listed(office, administrator, q="1381234567").items == []


def test_the_holder_of_a_new_account_chooses_the_first_password_by_a_link(office: Office) -> None:
    administrator = a_caller(office.superior, "administrator")
    created = create(office, administrator, account_name="guohua")
    assert (created.phone, created.sent_to) == ("138****5678", "138****5678")
    (sent,) = office.published(RESET_LINK_MADE)
    assert (sent["recipient"]["phone"], sent["is_first"]) == ("13812345678", True)
    choose(office)
    assert sign_in(office, "guohua", password=CHOSEN)["must_change_password"] is False
    with pytest.raises(Conflict, match="account_exists"):
        create(office, administrator, account_name="guohua", phone="13812345679")


def test_who_chose_the_first_password_signs_in_from_there_whatever_strangers_try_at_the_name(office: Office) -> None:
    for _ in range(5):
        fails(office, account_name="guohua", password="wrong")
    create(office, a_caller(office.superior, "administrator"), account_name="guohua")
    device_id = uuid4()
    choose(office, device_id)
    for _ in range(5):
        fails(office, account_name="guohua", password="wrong")
    assert is_delayed(office, account_name="guohua", password=CHOSEN)
    assert sign_in(office, "guohua", password=CHOSEN, device_id=device_id)


def test_a_first_password_that_was_not_replaced_in_time_opens_nothing_but_a_link_still_does(
    office: Office, account: Account
) -> None:
    give_phone(office, account)
    with office.begin() as session:
        session.get_one(Account, account.account_id).created_at = datetime.now(UTC) - timedelta(hours=73)
    fails(office)

    with office.begin() as session:
        work = Work(session, a_caller(office.superior, "administrator"))
        reset_links.create_reset_link(work, AccountRequest(account_id=account.account_id))
    choose(office)

    assert sign_in(office, password=CHOSEN)["must_change_password"] is False


def test_only_the_citys_union_has_operators(office: Office) -> None:
    with pytest.raises(Forbidden, match="role_not_allowed"):
        create(office, a_caller(office.city, "administrator"), account_name="ops", roles=["operator"])


@pytest.mark.parametrize("given", [{"disabled": True}, {"roles": ["administrator", "clerk", "reviewer"]}])
def test_nobody_closes_the_own_account_or_gives_oneself_roles(
    office: Office, account: Account, given: dict[str, Any]
) -> None:
    with pytest.raises(Conflict, match="own_account"):
        change(office, a_holder(account), account, **given)


def test_one_may_change_the_own_display_name(office: Office, account: Account) -> None:
    changed = change(office, a_holder(account), account, display_name="王芳芳", roles=account.roles)
    assert changed.display_name == "王芳芳"


def test_one_account_may_hold_several_roles(office: Office, account: Account) -> None:
    administrator = a_caller(office.superior, "administrator")
    assert change(office, administrator, account, roles=["reviewer", "clerk", "clerk"]).roles == ["clerk", "reviewer"]


def test_of_two_administrators_who_close_each_others_account_one_stays(office: Office) -> None:
    first = open_account(office, "admin-1", ["administrator"])
    second = open_account(office, "admin-2", ["administrator"])
    together = threading.Barrier(2)
    outcomes: list[str] = []

    def close(caller: Account, other: Account) -> None:
        together.wait()
        try:
            change(office, a_holder(caller), other, disabled=True)
            outcomes.append("closed")
        except Conflict as refused:
            outcomes.append(refused.code)

    both = [threading.Thread(target=close, args=pair) for pair in ((first, second), (second, first))]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert sorted(outcomes) == ["closed", "last_administrator"]


def test_a_union_above_may_leave_one_below_without_administrator(office: Office) -> None:
    only = open_account(office, "admin-1", ["administrator"])
    assert change(office, a_caller(office.superior, "administrator"), only, roles=["clerk"]).roles == ["clerk"]


def open_account(
    office: Office, name: str, roles: list[str], union: Union | None = None, display_name: str = "李雷"
) -> Account:
    account = accounts.new_account(union or office.union, name, display_name, roles, PASSWORD)
    with office.begin() as session:
        session.add(account)
    return account
