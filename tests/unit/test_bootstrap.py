"""A bare machine is checked before anything is installed on it, and nothing else is changed."""

import ast
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from deploy.local import bootstrap

VERSION = "{}.{}".format(*sys.version_info[:2])


@pytest.fixture
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is installed, nothing is given by address."""
    for name in ("AMQP_URI", "REGISTER_FONTS", *(f"DATABASE_URL_{name.upper()}" for name in bootstrap.SERVICES)):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "exists", lambda _: False)
    monkeypatch.setattr(bootstrap, "_has_postgres", lambda: False)
    monkeypatch.setattr(bootstrap, "_has_libatomic", lambda: False)
    monkeypatch.setattr(bootstrap, "VENV", tmp_path / "venv")


@pytest.fixture
def not_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)


@pytest.mark.usefixtures("bare_machine")
def test_a_bare_machine_lacks_the_broker_the_database_and_the_fonts() -> None:
    needed = {"rabbitmq-server", "postgresql", "fonts-wqy-zenhei", "fonts-hanazono"}

    assert needed <= set(bootstrap.missing_packages("run"))


@pytest.mark.usefixtures("bare_machine")
def test_tests_need_a_browser_and_what_drives_it_besides() -> None:
    more = {"chromium-headless-shell", "libatomic1", "tesseract-ocr"}

    assert more <= set(bootstrap.missing_packages("test"))
    assert not more & set(bootstrap.missing_packages("run"))


@pytest.mark.usefixtures("bare_machine")
def test_only_the_past_of_a_city_needs_a_library_for_another_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "_has_libfaketime", lambda: False)

    assert set(bootstrap.missing_packages("city")) == {*bootstrap.missing_packages("run"), "libfaketime"}
    assert "libfaketime" not in bootstrap.missing_packages("test")


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
        ("v22.12.0", False),
        ("v22.13.0", True),
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


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, first on the PATH."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def write_program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def message_of(version: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> str:
    """The message for a Python of this version; nothing may be changed."""
    monkeypatch.setattr("sys.argv", ["bootstrap.py", "test"])
    monkeypatch.setattr(sys, "version_info", version)
    monkeypatch.setattr(sys, "version", "{}.{}.{} (main)".format(*version))
    monkeypatch.setattr(bootstrap, "install_packages", pytest.fail)
    monkeypatch.setattr(bootstrap, "_install_python_packages", pytest.fail)
    assert bootstrap.main() == 1
    return capsys.readouterr().err


@pytest.mark.parametrize("version", [(3, 11, 2), (3, 12, 1), (3, 13, 5)])
@pytest.mark.usefixtures("bare_machine", "not_root")
def test_python_3_11_to_3_13_will_do(
    version: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "Python" not in message_of(version, monkeypatch, capsys)


@pytest.mark.parametrize(("version", "flaw"), [((3, 10, 13), "too old"), ((3, 14, 0), "too new")])
def test_another_python_is_told_which_are_needed_and_where_one_is(
    version: tuple[int, int, int],
    flaw: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(bootstrap, "_version_of", {"/usr/bin/python3": (3, 13)}.get)
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name, path: f"{path}/{name}")

    message = message_of(version, monkeypatch, capsys)

    version_text = "{}.{}.{}".format(*version)
    assert f"Python 3.11, 3.12 or 3.13 is needed; this is {version_text}, which is {flaw}" in message
    assert "make test PYTHON=/usr/bin/python3" in message


def test_another_python_on_a_machine_with_no_fitting_one_is_told_how_to_get_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bootstrap, "_version_of", lambda _: (3, 9))

    message = message_of((3, 9, 2), monkeypatch, capsys)

    assert "apt-get install --no-install-recommends python3 python3-venv" in message
    assert "make test PYTHON=/path/to/python3.13" in message


def test_a_fitting_python_is_found_by_what_it_says_of_itself(programs: Path) -> None:
    write_program(programs / "python3", "echo 3 9")
    write_program(programs / "python3.13", "echo no such version >&2; exit 1")
    write_program(programs / "python3.12", "echo 3 12")

    assert bootstrap._version_of(str(programs / "python3")) == (3, 9)
    assert bootstrap._version_of(str(programs / "python3.13")) == ()
    assert bootstrap._version_of(str(programs / "python3.12")) == (3, 12)
    assert bootstrap._version_of(str(programs / "gone")) is None


def test_python_3_7_can_read_what_says_that_it_is_too_old() -> None:
    ast.parse(Path(bootstrap.__file__).read_text(), feature_version=(3, 7))


def test_the_project_the_commands_and_the_set_up_name_the_same_pythons() -> None:
    (major, oldest), (_, newest) = bootstrap._PYTHONS[0], bootstrap._PYTHONS[-1]
    project = tomllib.loads((bootstrap.ROOT / "pyproject.toml").read_text())["project"]

    assert project["requires-python"] == f">={major}.{oldest},<{major}.{newest + 1}"
    assert f"not {(major, oldest)} <= sys.version_info[:2] <= {(major, newest)}" in chosen_by_make("$(FITS)")


def chosen_by_make(value: str) -> str:
    """What make holds a variable of the Makefile to be."""
    command = ["make", "--silent", "--file", str(bootstrap.ROOT / "Makefile"), "--eval", f"what: ; @echo '{value}'"]
    environment = {name: os.environ[name] for name in os.environ if not name.startswith(("MAKE", "PYTHON"))}
    done = subprocess.run([*command, "what"], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("fitting", "chosen"),
    [
        ({"python3", "python3.13"}, "python3"),
        ({"python3.13", "python3.11"}, "python3.13"),
        ({"python3.12", "python3.11"}, "python3.12"),
        ({"python3.11"}, "python3.11"),
    ],
)
def test_make_takes_the_first_python_that_fits(fitting: set[str], chosen: str, programs: Path) -> None:
    for name in ("python3", "python3.13", "python3.12", "python3.11"):
        write_program(programs / name, "exit 0" if name in fitting else "exit 1")

    assert chosen_by_make("$(PYTHON)") == str(programs / chosen)


def test_make_without_any_python_says_which_is_needed(programs: Path) -> None:
    command = ["make", "--silent", "--file", str(bootstrap.ROOT / "Makefile"), "setup", "PYTHON=python3.0"]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode
    assert "Python 3.11, 3.12 or 3.13 is needed" in done.stderr


@pytest.fixture
def venv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A virtual environment of this Python, as far as it is inspected."""
    folder = tmp_path / "project" / ".venv"
    (folder / "bin").mkdir(parents=True)
    write_program(folder / "bin" / "python", "")
    (folder / "pyvenv.cfg").write_text(f"home = /usr/bin\nversion = {VERSION}.2\n")
    (folder / "bin" / "pip").write_text(f"#!{folder}/bin/python3\nimport sys\n")
    monkeypatch.setattr(bootstrap, "VENV", folder)
    return folder


