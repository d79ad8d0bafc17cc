"""Alerts reach Alertmanager when something is really wrong, and end when it is mended; dashboards show data."""

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from urllib.parse import urlsplit
from uuid import uuid4

import amqp
import psycopg
import pytest
import requests

from deploy.broker import declare_all
from deploy.local import nodes as private_nodes
from deploy.local import postgres
from deploy.local.client import ApiClient, ApiProblem, wait_until
from deploy.local.environment import SERVICES
from deploy.local.processes import supervisor_pid
from deploy.local.rabbitmq import SHARE_OF_MEMORY
from deploy.monitoring.servers import CONFIGURATION, PACKAGES
from services.contracts.events.membership import MEMBERS_QUEUED
from services.contracts.events.revocation import REVOCATION_APPROVED
from services.kit.amqp.connection import open_connection
from services.kit.amqp.queues import events_exchange
from services.kit.events.contract import EventContract
from services.membership.seed import demo_password
from tests.alert_rules import RUNBOOKS, alerts, panels, runbook_expressions
from tests.dead_letters import DEAD, settle
from tests.debian_packages import need_packages
from tests.deploy.watched_stack import Watched, watched_stack
from tests.desks import Desk, a_desk, a_phone, people

pytestmark = [
    pytest.mark.deploy("Prometheus and Alertmanager from Debian; a stack whose nodes and processes are hurt"),
    pytest.mark.alone("waits for alerts that a busy machine causes too"),
]

PROGRAMS = (*SERVICES, "gateway")
QUIET = "Watchdog none"
"""What Alertmanager has when all is well."""
POISONED = "batching.revocation_approved"
FORGED = "batching.members_queued"
LINKS = "notification.reset_link_made"
SLOW = {f"{alert} {severity}" for alert in ("HttpSlow", "EventsLate") for severity in ("page", "ticket")}
"""What is true of a machine that has much else to do."""
CONSEQUENCES = {
    *SLOW,
    "HttpErrors ticket",
    *(f"NotReady ticket {program}" for program in PROGRAMS),
    *(f"RequestsExpired ticket {service}" for service in SERVICES),
    f"DeadLettersWait ticket {FORGED}.dead",
}
"""What may fire besides what the tests wait for, since it follows from the same troubles."""
_ASKING = 40
"""More clerks than membership has workers."""


@pytest.fixture(scope="module", autouse=True)
def packages() -> None:
    need_packages(*PACKAGES)


@pytest.fixture(scope="module")
def watched(packages: None) -> Iterator[Watched]:
    with watched_stack() as running:
        wait_until(running.is_reached, "Prometheus reaches every process", 60)
        wait_until(lambda: running.alerts() - SLOW == {QUIET}, "alerts of the start are over", 60)
        running.begin()
        yield running


@pytest.fixture(scope="module")
def desk(watched: Watched) -> Desk:
    return wait_until(lambda: _desk_unless_busy(watched), "a clerk is signed in", 300)


@pytest.fixture(scope="module")
def poisoned(watched: Watched) -> str:
    """The id of an event of revocation that violates its contract."""
    uri = watched.stack.addresses.amqp_uris["revocation"]
    return publish_nonsense(uri, REVOCATION_APPROVED, user_id=urlsplit(uri).username)


