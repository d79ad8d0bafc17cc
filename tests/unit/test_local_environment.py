"""The environment of the local stack's processes: ports, secrets, settings."""

import json
import os
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from deploy.local import addresses
from deploy.local.addresses import find_addresses, private_nodes
from deploy.local.environment import (
    SERVICES,
    Addresses,
    RuntimeContext,
    ScaleError,
    forget_passwords,
    keep_ports,
    keep_secrets,
    planned_processes,
    process_names,
    read_keys,
    read_scale,
    read_state,
    source_files,
    write_state,
)
from deploy.local.processes import Process
from deploy.local.rabbitmq import RabbitMQ
from deploy.local.stack import StackError, find
from deploy.local.supervisor import restart_backoff
from deploy.permissions import OPTIONAL_PROGRAMS, PROGRAMS
from services.kit.rpc.request_encryption import public_keys
from services.kit.secret_values import Key, KeySet, Secret, weaknesses


@pytest.fixture
def processes(tmp_path: Path) -> dict[str, Process]:
    """The planned processes of two validations and one of each other, by name."""
    scale = read_scale("validation=2")
    surroundings = RuntimeContext(
        addresses=Addresses(
            {program: f"amqp://{program}@broker/cards" for program in PROGRAMS},
            {service: f"postgresql://{service}" for service in SERVICES},
        ),
        ports=keep_ports(tmp_path, process_names(scale), chosen_anew=True, gateway_port=None),
        secrets=keep_secrets(tmp_path),
        settings={"RETRY_DELAYS": "0.1,0.2"},
        version="1",
    )
    return {process.name: process for process in planned_processes(scale, surroundings)}


def test_each_service_has_one_process_unless_scale_says_other() -> None:
    one_each = {**dict.fromkeys(SERVICES, 1), "bank": 1}
    assert read_scale("") == one_each
    assert read_scale("validation=3 batching=2") == {**one_each, "validation": 3, "batching": 2}


def test_somebody_else_can_be_the_bank() -> None:
    names = process_names(read_scale("", with_bank=False))
    assert set(process_names(read_scale(""))) - set(names) == {"bank-1"}


def test_a_broker_that_is_given_without_a_user_of_the_society_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AMQP_URI", raising=False)
    for service in SERVICES:
        monkeypatch.setenv(f"DATABASE_URL_{service.upper()}", "postgresql://server")
    for program in {*PROGRAMS} - {*OPTIONAL_PROGRAMS}:
        monkeypatch.setenv(f"AMQP_URI_{program.upper()}", f"amqp://{program}@broker/cards")
    assert private_nodes() == ()

    monkeypatch.delenv("AMQP_URI_BANK")
    assert private_nodes() == ("rabbitmq",)


@pytest.mark.parametrize("text", ["gateway=2", "validation", "validation=many", "validation=-1", "validation=99"])
def test_an_invalid_scale_is_refused_with_the_reason(text: str) -> None:
    with pytest.raises(ScaleError, match=text):
        read_scale(text)


def test_every_process_of_a_service_has_its_own_health_port_and_the_same_database(
    processes: dict[str, Process],
) -> None:
    first, second = processes["validation-1"].environment, processes["validation-2"].environment

    assert first["HEALTH_PORT"] != second["HEALTH_PORT"]
    assert first["DATABASE_URL"] == second["DATABASE_URL"] == "postgresql://validation"


def test_each_process_gets_only_the_secrets_that_it_needs(processes: dict[str, Process]) -> None:
    def holders(secret: str) -> set[str]:
        return {process.program for process in processes.values() if secret in process.environment}

    assert holders("SESSION_SECRET") == {"gateway"}
    assert holders("PERSONAL_DATA_KEYS_FILE") == set(SERVICES)
    assert holders("BANK_HMAC_KEY") == {"batching", "bank"}
    assert holders("BANK_PRIVATE_KEYS") == holders("UNION_PUBLIC_KEYS") == {"bank"}
    assert holders("UNION_PRIVATE_KEYS") == holders("BANK_PUBLIC_KEYS") == {"batching"}
    assert holders("INSURER_HMAC_KEY") == {"membership", "insurer"}
    assert holders("INSURER_PRIVATE_KEYS") == holders("ENROLMENT_PUBLIC_KEYS") == {"insurer"}
    assert holders("ENROLMENT_PRIVATE_KEYS") == holders("INSURER_PUBLIC_KEYS") == {"membership"}
    assert holders("AUDIT_KEYS") == holders("AUDIT_SIGNING_KEYS") == {"membership"}
    assert holders("AUDIT_PUBLIC_KEYS") == set(SERVICES)
    assert holders("CALLER_SIGNING_KEYS") == {"gateway"}
    assert holders("CALLER_PUBLIC_KEYS") == set(SERVICES)
    assert holders("REQUEST_PUBLIC_KEYS") == {"gateway"}
    assert holders("REQUEST_PRIVATE_KEYS") == set(SERVICES)
    assert holders("DATABASE_URL") == set(SERVICES)
    assert holders("AMQP_URI") == set(PROGRAMS)


