"""Attack with full rights on membership's database: a truncated audit log is detected by other services' copies."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine, make_url, text

from deploy.invariants import System
from deploy.invariants.audit_heads import signed_heads
from deploy.invariants.system import snapshots_of
from deploy.local import postgres
from deploy.local.client import wait_until
from deploy.local.environment import ROOT
from deploy.local.nodes import Nodes
from deploy.local.ports import LOOPBACK
from deploy.local.stack import Stack
from tests.desks import a_desk, people


@pytest.fixture
def copy(stack: Stack, nodes: Nodes) -> Iterator[str]:
    """The address of a copy of membership's database, as somebody may restore it."""
    name = f"cut_{os.getpid()}"
    nodes.postgres.create_database(name)
    server = ["-h", LOOPBACK, "-p", str(nodes.postgres.port), "-U", postgres.SUPERUSER]
    dump = [str(postgres.binaries() / "pg_dump"), *server, "--no-owner", "--no-privileges"]  # type: ignore[operator]
    restore = [str(postgres.binaries() / "psql"), *server, "--quiet", "--dbname", name]  # type: ignore[operator]
    environment = {**os.environ, "PGPASSWORD": nodes.postgres.password}
    source = make_url(stack.addresses.database_urls["membership"]).database or ""
    dumped = subprocess.run([*dump, source], env=environment, capture_output=True, check=True).stdout
    subprocess.run(restore, env=environment, input=dumped, stdout=subprocess.DEVNULL, check=True)
    yield nodes.postgres.url(name)
    nodes.postgres.drop_database(name)


def heads_of(stack: Stack, *services: str) -> list[str]:
    """What these services remember."""
    with snapshots_of(System.of_stack(stack)) as snapshots:
        rows = [row for service in services for row in snapshots.rows(service, "select statement from audit_head")]
        return [row["statement"] for row in rows]


def verdict(stack: Stack, database_url: str, heads: list[str]) -> str:
    command = [sys.executable, "-W", "ignore", "-m", "services.membership.audit.audit_verify", "--heads", "-"]
    environment = {**stack.environment("membership"), "DATABASE_URL": database_url}
    output = "".join(f"{head}\n" for head in heads)
    done = subprocess.run(command, cwd=ROOT, env=environment, input=output, capture_output=True, text=True, check=False)
    return done.stdout or done.stderr


def test_a_restored_log_that_lacks_the_newest_entries_is_found(stack: Stack, copy: str) -> None:
    a_desk(stack.gateway_url).register(*people(1))  # acts that the copy lacks
    before = len(heads_of(stack, "revocation"))
    wait_until(lambda: len(heads_of(stack, "revocation")) > before, "revocation remembers a newer end")
    wait_until(
        lambda: set(heads_of(stack, "membership")) <= set(heads_of(stack, "notification")), "notification does as well"
    )
    with snapshots_of(System.of_stack(stack)) as snapshots:
        written = signed_heads(System.of_stack(stack), snapshots)

    assert "chain intact" in verdict(stack, stack.addresses.database_urls["membership"], written)
    for remembered in (heads_of(stack, "revocation"), heads_of(stack, "notification"), written):
        assert "are missing: the end was cut off" in verdict(stack, copy, remembered)


def test_a_service_neither_forgets_nor_changes_what_it_remembers(stack: Stack) -> None:
    wait_until(lambda: heads_of(stack, "batching"), "batching remembers an end")
    with create_engine(stack.addresses.database_urls["batching"]).connect() as connection:
        for statement in ("delete from audit_head", "update audit_head set position = 0", "truncate audit_head"):
            with pytest.raises(Exception, match=r"never changes|permission denied"), connection.begin():
                connection.execute(text(statement))
