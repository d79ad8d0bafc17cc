"""Attack by another account of the machine: it can read no file of a stack."""

import os
import pwd
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import postgres
from deploy.local.nodes import Nodes
from deploy.local.private_files import make_private, write_private
from deploy.local.stack import Stack
from tests.databases import ROOT
from tests.security.places import paths_in


def test_nothing_of_a_stack_and_its_nodes_is_open_to_others(stack: Stack, nodes: Nodes) -> None:
    places = (stack.folder, nodes.folder, postgres.data_folder(nodes.folder).parent)
    files = [file for place in places for file in paths_in(place)]
    assert len(files) > 100, "logs, secrets, the broker's and the database's files"
    assert sorted(str(file) for file in files if _is_open(file)) == []
    assert not _is_open(ROOT / ".local")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")
def test_another_user_of_the_machine_reads_no_bank_message(stack: Stack, nodes: Nodes) -> None:
    for place in (ROOT / ".local", stack.folder / "secrets.env", nodes.folder / "rabbitmq" / "data"):
        read = subprocess.run(["ls", "-R", place], user="nobody", capture_output=True, text=True, check=False)
        assert read.returncode
        assert "Permission denied" in read.stderr


def test_what_was_open_before_is_shut(tmp_path: Path) -> None:
    folder = tmp_path / "stack"
    (folder / "logs").mkdir(parents=True)
    for file in (folder / "secrets.env", folder / "logs" / "batching-1.log"):
        file.write_text("secret")
        file.chmod(0o644)
    folder.chmod(0o755)

    make_private(folder)
    write_private(folder / "secrets.env", "another")

    assert [path for path in paths_in(folder) if _is_open(path)] == []
    assert (folder / "secrets.env").read_text() == "another"


def test_a_file_of_secrets_is_whole_whenever_its_writer_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "secrets.env"
    write_private(path, "before")

    def power_fails(_file: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", power_fails)
        with pytest.raises(KeyboardInterrupt):
            write_private(path, "after")
    assert path.read_text() == "before"

    write_private(path, "after")
    assert [file.name for file in tmp_path.iterdir()] == ["secrets.env"]
    assert path.read_text() == "after"


@pytest.fixture
def former(tmp_path: Path) -> Iterator[Path]:
    """A database node as root had it in an earlier release: below the folder, which all may enter."""
    folder = tmp_path / "stack"
    node = postgres.start(make_private(folder), durable=False)
    node.create_database("kept")
    postgres.stop(folder)
    (folder / "postgres").mkdir()
    postgres.data_folder(folder).parent.rename(folder / "postgres")
    yield folder
    postgres.drop(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="others start PostgreSQL as themselves")
@pytest.mark.long("database nodes of its own")
def test_a_database_of_an_earlier_release_is_kept(former: Path) -> None:
    node = postgres.start(former, durable=False)

    assert node.has_database("kept")
    assert not (former / "postgres").exists()
    assert pwd.getpwuid(postgres.data_folder(former).stat().st_uid).pw_name == "postgres"


def _is_open(path: Path) -> bool:
    try:
        return not path.is_symlink() and bool(path.stat().st_mode & 0o077)
    except FileNotFoundError:  # a log that was put aside meanwhile
        return False
