"""The secrets of a system in containers: kept, fit for production, and shown to each program as far as it may know."""

import json
import stat
import sys
from pathlib import Path

import pytest
from cryptography import x509

from deploy import secret_files
from deploy.broker import User, password_variable
from deploy.permissions import OPTIONAL_PROGRAMS, PROGRAMS, SERVICES
from deploy.whole_broker import main as whole_broker_main
from deploy.whole_broker import whole_broker
from services.kit.key_sets import new_encryption_keys, public_part
from services.kit.rpc.request_encryption import public_keys
from services.kit.secret_values import Key, KeySet, Secret, weaknesses

_KEY_SETS = {"AUDIT_SIGNING_KEYS", "UNION_PRIVATE_KEYS", "ENROLMENT_PRIVATE_KEYS"}
_KEYS = {
    "PERSONAL_DATA_KEYS",
    "BLIND_INDEX_KEY",
    "AUDIT_KEYS",
    "SESSION_SECRET",
    "CALLER_SIGNING_KEYS",
    "BANK_HMAC_KEY",
    "INSURER_HMAC_KEY",
    *(f"REQUEST_PRIVATE_KEYS_{service.upper()}" for service in SERVICES),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    secret_files.make(tmp_path / "secrets", "cards.example")
    return tmp_path / "secrets"


def files_of(folder: Path, program: str) -> dict[str, str]:
    return {path.name: path.read_text() for path in (folder / program).iterdir()}


def test_only_the_owner_enters_the_folder_and_containers_read_their_own(folder: Path) -> None:
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "values.json").stat().st_mode) == 0o600
    for program in {*PROGRAMS, "nginx"} - {*OPTIONAL_PROGRAMS}:
        assert stat.S_IMODE((folder / program).stat().st_mode) == 0o755
        assert all(stat.S_IMODE(path.stat().st_mode) == 0o444 for path in (folder / program).iterdir())


def test_a_second_run_keeps_everything_and_makes_what_was_deleted_anew(folder: Path) -> None:
    before = {path: path.read_text() for path in folder.rglob("*") if path.is_file()}
    secret_files.make(folder, "cards.example")
    assert {path: path.read_text() for path in folder.rglob("*") if path.is_file()} == before
    values = secret_files.read_values(folder)
    del values["SESSION_SECRET"]
    (folder / "values.json").write_text(json.dumps(values))
    secret_files.make(folder, "cards.example")
    changed = {path.relative_to(folder).as_posix() for path, text in before.items() if path.read_text() != text}
    assert changed == {"values.json", "gateway/SESSION_SECRET"}


def test_each_value_is_fit_for_production(folder: Path) -> None:
    values = secret_files.read_values(folder)
    secrets: list[tuple[str, Secret]] = [
        *((name, Key(values[name])) for name in _KEYS),
        *((name, KeySet(values[name])) for name in _KEY_SETS),
        *((name, Secret(text)) for name, text in values.items() if "PASSWORD" in name),
    ]
    assert weaknesses(secrets) == []
    assert len(secrets) == len(_KEYS) + len(_KEY_SETS) + len(PROGRAMS) + 1 + 2 * len(SERVICES) + 1


def test_a_program_gets_what_it_may_know_and_nothing_else(folder: Path) -> None:
    for name, who in {
        "AUDIT_KEYS": {"membership", "operator"},
        "AUDIT_SIGNING_KEYS": {"membership"},
        "BANK_HMAC_KEY": {"batching", "bank"},
        "UNION_PRIVATE_KEYS": {"batching"},
        "SESSION_SECRET": {"gateway"},
        "CALLER_SIGNING_KEYS": {"gateway"},
        "DATABASE_ADMIN_URL": {"databases"},
        "AMQP_PASSWORD_ADMINISTRATOR": {"broker"},
    }.items():
        assert {path.parent.name for path in folder.glob(f"*/{name}")} == who, name
    for service in SERVICES:
        files = files_of(folder, service)
        assert f"//{service}:" in files["AMQP_URI"]
        assert f"//{service}:" in files["DATABASE_URL"]
        assert "_owner" not in files["DATABASE_URL"]


def test_each_service_has_a_key_of_its_own_for_requests_and_the_gateway_the_public_parts(folder: Path) -> None:
    assert {path.parent.name for path in folder.glob("*/REQUEST_PRIVATE_KEYS")} == set(SERVICES)
    keys = {service: files_of(folder, service)["REQUEST_PRIVATE_KEYS"].strip() for service in SERVICES}
    assert len(set(keys.values())) == len(SERVICES)
    public = ",".join(public_keys(service, keys[service]) for service in SERVICES)
    assert {path.parent.name: path.read_text().strip() for path in folder.glob("*/REQUEST_PUBLIC_KEYS")} == {
        "gateway": public
    }


