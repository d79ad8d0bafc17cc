"""Unions of several levels and their accounts, over the API of a whole stack."""

import re
from typing import Any
from uuid import uuid4

import pytest
import requests

from deploy.local.client import ApiClient, ApiProblem, wait_until
from deploy.local.stack import Stack
from services.membership.seed import demo_password

NEW_PASSWORD = "chosen by the holder"


def signed_in(stack: Stack, account_name: str) -> ApiClient:
    return ApiClient(stack.gateway_url).sign_in(account_name, demo_password())


@pytest.fixture(scope="module")
def clerk(stack: Stack) -> ApiClient:
    """Of a union below a street's union below a district's below the city's."""
    return signed_in(stack, "guoding")


@pytest.fixture(scope="module")
def street(stack: Stack) -> ApiClient:
    """Administrator and reviewer at once."""
    return signed_in(stack, "wujiaochang")


@pytest.fixture(scope="module")
def district(stack: Stack) -> ApiClient:
    return signed_in(stack, "yangpu-admin")


@pytest.fixture(scope="module")
def city(stack: Stack) -> ApiClient:
    return signed_in(stack, "city")


@pytest.fixture(scope="module")
def foreign(stack: Stack) -> ApiClient:
    return signed_in(stack, "changning")


def refusal(call: Any, *arguments: Any, **named: Any) -> tuple[int, str | None]:
    with pytest.raises(ApiProblem) as problem:
        call(*arguments, **named)
    return problem.value.status, problem.value.code


@pytest.fixture
def phone() -> str:
    return f"137{uuid4().int % 10**8:08d}"


@pytest.fixture
def account(district: ApiClient, clerk: ApiClient, phone: str) -> dict[str, Any]:
    """A new account of the clerk's union, with a telephone of its own."""
    opened: dict[str, Any] = district.post(
        f"unions/{clerk.account['union']['union_id']}/accounts",
        {"account_name": f"forgetful-{phone}", "display_name": "钱芳", "roles": ["clerk", "reviewer"], "phone": phone},
    )
    return opened


def test_members_are_seen_from_each_level_above_and_from_nowhere_else(
    clerk: ApiClient, street: ApiClient, district: ApiClient, city: ApiClient, foreign: ApiClient
) -> None:
    member = clerk.get("members")["items"][0]["member_id"]
    union_id = clerk.account["union"]["union_id"]
    for above in (street, district, city):
        assert above.get(f"members/{member}")["member_id"] == member
        assert above.get("members", union_id=union_id)["total"] > 0
        assert above.get(f"unions/{union_id}")["superior_ids"][0] == city.account["union"]["union_id"]
    assert refusal(foreign.get, f"members/{member}")[0] == 404
    assert refusal(foreign.get, f"unions/{union_id}")[0] == 404


def test_the_direct_superior_decides_and_those_above_it_see(
    clerk: ApiClient, street: ApiClient, district: ApiClient, city: ApiClient, foreign: ApiClient
) -> None:
    batch_no = _a_special_batch(clerk)
    for above in (street, district, city):
        assert above.get(f"batches/{batch_no}")["batch_no"] == batch_no
    assert refusal(foreign.get, f"batches/{batch_no}")[0] == 404
    by_union = city.get("summary")["batches"]["by_union"]
    assert district.account["union"]["union_id"] in {one["union"]["union_id"] for one in by_union}
    body = {"batch_no": batch_no, "applicant_name": "赵亮", "applicant_phone": "13911112222"}
    asked = wait_until(lambda: _unless_not_found(clerk, body), "revocation has heard of the batch")
    path = f"revocations/{asked['revocation_id']}"
    assert city.get(path)["can_decide"] is False
    reviewer_above = ApiClient(clerk.base).sign_in("yangpu", demo_password())
    assert refusal(reviewer_above.post, f"{path}/approve", {}) == (403, "not_the_superior")
    assert refusal(foreign.post, f"{path}/approve", {})[0] == 404
    assert street.get(path)["can_decide"] is True
    assert street.post(f"{path}/approve", {})["state"] == "approved"


def test_an_administrator_founds_unions_and_opens_accounts_below_and_nowhere_else(
    street: ApiClient, city: ApiClient
) -> None:
    above = city.get("unions", q="杨浦区总工会")["items"][0]
    assert refusal(street.get, f"unions/{above['union_id']}/accounts")[0] == 404
    new = {"account_name": "climber", "display_name": "钱芳", "roles": ["administrator"]}
    assert refusal(street.post, f"unions/{above['union_id']}/accounts", new)[0] == 404
    accounts = city.get(f"unions/{above['union_id']}/accounts")["items"]
    assert refusal(street.patch, f"accounts/{accounts[0]['account_id']}", {"disabled": True})[0] == 404
    own = city.get("accounts", q="wujiaochang")["items"][0]["account_id"]
    roles = {"roles": ["administrator", "clerk", "reviewer"]}
    assert refusal(street.patch, f"accounts/{own}", roles) == (409, "own_account")


