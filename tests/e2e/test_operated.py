"""Operations on a system under load: rolling restart, key rotation, kills, a migration; then the invariants hold.

Violations that are injected on purpose are all found by the invariant checker.
"""

import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
import requests
from sqlalchemy import create_engine, text

from deploy import rebuild_reports
from deploy.invariants import INVARIANTS, System, check
from deploy.invariants.system import snapshots_of
from deploy.local import key_rotation
from deploy.local.client import ApiClient, wait_until
from deploy.local.demo import run_story
from deploy.local.demo_people import fill_in
from deploy.local.environment import SERVICES, read_keys
from deploy.local.nodes import Nodes
from deploy.local.processes import read_plan
from deploy.local.stack import Stack, StackError, restart_one_by_one, stop
from deploy.repair.runner import Runner
from services.kit.data import migrate
from services.membership.seed import demo_password
from tests.databases import ROOT
from tests.desks import Desk, a_desk, form_of, people
from tests.e2e.continuous_load import QUERIES, load_on, seeds
from tests.e2e.injected_violations import LETTERS, VIOLATIONS, violate_in_databases, violate_in_queues
from tests.e2e.retrying import counts, is_checked, retry_until_answered, selectable
from tests.e2e.second_gateway import second_gateway
from tests.e2e.two_process_stack import start_two_process_stack, vhost_of

pytestmark = [
    pytest.mark.long("kills, restarts and injected violations; a stack of its own with two processes of each service"),
    pytest.mark.timeout(1800),
]

_IMPORTED, _CHECKED = 600, 40
ADDED_COLUMN = """
from alembic import op
revision, down_revision = "9999", "{before}"
def upgrade():
    op.execute("alter table application add column added text not null default ''")
"""


@pytest.fixture(scope="module")
def two_process_stack(nodes: Nodes) -> Iterator[Stack]:
    """A system with two processes of each service."""
    with start_two_process_stack(nodes, "twins") as running:
        yield running


@dataclass
class Redeliveries:
    """What each process has counted of messages that the broker delivered again, also those that have ended since."""

    stack: Stack
    counted: dict[tuple[str, float], dict[str, float]] = field(default_factory=dict)

    def count(self, _line: str = "") -> None:
        for process in read_plan(self.stack.folder).processes:
            if process.program in SERVICES:
                metrics = requests.get(process.ready_url.replace("/readyz", "/metrics"), timeout=30).text
                (started,) = re.findall(r"^process_start_time_seconds (\S+)", metrics, re.MULTILINE)
                found = re.findall(r'^messages_redelivered_total{queue="(.+)"} (\S+)', metrics, re.MULTILINE)
                self.counted[process.name, float(started)] = {
                    queue: float(number) for queue, number in found if float(number)
                }

    def all(self) -> dict[tuple[str, float], dict[str, float]]:
        return {process: queues for process, queues in self.counted.items() if queues}


def test_services_are_restarted_one_by_one_without_a_failed_request_or_a_redelivery(two_process_stack: Stack) -> None:
    before = {name: two_process_stack.pids(name) for name in SERVICES}
    redeliveries = Redeliveries(two_process_stack)
    with load_on(two_process_stack) as work:
        restart_one_by_one(two_process_stack.folder, say=redeliveries.count)
    redeliveries.count()
    assert all(set(before[name]).isdisjoint(two_process_stack.pids(name)) for name in SERVICES)
    assert set(work.stories) == {0}
    assert work.failed == []
    assert work.answered > len(QUERIES)
    assert redeliveries.all() == {}


def test_of_two_gateways_one_is_restarted_without_a_failed_request(two_process_stack: Stack) -> None:
    """As a balancer does it: who is refused a connection is sent to the other; each answer that began comes whole."""
    cookies = ApiClient(two_process_stack.gateway_url).sign_in("jianlang", demo_password()).http.cookies
    over, answered, failed = Event(), [], []

    def post(gateways: Sequence[str]) -> None:
        for first in cycle((0, 1)):
            if over.is_set():
                return
            try:
                answered.append(_ask_one_of([gateways[first], gateways[1 - first]], cookies))
            except requests.RequestException as error:
                failed.append(str(error))

    with second_gateway(two_process_stack) as other:
        asking = [Thread(target=post, args=([two_process_stack.gateway_url, other],)) for _ in range(2)]
        for one in asking:
            one.start()
        restart_one_by_one(two_process_stack.folder, ["gateway"])
        over.set()
        for one in asking:
            one.join()
    assert failed == []
    assert set(answered) == {200}


