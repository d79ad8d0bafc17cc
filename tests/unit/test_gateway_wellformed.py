"""Ambiguous requests, which two programs could read differently, are refused."""

from email import message_from_string
from email.message import Message

import pytest

from gateway.wellformed import LONGEST_TARGET, protocol_error


def status_of(
    method: str = "GET",
    target: str = "/api/v1/members",
    version: str = "HTTP/1.1",
    headers: str = "Host: cards.example",
) -> int | None:
    flaw = protocol_error(method, target, version, parsed(headers))
    return flaw.status if flaw else None


def parsed(headers: str) -> Message:
    return message_from_string(headers + "\n\n")


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
def test_a_method_is_the_routes_affair(method: str) -> None:
    assert status_of(method) is None


@pytest.mark.parametrize("method", ["get", "GET/", "G" * 21, "", "GÉT"])
def test_what_is_no_method_is_refused(method: str) -> None:
    assert status_of(method) == 400


@pytest.mark.parametrize(
    "target",
    ["/", "/api/v1/members?name=%E7%8E%8B&q=//../%2f", "/api/v1/members/", "/a.b/..c/...", "/%E7%8E%8B", "/?a\\b"],
)
def test_an_ordinary_path_is_accepted(target: str) -> None:
    assert status_of(target=target) is None


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example/",
        "/api//v1",
        "/api/./v1",
        "/api/../v1",
        "/api/..",
        "/api/%2e%2e/v1",
        "/api/.%2E",
        "/api%2fv1",
        "/api%2Fv1",
        "/api\\v1",
        "/api%5cv1",
        "/api%00",
        "/api%0d%0aX:1",
        "/%ff",
        "/\x7f",
        "/é",
        "http://cards.example/",
        "cards.example:443",
        "*",
        "",
    ],
)
def test_a_path_that_can_be_read_in_two_ways_is_refused(target: str) -> None:
    assert status_of(target=target) == 400


def test_an_address_without_end_is_refused() -> None:
    assert status_of(target="/?" + "a" * (LONGEST_TARGET - 2)) is None
    assert status_of(target="/?" + "a" * (LONGEST_TARGET - 1)) == 414


@pytest.mark.parametrize("version", ["HTTP/0.9", "HTTP/2.0", "HTTP/1.2"])
def test_versions_that_we_do_not_speak_are_refused(version: str) -> None:
    assert status_of(version=version) == 400


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ("Content-Length: 0", None),
        ("Content-Length: 1048576", None),
        ("Content-Length: 9\nContent-Type: multipart/form-data; boundary=x", None),
        ("Content-Length: 5\nContent-Length: 5", 400),
        ("Content-Length: 5\nContent-Length: 6", 400),
        ("Content-Length: 5, 5", 400),
        ("Content-Length: +5", 400),
        ("Content-Length: -5", 400),
        ("Content-Length: 0x5", 400),
        ("Content-Length: 1_0", 400),
        ("Content-Length: ５", 400),
        ("Content-Length:", 400),
        ("Content-Length: 9999999999999999", 400),
        ("Transfer-Encoding: chunked", 411),
        ("Transfer-Encoding: xchunked", 411),
        ("Transfer-Encoding:", 411),
        ("Content-Length: 5\nTransfer-Encoding: chunked", 400),
        ("Content-Length: 5\ntransfer-encoding: identity", 400),
    ],
)
def test_where_a_body_ends_is_said_once_and_plainly(headers: str, status: int | None) -> None:
    assert status_of("POST", headers=f"Host: cards.example\n{headers}") == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ("Host: cards.example:8443", None),
        ("Host: 127.0.0.1:80", None),
        ("Host: [::1]:80", None),
        ("Accept: */*", 400),
        ("Host: a.example\nHost: b.example", 400),
        ("Host: a.example/x", 400),
        ("Host: a@b.example", 400),
        ("Host: a.example:port", 400),
        ("Host:", 400),
    ],
)
def test_a_host_is_named_once_and_is_one(headers: str, status: int | None) -> None:
    assert status_of(headers=headers) == status


@pytest.mark.parametrize(
    "headers",
    [
        "Content-Length : 5",
        "X-A: 1\n folded",
        "no colon",
        "X A: 1",
        "X-A: a\x00b",
        "X-A: a\x0bb",
    ],
)
def test_headers_that_proxies_disagree_on_are_refused(headers: str) -> None:
    assert status_of(headers=f"Host: cards.example\n{headers}") == 400