def test_who_forgot_account_and_password_gets_in_again_by_a_link_from_above(
    stack: Stack, city: ApiClient, foreign: ApiClient, account: dict[str, Any], phone: str
) -> None:
    holder = ApiClient(stack.gateway_url).sign_in(account["account_name"], account["one_time_password"])
    (found,) = city.get("accounts", q=phone)["items"]
    assert found["account_id"] == account["account_id"]
    path = f"accounts/{account['account_id']}"
    assert refusal(foreign.post, f"{path}/reset-link")[0] == 403
    first = city.post(f"{path}/reset-link")
    link = city.post(f"{path}/reset-link", {"send_sms": True})
    assert refusal(holder.post, "password-resets/check", {"token": first["token"]}) == (404, "reset_link_invalid")

    token = wait_until(lambda: _token_sent_to(stack, phone), "the link came by SMS")
    assert token == link["token"]
    anybody = ApiClient(stack.gateway_url)
    greeted = anybody.post("password-resets/check", {"token": token})
    assert greeted["account_name"].startswith("f*")
    chosen = anybody.post("password-resets", {"token": token, "new_password": NEW_PASSWORD})
    assert refusal(anybody.post, "password-resets", {"token": token, "new_password": NEW_PASSWORD})[0] == 404
    assert refusal(holder.get, "me") == (401, "not_signed_in")
    assert anybody.sign_in(chosen["account_name"], NEW_PASSWORD).account["next_step"] is None


def test_the_city_keeps_outlets_and_a_closed_one_is_not_offered(
    clerk: ApiClient, district: ApiClient, city: ApiClient
) -> None:
    code = f"icbc-{uuid4().hex[:8]}"
    place = {"name": f"网点{code}", "address": "上海市普陀区曹杨路500号", "district": "普陀区", "phone": "021-62540101"}
    outlet = {"code": code, "branch_code": "icbc-sh", **place}
    assert refusal(district.post, "outlets", outlet) == (403, "forbidden")
    assert refusal(clerk.post, "outlets", outlet) == (403, "forbidden")
    city.post("outlets", outlet)
    assert [one["code"] for one in clerk.get("outlets", q=code)["items"]] == [code]
    assert city.patch(f"outlets/{code}", {"closed": True})["closed"] is True
    assert clerk.get("outlets", q=code)["items"] == []
    assert refusal(city.patch, "outlets/no-such", {"closed": True})[0] == 404


def test_the_sign_in_page_shows_support_guides_and_what_is_announced_there(stack: Stack, city: ApiClient) -> None:
    anybody, title = ApiClient(stack.gateway_url), f"内部通知{uuid4().hex[:6]}"
    announcement = city.post("announcements", {"title": title, "body": "内容", "places": ["workbench"]})
    path = f"announcements/{announcement['announcement_id']}"
    assert refusal(anybody.get, path)[0] == 404
    assert title not in {one["title"] for one in anybody.get("announcements", size=200)["items"]}
    city.patch(path, {"places": ["workbench", "sign_in"]})
    assert anybody.get(path)["title"] == title
    city.delete(path)
    guide = city.post("guides", {"title": title, "body": "步骤", "video_url": "https://zzgl.shzgh.org/video/1.mp4"})
    assert title in {one["title"] for one in anybody.get("guides", size=200)["items"]}
    city.delete(f"guides/{guide['guide_id']}")
    assert anybody.get("support")["phone"]


def _a_special_batch(clerk: ApiClient) -> str:
    member = wait_until(
        lambda: next((one for one in clerk.get("members", name="SMITH")["items"] if one["selectable"]), None),
        "the foreigner has a number",
    )
    clerk.post("members/queue", {"member_ids": [member["member_id"]]})
    entry = wait_until(lambda: clerk.get("pending", channel="special")["items"], "the foreigner is listed")[0]
    clerk.patch(f"pending/{entry['application_id']}", {"document_expiry": "2031-05-01", "nationality": "GBR"})
    outlet = clerk.get("outlets", q="黄兴路")["items"][0]
    place = {"branch_code": outlet["branch_code"], "outlet_code": outlet["code"]}
    contact = {"contact_name": "赵亮", "contact_phone": "13911112222"}
    consent = {"consent_version": clerk.get("consent-text")["version"]}
    return str(clerk.post("batches", {"channel": "special", **place, **contact, **consent})["batch_no"])


def _unless_not_found(clerk: ApiClient, body: dict[str, Any]) -> dict[str, Any] | None:
    try:
        asked: dict[str, Any] = clerk.post("revocations", body)
    except ApiProblem as problem:
        if problem.status == 404:
            return None
        raise
    return asked


def _token_sent_to(stack: Stack, phone: str) -> str | None:
    sent = requests.get(f"{stack.simulator_urls['sms']}/messages", params={"phone": phone}, timeout=5).json()["items"]
    links = [re.search(rf"{re.escape(stack.gateway_url)}/reset#(\S+) ", one["text"]) for one in sent]
    return next((link.group(1) for link in links if link), None)
