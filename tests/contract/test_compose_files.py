"""What compose.yaml tells the programs is what they read, and the secrets that it names are made."""

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy import secret_files
from deploy.permissions import SERVICES
from services.kit.settings import declared, settings_of

_FOLDER = Path(__file__).parents[2] / "deploy" / "compose"
_SECRETS = "${CARDS_SECRETS:-../../.local/compose}/"
_PROGRAMS = (*SERVICES, "gateway")


def services(*names: str) -> dict[str, dict[str, Any]]:
    """The services of these files; where several describe one, its environment and volumes together."""
    merged: dict[str, dict[str, Any]] = {}
    for name in names:
        for service, described in yaml.safe_load((_FOLDER / name).read_text())["services"].items():
            former = merged.get(service, {})
            environment = {**former.get("environment", {}), **described.get("environment", {})}
            volumes = [*former.get("volumes", []), *described.get("volumes", [])]
            merged[service] = {**former, **described, "environment": environment, "volumes": volumes}
    return merged


def secret_folder(service: dict[str, Any]) -> str | None:
    """The folder of secrets that a service mounts."""
    mounts = (volume.removeprefix(_SECRETS).partition(":")[0] for volume in service["volumes"] if _SECRETS in volume)
    return next(mounts, None)


@pytest.mark.parametrize("program", _PROGRAMS)
def test_a_program_is_told_only_what_it_reads(program: str) -> None:
    for module in (*(f"services.{service}.service" for service in SERVICES), "gateway.service"):
        import_module(module)
    known = {setting.variable for kind in declared() for setting in settings_of(kind)}
    told = services("compose.yaml", "demo.yaml")[program]["environment"]
    assert {name.removesuffix("_FILE") for name in told} <= known


def test_each_secret_that_is_named_is_made_for_the_one_who_mounts_it(tmp_path: Path) -> None:
    secret_files.make(tmp_path / "secrets", "localhost", demo=True)
    checked = 0
    for name, service in services("compose.yaml", "insurer.yaml", "demo.yaml").items():
        files = [str(value) for value in service["environment"].values() if str(value).startswith("/run/secrets/")]
        folder = secret_folder(service)
        assert folder or not files, name
        for file in files:
            assert (tmp_path / "secrets" / str(folder) / Path(file).name).is_file(), f"{name}: {file}"
            checked += 1
    assert checked > 50


def test_a_system_without_the_society_names_no_secret_that_is_not_made(tmp_path: Path) -> None:
    secret_files.make(tmp_path / "secrets", "localhost")
    of_bank = {"BANK_PUBLIC_KEYS"}  # without them it does not start
    for name, service in services("compose.yaml").items():
        folder = tmp_path / "secrets" / str(secret_folder(service))
        files = [str(value) for value in service["environment"].values() if str(value).startswith("/run/secrets/")]
        assert {Path(file).name for file in files if not (folder / Path(file).name).exists()} <= of_bank, name


def test_the_society_is_connected_alike_in_the_demo_and_for_work() -> None:
    connected, demo = services("insurer.yaml"), services("demo.yaml")
    for name, service in connected.items():
        assert service["environment"].items() <= demo[name]["environment"].items()


def test_a_secret_is_told_by_files_alone() -> None:
    for name, service in services("compose.yaml", "demo.yaml").items():
        for variable, value in service["environment"].items():
            if any(word in variable for word in ("PASSWORD", "SECRET", "KEY", "AMQP_URI", "DATABASE")):
                assert variable.endswith("_FILE"), f"{name}: {variable}={value}"


def test_production_has_no_simulators_and_the_demo_all() -> None:
    simulators = {"bank", "insurer", "registry", "sms", "seed"}
    assert not simulators & (services("compose.yaml", "insurer.yaml").keys())
    assert simulators <= services("compose.yaml", "demo.yaml").keys()
    for name, service in services("compose.yaml", "demo.yaml").items():
        environment = service["environment"]
        assert environment.get("ENVIRONMENT", "demo") == "demo", name
