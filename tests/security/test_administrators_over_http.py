"""Attacks by an administrator on other accounts of a running system, step by step over HTTP."""

from typing import Any

import pytest

from deploy.local.client import ApiClient, ApiProblem, wait_until
from deploy.local.first_password import choose_first_password, newest_token
from deploy.local.stack import Stack
from services.membership.seed import demo_password
from tests.desks import DESK_PASSWORD, Desk, Office, a_desk_below, a_foreigner, a_phone, an_account, an_office_below
from tests.phones import messages_to


@pytest.fixture(scope="module")
def city(stack: Stack) -> ApiClient:
    return ApiClient(stack.gateway_url).sign_in("city", demo_password())


@pytest.fixture(scope="module")
def office(stack: Stack) -> Office:
    """The superior union whose administrator is the attacker."""
    return an_office_below(ApiClient(stack.gateway_url).sign_in("yangpu-admin", demo_password()))


@pytest.fixture(scope="module")
def desk(office: Office) -> Desk:
    """A clerk whom the attacker made."""
    desk = a_desk_below(office)
    desk.register(a_foreigner())
    return desk


def refusal(call: Any, *arguments: Any) -> tuple[int, str | None]:
    with pytest.raises(ApiProblem) as problem:
        call(*arguments)
    return problem.value.status, problem.value.code


def test_an_own_reviewer_decides_on_nothing_that_an_own_clerk_asks(office: Office, desk: Desk) -> None:
    puppet = an_account(office.administrator, office.union["union_id"], f"puppet{desk.number}", "reviewer")
    path = f"revocations/{desk.ask_back(desk.submit_all('special'))['revocation_id']}"
    seen = puppet.get(path)
    assert (seen["can_decide"], seen["is_of_same_administrator"]) == (False, True)
    for decision in ("approve", "reject"):
        assert refusal(puppet.post, f"{path}/{decision}", {"remark": "同意"}) == (403, "same_administrator")
    assert office.reviewer.post(f"{path}/approve", {})["state"] == "approved"


def test_an_administrator_gets_into_no_account_of_another(
    stack: Stack, office: Office, city: ApiClient, desk: Desk
) -> None:
    attacker, phone, mine = office.administrator, a_phone(), a_phone()
    name = f"victim{desk.number}"
    given = {"account_name": name, "display_name": "周敏", "roles": ["reviewer"], "phone": phone}
    decrypted = city.post(f"unions/{office.union['union_id']}/accounts", given)
    first = wait_until(lambda: newest_token(phone), "the link came by SMS")
    assert first not in str(decrypted)
    victim = ApiClient(stack.gateway_url)
    choose_first_password(victim, phone, DESK_PASSWORD)
    victim.sign_in(name, DESK_PASSWORD)
    account = f"accounts/{decrypted['account_id']}"

    answer = attacker.post(f"{account}/reset-link")
    assert answer.keys() == {"sent_to", "expires_at"}
    token = wait_until(lambda: found if (found := newest_token(phone)) != first else None, "the other link came")
    assert token not in str(answer)
    assert refusal(attacker.patch, account, {"phone": mine}) == (422, "invalid")

    change = attacker.post(f"{account}/phone-changes", {"phone": mine, "reason": "原手机遗失"})
    path = f"phone-changes/{change['change_id']}"
    assert refusal(attacker.post, f"{path}/confirm") == (403, "own_request")
    helper = an_account(attacker, office.union["union_id"], f"helper{desk.number}", "administrator")
    assert refusal(helper.post, f"{path}/confirm") == (403, "same_administrator")
    assert refusal(attacker.post, f"{account}/reset-link") == (409, "phone_change_waits")
    assert victim.post("password-resets/check", {"token": token})
    wait_until(lambda: any("已申请更换" in text for text in messages_to(stack, phone)), "the old number is told")

    assert city.get("phone-changes", account_id=decrypted["account_id"])["items"][0]["new_phone"] == mine
    assert city.post(f"{path}/confirm")["state"] == "confirmed"
    assert refusal(victim.post, "password-resets/check", {"token": token}) == (404, "reset_link_invalid")
    assert refusal(attacker.post, f"{account}/reset-link") == (409, "phone_changed_recently")
    for number in (phone, mine):
        wait_until(lambda: any("手机号已更换" in text for text in messages_to(stack, number)), "both are told")  # noqa: B023 - at once
    kinds = {message["kind"] for message in victim.get("messages", size=50)["items"]}
    assert {"account_link_sent", "account_phone_change_requested", "account_phone_changed"} <= kinds


def test_the_log_names_whose_link_set_a_password(stack: Stack, office: Office, city: ApiClient, desk: Desk) -> None:
    account_id = desk.clerk.account["account_id"]
    query = {"record_kind": "account", "record_id": account_id, "action": "membership.reset_password"}
    (act,) = wait_until(lambda: city.get("audit", **query)["items"], "the act is in the log")
    maker = office.administrator.account
    assert act["account_name"] == desk.account_name
    assert act["new"] == {"link_made_by": f"{maker['display_name']}（{maker['account_name']}）"}
    assert {"kind": "account", "label": "账号", "id": maker["account_id"]} in act["records"]
