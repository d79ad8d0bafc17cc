"""The database loses its primary: its standby goes on, nothing is lost or doubled, the former primary takes nothing."""

import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from threading import Thread
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import errors

from deploy.local.client import ApiClient, wait_until
from deploy.local.environment import ROOT, SERVICES
from deploy.local.ports import LOOPBACK
from deploy.local.postgres import SUPERUSER
from services.kit.data.database_address import parameters_of
from services.kit.data.primary import FormerPrimary, Primary
from services.kit.events.relay import COMMITS
from services.membership.seed import demo_password
from tests.chaos.people import make_people
from tests.chaos.plan import CUT, FAIL_OVER, KILL, RESTART_DATABASE
from tests.chaos.run import Size, run_chaos
from tests.chaos.world import World, start_world
from tests.deploy.writers import TABLE, Writers
from tests.e2e.retrying import retry_until_answered
from tests.primary_and_standby import PrimaryAndStandby, primary_and_standby
from tests.tcp_proxy import TcpProxies

pytestmark = [
    pytest.mark.deploy("kills primaries; two database servers of its own"),
    pytest.mark.timeout(900),
    pytest.mark.alone("measures the gap after a primary is killed"),
]

_FOLDER = ROOT / ".local" / "test-failover"
_OF_WAITING = "from pg_stat_activity where wait_event = 'SyncRep' and backend_type = 'client backend'"
_KINDS = [
    replace(FAIL_OVER, weight=100),
    *(replace(kind, seconds=(0.5, 1.0)) for kind in (KILL, CUT, RESTART_DATABASE)),
]
_UNDER_LOAD = Size(
    faults=5,
    members=80,
    seed=1,
    seconds=40,
    members_a_union=40,
    members_a_round=20,
    phones=2,
    kinds=_KINDS,
    scale={**dict.fromkeys(SERVICES, 1), "batching": 2},
    has_standby=True,
)


@pytest.fixture(scope="module")
def two_servers() -> Iterator[PrimaryAndStandby]:
    """A primary and its standby for the module; each test leaves such a pair, with whatever roles."""
    with primary_and_standby(_FOLDER / "servers") as servers:
        servers.execute(servers.primary, TABLE)
        yield servers


@pytest.fixture
def servers(two_servers: PrimaryAndStandby) -> Iterator[PrimaryAndStandby]:
    """The pair; a former primary is a standby again after the test."""
    primary = two_servers.primary
    yield two_servers
    if two_servers.primary != primary:
        two_servers.rejoin()


def address_of(servers: PrimaryAndStandby, *names: str) -> str:
    """Returns an address that names the servers in this order."""
    ports = ",".join(str(servers.servers[name].port) for name in names)
    password = servers.servers["a"].password
    return f"postgresql://{SUPERUSER}:{password}@/postgres?host={','.join([LOOPBACK] * len(names))}&port={ports}"


def rows_of(servers: PrimaryAndStandby, name: str) -> set[int]:
    return {row for (row,) in servers.execute(name, "select id from kept")}


def fail_over(servers: PrimaryAndStandby, seconds: float = 0) -> float:
    """Kills the primary and promotes its standby after so many seconds; returns when it was killed."""
    killed_at = time.monotonic()
    servers.kill_primary()
    time.sleep(seconds)
    servers.promote()
    return killed_at


def wait_until_it_waits_for_a_standby(servers: PrimaryAndStandby, name: str, work: Callable[[], object]) -> None:
    """Does the work in a thread, sees it wait at its commit for a standby that does not come, and ends its session."""
    ended: list[BaseException] = []

    def try_it() -> None:
        try:
            work()
        except psycopg.Error as error:
            ended.append(error)

    thread = Thread(target=try_it, daemon=True)
    thread.start()
    wait_until(lambda: servers.execute(name, f"select 1 {_OF_WAITING}"), "the commit waits for the standby")
    servers.execute(name, f"select pg_terminate_backend(pid) {_OF_WAITING}")
    thread.join()
    assert len(ended) == 1, "it was answered as committed"


def test_commits_go_on_at_the_promoted_standby_and_none_that_was_answered_is_lost(servers: PrimaryAndStandby) -> None:
    with Writers(address_of(servers, servers.primary, servers.standby), first_id=1_000_000) as writers:
        killed_at = fail_over(servers, seconds=1)
        writers.wait_for(300)
        silence = writers.longest_gap(killed_at)
    found = rows_of(servers, servers.primary)
    unknown = {row for row in found if row >= 1_000_000} - writers.ids
    print(
        f"\n{len(writers.answered)} commits answered, {sum(writers.errors.values())} failed ({dict(writers.errors)}), "
        f"{len(unknown)} committed without an answer; longest time without an answer {silence:.2f} s, "
        "of which 1 s was waited before the promotion"
    )
    assert writers.ids - found == set()
    assert writers.strange == []


