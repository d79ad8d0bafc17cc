"""The example with Patroni: a leader is killed, another one is chosen, and the kit's engine goes on by itself."""

import re
import time
from collections.abc import Iterator

import psycopg
import pytest

from deploy.local.client import wait_until
from deploy.local.environment import ROOT
from services.kit.data.primary import primary_of
from tests.deploy.patroni_cluster import NODES, Cluster, patroni_cluster
from tests.deploy.writers import TABLE, Writers

pytestmark = [
    pytest.mark.deploy("Patroni, etcd and haproxy with three database servers"),
    pytest.mark.timeout(900),
    pytest.mark.alone("measures the gap after a leader is killed"),
]

_BY_HAPROXY, _BY_ADDRESS = 1, 1_000_000
"""The first rows of those who connect by haproxy's port, and by an address that names the three servers."""
_LONGEST_AFTER_THE_TTL = 30


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with patroni_cluster() as running:
        running_leader(running)
        yield running


def running_leader(cluster: Cluster) -> str:
    """Returns the leader, which haproxy has found too, with the table of the writers."""
    wait_until(lambda: is_served(cluster.address(cluster.ports["primary"])), "haproxy leads to the primary")
    with primary_of(cluster.of_all_servers).connect(autocommit=True) as connection:
        connection.execute(TABLE)
    assert cluster.leader is not None
    return cluster.leader


def is_served(address: str) -> bool:
    try:
        psycopg.connect(address, connect_timeout=3).close()
    except psycopg.OperationalError:
        return False
    return True


def new_leader(cluster: Cluster, former: str) -> str:
    return wait_until(
        lambda: leader if (leader := cluster.leader) not in (None, former) and is_primary(cluster, leader) else None,
        f"another node than {former} leads",
        120,
    )


def is_primary(cluster: Cluster, name: str | None) -> bool:
    """Whether a node's server takes changes."""
    return name in NODES and is_served(f"{cluster.address(cluster.ports[name])}&target_session_attrs=read-write")


def by_the_primary(cluster: Cluster) -> str:
    """An address that leads to the server that takes changes; a standby may still lack the newest."""
    return f"{cluster.of_all_servers}&target_session_attrs=read-write"


def rows_at(address: str) -> set[int]:
    with psycopg.connect(address, connect_timeout=5) as connection:
        return {row for (row,) in connection.execute("select id from kept")}


def test_a_killed_leader_is_replaced_and_no_answered_commit_is_lost(cluster: Cluster) -> None:
    (ttl,) = map(int, re.findall(r"^ +ttl: (\d+)$", (ROOT / "deploy/patroni/config.yml").read_text(), re.MULTILINE))
    former = running_leader(cluster)
    with (
        Writers(cluster.address(cluster.ports["primary"]), first_id=_BY_HAPROXY) as by_haproxy,
        Writers(cluster.of_all_servers, first_id=_BY_ADDRESS) as by_address,
    ):
        killed_at = time.monotonic()
        cluster.kill(former)
        leader = new_leader(cluster, former)
        seconds = time.monotonic() - killed_at
        for writers in (by_haproxy, by_address):
            writers.wait_for(100)
        silences = [writers.longest_gap(killed_at) for writers in (by_haproxy, by_address)]
    print(
        f"\n{former} killed, {leader} takes changes after {seconds:.1f} s (ttl {ttl} s); no commit was answered for "
        f"{silences[0]:.1f} s by haproxy, for {silences[1]:.1f} s by an address of the three servers; "
        f"answered {len(by_haproxy.answered)} and {len(by_address.answered)}"
    )
    assert seconds < ttl + _LONGEST_AFTER_THE_TTL
    assert (by_haproxy.ids | by_address.ids) - rows_at(by_the_primary(cluster)) == set()
    assert by_haproxy.strange + by_address.strange == []

    cluster.start_node(former)
    cluster.wait_until_whole()
    assert cluster.leader == leader
    standbys = cluster.address(cluster.ports["standbys"])
    wait_until(lambda: by_address.ids <= rows_at(standbys), "a standby has what was answered")


def test_the_leader_changes_on_command_while_commits_go_on(cluster: Cluster) -> None:
    former = running_leader(cluster)
    with (
        Writers(cluster.address(cluster.ports["primary"]), first_id=10 * _BY_ADDRESS) as by_haproxy,
        Writers(cluster.of_all_servers, first_id=20 * _BY_ADDRESS) as by_address,
    ):
        ordered_at = time.monotonic()
        said = cluster.switch_over()
        leader = new_leader(cluster, former)
        for writers in (by_haproxy, by_address):
            writers.wait_for(100)
        silences = [writers.longest_gap(ordered_at) for writers in (by_haproxy, by_address)]
    print(
        f"\nswitched from {former} to {leader}: {said.strip().splitlines()[0]}; no commit was answered for "
        f"{silences[0]:.1f} s by haproxy, for {silences[1]:.1f} s by an address of the three servers"
    )
    assert (by_haproxy.ids | by_address.ids) - rows_at(by_the_primary(cluster)) == set()
    assert by_haproxy.strange + by_address.strange == []
    cluster.wait_until_whole()