def test_a_virtual_environment_of_this_python_stays(venv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", pytest.fail)

    bootstrap._make_venv()


def test_a_virtual_environment_that_is_a_link_to_a_folder_stays(
    venv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link").symlink_to(venv)
    monkeypatch.setattr(bootstrap, "VENV", tmp_path / "link")

    assert bootstrap._error_in_venv() is None


@pytest.mark.parametrize("quote", ["", '"'], ids=["long", "with spaces"])
def test_a_virtual_environment_below_a_path_that_no_first_line_can_hold_stays(venv: Path, quote: str) -> None:
    python = f"{quote}{venv}/bin/python3{quote}"
    (venv / "bin" / "pip").write_text(f"#!/bin/sh\n'''exec' {python} \"$0\" \"$@\"\n' '''\n")

    assert bootstrap._error_in_venv() is None


def of_another_python(venv: Path) -> None:
    (venv / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.10.2\n")


def moved(venv: Path) -> None:
    (venv / "bin" / "pip").write_text("#!/home/before/.venv/bin/python3\nimport sys\n")


def of_a_python_that_is_gone(venv: Path) -> None:
    (venv / "bin" / "python").unlink()


def without_pip(venv: Path) -> None:
    (venv / "bin" / "pip").unlink()


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (of_another_python, f".venv is of another Python than {VERSION}: making it anew"),
        (moved, ".venv was moved: making it anew"),
        (of_a_python_that_is_gone, ".venv is of a Python that is gone: making it anew"),
        (without_pip, ".venv has no pip: making it anew"),
    ],
)
def test_a_virtual_environment_that_does_not_fit_is_made_anew(
    spoil: Callable[[Path], None],
    word: str,
    venv: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    commands: list[list[str]] = []
    monkeypatch.setattr(subprocess, "run", lambda command, **_: commands.append(command))
    spoil(venv)

    bootstrap._make_venv()

    assert commands == [[sys.executable, "-m", "venv", "--clear", str(venv)]]
    assert word in capsys.readouterr().out


def test_a_first_virtual_environment_is_made_without_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    commands: list[list[str]] = []
    monkeypatch.setattr(subprocess, "run", lambda command, **_: commands.append(command))
    monkeypatch.setattr(bootstrap, "VENV", tmp_path / ".venv")

    bootstrap._make_venv()

    assert len(commands) == 1
    assert not capsys.readouterr().out


def test_a_virtual_environment_that_does_not_fit_needs_what_makes_another(
    venv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert "python3-venv" not in bootstrap.missing_packages("run")

    moved(venv)

    assert "python3-venv" in bootstrap.missing_packages("run")
