"""Unreadable HTTP requests: the refusal, and its log record."""

import io
import socket
from collections.abc import Iterator

import pytest
import structlog

from gateway.protocol import StrictProtocol
from services.kit.settings import read_settings


@pytest.fixture
def protocol(monkeypatch: pytest.MonkeyPatch) -> Iterator[StrictProtocol]:
    """A connection whose client has gone."""
    monkeypatch.setenv("ENVIRONMENT", "test")
    monkeypatch.setenv("SESSION_SECRET", "secret of the tests")
    read_settings.cache_clear()
    ours, theirs = socket.socketpair()
    theirs.close()
    made = object.__new__(StrictProtocol)
    made.connection, made.wfile, made.client_address = ours, io.BytesIO(), ("192.0.2.7", 50_000)
    yield made
    ours.close()
    read_settings.cache_clear()


def test_a_refusal_keeps_browsers_to_https_and_is_logged_with_the_address(protocol: StrictProtocol) -> None:
    with structlog.testing.capture_logs() as lines:
        protocol.send_error(400)

    assert b"Strict-Transport-Security: max-age=31536000; includeSubDomains\r\n" in protocol.wfile.getvalue()
    assert [(line["event"], line["problem"], line["peer"]) for line in lines] == [
        ("request_refused", "bad_request", "192.0.2.7")
    ]
