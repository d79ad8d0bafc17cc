"""The root of the other Debian gets this machine's package sources and settings; its mounts end with the program."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local import bootstrap
from deploy.local.debian_root import client_environment, client_folders, named_paths, other_suite, sources
from tests.integration.messaging.world import eventually


@pytest.mark.parametrize(
    ("here", "other"), [("bookworm", "trixie"), ("trixie", "bookworm"), ("noble", "trixie"), ("", "trixie")]
)
def test_the_root_is_of_the_supported_debian_that_this_machine_is_not(here: str, other: str) -> None:
    assert other_suite(f'NAME="Debian GNU/Linux"\nVERSION_CODENAME={here}\nID=debian\n') == other


def test_the_root_has_this_machines_sources_of_debian_and_no_others() -> None:
    targets = """\
http://mirror.example/debian/ bookworm main Debian
http://mirror.example/debian/ bookworm main Debian
http://mirror.example/debian/ bookworm-updates main Debian
http://mirror.example/security/ bookworm-security main Debian
https://tools.example/apt/ nodistro main Tools
https://tools.example/bare/ unknown
"""

    assert (
        sources(targets, "trixie")
        == """\
deb http://mirror.example/debian/ trixie main
deb http://mirror.example/debian/ trixie-updates main
deb http://mirror.example/security/ trixie-security main
"""
    )


def test_the_root_knows_what_package_clients_are_told_and_nothing_else_of_the_environment() -> None:
    settings = {"PIP_CERT": "/a.pem", "npm_config_cafile": "/a.pem", "https_proxy": "http://proxy", "CI": "true"}
    other = {"AMQP_URI": "amqp://broker", "MAKEFLAGS": "-j", "PIP_CACHE_DIR": "/cache", "VIRTUAL_ENV": "/here"}

    inside = client_environment({**settings, **other, "PATH": "/here/bin", "HOME": "/home/me"})

    assert inside == settings


def test_files_that_settings_name_come_into_the_root_if_they_are_there(tmp_path: Path) -> None:
    for name in ("authorities.pem", "constraints.txt", "wheels"):
        (tmp_path / name).touch()
    settings = [
        f"[global]\ncert = {tmp_path}/authorities.pem\nconstraint={tmp_path}/constraints.txt\n",
        f"file://{tmp_path}/wheels {tmp_path}/gone https://mirror.example/simple",
    ]

    found = named_paths(settings)

    assert found == [tmp_path / name for name in ("authorities.pem", "constraints.txt", "wheels")]


def test_a_folder_of_packages_comes_with_what_stands_beside_it_unless_the_root_has_such_a_folder(
    tmp_path: Path,
) -> None:
    index, wheels, authorities = (tmp_path / name for name in ("index/simple", "wheels", "authorities"))
    root = tmp_path / "root"
    for folder in (index, wheels, authorities, root / authorities.relative_to("/")):
        folder.mkdir(parents=True)
    (root / authorities.relative_to("/") / "debian.pem").touch()

    assert client_folders([index, wheels, authorities], root) == {index.parent, wheels}


def test_a_folder_of_packages_in_a_home_comes_without_what_stands_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))

    assert client_folders([wheels], tmp_path / "root") == {wheels}


def may_have_mounts_apart() -> bool:
    return os.geteuid() == 0 and not subprocess.run(["unshare", "--mount", "true"], check=False).returncode


@pytest.mark.skipif(not may_have_mounts_apart(), reason="this account may not have mounts apart")
def test_what_runs_in_the_root_ends_when_the_program_is_killed_and_its_mounts_with_it(tmp_path: Path) -> None:
    (tmp_path / "mounted").mkdir()
    os.mkfifo(tmp_path / "fifo")
    inside = "mount -t tmpfs tmpfs mounted && touch mounted/file && cat fifo"
    script = f"""if True:
        import subprocess
        from deploy.local.debian_root import apart
        apart(lambda: subprocess.run(["sh", "-c", {inside!r}], cwd={str(tmp_path)!r}).returncode)
    """
    with subprocess.Popen([sys.executable, "-c", script], cwd=bootstrap.ROOT, stdout=subprocess.DEVNULL) as program:
        writer = os.open(tmp_path / "fifo", os.O_WRONLY)
        program.send_signal(signal.SIGKILL)

    with pytest.raises(BrokenPipeError):
        eventually(lambda: os.write(writer, b"is anybody there?") < 0)
    os.close(writer)
    assert not list((tmp_path / "mounted").iterdir())