def test_each_service_has_a_key_of_its_own_for_requests_and_the_gateway_the_public_parts(
    processes: dict[str, Process],
) -> None:
    keys = {service: processes[f"{service}-1"].environment["REQUEST_PRIVATE_KEYS"] for service in SERVICES}
    public = processes["gateway-1"].environment["REQUEST_PUBLIC_KEYS"]

    assert len(set(keys.values())) == len(SERVICES)
    assert public == ",".join(public_keys(service, keys[service]) for service in SERVICES)


def test_each_program_has_a_user_of_its_own_on_the_broker(processes: dict[str, Process]) -> None:
    assert processes["batching-1"].environment["AMQP_URI"] == "amqp://batching@broker/cards"
    assert processes["bank-1"].environment["AMQP_URI"] == "amqp://bank@broker/cards"


def test_further_settings_reach_every_process(processes: dict[str, Process]) -> None:
    assert {process.environment["RETRY_DELAYS"] for process in processes.values()} == {"0.1,0.2"}


def test_a_secret_that_a_newer_version_needs_is_added_to_those_kept(tmp_path: Path) -> None:
    first = keep_secrets(tmp_path)
    of_society = {name for name in first if "INSURER" in name or "ENROLMENT" in name}
    assert len(of_society) == 6
    older = {name: value for name, value in first.items() if name not in {"AUDIT_KEYS", *of_society}}
    (tmp_path / "secrets.env").write_text("".join(f"{name}={value}\n" for name, value in older.items()))

    again = keep_secrets(tmp_path)

    assert again.items() >= older.items()
    assert keep_secrets(tmp_path) == again
    assert again.keys() == first.keys()


@pytest.mark.parametrize("missing", [("PUBLISHERS_ARE_PROVED",), ("PUBLISHERS_ARE_PROVED", "CALLER_SIGNING_KEYS")])
def test_a_stack_of_the_release_before_takes_for_an_hour_what_that_one_has_left(
    tmp_path: Path, missing: tuple[str, ...]
) -> None:
    older = {name: value for name, value in keep_secrets(tmp_path).items() if name not in missing}
    assert "FORMER_RELEASE_UNTIL" not in older
    (tmp_path / "secrets.env").write_text("".join(f"{name}={value}\n" for name, value in older.items()))

    first = keep_secrets(tmp_path)

    assert datetime.fromisoformat(first["FORMER_RELEASE_UNTIL"]) > datetime.now(UTC)
    assert keep_secrets(tmp_path) == first


def test_a_stack_without_keys_for_requests_takes_clear_ones_for_an_hour(tmp_path: Path) -> None:
    older = {name: value for name, value in keep_secrets(tmp_path).items() if "REQUEST_" not in name}
    assert "CLEAR_REQUESTS_UNTIL" not in older
    (tmp_path / "secrets.env").write_text("".join(f"{name}={value}\n" for name, value in older.items()))

    first = keep_secrets(tmp_path)

    assert datetime.fromisoformat(first["CLEAR_REQUESTS_UNTIL"]) > datetime.now(UTC)
    assert "FORMER_RELEASE_UNTIL" not in first
    assert keep_secrets(tmp_path) == first


def test_the_release_before_may_work_on_the_broker_until_its_processes_are_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(addresses.nodes, "start_rabbitmq", lambda _folder: RabbitMQ(tmp_path, 1, "secret"))
    monkeypatch.setattr(RabbitMQ, "create_vhost", lambda *_: None)
    monkeypatch.setattr(RabbitMQ, "import_definitions", lambda *_: None)
    monkeypatch.setattr(addresses, "declare_all", lambda _uri, beside_former: asked.append(beside_former))
    kept = {name: value for name, value in keep_secrets(tmp_path).items() if name != "PUBLISHERS_ARE_PROVED"}
    (tmp_path / "secrets.env").write_text("".join(f"{name}={value}\n" for name, value in kept.items()))
    upgrading = keep_secrets(tmp_path)

    addresses._broker(tmp_path, kept)
    addresses._broker(tmp_path, upgrading)
    addresses.end_upgrade(tmp_path, upgrading)

    assert asked == [False, True, False]


def test_ports_stay_the_same_from_start_to_start(tmp_path: Path) -> None:
    first = keep_ports(tmp_path, ["batching-1"], chosen_anew=True, gateway_port=None)

    again = keep_ports(tmp_path, ["batching-1", "batching-2"], chosen_anew=True, gateway_port=None)

    assert again.items() >= first.items()
    assert len(set(again.values())) == len(again)


