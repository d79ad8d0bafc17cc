"""The broker's definitions are imported over its management API."""

from typing import Any

import pytest

from deploy import broker_import
from deploy.broker import password_variable
from deploy.permissions import PROGRAMS
from services.kit.settings import SettingsError


def test_a_broker_that_is_away_is_an_error_that_does_not_quote_its_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BROKER_VHOST", "cards")
    monkeypatch.setenv("BROKER_MANAGEMENT_URL", "http://admin:very-secret@127.0.0.1:1")
    for program in PROGRAMS:
        monkeypatch.setenv(password_variable(program), "password")

    assert broker_import.main() == 1

    said = capsys.readouterr().err
    assert "BROKER_MANAGEMENT_URL did not take the definitions: ConnectionError" in said
    assert "very-secret" not in said


def test_an_installation_without_the_society_has_no_user_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKER_VHOST", "cards")
    monkeypatch.setenv("BROKER_MANAGEMENT_URL", "http://administrator:secret@broker")
    for program in PROGRAMS:
        monkeypatch.setenv(password_variable(program), "password")
    imported: list[set[str]] = []

    def note(_url: str, document: dict[str, Any]) -> None:
        imported.append({user["name"] for user in document["users"]})
        assert {one["user"] for one in document["topic_permissions"]} <= imported[-1]

    monkeypatch.setattr(broker_import, "import_definitions", note)
    assert broker_import.main() == 0
    monkeypatch.delenv("AMQP_PASSWORD_INSURER")
    assert broker_import.main() == 0

    assert imported == [set(PROGRAMS), {*PROGRAMS} - {"insurer"}]


def test_all_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AMQP_PASSWORD_BANK", raising=False)

    monkeypatch.delenv("BROKER_MANAGEMENT_URL", raising=False)

    monkeypatch.delenv("AMQP_PASSWORD_INSURER", raising=False)
    with pytest.raises(SettingsError, match=r"BROKER_MANAGEMENT_URL is not set; .*PASSWORD_BANK is not set") as missing:
        broker_import.main()
    assert "INSURER" not in str(missing.value)
