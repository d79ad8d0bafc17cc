"""A member in flexible employment applies for a card on the phone 个人办卡, without a clerk."""

from typing import Any

import pytest
import requests

from deploy.local.client import ApiClient, ApiProblem, wait_until
from deploy.local.stack import Stack
from tests.desks import a_desk, a_phone, form_of, people
from tests.phones import messages_to, requested_code, signed_in


@pytest.fixture
def phone(stack: Stack) -> str:
    """The telephone of a member in flexible employment."""
    (person,) = people(1)
    a_desk(stack.gateway_url).clerk.post("members", form_of(person, affiliation="flexible"))
    return person.phone


def newest_application(member: ApiClient) -> dict[str, Any]:
    application: dict[str, Any] = member.get("personal/applications")["items"][0]
    return application


def test_a_member_applies_on_the_phone_and_follows_the_card_until_it_is_issued(stack: Stack, phone: str) -> None:
    member = signed_in(stack, phone)
    wait_until(lambda: member.get("personal/profile")["can_apply"], "the member has a number and can apply")
    member.patch("personal/profile", {"address": "上海市长宁区古北路555弄8号"})
    outlet = member.get("outlets", q="古北")["items"][0]

    with pytest.raises(ApiProblem) as outdated:
        member.post("personal/applications", {"outlet_code": outlet["code"], "consent_version": "2020-01"})
    assert outdated.value.code == "consent_outdated"
    agreed = member.get("consent-text")["version"]
    member.post("personal/applications", {"outlet_code": outlet["code"], "consent_version": agreed})

    application = wait_until(
        lambda: one if (one := newest_application(member))["state"] == "submitted" else None,
        "the application was checked and submitted",
    )
    feedback = f"{stack.simulator_urls['bank']}/batches/{application['batch_no']}/feedback"
    wait_until(lambda: requests.post(feedback, json={"outcome": "issued"}, timeout=10).ok, "the bank knows the batch")
    wait_until(lambda: newest_application(member)["state"] == "issued", "the card is issued")
    profile = member.get("personal/profile")
    assert profile["card_state"] == "issued"
    assert "*" in profile["card_no"]
    assert profile["address"] == "上海市长宁区古北路555弄8号"
    assert [step["state"] for step in newest_application(member)["steps"]] == ["queued", "submitted", "issued"]


def test_a_wrong_one_time_password_does_not_sign_in_and_a_right_one_does_so_once(stack: Stack, phone: str) -> None:
    anybody = ApiClient(stack.gateway_url)
    code = requested_code(stack, phone, lambda: anybody.request_code(phone))
    wrong = f"{(int(code) + 1) % 10**6:06d}"
    for refused in ({"phone": phone, "code": wrong}, {"phone": a_phone(), "code": code}):
        with pytest.raises(ApiProblem) as problem:
            anybody.post("personal/sessions", refused)
        assert problem.value.code == "otp_wrong"
    anybody.post("personal/sessions", {"phone": phone, "code": code})
    with pytest.raises(ApiProblem) as problem:
        ApiClient(stack.gateway_url).post("personal/sessions", {"phone": phone, "code": code})
    assert problem.value.code == "otp_wrong"


def test_an_unknown_phone_is_answered_alike_and_gets_nothing(stack: Stack, phone: str) -> None:
    unknown, anybody = a_phone(), ApiClient(stack.gateway_url)
    assert anybody.request_code(unknown).keys() == {"expires_at"}
    with pytest.raises(ApiProblem) as again:
        anybody.request_code(unknown)
    assert again.value.code == "otp_too_soon"
    # What was to be sent before is sent when this one has come.
    requested_code(stack, phone, lambda: anybody.request_code(phone))
    assert messages_to(stack, unknown) == []


def test_the_phone_page_opens_nothing_else(stack: Stack) -> None:
    member = ApiClient(stack.gateway_url)
    for path in ("members", "pending", "batches", "personal/profile"):
        with pytest.raises(ApiProblem) as problem:
            member.get(path)
        assert problem.value.status == 401
