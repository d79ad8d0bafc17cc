"""A member in flexible employment gets a card on the phone 个人办卡, without a clerk."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import requests

from deploy.local.client import ApiClient, ApiProblem, wait_until
from deploy.local.stack import Stack
from services.membership.seed import FLEXIBLE_PHONES


def sms_codes(stack: Stack, phone: str) -> list[str]:
    """The one-time passwords that were sent to a phone, oldest first."""
    url = f"{stack.simulator_urls['sms']}/messages"
    sent = requests.get(url, params={"phone": phone}, timeout=5).json()["items"]
    return [match[1] for message in sent if (match := re.search(r"验证码(\d{6})", message["text"]))]


def asked_code(stack: Stack, phone: str, ask: Callable[[], Any]) -> str:
    """The one-time password that a phone gets by asking for one, not one that another test asked for before."""
    before = len(sms_codes(stack, phone))
    ask()
    return wait_until(lambda: sms_codes(stack, phone)[before:], "the one-time password was sent")[-1]


def signed_in(stack: Stack, phone: str) -> ApiClient:
    member = ApiClient(stack.gateway_url)
    code = asked_code(stack, phone, lambda: member.post("personal/otp", {"phone": phone}))
    member.post("personal/sessions", {"phone": phone, "code": code})
    return member


def newest_application(member: ApiClient) -> dict[str, Any]:
    application: dict[str, Any] = member.get("personal/applications")["items"][0]
    return application


def test_a_member_applies_on_the_phone_and_follows_the_card_until_it_is_issued(stack: Stack) -> None:
    member = signed_in(stack, FLEXIBLE_PHONES[0])
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


def test_a_wrong_one_time_password_does_not_sign_in_and_a_right_one_does_so_once(stack: Stack) -> None:
    phone = FLEXIBLE_PHONES[1]
    anybody = ApiClient(stack.gateway_url)
    code = asked_code(stack, phone, lambda: anybody.post("personal/otp", {"phone": phone}))
    wrong = f"{(int(code) + 1) % 10**6:06d}"
    for refused in ({"phone": phone, "code": wrong}, {"phone": FLEXIBLE_PHONES[2], "code": code}):
        with pytest.raises(ApiProblem) as problem:
            anybody.post("personal/sessions", refused)
        assert problem.value.code == "otp_wrong"
    anybody.post("personal/sessions", {"phone": phone, "code": code})
    with pytest.raises(ApiProblem) as problem:
        ApiClient(stack.gateway_url).post("personal/sessions", {"phone": phone, "code": code})
    assert problem.value.code == "otp_wrong"


def test_an_unknown_phone_is_answered_alike_and_gets_nothing(stack: Stack) -> None:
    anybody = ApiClient(stack.gateway_url)
    assert anybody.post("personal/otp", {"phone": "13899990000"}).keys() == {"expires_at"}
    url = f"{stack.simulator_urls['sms']}/messages"
    assert requests.get(url, params={"phone": "13899990000"}, timeout=5).json()["items"] == []
    with pytest.raises(ApiProblem) as again:
        anybody.post("personal/otp", {"phone": "13899990000"})
    assert again.value.code == "otp_too_soon"


def test_the_phone_page_opens_nothing_else(stack: Stack) -> None:
    member = ApiClient(stack.gateway_url)
    for path in ("members", "pending", "batches", "personal/profile"):
        with pytest.raises(ApiProblem) as problem:
            member.get(path)
        assert problem.value.status == 401
