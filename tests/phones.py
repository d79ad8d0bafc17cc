"""Members on the phone: one-time passwords from the simulated SMS provider, and signing in with them."""

import re
from collections.abc import Callable
from typing import Any

import requests

from deploy.local.client import ApiClient, wait_until
from deploy.local.stack import Stack


def messages_to(stack: Stack, phone: str) -> list[str]:
    """Returns the texts that were sent to a telephone, oldest first."""
    sent = requests.get(f"{stack.simulator_urls['sms']}/messages", params={"phone": phone}, timeout=30).json()["items"]
    return [str(one["text"]) for one in sent]


def requested_code(stack: Stack, phone: str, ask: Callable[[], Any]) -> str:
    """Requests a one-time password by `ask` and returns the new one that the phone gets."""
    before = len(_codes(stack, phone))
    ask()
    return wait_until(lambda: _codes(stack, phone)[before:], "the one-time password was sent")[-1]


def signed_in(stack: Stack, phone: str) -> ApiClient:
    """Returns a client that is signed in as the member with this telephone."""
    member = ApiClient(stack.gateway_url)
    code = requested_code(stack, phone, lambda: member.request_code(phone))
    member.post("personal/sessions", {"phone": phone, "code": code})
    return member


def _codes(stack: Stack, phone: str) -> list[str]:
    return [found[1] for text in messages_to(stack, phone) if (found := re.search(r"验证码(\d{6})", text))]
