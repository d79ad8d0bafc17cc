"""What the chart's jobs and pods are given suffices: their commands prepare real nodes, and the programs become ready.

Commands, settings and files are those that helm renders; a pod's folder of secrets is one of the test.
"""

import base64
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
import yaml

from deploy.local import nodes as private_nodes
from deploy.local import postgres, rabbitmq, web
from deploy.local.client import wait_until
from deploy.local.nodes import Nodes
from deploy.local.ports import LOOPBACK, hold_port
from deploy.permissions import OPTIONAL_PROGRAMS, PROGRAMS, SERVICES
from services.kit.amqp.queues import owner_of, request_queue
from services.kit.events.topology import event_queues
from services.kit.key_sets import new_encryption_keys, new_signing_keys, public_part
from services.kit.rpc import request_encryption
from services.kit.rpc.caller_signature import public_keys
from services.kit.system import external_of, the_system
from tests.databases import ROOT
from tests.deploy import chart
from tests.deploy.chart import Manifest, container, environment, of_kind, secret_keys
from tests.listening import listening_url
from tests.mothers import a_union_code

pytestmark = [
    pytest.mark.deploy("nodes of its own, with the broker's management"),
    pytest.mark.alone("waits for what a scaler sees within seconds"),
]

_ADMINISTRATOR = ("--union", "上海市总工会", "--code", a_union_code(1), "--account", "first", "--name", "陈静")
_FURTHER_CONNECTIONS = 6
"""To the broker, beside one for each queue of events, as docs/operations/kubernetes.md says."""


@dataclass(frozen=True)
class City:
    """Nodes that are prepared as the guide says, the Secrets that it asks for, and the release."""

    nodes: Nodes
    secrets: Mapping[str, Mapping[str, str]] = field(repr=False)
    manifests: list[Manifest]
    management_url: str = field(repr=False)
    folder: Path

    def pod(self, kind: str, name: str) -> Manifest:
        spec = of_kind(self.manifests, kind)[name]["spec"]
        pod: Manifest = (spec["jobTemplate"]["spec"] if kind == "CronJob" else spec)["template"]
        return pod

    def environment(self, pod: Manifest) -> dict[str, str]:
        """What the pod's process has, its files of secrets in a folder of the test."""
        mounted = self.folder / container(pod)["name"]
        mounted.mkdir(exist_ok=True)
        for secret, files in secret_keys(pod).items():
            for path, key in files.items():
                (mounted / path).write_text(f"{self.secrets[secret][key]}\n")
        given = {name: value.replace("/run/secrets", str(mounted)) for name, value in environment(pod).items()}
        of_image = {"PATH": f"{postgres.binaries()}:{os.environ['PATH']}", "LANG": "C.UTF-8", "HOME": "/tmp"}  # noqa: S108
        return {**of_image, "EVENTLET_NO_GREENDNS": "yes", **given}

    def run(self, pod: Manifest, *command: str) -> "subprocess.CompletedProcess[str]":
        """Runs the pod's command, or another one in its stead, to its end."""
        words = command or tuple(container(pod)["args"])
        return subprocess.run(
            [sys.executable if words[0] == "python" else words[0], *words[1:]],
            env=self.environment(pod),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )


@dataclass(frozen=True)
class Program:
    """A program that runs as in its pod, but with ports of its own choice."""

    process: "subprocess.Popen[bytes]"
    health_url: str


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    folder = tmp_path_factory.mktemp("city")
    nodes = private_nodes.start(folder / "nodes", durable=False)
    try:
        nodes.rabbitmq.create_vhost("cards")
        management_url = _serve_management(nodes)
        signing = f"k1:{_key()}"
        values = chart.merged(
            chart.SMALLEST,
            {"callerPublicKeys": public_keys(signing), "backups": {"enabled": True, "image": "x", "claim": "x"}},
        )
        yield City(nodes, _secrets(nodes, management_url, signing), chart.render(values), management_url, folder)
    finally:
        private_nodes.drop(folder / "nodes")


