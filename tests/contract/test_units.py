"""What the units of systemd tell the programs is what they read, and each sees the secrets of one folder, its own."""

import re
from configparser import RawConfigParser
from importlib import import_module, util
from pathlib import Path

import pytest

from deploy import secret_files
from deploy.permissions import SERVICES
from services.kit.settings import declared, settings_of

_UNITS = Path(__file__).parents[2] / "deploy" / "systemd" / "units"
_PROGRAMS = (*SERVICES, "gateway")
_OF_PYTHON_AND_SYSTEM = {
    "CARDS_SECRETS",
    "EVENTLET_NO_GREENDNS",
    "HOME",
    "LANG",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONUNBUFFERED",
    "RES_OPTIONS",
}


def lines(unit: str, key: str) -> list[str]:
    """The values of a key in a unit, each of its lines."""
    return re.findall(rf"^{key}=(.*)$", (_UNITS / unit).read_text(), re.MULTILINE)


def told(unit: str) -> set[str]:
    """The names of the variables that a unit sets."""
    return {name for line in lines(unit, "Environment") for name in re.findall(r'(?:^| )"?(\w+)=', line)}


def known() -> set[str]:
    for module in (*(f"services.{service}.service" for service in SERVICES), "gateway.service"):
        import_module(module)
    return {setting.variable for kind in declared() for setting in settings_of(kind)}


@pytest.mark.parametrize("program", _PROGRAMS)
def test_a_unit_tells_a_program_only_what_it_reads(program: str) -> None:
    assert told(f"cards-{program}@.service") <= known()
    assert told("cards-.service.d/10-program.conf") - _OF_PYTHON_AND_SYSTEM <= known()


def test_the_settings_that_are_proposed_are_read() -> None:
    proposed = re.findall(r"^(\w+)=", (_UNITS.parent / "cards.env").read_text(), re.MULTILINE)
    assert set(proposed) <= known()


@pytest.mark.parametrize("path", sorted(_UNITS.glob("cards-*.service")), ids=lambda path: path.name)
def test_a_unit_sees_the_secrets_of_one_folder_that_are_made(path: Path, tmp_path: Path) -> None:
    secret_files.make(tmp_path / "secrets", "localhost")
    (bound,) = lines(path.name, "BindReadOnlyPaths")
    folder = bound.removeprefix("/etc/cards/secrets/").removesuffix(":/run/secrets")
    assert any((tmp_path / "secrets" / folder).iterdir())
    (command,) = lines(path.name, "ExecStart")
    script, named, *rest = command.split()
    assert script == "/opt/cards/deploy/systemd/cards.sh"
    assert named == folder
    if rest[0] == "python":
        assert util.find_spec(rest[2])
    else:
        assert path.name == f"cards-{rest[1]}@.service"
        assert folder == rest[1]


def test_no_two_processes_of_one_machine_have_one_port() -> None:
    ports = [
        value.replace("%i", str(number))
        for program in _PROGRAMS
        for line in lines(f"cards-{program}@.service", "Environment")
        for value in re.findall(r"PORT=(\d+%i)", line)
        for number in range(1, 10)
    ]
    assert len(set(ports)) == len(ports) == 9 * (len(_PROGRAMS) + 1)


def test_units_are_well_formed_and_say_what_they_are_for() -> None:
    paths = [path for path in _UNITS.rglob("*") if path.is_file()]
    assert len(paths) >= len(_PROGRAMS) + 6
    for path in paths:
        parser = RawConfigParser(strict=False, interpolation=None)
        parser.read(path)
        assert set(parser.sections()) <= {"Unit", "Service", "Timer", "Install"}, path.name
        assert path.read_text().startswith("# "), path.name


def test_a_secret_is_made_for_a_broker_and_databases_elsewhere(tmp_path: Path) -> None:
    nodes = secret_files.Nodes("127.0.0.1:5672", "127.0.0.1:5432")
    secret_files.make(tmp_path, "cards.example", nodes=nodes)
    assert "@127.0.0.1:5672/" in (tmp_path / "batching" / "AMQP_URI").read_text()
    for folder, name in (
        ("batching", "DATABASE_URL"),
        ("databases", "DATABASE_ADMIN_URL"),
        ("migrations", "DATABASE_URL_BATCHING"),
    ):
        assert "@127.0.0.1:5432/" in (tmp_path / folder / name).read_text()
