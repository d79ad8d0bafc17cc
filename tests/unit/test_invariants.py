"""The invariant checker reads the broker as a service, since the bank's user may open few channels."""

from types import SimpleNamespace
from typing import Any

import pytest

from deploy.invariants import checker, messages
from deploy.invariants.system import System
from deploy.permissions import SERVICES


def test_the_broker_is_looked_at_as_a_service_since_the_banks_user_may_open_few_channels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decrypted: list[str] = []

    def open_connection(uri: str, _name: str) -> Any:
        decrypted.append(uri)
        raise ConnectionRefusedError

    monkeypatch.setattr(messages, "open_connection", open_connection)
    uris = {"bank": "amqp://bank@host/cards", **{service: f"amqp://{service}@host/cards" for service in SERVICES}}
    with pytest.raises(ConnectionRefusedError):
        messages.queue_depths(System({}, uris, {}))
    assert decrypted == [uris[SERVICES[0]]]


def test_who_verifies_the_audit_log_is_given_each_key_once(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[dict[str, str]] = []

    def run(*_: Any, env: dict[str, str], **__: Any) -> Any:
        given.append(env)
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(checker.subprocess, "run", run)
    monkeypatch.setenv("AUDIT_KEYS_FILE", "/run/secrets/AUDIT_KEYS")
    monkeypatch.setenv("SSL_CERT_FILE", "/run/ca/broker.crt")

    assert not list(
        checker.audit_log_is_intact(System({"membership": "postgresql:///membership"}, {}, {"AUDIT_KEYS": "k"}))
    )

    assert given[0]["AUDIT_KEYS"] == "k"
    assert "AUDIT_KEYS_FILE" not in given[0]
    assert given[0]["SSL_CERT_FILE"] == "/run/ca/broker.crt"
