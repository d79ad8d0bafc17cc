"""The invariant checker reads the broker as a service, since the bank's user may open few channels."""

from typing import Any

import pytest

from deploy.invariants import messages
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
