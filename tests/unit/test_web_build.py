"""Pages are built once for the same sources, and npm's errors are reported."""

from pathlib import Path

import pytest

from deploy.local import web


@pytest.fixture
def npm_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The npm commands that were run in a folder of its own; a fake npm creates the expected files."""
    runs: list[str] = []
    pages = tmp_path / "gateway" / "web"
    (pages / "src").mkdir(parents=True)
    outside = (tmp_path / "openapi.json", tmp_path / ".editorconfig")
    for path in outside:
        path.write_text("{}")
    for name in ("package.json", "package-lock.json", ".npmrc", "src/main.ts"):
        (pages / name).write_text(name)

    def npm(*arguments: str) -> None:
        runs.append(" ".join(arguments[:2]))
        made = {"ci": "node_modules/vue.js", "run": "dist.new/index.html"}[arguments[0]]
        (pages / made).parent.mkdir(exist_ok=True)
        (pages / made).write_text("made")

    for name, value in {
        "ROOT": tmp_path,
        "WEB": pages,
        "DIST": pages / "dist",
        "_OUTSIDE": outside,
        "_STAMPS": tmp_path / "stamps",
        "_npm": npm,
    }.items():
        monkeypatch.setattr(web, name, value)
    return runs


def test_the_first_build_installs_and_builds(npm_runs: list[str]) -> None:
    web.build()

    assert npm_runs == ["ci", "run build"]
    assert (web.DIST / "index.html").read_text() == "made"


def test_the_same_sources_are_not_built_again(npm_runs: list[str]) -> None:
    web.build()
    web.build()

    assert npm_runs == ["ci", "run build"]


@pytest.mark.parametrize("changed", ["gateway/web/src/main.ts", "gateway/web/src/new.ts", "openapi.json"])
def test_changed_sources_and_a_changed_api_are_built_anew(npm_runs: list[str], changed: str) -> None:
    web.build()
    (web.ROOT / changed).write_text("changed")
    web.build()

    assert npm_runs == ["ci", "run build", "run build"]


def test_a_build_that_was_thrown_away_is_made_again(npm_runs: list[str]) -> None:
    web.build()
    (web.DIST / "index.html").unlink()
    web.build()

    assert npm_runs == ["ci", "run build", "run build"]


def test_other_packages_are_installed_before_the_build(npm_runs: list[str]) -> None:
    web.build()
    (web.WEB / "package-lock.json").write_text("changed")
    web.build()

    assert npm_runs == ["ci", "run build", "ci", "run build"]


def test_a_check_asks_for_types_style_tests_and_sizes_once(npm_runs: list[str]) -> None:
    web.check()
    web.check()

    checks = ["run typecheck", "run lint", "run format:check", "run test", "run size"]
    assert npm_runs == ["ci", "run build", *checks]