@pytest.fixture(scope="module")
def prepared(city: City) -> City:
    """The city after the jobs of an install, in helm's order."""
    for name in _jobs_in_order(city):
        done = city.run(city.pod("Job", name))
        assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"
    return city


@pytest.fixture(scope="module")
def programs(prepared: City) -> Iterator[dict[str, Program]]:
    web.build()  # an image has the pages
    started = {}
    try:
        for name in (*SERVICES, "gateway"):
            started[name] = _start(prepared, name)
        yield started
    finally:
        for program in started.values():
            program.process.kill()
            program.process.wait()


def test_the_jobs_of_an_install_can_be_repeated_by_an_upgrade(prepared: City) -> None:
    for name in _jobs_in_order(prepared):
        done = prepared.run(prepared.pod("Job", name))
        assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"


def test_users_of_the_broker_have_the_passwords_and_permissions_of_the_release(prepared: City) -> None:
    found = requests.get(f"{prepared.management_url}/api/vhosts/cards/permissions", timeout=30).json()

    assert {one["user"] for one in found} == {*PROGRAMS, rabbitmq.ADMINISTRATOR} - {*OPTIONAL_PROGRAMS}
    [bank] = [one for one in found if one["user"] == "bank"]
    assert bank["configure"] == "^$"


def test_the_scalers_user_sees_how_many_messages_wait_and_none_of_them(prepared: City) -> None:
    api = f"{prepared.management_url}/api"
    nobody = {"configure": "^$", "write": "^$", "read": "^$"}
    requests.put(f"{api}/users/scaler", json={"password": "of the scaler", "tags": "management"}, timeout=30)
    requests.put(f"{api}/permissions/cards/scaler", json=nobody, timeout=30).raise_for_status()
    of_scaler, auth = f"http://{api.rpartition('@')[2]}", ("scaler", "of the scaler")

    for service, patterns in chart.default_values()["scaling"]["queues"].items():
        found = {}
        for what, pattern in patterns.items():
            asked = {"page": 1, "page_size": 100, "pagination": "false", "use_regex": "true", "name": pattern}
            answer = requests.get(f"{of_scaler}/queues/cards", params=asked, auth=auth, timeout=30).json()
            assert answer["page_count"] == 1
            assert all("messages" in queue for queue in answer["items"])
            found[what] = {queue["name"] for queue in answer["items"]}
        from_outside = {queue for one in external_of(service) for queue in one.consumed}
        assert found["events"] == {queue for queue in event_queues() if owner_of(queue) == service} | from_outside
        assert found["requests"] == {request_queue(service)}
    order = {"count": 1, "ackmode": "ack_requeue_true", "encoding": "auto"}
    refused = requests.post(
        f"{of_scaler}/queues/cards/{request_queue('batching')}/get", json=order, auth=auth, timeout=30
    )
    assert refused.status_code in (400, 401, 403)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_may_change_rows_and_no_tables(prepared: City, service: str) -> None:
    url = prepared.secrets[f"cards-{service}"]["DATABASE_URL"]

    with psycopg.connect(url, autocommit=True) as database:
        database.execute("delete from inbox where false")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            database.execute("create table own (id int)")
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(url, dbname="postgres")


@pytest.mark.parametrize("name", [*SERVICES, "gateway"])
def test_a_program_becomes_ready_with_what_its_pod_is_given(programs: dict[str, Program], name: str) -> None:
    program = programs[name]

    def is_ready() -> bool:
        assert program.process.poll() is None
        return requests.get(f"{program.health_url}/readyz", timeout=10).status_code == 200

    wait_until(is_ready, "ready", seconds=90)
    assert requests.get(f"{program.health_url}/healthz", timeout=10).status_code == 200


def test_a_pod_connects_to_the_broker_once_for_each_queue_of_events_and_little_more(
    prepared: City, programs: dict[str, Program]
) -> None:
    from_outside = [queue for one in the_system().external for queue in one.consumed]
    owners = list(map(owner_of, [*event_queues(), *from_outside]))
    queues = {name: owners.count(name) for name in programs}

    def connections() -> dict[str, int]:
        found = requests.get(f"{prepared.management_url}/api/connections", timeout=30).json()
        users = [one.get("user") for one in found]
        return {name: users.count(name) for name in programs}

    wait_until(lambda: all(connections()[name] > queues[name] for name in programs), "all are connected", seconds=60)
    for name, opened in connections().items():
        assert opened <= queues[name] + _FURTHER_CONNECTIONS, name