def test_the_bank_s_public_keys_are_a_real_bank_s_or_the_simulator_s(folder: Path, tmp_path: Path) -> None:
    assert "BANK_PUBLIC_KEYS" not in files_of(folder, "batching")
    assert "BANK_PRIVATE_KEYS" not in files_of(folder, "bank")
    given = public_part(new_encryption_keys("bank"))
    secret_files.make(folder, "cards.example", {"BANK_PUBLIC_KEYS": given})
    secret_files.make(folder, "cards.example")
    assert files_of(folder, "batching")["BANK_PUBLIC_KEYS"] == f"{given}\n"
    secret_files.make(tmp_path / "demo", "localhost", demo=True)
    private = files_of(tmp_path / "demo", "bank")["BANK_PRIVATE_KEYS"]
    assert json.loads(files_of(tmp_path / "demo", "batching")["BANK_PUBLIC_KEYS"]) == json.loads(public_part(private))


def test_the_society_is_connected_by_all_its_keys_or_by_none(folder: Path, tmp_path: Path) -> None:
    def of_connection() -> set[str]:
        found = (path.relative_to(folder).as_posix() for path in folder.glob("*/*"))
        return {name for name in found if "INSURER" in name or "ENROLMENT" in name or name.startswith("insurer/")}

    assert of_connection() == set()
    assert not (folder / "insurer").exists()
    given = public_part(new_encryption_keys("insurer"))
    secret_files.make(folder, "cards.example", {"INSURER_PUBLIC_KEYS": given})
    secret_files.make(folder, "cards.example")
    keys = ("INSURER_HMAC_KEY", "INSURER_PUBLIC_KEYS", "ENROLMENT_PRIVATE_KEYS")
    connected = {f"membership/{name}" for name in keys} | {"broker/AMQP_PASSWORD_INSURER"}
    of_society = {f"insurer/{name}" for name in ("AMQP_URI", "INSURER_HMAC_KEY", "ENROLMENT_PUBLIC_KEYS")}
    assert of_connection() == connected | of_society
    assert files_of(folder, "membership")["INSURER_PUBLIC_KEYS"] == f"{given}\n"
    ours = files_of(folder, "membership")["ENROLMENT_PRIVATE_KEYS"]
    assert json.loads(files_of(folder, "insurer")["ENROLMENT_PUBLIC_KEYS"]) == json.loads(public_part(ours))

    values = secret_files.read_values(folder)
    del values["INSURER_PUBLIC_KEYS"]
    (folder / "values.json").write_text(json.dumps(values))
    secret_files.make(folder, "cards.example")
    assert of_connection() == of_society  # in a folder that no program mounts

    secret_files.make(tmp_path / "demo", "localhost", demo=True)
    private = files_of(tmp_path / "demo", "insurer")["INSURER_PRIVATE_KEYS"]
    public = files_of(tmp_path / "demo", "membership")["INSURER_PUBLIC_KEYS"]
    assert json.loads(public) == json.loads(public_part(private))


def test_values_of_a_release_before_the_society_get_what_is_missing(folder: Path) -> None:
    before = secret_files.read_values(folder)
    new = {name for name in before if "INSURER" in name or "ENROLMENT" in name}
    former = {name: value for name, value in before.items() if name not in new}
    (folder / "values.json").write_text(json.dumps(former))

    secret_files.make(folder, "cards.example")

    after = secret_files.read_values(folder)
    assert new == {"INSURER_HMAC_KEY", "ENROLMENT_PRIVATE_KEYS", "ENROLMENT_PUBLIC_KEYS", "AMQP_PASSWORD_INSURER"}
    assert after.keys() == before.keys()
    assert after.items() >= former.items()


@pytest.mark.parametrize("left_out", [(), OPTIONAL_PROGRAMS])
def test_a_broker_that_starts_has_a_user_for_each_password(
    folder: Path, monkeypatch: pytest.MonkeyPatch, left_out: tuple[str, ...]
) -> None:
    for program in (*PROGRAMS, secret_files.ADMINISTRATOR):
        monkeypatch.delenv(password_variable(program), raising=False)
        if program not in left_out:
            monkeypatch.setenv(password_variable(program), f"password of {program}")
    monkeypatch.setattr(sys, "argv", ["whole_broker", str(folder / "definitions.json")])

    whole_broker_main()

    users = {user["name"] for user in json.loads((folder / "definitions.json").read_text())["users"]}
    assert users == {*PROGRAMS, secret_files.ADMINISTRATOR} - {*left_out}


def test_a_given_certificate_is_kept_and_a_missing_one_is_made_for_the_host(folder: Path) -> None:
    made = x509.load_pem_x509_certificate((folder / "nginx" / "certificate.pem").read_bytes())
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["cards.example", "localhost"]
    (folder / "nginx" / "certificate.pem").unlink()
    (folder / "nginx" / "certificate.pem").write_text("given\n")
    secret_files.make(folder, "cards.example")
    assert (folder / "nginx" / "certificate.pem").read_text() == "given\n"


def test_definitions_for_an_empty_broker_have_no_password_in_clear() -> None:
    users = {user: User(user, f"password of {user}") for user in (*PROGRAMS, secret_files.ADMINISTRATOR)}
    document = whole_broker(users)
    assert "password of" not in json.dumps(document)
    assert {user["name"] for user in document["users"]} == users.keys()
    assert [user["name"] for user in document["users"] if user["tags"] == ["administrator"]] == ["administrator"]
    assert document["vhosts"] == [{"name": secret_files.VHOST}]
    assert {permission["vhost"] for permission in document["permissions"]} == {secret_files.VHOST}
