"""The files of root's PostgreSQL node: apart from its folder, private, and safe when a move is interrupted."""

import os
import pwd
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from deploy.local import postgres, postgres_home

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="others keep the node below its folder")


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of PostgreSQL's user."""
    home = tmp_path / "home"
    home.mkdir()
    account = SimpleNamespace(pw_dir=str(home), pw_uid=65534, pw_gid=65534)
    monkeypatch.setattr(pwd, "getpwnam", lambda _: account)
    return home


def with_data(home: Path, text: str = "15") -> Path:
    (home / "data").mkdir(parents=True)
    (home / "data" / "PG_VERSION").write_text(text)
    return home


def a_folder(path: Path) -> Path:
    path.mkdir(parents=True)
    return path


def test_a_checkout_at_the_path_of_one_that_was_deleted_finds_no_database(tmp_path: Path, account: Path) -> None:
    folder = a_folder(tmp_path / "x" / ".local")
    former = with_data(postgres_home.choose_home(folder))
    assert former.parent == account
    assert postgres_home.home_of(folder) == former == postgres_home.choose_home(folder)
    shutil.rmtree(folder)
    a_folder(folder)
    assert postgres_home.choose_home(folder) != former


def test_paths_that_read_alike_have_a_node_each(tmp_path: Path, account: Path) -> None:
    assert postgres_home.choose_home(a_folder(tmp_path / "a-b")) != postgres_home.choose_home(
        a_folder(tmp_path / "a" / "b")
    )


def test_a_copied_checkout_begins_anew_and_deletes_nothing_of_the_first(
    tmp_path: Path, account: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = a_folder(tmp_path / "first")
    home = with_data(postgres_home.choose_home(first))
    copy = tmp_path / "copy"
    shutil.copytree(first, copy)
    postgres_home.drop(copy)
    assert postgres_home.home_of(first) == home
    shutil.copytree(first, copy, dirs_exist_ok=True)
    assert postgres_home.choose_home(copy) != home
    assert "begins anew" in caplog.text
    assert postgres_home.choose_home(first) == home


def test_a_checkout_that_was_moved_keeps_its_database(tmp_path: Path, account: Path) -> None:
    first = a_folder(tmp_path / "first")
    home = with_data(postgres_home.choose_home(first))
    assert postgres_home.choose_home(first.rename(tmp_path / "second")) == home


@pytest.mark.parametrize("killed_at", ["copytree", "rename", "rmtree"])
def test_a_move_that_is_killed_is_done_again(
    tmp_path: Path, account: Path, monkeypatch: pytest.MonkeyPatch, killed_at: str
) -> None:
    folder = a_folder(tmp_path / "x")
    with_data(folder / "postgres", "kept")

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        if killed_at == "rename":
            patched.setattr(Path, "rename", killed)
        else:
            patched.setattr(shutil, killed_at, killed)
        with pytest.raises(KeyboardInterrupt):
            postgres_home.choose_home(folder)
    home = postgres_home.choose_home(folder)

    assert home.parent == account
    assert (home / "data" / "PG_VERSION").read_text() == "kept"
    assert [path.name for path in account.iterdir()] == [home.name], "no half of a copy is left"
    assert not (folder / "postgres").exists()


def test_what_is_left_of_the_former_place_is_not_taken_for_the_database(tmp_path: Path, account: Path) -> None:
    folder = a_folder(tmp_path / "x")
    home = with_data(postgres_home.choose_home(folder), "newer")
    with_data(folder / "postgres", "older")
    assert postgres_home.home_of(folder) == home == postgres_home.choose_home(folder)
    assert (home / "data" / "PG_VERSION").read_text() == "newer"
    shutil.rmtree(home)  # by a drop that was killed
    assert postgres_home.choose_home(folder).exists()


def test_nothing_is_given_away_that_a_link_leads_to(tmp_path: Path, account: Path) -> None:
    folder, foreign = a_folder(tmp_path / "x"), a_folder(tmp_path / "foreign")
    with_data(folder / "postgres")
    (folder / "postgres" / "data" / "link").symlink_to(foreign)
    home = postgres_home.choose_home(folder)
    assert foreign.stat().st_uid == 0
    assert (home / "data" / "PG_VERSION").stat().st_uid == 65534


def test_dropping_deletes_both_places(tmp_path: Path, account: Path) -> None:
    folder = a_folder(tmp_path / "x")
    with_data(postgres_home.choose_home(folder))
    with_data(folder / "postgres")
    postgres_home.drop(folder)
    assert list(account.iterdir()) == list(folder.iterdir()) == []


def test_without_postgresqls_user_no_node_runs_and_nothing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(_: str) -> None:
        raise KeyError

    monkeypatch.setattr(pwd, "getpwnam", nobody)
    assert postgres.pid(tmp_path) is None
    assert not postgres.is_running(tmp_path)
    postgres.stop(tmp_path)
    postgres.drop(tmp_path)
    with pytest.raises(RuntimeError, match="no user postgres"):
        postgres.start(tmp_path, durable=False)