def test_a_process_that_saw_the_new_primary_leaves_the_former_one_alone(servers: PrimaryAndStandby) -> None:
    former = servers.primary
    address = address_of(servers, former, servers.standby)
    seen = Primary(parameters_of(address))
    with Writers(address, threads=2, first_id=2_000_000) as writers:
        seen.connect().close()
        fail_over(servers)
        writers.wait_for(50)
        seen.connect().close()
        servers.start_former()
        writers.engine.dispose()
        writers.wait_for(50)
        with seen.connect() as connection:
            assert connection.info.port == servers.servers[servers.primary].port
    assert writers.ids - rows_of(servers, servers.primary) == set()
    servers.signal(servers.primary, signal.SIGSTOP)
    try:
        with pytest.raises(FormerPrimary):
            seen.connect(connect_timeout=2)
    finally:
        servers.signal(servers.primary, signal.SIGCONT)


def test_a_former_primary_answers_no_commit_and_as_a_standby_refuses_to_write(servers: PrimaryAndStandby) -> None:
    former = servers.primary
    newcomer = Primary(parameters_of(address_of(servers, former, servers.standby)))
    fail_over(servers)
    servers.start_former()

    # What a process that saw no other primary connects to, although the address demands one that can be written to.
    with newcomer.connect(autocommit=True) as connection:
        assert connection.info.port == servers.servers[former].port
        wait_until_it_waits_for_a_standby(
            servers, former, lambda: connection.execute("insert into kept values (3000001)")
        )
    with newcomer.connect(autocommit=True) as connection:
        wait_until_it_waits_for_a_standby(servers, former, lambda: connection.execute(COMMITS))
    with newcomer.connect(autocommit=True) as connection:
        connection.execute("set synchronous_commit = local")
        connection.execute("insert into kept values (3000002)")  # so it would be without a synchronous standby: lost
    assert not {3_000_001, 3_000_002} & rows_of(servers, servers.primary)

    servers.rejoin()
    assert not {3_000_001, 3_000_002} & rows_of(servers, former)
    with pytest.raises(errors.ReadOnlySqlTransaction):
        servers.execute(former, "insert into kept values (3000003)")
    with newcomer.connect() as connection:
        assert connection.info.port == servers.servers[servers.primary].port


def test_a_primary_that_wakes_after_its_successor_was_promoted_answers_no_commit(servers: PrimaryAndStandby) -> None:
    former = servers.primary
    with psycopg.connect(address_of(servers, former), autocommit=True) as connection:
        connection.execute("select 1")
        servers.signal(former, signal.SIGSTOP)
        servers.promote()
        servers.signal(former, signal.SIGCONT)
        wait_until_it_waits_for_a_standby(
            servers, former, lambda: connection.execute("insert into kept values (4000001)")
        )
    assert 4_000_001 not in rows_of(servers, servers.primary)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A whole stack on a primary and its standby, behind proxies."""
    monkeypatch.setenv("SESSION_SECRET", "that of the stack of all other tests comes back")
    with start_world(_FOLDER / "world", dict.fromkeys(SERVICES, 1), True, print, has_standby=True) as running:
        yield running


def test_a_command_whose_commit_was_not_answered_is_carried_out_once(world: World) -> None:
    servers, proxy = world.targets.servers, world.targets.proxies["membership to database"]
    assert servers is not None
    assert isinstance(proxy, TcpProxies)
    clerk = ApiClient(world.stack.gateway_url).sign_in("jianlang", demo_password())
    (form,), key = make_people(700_000, 1), str(uuid4())
    proxy.lose_commit_of(key.encode())

    unanswered = clerk.http.post(
        f"{clerk.base}/api/v1/members", json=form, headers={"Idempotency-Key": key}, timeout=60
    )
    assert (unanswered.status_code, proxy.lost) == (503, 1)
    assert "Retry-After" in unanswered.headers
    fail_over(servers)
    answer = retry_until_answered(clerk, "members", form, key)

    assert retry_until_answered(clerk, "members", form, key) == answer
    assert [one["member_id"] for one in clerk.all_pages("members") if one["name"] == form["name"]] == [
        answer["member_id"]
    ]
    counted = servers.execute(
        servers.primary,
        "select count(*) from handled_request where request_id = %s",
        [key],
        database="chaos_membership",
    )
    assert counted == [(1,)]


def test_a_system_at_work_loses_and_doubles_nothing_when_its_primary_is_killed_again_and_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SESSION_SECRET", "that of the stack of all other tests comes back")
    outcome = run_chaos(_UNDER_LOAD, _FOLDER / "chaos")
    killed = [one for one in outcome.injected if one.fault.kind == FAIL_OVER.name]
    facts: dict[str, Any] = {
        "primary killed": len(killed),
        "seconds from each kill until it had a standby again": [round(one.ended - one.began, 1) for one in killed],
        "most seconds in which queries were not answered": round(outcome.longest_silence, 1),
        "requests answered": outcome.requests,
        "repeated by clients": dict(outcome.retries),
        "promises held": dict(outcome.verdict.promised),
    }
    print("\n" + "\n".join(f"{name}: {value}" for name, value in facts.items()))
    assert outcome.violations == []
    assert len(killed) >= 2
    assert outcome.verdict.promised["members registered"] == _UNDER_LOAD.members
    assert outcome.verdict.promised["bank results applied"] > 0
