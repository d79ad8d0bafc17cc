"""Broker, database and HTTPS prove who they are, or are refused; certificates are replaced while people work."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Event, Thread
from uuid import uuid4

import psycopg
import pytest
import requests
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from deploy.invariants import System, check
from deploy.local.addresses import temporary_addresses
from deploy.local.captcha_solver import use_secret_of
from deploy.local.client import ApiClient, wait_until
from deploy.local.demo import run_story
from deploy.local.environment import ROOT, SERVICES
from deploy.local.postgres import SUPERUSER
from deploy.local.processes import read_plan
from deploy.local.rabbitmq import ADMINISTRATOR
from deploy.local.stack import Stack, running_stack
from services.kit.amqp.connection import BROKER_ERRORS, open_connection
from services.kit.data.database import engine_for
from services.kit.secret_values import Secret
from services.kit.settings import DatabaseSettings
from services.membership.seed import demo_password
from services.validation.registry import Registry, RegistryQuery, RegistrySettings
from tests.certificates import Authority, Certificate
from tests.chaos.people import make_people
from tests.deploy.encrypted_servers import Servers, front_of, running_servers
from tests.e2e.continuous_load import seeds
from tests.e2e.retrying import retry_until_answered
from tests.registry_simulator import running_registry
from tests.unlimited import UNLIMITED

pytestmark = pytest.mark.deploy("nginx, nodes with certificates, and a stack of its own on them")

_SETTLE_SECONDS = 15
_ROUNDS = 4
AUTHORITY = Authority()
BAD = {
    "expired": AUTHORITY.issue(lasts=-timedelta(minutes=1)),
    "of another host": AUTHORITY.issue("127.0.0.9"),
    "of an authority that nobody trusts": Authority("stranger").issue(),
}
each_bad = pytest.mark.parametrize("certificate", BAD.values(), ids=BAD)


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    """Broker and database; SSL_CERT_FILE names the trusted authorities."""
    with running_servers(AUTHORITY) as running, pytest.MonkeyPatch.context() as environment:
        environment.setenv("SSL_CERT_FILE", str(running.trusted))
        yield running


@pytest.fixture
def presenting(servers: Servers) -> Iterator[Callable[[Certificate], None]]:
    """Gives the servers a certificate; they have a good one again after the test."""
    yield servers.present
    servers.present(AUTHORITY.issue())


@pytest.fixture(scope="module")
def stack(servers: Servers) -> Iterator[Stack]:
    """A stack of two processes of each service, all of whose connections are encrypted."""
    settings = {**UNLIMITED, "SSL_CERT_FILE": str(servers.trusted)}
    with (
        temporary_addresses(servers.nodes, "encrypted") as plain,
        pytest.MonkeyPatch.context() as environment,
        running_stack(
            ROOT / ".local" / "test-encrypted-stack",
            servers.encrypted(plain),
            dict.fromkeys(SERVICES, 2),
            settings,
        ) as running,
    ):
        environment.setenv("SESSION_SECRET", "")
        use_secret_of(running.folder)
        environment.setenv("SMS_SIMULATOR_URL", running.simulator_urls["sms"])
        yield running


def selects_one(url: str) -> int:
    engine = engine_for(DatabaseSettings(Secret(url)), "test")
    try:
        with engine.connect() as connection:
            return int(connection.scalar(text("select 1")) or 0)
    finally:
        engine.dispose()


def is_numbered(clerk: ApiClient, member_id: str) -> bool:
    return clerk.get(f"members/{member_id}")["member_no"] is not None


def wait_until_longer(registered: list[str]) -> None:
    wanted = len(registered) + 5
    wait_until(lambda: len(registered) >= wanted, "clerks work with the new certificates", 120)


def test_a_good_certificate_is_taken(servers: Servers) -> None:
    open_connection(servers.broker_uri(), "test").release()
    assert selects_one(servers.database_url()) == 1


def test_who_speaks_in_clear_text_is_named(servers: Servers) -> None:
    plain = open_connection(servers.nodes.rabbitmq.uri("/"), "test")
    with psycopg.connect(servers.nodes.postgres.url().replace("+psycopg", ""), sslmode="disable"):
        assert servers.unencrypted() == [ADMINISTRATOR, SUPERUSER]
    plain.release()
    wait_until(lambda: not servers.unencrypted(), "nobody speaks in clear text")


@each_bad
def test_a_broker_with_a_bad_certificate_is_refused(
    servers: Servers, presenting: Callable[[Certificate], None], certificate: Certificate
) -> None:
    presenting(certificate)
    with pytest.raises(BROKER_ERRORS, match="certificate"):
        open_connection(servers.broker_uri(), "test")


@each_bad
def test_a_database_with_a_bad_certificate_is_refused(
    servers: Servers, presenting: Callable[[Certificate], None], certificate: Certificate
) -> None:
    presenting(certificate)
    with pytest.raises(SQLAlchemyError, match="certificate"):
        selects_one(servers.database_url())


@pytest.mark.parametrize(
    ("certificate", "is_asked"),
    [(AUTHORITY.issue(), True), *((certificate, False) for certificate in BAD.values())],
    ids=["good", *BAD],
)
def test_a_registry_is_asked_only_if_its_certificate_is_good(
    certificate: Certificate, is_asked: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "trusted.crt").write_bytes(AUTHORITY.certificate)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "trusted.crt"))
    with running_registry() as simulator, front_of(simulator.url, certificate, tmp_path) as url:
        registry = Registry(RegistrySettings(url))
        answers = registry.query([RegistryQuery("one", "王芳", "310101199001011234")])
        registry.close()
        assert (set(answers), simulator.calls()) == (({"one"}, 1) if is_asked else (set(), 0))


def test_the_demo_runs_and_nothing_speaks_in_clear_text(stack: Stack, servers: Servers) -> None:
    with ThreadPoolExecutor(1) as clerk:
        story = clerk.submit(run_story, stack, next(seeds))
        heard: set[str] = set()
        while not story.done():
            heard.update(servers.unencrypted())
    assert (story.result(), heard) == (0, set())
    assert check(System.of_stack(stack), settle_seconds=_SETTLE_SECONDS) == []


def test_replacing_certificates_and_their_authority_under_load_loses_nothing(stack: Stack, servers: Servers) -> None:
    clerk = ApiClient(stack.gateway_url).sign_in("jianlang", demo_password())
    registered: list[str] = []
    is_over = Event()

    def register() -> None:
        for form in make_people(810_000, 5_000):
            if is_over.is_set():
                return
            registered.append(retry_until_answered(clerk, "members", form, str(uuid4()))["member_id"])

    clerks = Thread(target=register)
    clerks.start()
    try:
        former = AUTHORITY
        for number in range(_ROUNDS):
            authority = Authority(f"authority {number}")
            servers.trust(former, authority)
            servers.present(authority.issue())
            servers.trust(authority)
            servers.close_connections()
            wait_until_longer(registered)
            former = authority
        servers.trust(former, AUTHORITY)
    finally:
        is_over.set()
        clerks.join()
    servers.present(AUTHORITY.issue())
    servers.trust(AUTHORITY)
    stack.wait_until_ready()
    for member_id in registered:
        wait_until(partial(is_numbered, clerk, member_id), "each member has a number")
    assert check(System.of_stack(stack), settle_seconds=_SETTLE_SECONDS) == []


def test_work_waits_while_a_certificate_has_expired_and_is_done_once_afterwards(stack: Stack, servers: Servers) -> None:
    clerk = ApiClient(stack.gateway_url).sign_in("jianlang", demo_password())
    (form,) = make_people(820_000, 1)
    key = str(uuid4())
    servers.present(BAD["expired"])
    servers.close_connections()
    ready_urls = [one.ready_url for one in read_plan(stack.folder).processes if one.program in SERVICES]
    wait_until(
        lambda: all(requests.get(url, timeout=20).status_code == 503 for url in ready_urls), "no service is ready", 90
    )
    answer = clerk.http.post(f"{clerk.base}/api/v1/members", json=form, headers={"Idempotency-Key": key}, timeout=60)
    assert answer.status_code == 503
    servers.present(AUTHORITY.issue())
    stack.wait_until_ready()
    member_id = retry_until_answered(clerk, "members", form, key)["member_id"]
    wait_until(partial(is_numbered, clerk, member_id), "the member has a number")
    found = clerk.get("members", document_number=form["document_number"])["items"]
    assert [one["member_id"] for one in found] == [member_id]
    assert check(System.of_stack(stack), settle_seconds=_SETTLE_SECONDS) == []