def test_keys_are_rotated_and_the_old_one_dropped_while_clerks_work(two_process_stack: Stack) -> None:
    old = _key_ids(two_process_stack)
    desks = [a_desk(two_process_stack.gateway_url) for _ in range(3)]
    rotated = Event()
    with ThreadPoolExecutor(len(desks)) as at_work:
        work = [at_work.submit(_register_and_change, desk, rotated.is_set) for desk in desks]
        try:
            assert key_rotation.rotate(two_process_stack.folder) == 0
            new = _key_ids(two_process_stack)
            assert new[1:] == old
            # The key is needed until what was told meanwhile has been published and handled.
            wait_until(
                lambda: key_rotation.drop(two_process_stack.folder, old[0]) == 0,
                "nothing needs the old key",
                seconds=180,
            )
        finally:
            rotated.set()
        done = [one.result() for one in work]

    assert _key_ids(two_process_stack) == new[:1]
    assert all(done), "each clerk did something meanwhile"
    for desk in desks:
        assert all(member["document_number"] for member in desk.clerk.all_pages("members"))


def test_the_current_key_cannot_be_dropped(two_process_stack: Stack) -> None:
    current = _key_ids(two_process_stack)[0]
    with pytest.raises(StackError, match=current):
        key_rotation.drop(two_process_stack.folder, current)
    assert _key_ids(two_process_stack)[0] == current


@pytest.mark.parametrize("program", [*SERVICES, "gateway"])
def test_a_killed_process_is_back_and_ready(two_process_stack: Stack, program: str) -> None:
    before = two_process_stack.kill(program, signal.SIGKILL)

    two_process_stack.wait_until_ready()

    assert before
    assert not set(two_process_stack.pids(program)) & set(before)


def test_killing_services_at_work_loses_and_doubles_nothing(two_process_stack: Stack) -> None:
    clerk = a_desk(two_process_stack.gateway_url).clerk
    sheet = fill_in(clerk.download("members/imports/template.xlsx"), people(_IMPORTED))
    path = f"members/imports/{clerk.upload('members/imports', 'members.xlsx', sheet)['import_id']}"
    wait_until(lambda: clerk.get(path)["state"] == "previewed", "the sheet is read", seconds=120)
    clerk.post(f"{path}/confirm")
    killing = Thread(target=_kill_in_turn, args=(two_process_stack, ["membership", "batching", "validation"] * 2))
    killing.start()
    wait_until(lambda: selectable(clerk) >= _IMPORTED, "all members have numbers", seconds=180)
    queued = retry_until_answered(clerk, "members/queue", {"filter": {"card_state": "none"}}, "queue-all")["queued"]
    total = wait_until(
        lambda: counted if (counted := counts(clerk))["total"] + counted["special"] >= queued else None,
        "all are listed",
        seconds=120,
    )["total"]
    retry_until_answered(clerk, "pending/validate", {}, "check-all")
    killing.join()
    checked = wait_until(
        lambda: counted if is_checked(counted := counts(clerk)) else None, "every check has a result", seconds=240
    )
    assert checked["total"] == total == queued == _IMPORTED
    assert checked["passed"] + checked["failed"] == total


def test_with_the_registry_away_nobody_passes_until_it_is_back(two_process_stack: Stack) -> None:
    control = f"{two_process_stack.simulator_urls['registry']}/control"
    desk = a_desk(two_process_stack.gateway_url)
    desk.import_members(people(_CHECKED))
    desk.queue_all()
    requests.put(control, json={"mode": "down"}, timeout=60).raise_for_status()
    desk.clerk.post("pending/validate")
    waiting = wait_until(lambda: found if (found := counts(desk.clerk))["waiting"] else None, "checks wait")
    assert waiting["passed"] == 0
    requests.put(control, json={"mode": "normal"}, timeout=60).raise_for_status()
    checked = wait_until(
        lambda: found if is_checked(found := counts(desk.clerk)) else None, "all are checked", seconds=180
    )
    assert checked["passed"] == _CHECKED


