"""Unions of several levels and their accounts, over the API of a whole stack."""

import base64
import re
from typing import Any
from uuid import uuid4

import pytest

from deploy.local.client import ApiClient, ApiProblem, wait_until
from deploy.local.first_password import choose_first_password
from deploy.local.stack import Stack
from services.membership.seed import demo_password
from tests.desks import Desk, Office, a_desk_below, a_foreigner, a_phone, an_office_below, people
from tests.phones import messages_to

FIRST_PASSWORD, NEW_PASSWORD = "chosen at first", "chosen by the holder"


@pytest.fixture(scope="module")
def district(stack: Stack) -> Office:
    """A district's union below the city's."""
    administrator, reviewer = (ApiClient(stack.gateway_url) for _ in range(2))
    password = demo_password()
    return Office(administrator.sign_in("yangpu-admin", password), reviewer.sign_in("yangpu", password))


@pytest.fixture(scope="module")
def street(district: Office) -> Office:
    """A street's union below the district's."""
    return an_office_below(district.administrator)


@pytest.fixture(scope="module")
def desk(street: Office) -> Desk:
    """Of a union below the street's, with a member of each channel."""
    desk = a_desk_below(street)
    desk.register(*people(1), a_foreigner())
    return desk


@pytest.fixture(scope="module")
def clerk(desk: Desk) -> ApiClient:
    return desk.clerk


@pytest.fixture(scope="module")
def city(stack: Stack) -> ApiClient:
    return ApiClient(stack.gateway_url).sign_in("city", demo_password())


@pytest.fixture(scope="module")
def foreign(stack: Stack) -> Office:
    """Another district's union."""
    return an_office_below(ApiClient(stack.gateway_url).sign_in("city", demo_password()))


def refusal(call: Any, *arguments: Any, **named: Any) -> tuple[int, str | None]:
    with pytest.raises(ApiProblem) as problem:
        call(*arguments, **named)
    return problem.value.status, problem.value.code


@pytest.fixture
def phone() -> str:
    return a_phone()


@pytest.fixture
def account(district: Office, desk: Desk, phone: str) -> dict[str, Any]:
    """A new account of the clerk's union, with a telephone of its own."""
    decrypted: dict[str, Any] = district.administrator.post(
        f"unions/{desk.union_id}/accounts",
        {"account_name": f"forgetful-{phone}", "display_name": "钱芳", "roles": ["clerk", "reviewer"], "phone": phone},
    )
    return decrypted


def test_members_are_seen_from_each_level_above_and_from_nowhere_else(
    desk: Desk, street: Office, district: Office, city: ApiClient, foreign: Office
) -> None:
    member = desk.clerk.get("members")["items"][0]["member_id"]
    for above in (street.administrator, district.administrator, city):
        assert above.get(f"members/{member}")["member_id"] == member
        assert above.get("members", union_id=desk.union_id)["total"] > 0
        assert above.get(f"unions/{desk.union_id}")["superior_ids"][0] == city.account["union"]["union_id"]
    assert refusal(foreign.reviewer.get, f"members/{member}")[0] == 404
    assert refusal(foreign.reviewer.get, f"unions/{desk.union_id}")[0] == 404


def test_the_direct_superior_decides_and_those_above_it_see(
    desk: Desk, street: Office, district: Office, city: ApiClient, foreign: Office
) -> None:
    batch_no = desk.submit_all("special")
    for above in (street.administrator, district.administrator, city):
        assert above.get(f"batches/{batch_no}")["batch_no"] == batch_no
    assert refusal(foreign.reviewer.get, f"batches/{batch_no}")[0] == 404
    by_union = city.get("summary")["batches"]["by_union"]
    assert district.union["union_id"] in {one["union"]["union_id"] for one in by_union}
    path = f"revocations/{desk.ask_back(batch_no)['revocation_id']}"
    assert city.get(path)["can_decide"] is False
    assert refusal(district.reviewer.post, f"{path}/approve", {}) == (403, "not_the_superior")
    assert refusal(foreign.reviewer.post, f"{path}/approve", {})[0] == 404
    assert street.reviewer.get(path)["can_decide"] is True
    assert street.reviewer.post(f"{path}/approve", {})["state"] == "approved"


