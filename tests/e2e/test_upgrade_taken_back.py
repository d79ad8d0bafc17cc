"""An upgrade is taken back while people work: the former code works with the newer tables, or says that it cannot."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from deploy.invariants import System, check
from deploy.local.captcha_solver import use_secret_of
from deploy.local.demo import run_story
from deploy.local.environment import SERVICES
from deploy.local.stack import Stack, find
from services.kit.data.schema.versions import head_revision
from tests.databases import ROOT
from tests.e2e.continuous_load import QUERIES, load_on, seeds
from tests.e2e.release_folder import replace_code, reset, run_python, start

pytestmark = [
    pytest.mark.long("restarts a system of its own with other code, several times"),
    pytest.mark.timeout(1800),
]

NEWER = '''"""A column that only the next release knows.

Revision: {revision}
"""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{former}"
{more}

def upgrade() -> None:
    """Adds the column."""
    op.add_column("{table}", sa.Column("note_of_the_next_release", sa.Text))
'''
TABLES = {"membership": "member", "batching": "application"}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder with this code, whose system runs."""
    folder = tmp_path / "system"
    folder.mkdir()
    replace_code(folder)
    start(folder)
    yield folder
    reset(folder)


def add_revision(folder: Path, service: str, more: str = "") -> Path:
    """Makes the folder's code that of the next release; returns what it has besides."""
    former = str(head_revision(ROOT / "services" / service))
    revision = f"{int(former) + 1:04}"
    path = folder / "services" / service / "migrations" / "versions" / f"v{revision}_next_release.py"
    path.write_text(NEWER.format(revision=revision, former=former, table=TABLES[service], more=more))
    return path


def revision_of(stack: Stack, service: str) -> str:
    engine = create_engine(stack.addresses.database_urls[service])
    with engine.connect() as connection:
        found: str = connection.execute(text("select version_num from alembic_version")).scalar_one()
    engine.dispose()
    return found


def test_an_upgrade_is_taken_back_while_people_work(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = find(folder / ".local")
    monkeypatch.setenv("SESSION_SECRET", "")
    use_secret_of(stack.folder)
    monkeypatch.setenv("SMS_SIMULATOR_URL", stack.simulator_urls["sms"])

    with load_on(stack) as work:
        newer = [add_revision(folder, service) for service in TABLES]
        run_python(folder, "-m", "deploy.local", "rolling-restart")
        upgraded = {name: stack.pids(name) for name in SERVICES}
        for path in newer:
            path.unlink()
        run_python(folder, "-m", "deploy.local", "rolling-restart")

    assert (work.failed, set(work.stories)) == ([], {0})
    assert work.answered > len(QUERIES)
    assert all(set(upgraded[name]).isdisjoint(stack.pids(name)) for name in SERVICES)
    assert [revision_of(stack, service) for service in TABLES] == [path.name[1:5] for path in newer]
    stack.wait_until_ready()
    assert run_story(stack, next(seeds)) == 0
    assert check(System.of_stack(stack), settle_seconds=60) == []


def test_code_that_the_newer_tables_no_longer_serve_replaces_no_process(folder: Path) -> None:
    stack = find(folder / ".local")
    newer = add_revision(folder, "membership", "serves_from = revision\n")
    run_python(folder, "-m", "deploy.local", "rolling-restart")
    upgraded = {name: stack.pids(name) for name in SERVICES}
    newer.unlink()

    with pytest.raises(subprocess.CalledProcessError) as refused:
        run_python(folder, "-m", "deploy.local", "rolling-restart")

    assert "which this code does not know and is not served by" in refused.value.output
    assert {name: stack.pids(name) for name in SERVICES} == upgraded