def test_the_first_administrator_is_made_in_a_pod_of_membership(prepared: City) -> None:
    module = "services.membership.accounts.first_administrator"
    pod = prepared.pod("Deployment", "membership")

    made = prepared.run(pod, "python", "-m", module, *_ADMINISTRATOR, "--phone", "13900000001")

    assert made.returncode == 0, made.stderr
    assert "account first, password for the first sign-in" in made.stdout


@pytest.mark.parametrize("name", ["audit-verify", "invariants"])
def test_a_daily_check_can_read_all_that_it_checks(prepared: City, programs: dict[str, Program], name: str) -> None:
    checked = prepared.run(prepared.pod("CronJob", name))

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_dump_has_its_name_when_it_is_whole_and_old_ones_go(prepared: City, tmp_path: Path) -> None:
    pod = prepared.pod("CronJob", "backup-revocation")
    [script] = container(pod)["args"]
    (tmp_path / "revocation-20200101T000000Z.dump").touch()
    os.utime(tmp_path / "revocation-20200101T000000Z.dump", (0, 0))
    (tmp_path / "batching-20200101T000000Z.dump").touch()

    done = prepared.run(pod, *container(pod)["command"], script.replace("/backups", str(tmp_path)))

    assert done.returncode == 0, done.stderr
    [dump] = tmp_path.glob("revocation-*.dump*")
    assert dump.suffix == ".dump"
    assert (tmp_path / "batching-20200101T000000Z.dump").exists()
    program = str(postgres.binaries() / "pg_restore")  # type: ignore[operator]
    listed = subprocess.run([program, "--list", str(dump)], capture_output=True, text=True, check=True)
    assert "TABLE DATA public outbox" in listed.stdout


def test_a_program_that_is_told_to_end_does_so_within_its_pods_time(
    prepared: City, programs: dict[str, Program]
) -> None:
    for name, program in programs.items():
        program.process.send_signal(signal.SIGTERM)
        grace = prepared.pod("Deployment", name)["spec"]["terminationGracePeriodSeconds"]
        assert program.process.wait(grace) == 0, name


def _jobs_in_order(city: City) -> list[str]:
    jobs = of_kind(city.manifests, "Job")
    return sorted(jobs, key=lambda name: (int(jobs[name]["metadata"]["annotations"]["helm.sh/hook-weight"]), name))


def _start(city: City, name: str) -> Program:
    pod = city.pod("Deployment", name)
    assert container(pod)["args"] == ["run", name]
    module = "gateway.service" if name == "gateway" else f"services.{name}.service"
    ports = {"HEALTH_HOST": LOOPBACK, "HEALTH_PORT": "0", "GATEWAY_HOST": LOOPBACK, "GATEWAY_PORT": "0"}
    log = city.folder / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.kit.operations.runner", module],
            env={**city.environment(pod), **ports},
            cwd=ROOT,
            stdout=output,
            stderr=output,
        )
    return Program(process, listening_url(log, "health", lambda: process.poll() is None))


def _serve_management(nodes: Nodes) -> str:
    """Starts the management API of the broker on a port of its own; returns the administrator's address."""
    port, folder = hold_port(), nodes.folder
    where = f'[{{port, {port}}}, {{ip, "{LOOPBACK}"}}]'
    rabbitmq._evaluate(
        folder, f"application:set_env(rabbitmq_management, tcp_config, {where}, [{{persistent, true}}])."
    )
    subprocess.run(
        ["/usr/lib/rabbitmq/bin/rabbitmq-plugins", "enable", "rabbitmq_management"],
        env=rabbitmq._environment(folder / "rabbitmq"),
        capture_output=True,
        check=True,
    )
    return f"http://{rabbitmq.ADMINISTRATOR}:{nodes.rabbitmq.password}@{LOOPBACK}:{port}"