def test_a_port_that_another_program_has_taken_is_replaced_when_nothing_of_ours_runs(tmp_path: Path) -> None:
    first = keep_ports(tmp_path, ["batching-1"], chosen_anew=True, gateway_port=None)
    with socket.create_server(("127.0.0.1", first["batching-1"])):
        while_we_run = keep_ports(tmp_path, ["batching-1"], chosen_anew=False, gateway_port=None)
        while_we_do_not = keep_ports(tmp_path, ["batching-1"], chosen_anew=True, gateway_port=None)

    assert while_we_run["batching-1"] == first["batching-1"]
    assert while_we_do_not["batching-1"] != first["batching-1"]


def test_choosing_ports_keeps_what_else_is_remembered(tmp_path: Path) -> None:
    write_state(tmp_path, {"prepared": "abc"})

    keep_ports(tmp_path, ["batching-1"], chosen_anew=True, gateway_port=None)

    assert read_state(tmp_path)["prepared"] == "abc"
    assert json.loads((tmp_path / "state.json").read_text())["ports"]["batching-1"]


def test_secrets_are_made_once_and_hidden_from_others(tmp_path: Path) -> None:
    assert keep_secrets(tmp_path) == keep_secrets(tmp_path)
    assert (tmp_path / "secrets.env").stat().st_mode & 0o077 == 0
    assert (tmp_path / "personal_data_keys").stat().st_mode & 0o077 == 0
    assert len(set(keep_secrets(tmp_path).values())) == len(keep_secrets(tmp_path))


def test_rotating_makes_new_passwords_and_keeps_the_keys(tmp_path: Path) -> None:
    before = keep_secrets(tmp_path)
    forget_passwords(tmp_path)
    after = keep_secrets(tmp_path)

    assert before.keys() == after.keys()
    kept = {name for name in before if before[name] == after[name]}
    assert kept == {name for name in before if "_PASSWORD_" not in name}


def test_production_refuses_each_secret_of_the_demo(tmp_path: Path) -> None:
    kept = keep_secrets(tmp_path)
    assert kept.pop("CALLER_PUBLIC_KEYS").startswith("demo")  # no secret: told by its id
    assert all(".demo" in key for key in kept.pop("REQUEST_PUBLIC_KEYS").split(","))
    keys = {"PERSONAL_DATA_KEYS": Path(kept.pop("PERSONAL_DATA_KEYS_FILE")).read_text()}
    del kept["AUDIT_HEAD_FILE"], kept["AUDIT_ARCHIVE_FOLDER"], kept["PUBLISHERS_ARE_PROVED"]
    for name, secret in (kept | keys).items():
        kind = Secret if "_PASSWORD_" in name else KeySet if secret.startswith("{") else Key
        assert weaknesses([(name, kind(secret))]) == [f"{name} is a secret of the demo"]


def test_keys_of_personal_data_that_an_older_stack_kept_among_its_secrets_stay_in_use(tmp_path: Path) -> None:
    keep_secrets(tmp_path)
    (tmp_path / "personal_data_keys").unlink()
    with (tmp_path / "secrets.env").open("a") as file:
        file.write("PERSONAL_DATA_KEYS=k2:new,k1:old\n")
    assert "PERSONAL_DATA_KEYS" not in keep_secrets(tmp_path)
    assert read_keys(tmp_path) == ["k2:new", "k1:old"]


def test_given_addresses_replace_the_private_nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {service: f"postgresql://server/{service}" for service in SERVICES}
    monkeypatch.setenv("AMQP_URI", "amqp://broker/cards")
    for service, url in given.items():
        monkeypatch.setenv(f"DATABASE_URL_{service.upper()}", url)

    assert private_nodes() == ()
    assert find_addresses(tmp_path, {}) == Addresses(dict.fromkeys(PROGRAMS, "amqp://broker/cards"), given)
    assert list(tmp_path.iterdir()) == []


def test_one_address_that_is_not_given_needs_its_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AMQP_URI", raising=False)
    for service in SERVICES:
        monkeypatch.setenv(f"DATABASE_URL_{service.upper()}", "postgresql://server")
    assert private_nodes() == ("rabbitmq",)

    monkeypatch.delenv("DATABASE_URL_BATCHING")
    assert private_nodes() == ("postgres", "rabbitmq")


def test_a_system_that_does_not_run_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="make run"):
        find(tmp_path)


def test_pauses_before_a_restart_grow_to_half_a_minute() -> None:
    pauses = [restart_backoff(deaths) for deaths in range(12)]

    assert pauses[:4] == [0.5, 1, 2, 4]
    assert pauses == sorted(pauses)
    assert pauses[-1] == 30


def test_the_sources_are_read_while_pages_are_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("service.py", "api/routes.py", "web/dist.new/index.html", "__pycache__/service.pyc"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    scandir = os.scandir

    def without_pages(path: Any = ".") -> Any:
        """As if a folder of the pages vanished when it is looked into."""
        if "web" in Path(path).parts:
            raise FileNotFoundError(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", without_pages)
    assert [path.relative_to(tmp_path).as_posix() for path in source_files(tmp_path)] == ["api/routes.py", "service.py"]
