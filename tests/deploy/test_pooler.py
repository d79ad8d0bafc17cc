"""A whole stack behind PgBouncer, which gives it another connection in each transaction."""

import os
from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest
import requests
from psycopg import sql

from deploy.invariants import System, check
from deploy.local.addresses import temporary_addresses
from deploy.local.captcha_solver import use_secret_of
from deploy.local.client import ApiClient, wait_until
from deploy.local.demo import run_story
from deploy.local.environment import ROOT, SERVICES, Addresses
from deploy.local.nodes import Nodes
from deploy.local.processes import read_plan
from deploy.local.stack import Stack, running_stack
from services.kit.data.database_address import parameters_of
from services.kit.settings import DatabaseSettings, Secret
from services.membership.seed import demo_password
from tests.chaos.people import make_people
from tests.deploy.pgbouncer import PgBouncer, pgbouncer
from tests.e2e.continuous_load import seeds
from tests.e2e.retrying import retry_until_answered
from tests.unlimited import UNLIMITED

pytestmark = pytest.mark.deploy("PgBouncer, and a stack of its own behind it")

_TWO_EACH = dict.fromkeys(SERVICES, 2)
_SETTLE_SECONDS = 15


@pytest.fixture(scope="module")
def addresses(nodes: Nodes) -> Iterator[Addresses]:
    """What a stack needs on the nodes, without a pooler."""
    with temporary_addresses(nodes, f"pooled_{os.getpid()}") as direct:
        yield direct


@pytest.fixture(scope="module")
def pooler(nodes: Nodes, addresses: Addresses) -> Iterator[PgBouncer]:
    """PgBouncer for the roles of the services."""
    roles = [parameters_of(url)["user"] for url in addresses.database_urls.values()]
    with pgbouncer(nodes.postgres, roles) as running:
        yield running


@pytest.fixture(scope="module")
def stack(addresses: Addresses, pooler: PgBouncer) -> Iterator[Stack]:
    """A stack of two processes of each service, all of whose databases are behind the pooler."""
    pooled = {service: pooler.through(url) for service, url in addresses.database_urls.items()}
    through = Addresses(addresses.amqp_uris, pooled, addresses.owner_urls, addresses.database_urls)
    with (
        pytest.MonkeyPatch.context() as environment,
        running_stack(ROOT / ".local" / "test-pooled", through, _TWO_EACH, UNLIMITED) as running,
    ):
        environment.setenv("SESSION_SECRET", "")
        use_secret_of(running.folder)
        environment.setenv("SMS_SIMULATOR_URL", running.simulator_urls["sms"])
        yield running


def relays(nodes: Nodes) -> list[tuple[str, bool]]:
    """Returns each relay's service, and whether it leads: whether it holds its lock."""
    query = (
        "select application_name, exists (select from pg_locks where pg_locks.pid = pg_stat_activity.pid"
        " and locktype = 'advisory') from pg_stat_activity where application_name like '%% relay' and datname like %s"
    )
    with psycopg.connect(nodes.postgres.url().replace("+psycopg", "")) as administrator:
        return administrator.execute(query, [f"pooled_{os.getpid()}%"]).fetchall()


def test_the_demo_runs_and_the_invariants_hold(stack: Stack, nodes: Nodes) -> None:
    assert run_story(stack, next(seeds)) == 0
    assert check(System.of_stack(stack), settle_seconds=_SETTLE_SECONDS) == []
    leaders = sorted(name for name, leads in relays(nodes) if leads)
    assert leaders == sorted(f"{service} relay" for service in SERVICES)


def test_services_go_on_when_the_pooler_is_back(stack: Stack, pooler: PgBouncer) -> None:
    pooler.stop()
    process = next(one for one in read_plan(stack.folder).processes if one.program == "batching")
    wait_until(lambda: requests.get(process.ready_url, timeout=20).status_code == 503, "batching lacks its database")
    pooler.start()
    stack.wait_until_ready()
    clerk = ApiClient(stack.gateway_url).sign_in("jianlang", demo_password())
    (form,) = make_people(800_000, 1)
    member = retry_until_answered(clerk, "members", form, str(uuid4()))["member_id"]
    wait_until(lambda: clerk.get(f"members/{member}")["member_no"], "the events that number a member come through")


def test_a_role_without_limits_is_named_by_readiness(
    stack: Stack, pooler: PgBouncer, nodes: Nodes, addresses: Addresses
) -> None:
    role = sql.Identifier(parameters_of(addresses.database_urls["revocation"])["user"])
    process = next(one for one in read_plan(stack.folder).processes if one.program == "revocation")
    with psycopg.connect(nodes.postgres.url().replace("+psycopg", ""), autocommit=True) as administrator:
        administrator.execute(sql.SQL("alter role {} reset statement_timeout").format(role))
        pooler.stop()
        pooler.start()
        found = wait_until(
            lambda: next(
                (text for text in [requests.get(process.ready_url, timeout=20).text] if "statement_timeout" in text), ""
            ),
            "readiness names what the role lacks",
        )
        limit = DatabaseSettings(Secret()).session_limits["statement_timeout"]
        administrator.execute(sql.SQL("alter role {} set statement_timeout = {}").format(role, sql.Literal(limit)))
    assert "no statement_timeout or lock_timeout" in found
    pooler.stop()
    pooler.start()
    stack.wait_until_ready()
