"""Imports the broker's users, permissions and policies over its management API: `python -m deploy.broker_import`.

It takes what `python -m deploy.broker definitions` takes, and the administrator's address BROKER_MANAGEMENT_URL; each
secret from the file that `<VARIABLE>_FILE` names as well. It may be repeated at any time.
"""

import sys
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import requests

from deploy.broker import User, definitions, password_variables
from services.kit.settings import run_program, values_of

_MANAGEMENT_URL = "BROKER_MANAGEMENT_URL"
_SECONDS = 60


def import_definitions(management_url: str, document: Mapping[str, Any]) -> None:
    """Imports definitions; raises requests.RequestException where the API is away or refuses."""
    address = urlsplit(management_url)
    account = (unquote(address.username or ""), unquote(address.password or ""))
    base = address._replace(netloc=address.netloc.rpartition("@")[2], path=address.path.rstrip("/")).geturl()
    url = f"{base}/api/definitions"
    requests.post(url, json=document, auth=account, timeout=_SECONDS, allow_redirects=False).raise_for_status()


def main() -> int:
    """Imports what the environment says; returns the exit status. Raises SettingsError."""
    variables = password_variables()
    values = values_of(_MANAGEMENT_URL, "BROKER_VHOST", *variables.values())
    users = {program: User(program, values[variable]) for program, variable in variables.items()}
    try:
        import_definitions(values[_MANAGEMENT_URL], definitions(values["BROKER_VHOST"], users))
    except requests.RequestException as error:  # its text quotes the address
        status = f" {error.response.status_code}" if error.response is not None else ""
        print(f"{_MANAGEMENT_URL} did not take the definitions: {type(error).__name__}{status}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    run_program(main)
