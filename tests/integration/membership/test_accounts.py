"""Sign-in, passwords, and the accounts and unions that administrators keep."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from services.common.messaging.rpc import Caller
from services.common.persistence import Database
from services.common.problems import Conflict, Forbidden, Invalid, NotFound, Problem
from services.membership import accounts, unions
from services.membership.models import Account
from tests.integration.membership.office import Office, a_caller
from tests.mothers import a_union_code

PASSWORD = "jianlang 2026!"


@pytest.fixture
def account(office: Office) -> Account:
    account = accounts.new_account(office.union, "jianlang", "王芳", ["clerk"], PASSWORD)
    with office.begin() as session:
        session.add(account)
    return account


def sign_in(office: Office, account_name: str = "jianlang", password: str = PASSWORD) -> dict[str, Any]:
    database = Database()
    database.engine = office.engine
    with office.begin() as session:
        return accounts.sign_in(session, database, account_name, password)


def fails(office: Office, **credentials: str) -> Problem:
    with pytest.raises(Problem, match="sign_in_failed") as refusal:
        sign_in(office, **credentials)
    return refusal.value


def a_holder(account: Account) -> Caller:
    return Caller(account_id=str(account.account_id), roles=frozenset(account.roles), union_id=str(account.union_id))


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


def test_wrong_passwords_of_long_ago_do_not_count(office: Office, account: Account) -> None:
    for _ in range(4):
        fails(office, password="wrong")
    with office.begin() as session:
        session.get_one(Account, account.account_id).first_failure_at = datetime.now(UTC) - timedelta(minutes=31)
    fails(office, password="wrong")
    assert sign_in(office)


def test_a_disabled_account_can_neither_sign_in_nor_go_on(office: Office, account: Account) -> None:
    administrator = a_caller(office.superior, "administrator")
    with office.begin() as session:
        accounts.update_account(session, administrator, {"account_id": account.account_id, "disabled": True})
    fails(office)
    with pytest.raises(Problem, match="session_ended"), office.begin() as session:
        accounts.get_me(session, a_holder(account))


def test_a_changed_password_takes_the_place_of_the_old_one(office: Office, account: Account) -> None:
    with office.begin() as session:
        answer = accounts.change_password(session, a_holder(account), PASSWORD, "another one 7")
    assert not answer["must_change_password"]
    fails(office)
    assert sign_in(office, password="another one 7")


@pytest.mark.parametrize("new", ["1qaz2wsx", "12345678", "aaaa1111", "jianlang2026", "onlyletters", PASSWORD])
def test_a_password_that_is_guessed_easily_is_refused(office: Office, account: Account, new: str) -> None:
    with pytest.raises(Invalid) as refusal, office.begin() as session:
        accounts.change_password(session, a_holder(account), PASSWORD, new)
    assert refusal.value.fields[0].field == "new_password"


def test_the_current_password_must_be_right(office: Office, account: Account) -> None:
    with pytest.raises(Invalid) as refusal, office.begin() as session:
        accounts.change_password(session, a_holder(account), "wrong", "another one 7")
    assert refusal.value.fields[0].code == "password_wrong"


def test_a_reset_by_the_superior_gives_a_password_for_one_sign_in_and_unlocks(office: Office, account: Account) -> None:
    for _ in range(5):
        fails(office, password="wrong")
    with office.begin() as session:
        superior = a_caller(office.superior, "administrator")
        reset = accounts.reset_password(session, superior, account.account_id)
    assert sign_in(office, password=reset["one_time_password"])["must_change_password"]


def test_another_branch_of_the_tree_cannot_touch_the_account(office: Office, account: Account) -> None:
    with pytest.raises(NotFound), office.begin() as session:
        accounts.reset_password(session, a_caller(office.other, "administrator"), account.account_id)


def test_a_new_account_signs_in_with_the_password_shown_once(office: Office) -> None:
    administrator = a_caller(office.superior, "administrator")
    asked = {"union_id": office.union.union_id, "account_name": "guohua", "display_name": "李雷", "roles": ["clerk"]}
    with office.begin() as session:
        created = accounts.create_account(session, administrator, {**asked, "phone": "13812345678"})
    assert created["phone"] == "138****5678"
    assert sign_in(office, "guohua", created["one_time_password"])["must_change_password"]
    with pytest.raises(Conflict, match="account_exists"), office.begin() as session:
        accounts.create_account(session, administrator, {**asked, "phone": None})


def test_only_the_citys_union_has_operators(office: Office) -> None:
    asked = {"union_id": office.union.union_id, "account_name": "ops", "display_name": "运维", "roles": ["operator"]}
    with pytest.raises(Forbidden, match="role_not_allowed"), office.begin() as session:
        accounts.create_account(session, a_caller(office.city, "administrator"), {**asked, "phone": None})


def test_nobody_disables_the_own_account(office: Office, account: Account) -> None:
    caller = Caller(
        account_id=str(account.account_id), roles=frozenset({"administrator"}), union_id=str(office.union.union_id)
    )
    with pytest.raises(Conflict, match="own_account"), office.begin() as session:
        accounts.update_account(session, caller, {"account_id": account.account_id, "disabled": True})


def test_a_new_union_stands_below_its_superior(office: Office) -> None:
    administrator = a_caller(office.superior, "administrator")
    asked = {"name": "第二工会", "code": a_union_code(9), "superior_union_id": office.union.union_id}
    with office.begin() as session:
        created = unions.create_union(session, administrator, asked)
        below = unions.list_unions(session, administrator, {"page": 1, "size": 20})
    assert created["kind"] == "grassroots"
    assert {one["name"] for one in below["items"]} == {"杨浦区总工会", "上海建朗工会", "第二工会"}
    with pytest.raises(Conflict, match="union_exists"), office.begin() as session:
        unions.create_union(session, administrator, asked)


@pytest.mark.parametrize("code", ["810000000000000000", "91110000600037341L", "81"])
def test_a_code_that_no_union_can_have_is_refused(office: Office, code: str) -> None:
    asked = {"name": "第二工会", "code": code, "superior_union_id": office.union.union_id}
    with pytest.raises(Invalid), office.begin() as session:
        unions.create_union(session, a_caller(office.superior, "administrator"), asked)


def test_a_union_is_found_by_part_of_its_name(office: Office) -> None:
    administrator = a_caller(office.city, "administrator")
    with office.begin() as session:
        found = unions.list_unions(session, administrator, {"q": "杨浦", "page": 1, "size": 20})
    assert [UUID(str(one["union_id"])) for one in found["items"]] == [office.superior.union_id]