def test_tables_are_migrated_while_people_work(
    two_process_stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for service in ("membership", "batching"):
        _add_migration(tmp_path, service)
    monkeypatch.setattr(migrate, "SERVICES_FOLDER", tmp_path)
    with load_on(two_process_stack) as work:
        for service in ("membership", "batching"):
            migrate.upgrade(service, two_process_stack.addresses.migration_url(service))
    assert set(work.stories) == {0}
    assert work.failed == []


def test_reports_are_rebuilt_while_people_work(two_process_stack: Stack) -> None:
    """That they count all of it, test_nothing_is_broken_after_all_this shows."""
    environments = {service: two_process_stack.environment(service) for service in SERVICES}
    runner = Runner(System.of_stack(two_process_stack), environments)
    with load_on(two_process_stack) as work:
        assert rebuild_reports.rebuild(runner, runner.operator("ops")) > len(rebuild_reports.SOURCES)
        assert rebuild_reports.wait_until_counted(runner, seconds=300)
    assert set(work.stories) == {0}
    assert work.failed == []


def test_nothing_is_broken_after_all_this(two_process_stack: Stack) -> None:
    assert check(System.of_stack(two_process_stack), settle_seconds=60) == []


@pytest.fixture(scope="module")
def broken(two_process_stack: Stack, nodes: Nodes) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """What was broken by hand when all processes had stopped, and what the checker finds: invariants and offenders."""
    if not _has_told_a_story(two_process_stack):
        assert run_story(two_process_stack, seed=next(seeds)) == 0
    if check(system := System.of_stack(two_process_stack), settle_seconds=60):
        pytest.fail("the system was broken before")
    wait_until(lambda: _hears_of_the_audit_log(system), "revocation remembers where the audit log ended")
    stop(two_process_stack.folder)
    offended = violate_in_databases(
        {service: two_process_stack.addresses.migration_url(service) for service in SERVICES}
    )
    violate_in_queues(nodes.rabbitmq.uri(vhost_of("twins")))
    expected = {(one.invariant, offender) for one, offender in offended} | LETTERS.keys()
    return expected, {(found.invariant, found.offender) for found in check(system)}


def _hears_of_the_audit_log(system: System) -> bool:
    with snapshots_of(system) as snapshots:
        return any(snapshots.rows("revocation", "select 1 from audit_head"))


def test_each_invariant_is_broken_on_purpose() -> None:
    """What cannot be read at all: tests/integration/test_repair.py."""
    broken = {one.invariant for one in VIOLATIONS} | {invariant for invariant, _ in LETTERS}
    assert broken == set(INVARIANTS) - {"service_readable", "broker_readable"}


@pytest.mark.parametrize("invariant", INVARIANTS)
def test_what_is_broken_by_hand_is_found(
    broken: tuple[set[tuple[str, str]], set[tuple[str, str]]], invariant: str
) -> None:
    expected, found = ({pair for pair in pairs if pair[0] == invariant} for pairs in broken)
    assert expected <= found


def test_what_an_operator_knows_of_is_allowed(two_process_stack: Stack, broken: object) -> None:
    allowed = [f"{invariant}:*" for invariant in INVARIANTS if invariant != "queue_empty"]
    sampled = "queue_empty:notification.status_sampled*"  # each service publishes it once a minute
    found = check(System.of_stack(two_process_stack), allowed=[*allowed, "queue_empty:membership.*", sampled])
    assert [str(one) for one in found] == ["queue_empty:batching.members_queued  1 messages wait"]


def _register_and_change(desk: Desk, is_over: Callable[[], bool]) -> int:
    """Registers, changes and reads until it is over; answers how often. Whatever is refused fails the test."""
    done = 0
    while not is_over():
        (person,) = people(1)
        path = f"members/{desk.clerk.post('members', form_of(person))['member_id']}"
        desk.clerk.patch(path, {"phone": f"139{done:08}"})
        assert desk.clerk.get(path)["phone"][-4:] == f"{done:08}"[-4:]
        desk.clerk.get("members", size=50)
        done += 1
    return done


def _key_ids(stack: Stack) -> list[str]:
    return [key.partition(":")[0] for key in read_keys(stack.folder)]


def _kill_in_turn(stack: Stack, programs: Sequence[str]) -> None:
    for program in programs:
        time.sleep(1.5)
        stack.kill(program, signal.SIGKILL)


def _has_told_a_story(stack: Stack) -> bool:
    engine = create_engine(stack.addresses.database_urls["revocation"])
    with engine.connect() as connection:
        return bool(connection.scalar(text("select exists (select from revocation)")))


def _ask_one_of(gateways: Sequence[str], cookies: Any) -> int:
    for gateway in gateways:
        try:
            headers = {"Connection": "close"}
            return requests.get(f"{gateway}/api/v1/members", cookies=cookies, headers=headers, timeout=60).status_code
        except requests.ConnectionError as error:
            if "refused" not in str(error):
                raise
    raise requests.ConnectionError("no gateway takes a connection")


def _add_migration(folder: Path, service: str) -> None:
    shutil.copytree(ROOT / "services" / service / "migrations", folder / service / "migrations")
    versions = folder / service / "migrations" / "versions"
    revisions = [path.read_text() for path in versions.glob("*.py")]
    known = {found for one in revisions for found in re.findall(r"^revision = [\"'](.+)[\"']", one, re.MULTILINE)}
    below = {found for one in revisions for found in re.findall(r"^down_revision = [\"'](.+)[\"']", one, re.MULTILINE)}
    (head,) = known - below
    (versions / "v9999_added_under_load.py").write_text(ADDED_COLUMN.format(before=head))
