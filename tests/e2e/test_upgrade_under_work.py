"""A rolling upgrade from a former release, process by process, under load."""

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from sqlalchemy import create_engine, text

from deploy.invariants import System, check
from deploy.local import demo
from deploy.local.captcha_solver import use_secret_of
from deploy.local.client import ApiClient, ApiProblem, wait_until
from deploy.local.demo import revoke_special_batch, run_story
from deploy.local.environment import SERVICES, write_state
from deploy.local.ports import hold_port
from deploy.local.private_files import make_private
from deploy.local.processes import read_plan
from deploy.local.stack import Stack, find
from services.membership.seed import demo_password
from tests.databases import ROOT
from tests.e2e.continuous_load import QUERIES, load_on, seeds
from tests.e2e.release_folder import replace_code, reset, run_python, start

pytestmark = [
    pytest.mark.long("runs the code of a former commit, on nodes of its own"),
    pytest.mark.timeout(1800),
]

FORMER = "6b7b68b"
"""The last commit with services/common; the modules that its processes run have other names."""
_IMPORTED = "select count(*) from import_job where state = 'finished'"


@pytest.fixture
def former(tmp_path: Path) -> Iterator[Path]:
    """A folder with the former code, whose system runs."""
    if shutil.which("git") is None:
        pytest.skip("the former release is taken from the history, which needs git")
    found = subprocess.run(["git", "cat-file", "-e", f"{FORMER}^{{commit}}"], cwd=ROOT, check=False)
    if found.returncode:
        pytest.skip(f"the history does not hold {FORMER}: git fetch --unshallow")
    folder = tmp_path / "system"
    folder.mkdir()
    archive = subprocess.run(["git", "archive", FORMER], cwd=ROOT, capture_output=True, check=True).stdout
    subprocess.run(["tar", "-x"], cwd=folder, input=archive, check=True)
    # The former code takes the usual port though another system is about to listen there.
    make_private(folder / ".local")
    write_state(folder / ".local", {"ports": {"gateway": hold_port()}})
    start(folder)
    yield folder
    reset(folder)


def test_a_former_release_is_upgraded_while_people_work(former: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No import starts meanwhile: a process of the former code would need a module that no longer exists."""
    stack = find(former / ".local")
    monkeypatch.setenv("SESSION_SECRET", "")
    use_secret_of(stack.folder)
    monkeypatch.setenv("SMS_SIMULATOR_URL", stack.simulator_urls["sms"])
    requests.put(f"{stack.simulator_urls['bank']}/control", json={"mode": "manual"}, timeout=60).raise_for_status()
    before = {name: stack.pids(name) for name in SERVICES}

    with (
        pytest.MonkeyPatch.context() as patched,
        load_on(stack, runs_stories=False) as work,
        ThreadPoolExecutor(2) as clerks,
    ):
        patched.setattr(demo, "_rejected", _unread)
        begun = [clerks.submit(_former_story, stack) for _ in range(2)]
        wait_until(lambda: _imports(stack) == len(begun) or _ended(begun), "all members are registered", seconds=120)
        assert _ended(begun) == []
        replace_code(former)
        run_python(former, "-m", "deploy.local", "rolling-restart")
        ended = [one.result() for one in begun]
        by_the_former_gateway = _former_story(stack)
        refused = _former_request_for_revocation(stack)
    run_python(former, "-m", "deploy.local", "rolling-restart", "--of", "gateway")
    run_python(former, "-m", "deploy.rebuild_reports", "--by", "ops")

    assert (work.failed, ended, by_the_former_gateway) == ([], [0, 0], 0)
    assert (refused.status, {field["field"] for field in refused.problem["fields"]}) == (422, {"reason_code", "reason"})
    assert work.answered > len(QUERIES)
    assert all(set(before[name]).isdisjoint(stack.pids(name)) for name in SERVICES)
    assert len(_releases(stack)) == 1
    assert run_story(stack, next(seeds)) == 0
    assert check(System.of_stack(stack), settle_seconds=60) == []


def _unread(_: demo.Story) -> int:
    """What the story expects of dead letters; a broker of the former release refuses today's lock of their readers."""
    return 3


def _ended(stories: Sequence[Future[int]]) -> list[int]:
    """The results of the stories that have ended; raises what one of them raised."""
    return [one.result() for one in stories if one.done()]


def _former_story(stack: Stack) -> int:
    """The story as far as the former release knows it: its requests for revocation have no reason."""
    return run_story(stack, next(seeds), until=revoke_special_batch)


def _former_request_for_revocation(stack: Stack) -> ApiProblem:
    clerk = ApiClient(stack.gateway_url).sign_in("jianlang", demo_password())
    with pytest.raises(ApiProblem) as refused:
        clerk.post("revocations", {"batch_no": "1", "applicant_name": "王芳", "applicant_phone": "13700000000"})
    return refused.value


def _imports(stack: Stack) -> int:
    engine = create_engine(stack.addresses.database_urls["membership"])
    with engine.connect() as connection:
        finished: int = connection.execute(text(_IMPORTED)).scalar_one()
    engine.dispose()
    return finished


def _releases(stack: Stack) -> set[str]:
    plan = read_plan(stack.folder)
    return {one.environment["RELEASE"] for one in plan.processes if one.program in (*SERVICES, "gateway")}