def _secrets(nodes: Nodes, management_url: str, signing: str) -> dict[str, dict[str, str]]:
    """The Secrets of the guide's table; roles and databases are made as its steps say."""
    passwords = {program: secrets.token_hex(16) for program in PROGRAMS}
    roles = _make_roles_and_databases(nodes)
    audit, union, bank = new_signing_keys("a1"), new_encryption_keys("u1"), new_encryption_keys("b1")
    of_requests = {service: f"k1:{_key()}" for service in SERVICES}
    own: dict[str, dict[str, str]] = {
        "membership": {"AUDIT_KEYS": f"k1:{_key()}", "AUDIT_SIGNING_KEYS": audit},
        "batching": {
            "BANK_HMAC_KEY": _key(),
            "BANK_PUBLIC_KEYS": public_part(bank),
            "UNION_PRIVATE_KEYS": union,
        },
        "gateway": {
            "SESSION_SECRET": _key(),
            "CALLER_SIGNING_KEYS": signing,
            "REQUEST_PUBLIC_KEYS": ",".join(request_encryption.public_keys(*one) for one in of_requests.items()),
        },
    }
    found = {
        f"cards-{name}": {"AMQP_URI": nodes.rabbitmq.uri("cards", name, passwords[name]), **own.get(name, {})}
        for name in (*SERVICES, "gateway")
    }
    for service in SERVICES:
        found[f"cards-{service}"] |= {
            "DATABASE_URL": _url(nodes, service, service, roles),
            "REQUEST_PRIVATE_KEYS": of_requests[service],
        }
    return {
        **found,
        "cards-services": {
            "PERSONAL_DATA_KEYS": f"k1:{_key()}",
            "BLIND_INDEX_KEY": _key(),
            "AUDIT_PUBLIC_KEYS": public_part(audit),
        },
        "cards-broker": {
            "AMQP_URI": nodes.rabbitmq.uri("cards"),
            "BROKER_MANAGEMENT_URL": management_url,
            **{f"AMQP_PASSWORD_{program.upper()}": passwords[program] for program in PROGRAMS},
        },
        "cards-migrations": {
            f"DATABASE_URL_{service.upper()}": _url(nodes, service, f"{service}_owner", roles) for service in SERVICES
        },
    }


def _make_roles_and_databases(nodes: Nodes) -> dict[str, str]:
    """Makes what examples/postgres.yaml declares, and runs examples/grants.sql; returns the roles' passwords."""
    cluster, *databases = yaml.safe_load_all((chart.EXAMPLES / "postgres.yaml").read_text("utf-8"))
    roles = {role["name"]: secrets.token_hex(16) for role in cluster["spec"]["managed"]["roles"]}
    administrator = nodes.postgres.url().replace("+psycopg", "")
    with psycopg.connect(administrator, autocommit=True) as server:
        for role, password in roles.items():
            server.execute(
                psycopg.sql.SQL("create role {} login password {}").format(
                    psycopg.sql.Identifier(role), psycopg.sql.Literal(password)
                )
            )
        for one in databases:
            names = psycopg.sql.Identifier(one["spec"]["name"]), psycopg.sql.Identifier(one["spec"]["owner"])
            server.execute(psycopg.sql.SQL("create database {} owner {}").format(*names))
    for service in SERVICES:
        url = nodes.postgres.url(service).replace("+psycopg", "")
        settings = ["--set", "ON_ERROR_STOP=1", "--set", f"service={service}", "--set", f"owner={service}_owner"]
        script = ["--file", str(chart.EXAMPLES / "grants.sql")]
        psql: Any = postgres.binaries()
        subprocess.run([str(psql / "psql"), "--quiet", *settings, *script, url], check=True)
    return roles


def _url(nodes: Nodes, database: str, role: str, roles: Mapping[str, str]) -> str:
    return nodes.postgres.url(database, role, roles[role]).replace("+psycopg", "")


def _key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()
