"""Holders of new accounts choose their first password, as they would by the link in the SMS that they get."""

import os
import re

import requests

from deploy.local.client import ApiClient, wait_until

_PROVIDER = "SMS_SIMULATOR_URL"
_LINK = re.compile(r"/reset#(\S+) ")


def learn_provider(url: str) -> None:
    """From now on the links are looked for at this simulated SMS provider."""
    os.environ[_PROVIDER] = url


def choose_first_password(client: ApiClient, phone: str, password: str, provider_url: str | None = None) -> None:
    """Waits for the link that this telephone is sent, and chooses the password by it."""
    token = wait_until(lambda: newest_token(phone, provider_url), "the link came by SMS")
    client.post("password-resets", {"token": token, "new_password": password})


def newest_token(phone: str, provider_url: str | None = None) -> str | None:
    """The token of the link that was sent to a telephone last; None where none was."""
    address = f"{provider_url or os.environ[_PROVIDER]}/messages"
    sent = requests.get(address, params={"phone": phone}, timeout=30).json()["items"]
    found = [_LINK.search(message["text"]) for message in sent]
    return next((match[1] for match in reversed(found) if match), None)
