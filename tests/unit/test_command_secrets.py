"""Commands of deployment take secrets from files as well, since a pod has them there."""

import base64
import hashlib
import json
import sys
from pathlib import Path

import pytest

from deploy import broker
from deploy.invariants.system import System
from deploy.permissions import PROGRAMS, SERVICES
from services.kit.data import migrate
from services.kit.settings import SettingsError


def _file(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(f"{text}\n")
    return str(path)


def test_a_system_is_named_by_files_of_its_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    databases = {
        f"DATABASE_URL_{service.upper()}_FILE": _file(tmp_path, service, f"postgresql:///{service}")
        for service in SERVICES
    }
    brokers = {"AMQP_URI_BATCHING_FILE": _file(tmp_path, "broker", "amqp://batching:secret@broker/cards")}
    keys = {"AUDIT_KEYS_FILE": _file(tmp_path, "audit", "k1:abc"), "PERSONAL_DATA_KEYS_FILE": str(tmp_path / "none")}

    for name in ("AUDIT_KEYS", "PERSONAL_DATA_KEYS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {**databases, **brokers, **keys, "AMQP_URI": "amqp://others@broker/cards"}.items():
        monkeypatch.setenv(name, value)

    system = System.from_environment()

    assert system.database_urls["revocation"] == "postgresql:///revocation"
    assert system.amqp_uris["batching"] == "amqp://batching:secret@broker/cards"
    assert system.amqp_uris["membership"] == "amqp://others@broker/cards"
    assert system.keys["AUDIT_KEYS"] == "k1:abc"
    assert system.keys["PERSONAL_DATA_KEYS_FILE"] == keys["PERSONAL_DATA_KEYS_FILE"]


def test_passwords_of_broker_users_are_read_from_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BROKER_VHOST", "cards")
    for program in PROGRAMS:
        variable = f"{broker.password_variable(program)}_FILE"
        monkeypatch.setenv(variable, _file(tmp_path, program, f"password of {program}"))
    monkeypatch.setattr(sys, "argv", ["broker", "definitions"])

    assert broker.main() == 0

    for user in json.loads(capsys.readouterr().out)["users"]:
        stored = base64.b64decode(user["password_hash"])
        assert stored[4:] == hashlib.sha256(stored[:4] + f"password of {user['name']}".encode()).digest()


def test_a_database_is_migrated_at_the_address_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[tuple[str, str]] = []
    monkeypatch.setattr(migrate, "upgrade", lambda service, url: asked.append((service, url)))
    monkeypatch.setenv("DATABASE_URL_REVOCATION_FILE", _file(tmp_path, "address", "postgresql:///revocation"))
    monkeypatch.setattr(sys, "argv", ["migrate", "revocation"])

    assert migrate._main() == 0
    assert asked == [("revocation", "postgresql:///revocation")]

    monkeypatch.setenv("DATABASE_URL_REVOCATION_FILE", str(tmp_path / "nothing"))
    with pytest.raises(SettingsError, match="DATABASE_URL_REVOCATION_FILE cannot be read"):
        migrate._main()
