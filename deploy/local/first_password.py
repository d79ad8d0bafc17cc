"""Sets the first passwords of new accounts by the links in their SMS, as the holders would."""

import os
import re

import requests

from deploy.local.client import ApiClient, wait_until

_PROVIDER = "SMS_SIMULATOR_URL"
_LINK = re.compile(r"/reset#(\S+) ")


def use_provider(url: str) -> None:
    """Sets the simulated SMS provider from which the links are read."""
    os.environ[_PROVIDER] = url


def choose_first_password(client: ApiClient, phone: str, password: str, provider_url: str | None = None) -> None:
    """Waits for the link to this telephone, and sets the password by it."""
    token = wait_until(lambda: newest_token(phone, provider_url), "the link came by SMS")
    client.post("password-resets", {"token": token, "new_password": password})


def newest_token(phone: str, provider_url: str | None = None) -> str | None:
    """Returns the token of the newest link to a telephone; None if there is none."""
    address = f"{provider_url or os.environ[_PROVIDER]}/messages"
    sent = requests.get(address, params={"phone": phone}, timeout=30).json()["items"]
    found = [_LINK.search(message["text"]) for message in sent]
    return next((match[1] for match in reversed(found) if match), None)