def test_an_administrator_founds_unions_and_opens_accounts_below_and_nowhere_else(
    street: Office, district: Office
) -> None:
    administrator, above = street.administrator, district.union["union_id"]
    assert refusal(administrator.get, f"unions/{above}/accounts")[0] == 404
    phone = a_phone()
    new = {"account_name": f"climber-{phone}", "display_name": "钱芳", "roles": ["administrator"], "phone": phone}
    assert refusal(administrator.post, f"unions/{above}/accounts", new)[0] == 404
    of_above = district.reviewer.account["account_id"]
    assert refusal(administrator.patch, f"accounts/{of_above}", {"disabled": True})[0] == 404
    own = administrator.account["account_id"]
    roles = {"roles": ["administrator", "clerk", "reviewer"]}
    assert refusal(administrator.patch, f"accounts/{own}", roles) == (409, "own_account")


def test_who_forgot_account_and_password_gets_in_again_by_a_link_from_above(
    stack: Stack, city: ApiClient, foreign: Office, account: dict[str, Any], phone: str
) -> None:
    holder = ApiClient(stack.gateway_url)
    choose_first_password(holder, phone, FIRST_PASSWORD)
    holder.sign_in(account["account_name"], FIRST_PASSWORD)
    (found,) = city.get("accounts", q=phone)["items"]
    assert found["account_id"] == account["account_id"]
    path = f"accounts/{account['account_id']}"
    assert refusal(foreign.reviewer.post, f"{path}/reset-link")[0] == 403
    assert refusal(foreign.administrator.post, f"{path}/reset-link")[0] == 404
    links = len(_links_sent_to(stack, phone))
    city.post(f"{path}/reset-link")
    older = wait_until(lambda: _links_sent_to(stack, phone)[links:], "the link came by SMS")[-1]
    document = city.post(f"{path}/reset-link")
    assert document.keys() == {"expires_at", "sent_to"}
    assert refusal(holder.post, "password-resets/check", {"token": older}) == (404, "reset_link_invalid")

    token = wait_until(lambda: _links_sent_to(stack, phone)[links + 1 :], "the newer link came by SMS")[-1]
    anybody = ApiClient(stack.gateway_url)
    greeted = anybody.post("password-resets/check", {"token": token})
    assert greeted["account_name"].startswith("f*")
    chosen = anybody.post("password-resets", {"token": token, "new_password": NEW_PASSWORD})
    assert refusal(anybody.post, "password-resets", {"token": token, "new_password": NEW_PASSWORD})[0] == 404
    assert refusal(holder.get, "me") == (401, "not_signed_in")
    assert anybody.sign_in(chosen["account_name"], NEW_PASSWORD).account["next_step"] is None


def test_the_city_keeps_outlets_and_a_closed_one_is_not_offered(
    clerk: ApiClient, district: Office, city: ApiClient
) -> None:
    code = f"icbc-{uuid4().hex[:8]}"
    place = {"name": f"网点{code}", "address": "上海市普陀区曹杨路500号", "district": "普陀区", "phone": "021-62540101"}
    outlet = {"code": code, "branch_code": "icbc-sh", **place}
    assert refusal(district.administrator.post, "outlets", outlet) == (403, "forbidden")
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


def test_the_largest_video_of_an_inner_announcement_is_for_accounts_and_comes_in_parts(
    stack: Stack, city: ApiClient, desk: Desk
) -> None:
    video = b"\0\0\0\x20ftypisom".ljust(20 << 20, b"\1")
    file = {"file_name": "讲解.mp4", "content_type": "video/mp4", "content": base64.b64encode(video).decode()}
    given = {"title": "视频", "body": "内容", "places": ["workbench"], "attachments": [file]}
    announcement = city.post("announcements", given)
    path = f"attachments/{announcement['attachments'][0]['attachment_id']}"

    part = desk.clerk.http.get(f"{stack.gateway_url}/api/v1/{path}", headers={"Range": "bytes=20971500-"}, timeout=30)
    assert (part.status_code, part.headers["Content-Range"]) == (206, "bytes 20971500-20971519/20971520")
    assert part.content == video[-20:]
    assert desk.clerk.download(path) == video
    assert refusal(ApiClient(stack.gateway_url).download, path)[0] == 404
    city.delete(f"announcements/{announcement['announcement_id']}")


def _links_sent_to(stack: Stack, phone: str) -> list[str]:
    link = rf"{re.escape(stack.gateway_url)}/reset#(\S+) "
    return [found[1] for text in messages_to(stack, phone) if (found := re.search(link, text))]
