"""A bare machine is checked before it is changed, and left as it was but for what was installed."""

import os
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from deploy.local import bootstrap


@pytest.fixture
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is installed, nothing is given by address."""
    for name in ("AMQP_URI", "REGISTER_FONTS", *(f"DATABASE_URL_{name.upper()}" for name in bootstrap.SERVICES)):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "exists", lambda _: False)
    monkeypatch.setattr(bootstrap, "_has_postgres", lambda: False)
    monkeypatch.setattr(bootstrap, "VENV", tmp_path / "venv")


@pytest.fixture
def not_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)


@pytest.mark.usefixtures("bare_machine")
def test_a_bare_machine_lacks_the_broker_the_database_and_the_fonts() -> None:
    needed = {"rabbitmq-server", "postgresql", "fonts-wqy-zenhei", "fonts-hanazono"}

    assert needed <= set(bootstrap.missing_packages("run"))


@pytest.mark.usefixtures("bare_machine")
def test_what_is_given_by_address_need_not_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMQP_URI", "amqp://broker")
    monkeypatch.setenv("REGISTER_FONTS", "/fonts/a.ttf")
    for service in bootstrap.SERVICES:
        monkeypatch.setenv(f"DATABASE_URL_{service.upper()}", "postgresql://server/cards")

    assert set(bootstrap.missing_packages("run")) <= {"python3-venv"}
    assert {"rabbitmq-server", "postgresql"} <= set(bootstrap.missing_packages("test"))


@pytest.mark.usefixtures("bare_machine")
def test_one_database_that_is_not_given_needs_postgresql(monkeypatch: pytest.MonkeyPatch) -> None:
    for service in bootstrap.SERVICES[1:]:
        monkeypatch.setenv(f"DATABASE_URL_{service.upper()}", "postgresql://server/cards")

    assert "postgresql" in bootstrap.missing_packages("run")


@pytest.mark.usefixtures("bare_machine", "not_root")
def test_who_is_not_root_is_told_what_to_install_or_to_set_and_nothing_is_changed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["bootstrap.py", "run"])
    monkeypatch.setattr(subprocess, "run", pytest.fail)

    assert bootstrap.main() == 1

    message = capsys.readouterr().err
    for word in ("apt-get install", "rabbitmq-server", "postgresql", "AMQP_URI", "DATABASE_URL_<SERVICE>", "BATCHING"):
        assert word in message


@pytest.mark.parametrize("before", [None, b"#!/bin/sh\nexit 0\n"])
def test_the_ban_on_starting_services_leaves_nothing_behind(
    before: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = tmp_path / "policy-rc.d"
    monkeypatch.setattr(bootstrap, "_POLICY", policy)
    if before is not None:
        policy.write_bytes(before)
        policy.chmod(0o700)

    with suppress(RuntimeError), bootstrap._no_services_started():
        assert subprocess.run([policy], check=False).returncode == 101
        raise RuntimeError("no network")

    assert (policy.read_bytes() if policy.exists() else None) == before
    assert before is None or policy.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("version", "can_build"),
    [
        ("v20.18.3", False),
        ("v20.19.0", True),
        ("v21.7.3", False),
        ("v22.11.0", False),
        ("v22.12.0", True),
        ("v24.1.0", True),
    ],
)
def test_a_node_builds_the_pages_from_the_versions_on_that_the_build_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, can_build: bool
) -> None:
    for name in ("node", "npm"):
        (tmp_path / name).write_text(f"#!/bin/sh\necho {version}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")

    assert bootstrap.machine_has_node() is can_build


def test_a_machine_without_npm_has_no_node_for_the_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert not bootstrap.machine_has_node()
