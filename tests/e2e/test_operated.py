"""A system that operators work on: restarted process by process and migrated while it works, and found whole by the
invariant checker; and what is broken in it by hand is found too.
"""

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count, cycle
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
import requests
from sqlalchemy import create_engine, text

from deploy.invariants import INVARIANTS, System, check
from deploy.local.addresses import passing_addresses
from deploy.local.captcha_solver import learn_secret
from deploy.local.client import ApiClient
from deploy.local.demo import tell_story
from deploy.local.environment import SERVICES
from deploy.local.nodes import Nodes
from deploy.local.processes import read_plan
from deploy.local.stack import Stack, restart_one_by_one, running_stack, stop
from services.common import migrate
from services.membership.seed import demo_password
from tests.conftest import ROOT
from tests.e2e.broken_on_purpose import BREAKS, LETTERS, break_databases, put_on_queues
from tests.e2e.second_gateway import second_gateway
from tests.unlimited import UNLIMITED

QUESTIONS = ("members", "pending", "batches", "revocations", "messages", "announcements", "summary")
ADDED_COLUMN = """
from alembic import op
revision, down_revision = "added_under_load", "{before}"
def upgrade():
    op.execute("alter table application add column added text not null default ''")
"""


@pytest.fixture(scope="module")
def nodes_of_twins(nodes: Nodes) -> tuple[Nodes, str]:
    """The nodes, and the name under which the twins are there."""
    return nodes, f"twins_{os.getpid()}"


@pytest.fixture(scope="module")
def twins(nodes_of_twins: tuple[Nodes, str]) -> Iterator[Stack]:
    """A system with two processes of each service."""
    nodes, name = nodes_of_twins
    settings = {"BANK_MODE": "manual", **UNLIMITED}
    with (
        pytest.MonkeyPatch.context() as secret_of_captchas,
        passing_addresses(nodes, name) as addresses,
        running_stack(ROOT / ".local" / "test-twins", addresses, dict.fromkeys(SERVICES, 2), settings) as running,
    ):
        # The other tests' stack has another one; it comes back at the end.
        secret_of_captchas.setenv("SESSION_SECRET", "")
        learn_secret(running.folder)
        yield running


@dataclass
class Work:
    """What people do with the system meanwhile: the manual's story again and again, and questions to each service."""

    stack: Stack
    over: Event = field(default_factory=Event)
    stories: list[int] = field(default_factory=list)
    answered: int = 0
    failed: list[str] = field(default_factory=list)

    def tell_stories(self, seeds: Iterator[int]) -> None:
        while not self.over.is_set():
            self.stories.append(tell_story(self.stack, next(seeds)))

    def ask(self) -> None:
        clerk = ApiClient(self.stack.gateway_url).sign_in("jianlang", demo_password())
        for question in cycle(QUESTIONS):
            if self.over.is_set():
                return
            try:
                answer = clerk.http.get(f"{clerk.base}/api/v1/{question}", timeout=60)
                answer.raise_for_status()
                self.answered += 1
            except requests.RequestException as error:
                self.failed.append(f"{question}: {error}")


_seeds = count(9_000)


@contextmanager
def work_at(stack: Stack) -> Iterator[Work]:
    """Lets people work until the end of the block, and lets them finish what they are at."""
    work = Work(stack)
    people = [Thread(target=work.tell_stories, args=(_seeds,)), Thread(target=work.ask), Thread(target=work.ask)]
    for one in people:
        one.start()
    try:
        yield work
    finally:
        work.over.set()
        for one in people:
            one.join()


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
                self.counted[process.name, float(started)] = {queue: float(number) for queue, number in found}

    def all(self) -> dict[tuple[str, float], dict[str, float]]:
        return {process: queues for process, queues in self.counted.items() if queues}


def test_services_are_restarted_one_by_one_without_a_failed_request_or_a_redelivery(twins: Stack) -> None:
    before = {name: twins.pids(name) for name in SERVICES}
    redeliveries = Redeliveries(twins)
    with work_at(twins) as work:
        restart_one_by_one(twins.folder, say=redeliveries.count)
    redeliveries.count()
    assert all(set(before[name]).isdisjoint(twins.pids(name)) for name in SERVICES)
    assert set(work.stories) == {0}
    assert work.failed == []
    assert work.answered > len(QUESTIONS)
    assert redeliveries.all() == {}


def test_of_two_gateways_one_is_restarted_without_a_failed_request(twins: Stack) -> None:
    """As a balancer does it: who is refused a connection is sent to the other; each answer that began comes whole."""
    cookies = ApiClient(twins.gateway_url).sign_in("jianlang", demo_password()).http.cookies
    over, answered, failed = Event(), [], []

    def ask(gateways: Sequence[str]) -> None:
        for first in cycle((0, 1)):
            if over.is_set():
                return
            try:
                answered.append(_ask_one_of([gateways[first], gateways[1 - first]], cookies))
            except requests.RequestException as error:
                failed.append(str(error))

    with second_gateway(twins) as other:
        asking = [Thread(target=ask, args=([twins.gateway_url, other],)) for _ in range(2)]
        for one in asking:
            one.start()
        restart_one_by_one(twins.folder, ["gateway"])
        over.set()
        for one in asking:
            one.join()
    assert failed == []
    assert set(answered) == {200}


def test_tables_are_migrated_while_people_work(twins: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for service in ("membership", "batching"):
        _add_migration(tmp_path, service)
    monkeypatch.setattr(migrate, "SERVICES_FOLDER", tmp_path)
    with work_at(twins) as work:
        for service in ("membership", "batching"):
            migrate.upgrade(service, twins.addresses.migration_url(service))
    assert set(work.stories) == {0}
    assert work.failed == []


def test_nothing_is_broken_after_all_this(twins: Stack) -> None:
    assert check(System.of_stack(twins), settle_seconds=60) == []


@pytest.fixture(scope="module")
def broken(twins: Stack, nodes_of_twins: tuple[Nodes, str]) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """What was broken by hand when all processes had stopped, and what the checker finds: invariants and offenders."""
    nodes, name = nodes_of_twins
    if not _has_told_a_story(twins):
        assert tell_story(twins, seed=next(_seeds)) == 0
    if check(system := System.of_stack(twins), settle_seconds=60):
        pytest.fail("the system was broken before")
    stop(twins.folder)
    offended = break_databases({service: twins.addresses.migration_url(service) for service in SERVICES})
    put_on_queues(nodes.rabbitmq.uri(name))
    expected = {(one.invariant, offender) for one, offender in offended} | LETTERS.keys()
    return expected, {(found.invariant, found.offender) for found in check(system)}


def test_each_invariant_is_broken_on_purpose() -> None:
    assert {one.invariant for one in BREAKS} | {invariant for invariant, _ in LETTERS} == set(INVARIANTS)


@pytest.mark.parametrize("invariant", INVARIANTS)
def test_what_is_broken_by_hand_is_found(
    broken: tuple[set[tuple[str, str]], set[tuple[str, str]]], invariant: str
) -> None:
    expected, found = ({pair for pair in pairs if pair[0] == invariant} for pairs in broken)
    assert expected <= found


def test_what_an_operator_knows_of_is_allowed(twins: Stack, broken: object) -> None:
    allowed = [f"{invariant}:*" for invariant in INVARIANTS if invariant != "queue_empty"]
    found = check(System.of_stack(twins), allowed=[*allowed, "queue_empty:membership.*"])
    assert [str(one) for one in found] == ["queue_empty:batching.members_queued  1 messages wait"]


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
    (versions / "added_under_load.py").write_text(ADDED_COLUMN.format(before=head))
