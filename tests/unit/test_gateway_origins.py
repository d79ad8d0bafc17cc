"""The client's address, with and without our own proxies."""

import pytest
from werkzeug.test import Client
from werkzeug.wrappers import Request, Response

from gateway.origins import behind_proxies

FORWARDED = {"X-Forwarded-For": "203.0.113.66, 198.51.100.9, 192.0.2.1"}


def origin(proxies: int, headers: dict[str, str]) -> str:
    """What the gateway takes for the address of who asks."""
    app = behind_proxies(Request.application(lambda request: Response(request.remote_addr)), proxies)
    return Client(app).get("/", headers=headers, environ_base={"REMOTE_ADDR": "10.0.0.5"}).text


@pytest.mark.parametrize(
    ("proxies", "headers", "expected"),
    [
        (0, {}, "10.0.0.5"),
        (0, FORWARDED, "10.0.0.5"),
        (1, FORWARDED, "192.0.2.1"),
        (2, FORWARDED, "198.51.100.9"),
        (1, {}, "10.0.0.5"),
    ],
)
def test_only_what_our_own_proxies_say_of_the_origin_counts(
    proxies: int, headers: dict[str, str], expected: str
) -> None:
    assert origin(proxies, headers) == expected