def run(*command: str) -> str:
    return subprocess.run(command, cwd=CONFIGURATION, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("name", ["objectives", "processes", "messages", "outside"])
def test_rules_pass_promtools_tests(name: str) -> None:
    assert "SUCCESS" in run("promtool", "test", "rules", f"tests/{name}.yml")


def test_promtool_and_amtool_find_no_fault_in_the_examples() -> None:
    assert "SUCCESS" in run("promtool", "check", "config", "prometheus.yml")
    assert "SUCCESS" in run("amtool", "check-config", "alertmanager.yml")


@pytest.mark.parametrize(("severity", "receiver"), [("page", "on-call"), ("ticket", "tickets"), ("none", "heartbeat")])
def test_operators_see_all_alerts_and_only_pages_wake_somebody(severity: str, receiver: str) -> None:
    names = {alert["alert"] for alert in alerts() if alert["labels"]["severity"] == severity}
    for name in names:
        labels = (f"alertname={name}", f"severity={severity}")
        routed = run("amtool", "config", "routes", "test", "--config.file=alertmanager.yml", *labels).strip()
        assert routed == f"operators,{receiver}"


def test_nothing_fires_while_people_work(watched: Watched, desk: Desk) -> None:
    bank = f"{watched.stack.simulator_urls['bank']}/control"
    requests.put(bank, json={"mode": "auto"}, timeout=30).raise_for_status()
    desk.import_members(people(5))
    batch_no = desk.submit_all()
    wait_until(lambda: desk.clerk.get(f"batches/{batch_no}")["issued"] > 0, "the bank issues cards")
    wait_until(lambda: _handled(watched, "bank.feedback") > 0, "Prometheus has seen the feedback")
    assert watched.fired() - SLOW == {QUIET}


def test_the_first_dead_letter_and_the_first_forged_event_are_noticed(watched: Watched, poisoned: str) -> None:
    publish_nonsense(watched.broker_uri, MEMBERS_QUEUED)
    grew = [f"DeadLettersGrew ticket {queue}" for queue in (POISONED, FORGED)]
    watched.wait_for(*grew, f"PublishersRefused page {FORGED}")
    operator = ApiClient(watched.stack.gateway_url).sign_in("ops", demo_password())
    wait_until(
        lambda: {("DeadLettersGrew", POISONED), ("DeadLettersGrew", FORGED)} <= firing(operator), "it is shown", 120
    )
    told = {"系统告警（紧急）", "系统告警（一般）"}
    wait_until(
        lambda: told <= {message["title"] for message in operator.get("messages?size=100")["items"]}, "it is told", 120
    )
    assert operator.get("operations/overview")["alerts_heard_at"] is not None
    watched.wait_until_over(*grew, f"PublishersRefused page {FORGED}")
    wait_until(lambda: ("DeadLettersGrew", POISONED) not in firing(operator), "it is over for operators too", 400)


def test_a_missing_queue_an_old_outbox_and_an_absent_registry_are_noticed(watched: Watched, desk: Desk) -> None:
    missing = ["QueuesMissing page membership", "QueuesMissing page notification", "OutboxTooOld page membership"]
    desk.register(*people(2))
    desk.queue_all()
    with registry_away(watched), queue_missing(watched, LINKS):
        desk.clerk.post("pending/validate", {"channel": "ordinary"})
        create_account(desk)
        watched.wait_for(*missing, "RegistryAway ticket")
    watched.wait_until_over(*missing, "RegistryAway ticket")


def test_a_broker_that_accepts_no_messages_is_noticed(watched: Watched) -> None:
    blocked = ["BrokerBlocked page", *(f"NotReady page {program}" for program in PROGRAMS)]
    watched.nodes.rabbitmq.limit_memory(1e-9)
    try:
        watched.wait_for(*blocked)
        assert watched.alerts(inhibited=False) & set(blocked) == {"BrokerBlocked page"}, "one call is enough"
    finally:
        watched.nodes.rabbitmq.limit_memory(SHARE_OF_MEMORY)
    watched.wait_until_over(*blocked)


def test_workers_and_connections_that_all_wait_for_a_lock_are_noticed(watched: Watched, desk: Desk) -> None:
    exhausted = ["WorkersExhausted page membership", "ConnectionsExhausted page membership"]
    with asking_for_members(desk), locked(watched, "member"):
        watched.wait_for(*exhausted, "HttpErrors page")
    watched.wait_until_over(*exhausted)


def test_a_killed_process_is_noticed(watched: Watched) -> None:
    away = ["ProcessAway ticket validation", "ProgramAway page validation"]
    supervisor = supervisor_pid(watched.stack.folder)
    assert supervisor is not None
    os.kill(supervisor, signal.SIGSTOP)  # it would start another one within a second
    try:
        watched.stack.kill("validation")
        watched.wait_for(*away)
    finally:
        os.kill(supervisor, signal.SIGCONT)
    watched.wait_until_over(*away)


def test_relays_without_a_database_are_noticed(watched: Watched) -> None:
    lost = [f"{alert} page {service}" for alert in ("RelayHasNoLeader", "NotReady") for service in SERVICES]
    postgres.stop(watched.nodes.folder)
    try:
        watched.wait_for(*lost)
    finally:
        started = private_nodes.start_postgres(watched.nodes.folder, durable=False)
    assert started.port == watched.nodes.postgres.port
    watched.wait_until_over(*lost)


def test_dead_letters_that_nobody_settles_are_noticed_until_somebody_does(watched: Watched, poisoned: str) -> None:
    watched.wait_for(f"DeadLettersWait ticket {DEAD}")
    operator = ApiClient(watched.stack.gateway_url).sign_in("ops", demo_password())
    settle(operator, DEAD, "discard", ids=[poisoned], reason="测试数据")
    watched.wait_until_over(f"DeadLettersWait ticket {DEAD}", "HttpErrors page")


def test_nothing_fired_that_had_no_cause(watched: Watched) -> None:
    assert watched.fired() - watched.awaited - CONSEQUENCES == {QUIET}


@pytest.mark.parametrize("dashboard", ["overview.json", "messages.json", "http.json", "bank.json"])
def test_panels_show_data(watched: Watched, dashboard: str) -> None:
    wait_until(watched.is_reached, "Prometheus reaches every process", 60)
    empty = []
    for panel in panels():
        for expression in panel.expressions if panel.dashboard == dashboard else ():
            if not watched.query(expression.replace("$__rate_interval", "10m")) and not panel.may_be_empty:
                empty.append((panel.title, expression))
    assert empty == []


def test_prometheus_understands_the_expressions_of_runbooks(watched: Watched) -> None:
    for page in RUNBOOKS.glob("*.md"):
        for expression in runbook_expressions(page.read_text("utf-8")):
            watched.query(expression)


def test_the_databases_understand_the_statements_of_runbooks(watched: Watched) -> None:
    found = [one for page in RUNBOOKS.glob("*.md") for one in _statements(page.read_text("utf-8"))]
    assert len(found) > 5
    for statement, service in found:
        with psycopg.connect(watched.database(service)) as connection:
            connection.execute(statement.replace("<service>", service))


def firing(operator: ApiClient) -> set[tuple[str, str]]:
    """The alerts that fire by what operators see: names and subjects."""
    shown = operator.get("operations/overview")["alerts"]
    return {(alert["name"], alert["subject"]) for alert in shown if alert["ended_at"] is None}


def _desk_unless_busy(watched: Watched) -> Desk | None:
    """A new union's clerk; None where the machine is so busy that a service did not answer in time."""
    try:
        return a_desk(watched.stack.gateway_url)
    except ApiProblem as problem:
        if problem.status != requests.codes.service_unavailable:
            raise
        return None


def publish_nonsense(uri: str, contract: EventContract, **properties: str | None) -> str:
    """Publishes batching's copy of an event whose body is none; returns its id."""
    message_id = f"nonsense-{uuid4()}"
    message = amqp.Message("{}", message_id=message_id, type=contract.type, delivery_mode=2, **properties)
    with open_connection(uri, "test") as connection:
        channel = connection.connection.channel()
        channel.confirm_select()
        exchange, routing_key = events_exchange(contract.producer), contract.key_for("batching")
        channel.basic_publish_confirm(message, exchange, routing_key, mandatory=True)
    return message_id


@contextmanager
def registry_away(watched: Watched) -> Iterator[None]:
    control = f"{watched.stack.simulator_urls['registry']}/control"
    requests.put(control, json={"mode": "down"}, timeout=30).raise_for_status()
    try:
        yield
    finally:
        requests.put(control, json={"mode": "normal"}, timeout=30).raise_for_status()


@contextmanager
def queue_missing(watched: Watched, queue: str) -> Iterator[None]:
    """Deletes a queue, and declares it again as an operator does."""
    with open_connection(watched.broker_uri, "operator") as connection:
        connection.channel().queue_delete(queue)
    try:
        yield
    finally:
        declare_all(watched.broker_uri)


def create_account(desk: Desk) -> None:
    """Creates an account, whose link goes to notification."""
    account = {"account_name": f"new{desk.number}", "display_name": "王芳", "roles": ["clerk"], "phone": a_phone()}
    desk.office.administrator.post(f"unions/{desk.union_id}/accounts", account)


@contextmanager
def locked(watched: Watched, table: str) -> Iterator[None]:
    """Keeps a table of membership locked, as a manual statement that nobody commits."""
    with psycopg.connect(watched.database("membership")) as connection:
        connection.execute(f"lock table {table} in access exclusive mode")
        yield


@contextmanager
def asking_for_members(desk: Desk) -> Iterator[None]:
    """Lets many clerks ask for the list of members until the end of the block."""
    over = Event()
    cookies = desk.clerk.http.cookies
    with ThreadPoolExecutor(_ASKING) as clerks:
        for _ in range(_ASKING):
            clerks.submit(_ask_until, over.is_set, f"{desk.clerk.base}/api/v1/members", cookies)
        try:
            yield
        finally:
            over.set()


def _ask_until(is_over: Callable[[], bool], url: str, cookies: requests.cookies.RequestsCookieJar) -> None:
    while not is_over():
        requests.get(url, cookies=cookies, timeout=60)


def _handled(watched: Watched, queue: str) -> float:
    found = watched.query(f'sum(messages_handled_total{{queue="{queue}"}})')
    return float(found[0]["value"][1]) if found else 0


def _statements(text: str) -> list[tuple[str, str]]:
    """The SQL statements of a page with the service whose database they are for; any service where none is named."""
    found = re.findall(r"^(select .*?);(?: +-- (?:in|as) (\w+))?", text, re.DOTALL | re.MULTILINE)
    return [(statement, of if of in SERVICES else "membership") for statement, of in found]
