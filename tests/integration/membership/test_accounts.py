"""The accounts that administrators keep for their union and all below it."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from services.contracts.events.membership import RESET_LINK_MADE
from services.contracts.operations.membership.identity import GetMeRequest
from services.kit.problems import Conflict, Forbidden, NotFound, Problem
from services.kit.rpc.work import Work
from services.membership.accounts import accounts, reset_links
from services.membership.identity import own_account
from services.membership.models import Account, Union
from tests.integration.membership.holder import PASSWORD, a_holder, a_link_sent, fails, give_phone, is_delayed, sign_in
from tests.integration.membership.office import Office, a_caller

PAGE = {"page": 1, "size": 20}


def test_a_disabled_account_can_neither_sign_in_nor_go_on(office: Office, account: Account) -> None:
    administrator = a_caller(office.superior, "administrator")
    with office.begin() as session:
        accounts.update_account(session, administrator, {"account_id": account.account_id, "disabled": True})
    fails(office)
    with pytest.raises(Problem, match="session_ended"), office.begin() as session:
        own_account.get_me(Work(session, a_holder(account)), GetMeRequest())


def test_another_branch_of_the_tree_cannot_touch_the_account(office: Office, account: Account) -> None:
    stranger = a_caller(office.other, "administrator")
    asked = {"account_id": account.account_id, "disabled": True}
    for touch in (
        lambda session: accounts.get_account(session, stranger, account.account_id),
        lambda session: accounts.update_account(session, stranger, asked),
        lambda session: accounts.unlock_account(session, stranger, account.account_id),
        lambda session: accounts.list_accounts(session, stranger, {**PAGE, "union_id": office.union.union_id}),
    ):
        with pytest.raises(NotFound), office.begin() as session:
            touch(session)


def test_an_administrator_does_not_reach_up(office: Office) -> None:
    boss = open_account(office, "yangpu-admin", ["administrator"], union=office.superior)
    below = a_caller(office.union, "administrator")
    with pytest.raises(NotFound), office.begin() as session:
        accounts.update_account(session, below, {"account_id": boss.account_id, "disabled": True})


def test_an_administrator_above_unlocks(office: Office, account: Account) -> None:
    for _ in range(5):
        fails(office, password="wrong")
    assert is_delayed(office)
    administrator = a_caller(office.city, "administrator")
    with office.begin() as session:
        locked = accounts.get_account(session, administrator, account.account_id)
        found = accounts.list_accounts(session, administrator, {**PAGE, "state": "locked"})
    assert (locked["state"], locked["locked_until"] is None) == ("locked", False)
    assert [one["account_name"] for one in found["items"]] == ["jianlang"]
    with office.begin() as session:
        unlocked = accounts.unlock_account(session, administrator, account.account_id)
    assert (unlocked["state"], unlocked["locked_until"], unlocked["last_signed_in_at"]) == ("active", None, None)
    sign_in(office)
    with office.begin() as session:
        assert accounts.get_account(session, administrator, account.account_id)["last_signed_in_at"]


@pytest.mark.parametrize("words", ["jianl", "王芳", "13812345678", "JIANLANG"])
def test_who_forgot_the_account_is_found_by_somebody_above(office: Office, account: Account, words: str) -> None:
    administrator = a_caller(office.city, "administrator")
    open_account(office, "guohua", ["clerk"], display_name="李雷")
    with office.begin() as session:
        accounts.set_phone(session.get_one(Account, account.account_id), "13812345678")
    with office.begin() as session:
        found = accounts.list_accounts(session, administrator, {**PAGE, "q": words})
        elsewhere = accounts.list_accounts(session, a_caller(office.other, "administrator"), {**PAGE, "q": words})
    assert [(one["account_name"], one["union_name"]) for one in found["items"]] == [("jianlang", "上海建朗工会")]
    assert elsewhere["items"] == []


def test_part_of_a_telephone_number_finds_nobody(office: Office, account: Account) -> None:
    administrator = a_caller(office.city, "administrator")
    with office.begin() as session:
        accounts.set_phone(session.get_one(Account, account.account_id), "13812345678")
        session.flush()
        assert accounts.list_accounts(session, administrator, {**PAGE, "q": "1381234567"})["items"] == []


def test_the_holder_of_a_new_account_chooses_the_first_password_by_a_link(office: Office) -> None:
    administrator = a_caller(office.superior, "administrator")
    asked = {"union_id": office.union.union_id, "account_name": "guohua", "display_name": "李雷", "roles": ["clerk"]}
    with office.begin() as session:
        created = accounts.create_account(session, administrator, {**asked, "phone": "13812345678"})
    assert (created["phone"], created["sent_to"]) == ("138****5678", "138****5678")
    (sent,) = office.told(RESET_LINK_MADE)
    assert (sent["recipient"]["phone"], sent["is_first"]) == ("13812345678", True)
    with office.begin() as session:
        token = a_link_sent(office)
        reset_links.reset_password(session, token, "a much better one")
    assert sign_in(office, "guohua", password="a much better one")["must_change_password"] is False
    with pytest.raises(Conflict, match="account_exists"), office.begin() as session:
        accounts.create_account(session, administrator, {**asked, "phone": "13812345679"})


def test_who_chose_the_first_password_signs_in_from_there_whatever_strangers_try_at_the_name(office: Office) -> None:
    asked = {"union_id": office.union.union_id, "account_name": "guohua", "display_name": "李雷", "roles": ["clerk"]}
    for _ in range(5):
        fails(office, account_name="guohua", password="wrong")
    with office.begin() as session:
        accounts.create_account(session, a_caller(office.superior, "administrator"), {**asked, "phone": "13812345678"})
    device_id = uuid4()
    with office.begin() as session:
        reset_links.reset_password(session, a_link_sent(office), "a much better one", device_id)
    for _ in range(5):
        fails(office, account_name="guohua", password="wrong")
    assert is_delayed(office, account_name="guohua", password="a much better one")
    assert sign_in(office, "guohua", password="a much better one", device_id=device_id)


def test_a_first_password_that_was_not_replaced_in_time_opens_nothing_but_a_link_still_does(
    office: Office, account: Account
) -> None:
    give_phone(office, account)
    with office.begin() as session:
        session.get_one(Account, account.account_id).created_at = datetime.now(UTC) - timedelta(hours=73)
    fails(office)

    with office.begin() as session:
        administrator = a_caller(office.superior, "administrator")
        reset_links.create_reset_link(session, administrator, account.account_id)
    with office.begin() as session:
        reset_links.reset_password(session, a_link_sent(office), "a much better one")

    assert sign_in(office, password="a much better one")["must_change_password"] is False


def test_only_the_citys_union_has_operators(office: Office) -> None:
    asked = {"union_id": office.union.union_id, "account_name": "ops", "display_name": "运维", "roles": ["operator"]}
    with pytest.raises(Forbidden, match="role_not_allowed"), office.begin() as session:
        accounts.create_account(session, a_caller(office.city, "administrator"), {**asked, "phone": "13812345678"})


@pytest.mark.parametrize("change", [{"disabled": True}, {"roles": ["administrator", "clerk", "reviewer"]}])
def test_nobody_closes_the_own_account_or_gives_oneself_roles(
    office: Office, account: Account, change: dict[str, Any]
) -> None:
    with pytest.raises(Conflict, match="own_account"), office.begin() as session:
        accounts.update_account(session, a_holder(account), {"account_id": account.account_id, **change})


def test_one_may_change_the_own_display_name(office: Office, account: Account) -> None:
    asked = {"account_id": account.account_id, "display_name": "王芳芳", "roles": account.roles}
    with office.begin() as session:
        assert accounts.update_account(session, a_holder(account), asked)["display_name"] == "王芳芳"


def test_one_account_may_hold_several_roles(office: Office, account: Account) -> None:
    asked = {"account_id": account.account_id, "roles": ["reviewer", "clerk", "clerk"]}
    with office.begin() as session:
        changed = accounts.update_account(session, a_caller(office.superior, "administrator"), asked)
    assert changed["roles"] == ["clerk", "reviewer"]


def test_of_two_administrators_who_close_each_others_account_one_stays(office: Office) -> None:
    first = open_account(office, "admin-1", ["administrator"])
    second = open_account(office, "admin-2", ["administrator"])
    together = threading.Barrier(2)
    outcomes: list[str] = []

    def close(caller: Account, other: Account) -> None:
        together.wait()
        try:
            with office.begin() as session:
                asked = {"account_id": other.account_id, "disabled": True}
                accounts.update_account(session, a_holder(caller), asked)
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
    with office.begin() as session:
        asked = {"account_id": only.account_id, "roles": ["clerk"]}
        changed = accounts.update_account(session, a_caller(office.superior, "administrator"), asked)
    assert changed["roles"] == ["clerk"]


def open_account(
    office: Office, name: str, roles: list[str], union: Union | None = None, display_name: str = "李雷"
) -> Account:
    account = accounts.new_account(union or office.union, name, display_name, roles, PASSWORD)
    with office.begin() as session:
        session.add(account)
    return account
