"""The whole system in containers: the story of the demo through nginx, containers that die, and data that stay."""

import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
import requests

from deploy.local.captcha_solver import use_secret_of
from deploy.local.client import ApiClient, ApiProblem
from deploy.local.demo import run_story
from services.membership.seed import demo_password
from tests.deploy.compose_system import PROGRAMS, ComposedSystem, new_system, wait_until
from tests.deploy.docker_host import Docker
from tests.deploy.product_image import Image

pytestmark = [
    pytest.mark.deploy("the whole system in containers, by an engine of its own"),
    pytest.mark.timeout(1800),
]

MOST_MEMORY = 6e9
_TLS_TOO_OLD = re.compile("PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL")


@pytest.fixture(scope="module")
def system(docker: Docker, image: Image, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComposedSystem]:
    """The running system; its data go with it."""
    composed = new_system(docker, image, tmp_path_factory.mktemp("compose"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", str(composed.secrets / "nginx" / "certificate.pem"))
        try:
            print(f"\nup after {composed.up():.0f} s")
            yield composed
        except (RuntimeError, TimeoutError):
            with suppress(RuntimeError):
                print(composed.compose("logs", "--tail=30"))
            raise
        finally:
            composed.compose("down", "--volumes", "--timeout=5")


@pytest.fixture
def clerk(system: ComposedSystem) -> ApiClient:
    """A clerk of the demo who has signed in through nginx."""
    system.as_stack()
    return signed_in(system, "jianlang")


def test_every_container_is_held_to_what_it_needs(system: ComposedSystem) -> None:
    containers = system.running()
    assert len(containers) == len(PROGRAMS) + 2 + 1 + 3 + 4  # three of batching, two gateways; nodes; simulators
    for one in containers:
        host, name = one["HostConfig"], one["Name"]
        assert host["ReadonlyRootfs"], name
        assert host["CapDrop"] == ["ALL"], name
        assert host["SecurityOpt"] == ["no-new-privileges:true"], name
        assert 0 < host["Memory"] <= 1 << 30, name
        assert host["PidsLimit"], name
        assert host["RestartPolicy"]["Name"] == "unless-stopped", name
        assert not one["Config"]["User"].startswith("0"), name
        assert one["Config"]["User"], name
        secrets = [mount["Source"] for mount in one["Mounts"] if mount["Destination"] == "/run/secrets"]
        assert secrets in ([], [str(system.secrets / one["Config"]["Labels"]["com.docker.compose.service"])]), name
        assert not any("PASSWORD=" in text or "SECRET=" in text for text in one["Config"]["Env"]), name
    assert system.secrets.stat().st_mode & 0o777 == 0o700


def test_the_front_reaches_gateways_alone_and_the_back_reaches_nothing_outside(system: ComposedSystem) -> None:
    assert _can_connect(system, "nginx", "gateway", 8080)
    assert not _can_connect(system, "nginx", "postgres", 5432)
    assert not _can_connect(system, "nginx", system.address("postgres"), 5432)
    closed = {name: system.is_closed(name) for name in ("edge", "front", "back", "outside")}
    assert closed == {"edge": False, "front": True, "back": True, "outside": False}
    open_to = {
        one: set(system.networks(one)) & {"edge", "outside"} for one in (*PROGRAMS, "nginx", "postgres", "rabbitmq")
    }
    assert {one for one, ways in open_to.items() if ways} == {"nginx", "validation", "notification"}
    published = {one["Name"]: one["HostConfig"]["PortBindings"] for one in system.running()}
    assert [name for name, ports in published.items() if ports] == [system.containers("nginx")[0]["Name"]]


def test_browsers_speak_new_tls_and_http_2_with_it(system: ComposedSystem) -> None:
    assert _handshake(system, ssl.TLSVersion.TLSv1_3) == ("TLSv1.3", "h2")
    assert _handshake(system, ssl.TLSVersion.TLSv1_2) == ("TLSv1.2", "h2")
    with pytest.raises(ssl.SSLError, match=_TLS_TOO_OLD):
        _handshake(system, ssl.TLSVersion.TLSv1_1)


def test_pages_come_from_nginx_itself_compressed_and_kept_by_browsers(system: ComposedSystem) -> None:
    console = requests.get(f"{system.url}/members", timeout=30)
    phone = requests.get(f"{system.url}/m/progress", timeout=30)
    assert console.status_code == phone.status_code == 200
    assert console.text != phone.text
    assert console.headers["Cache-Control"] == "no-cache"
    assert "script-src 'self'" in console.headers["Content-Security-Policy"]
    scripts = re.findall(r'"(/assets/[^"]+\.js)"', console.text)
    assert scripts
    script = requests.get(f"{system.url}{scripts[0]}", timeout=30)
    assert script.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert script.headers["Content-Encoding"] == "gzip"
    assert "X-Correlation-Id" not in {**console.headers, **script.headers}  # each answer of a gateway has one
    assert requests.get(f"{system.url}/assets/none.js", timeout=30).status_code == 404
    assert requests.get(f"{system.url}{scripts[0]}.gz", timeout=30).status_code == 404


def test_answers_of_the_api_come_from_a_gateway(system: ComposedSystem) -> None:
    answer = requests.get(f"{system.url}/api/openapi.json", headers={"Accept-Encoding": "gzip"}, timeout=30)
    assert answer.headers["X-Correlation-Id"]
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.json()["openapi"].startswith("3.")
    assert requests.get(f"{system.url}/readyz", timeout=30).json()["status"] == "ready"


def test_a_body_that_no_route_takes_is_refused_by_nginx_as_a_gateway_would(system: ComposedSystem) -> None:
    answer = requests.post(f"{system.url}/api/v1/sessions", json={"account_name": "x" * (2 << 20)}, timeout=30)
    assert answer.status_code == 413
    assert answer.json()["code"] == "too_large"
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_live_updates_arrive_piece_by_piece(system: ComposedSystem, clerk: ApiClient) -> None:
    # The first piece is small: held back, it would come with the heartbeats at the earliest, after 15 seconds.
    with clerk.http.get(f"{system.url}/api/v1/stream", stream=True, timeout=10) as stream:
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        assert next(stream.iter_lines()) == b"event: resync"


def test_nobody_chooses_an_address_and_no_log_has_a_query(system: ComposedSystem, clerk: ApiClient) -> None:
    clerk.http.get(
        f"{system.url}/api/v1/members?q=WHAT-IS-SOUGHT", headers={"X-Forwarded-For": "203.0.113.9"}, timeout=30
    )
    wait_until(lambda: '"path":"/api/v1/members"' in system.compose("logs", "nginx"), lambda: "no line of nginx", 30)
    written = system.compose("logs", "nginx", "gateway")
    assert "203.0.113.9" not in written
    assert "WHAT-IS-SOUGHT" not in written


def test_a_gateway_that_dies_takes_no_query_with_it(system: ComposedSystem) -> None:
    first, second = system.containers("gateway")
    for one in (first, second):
        with ThreadPoolExecutor(1) as beside:
            back = beside.submit(system.kill_and_wait, one)
            statuses = []
            while not back.done():
                statuses.append(requests.get(f"{system.url}/api/openapi.json", timeout=30).status_code)
            print(f"\n{len(statuses)} queries; a gateway was back after {back.result():.1f} s")
        assert set(statuses) == {200}


def test_the_story_is_told_while_each_program_is_killed_once(
    system: ComposedSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ApiClient, "_request", _insisting(ApiClient._request))
    monkeypatch.setattr(ApiClient, "sign_in", _signing_in_again(ApiClient.sign_in))
    stack, stories = system.as_stack(), 0
    with ThreadPoolExecutor(1) as beside:
        killed = beside.submit(_kill_one_of_each, system)
        while not killed.done():
            stories += 1
            assert run_story(stack, seed=stories) == 0
        print(f"\nback after {killed.result()}")
    memory = _memory(system)
    print(f"{stories} stories; memory of all containers: {sum(memory.values()) / 1e9:.2f} GB: {memory}")
    assert sum(memory.values()) < MOST_MEMORY
    _invariants_hold(system)


def test_down_and_up_keeps_what_was_done(system: ComposedSystem, clerk: ApiClient) -> None:
    before = _counts(clerk)
    assert before["members"]
    system.compose("down", "--timeout=60")
    assert system.docker("ps", "--quiet", "--filter=label=com.docker.compose.project=cards-test") == ""
    print(f"\nup again after {system.up():.0f} s")
    assert _counts(signed_in(system, "jianlang")) == before
    _invariants_hold(system)


def _kill_one_of_each(system: ComposedSystem) -> dict[str, float]:
    """Kills a process of each program, one when the one before is back; returns the seconds until each was."""
    return {program: round(system.kill_and_wait(system.containers(program)[0]), 1) for program in PROGRAMS}


def signed_in(system: ComposedSystem, account: str) -> ApiClient:
    use_secret_of(system.as_stack().folder)
    return ApiClient(system.url).sign_in(account, demo_password())


def _counts(client: ApiClient) -> dict[str, Any]:
    return {path: client.get(path, size=1)["total"] for path in ("members", "batches", "messages")}


def _invariants_hold(system: ComposedSystem) -> None:
    said = system.compose("run", "--rm", "operator", "python", "-W", "ignore", "-m", "deploy.invariants", "--settle=60")
    assert "invariants hold" in said, said


def _insisting(ask: Callable[..., requests.Response]) -> Callable[..., requests.Response]:
    """A request that is repeated, under its idempotency key, while a program is away."""

    def request(self: ApiClient, method: str, path: str, **sent: Any) -> requests.Response:
        deadline = time.monotonic() + 300
        while True:
            try:
                return ask(self, method, path, **sent)
            except ApiProblem as problem:
                if problem.status not in (502, 503, 504) or time.monotonic() > deadline:
                    raise
            except requests.ConnectionError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.3)

    return request


def _signing_in_again(sign_in: Callable[..., ApiClient]) -> Callable[..., ApiClient]:
    """A sign-in that begins again where its captcha was used by an attempt that nobody answered."""

    def signed_in_at_last(self: ApiClient, account_name: str, password: str) -> ApiClient:
        for _ in range(5):
            try:
                return sign_in(self, account_name, password)
            except ApiProblem as problem:
                if problem.code != "captcha_used":
                    raise
        raise TimeoutError(f"{account_name} could not sign in")

    return signed_in_at_last


def _memory(system: ComposedSystem) -> dict[str, int]:
    """The bytes that each container uses, as its control group counts them."""
    used = {}
    for one in system.running():
        unit = system.docker("stats", "--no-stream", "--format={{.MemUsage}}", one["Id"]).split("/")[0].strip()
        number, scale = re.fullmatch(r"([\d.]+)([A-Za-z]+)", unit).groups()  # type: ignore[union-attr]
        used[one["Name"].removeprefix("/")] = int(
            float(number) * {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}[scale]
        )
    return used


def _inside(system: ComposedSystem, service: str, script: str) -> str:
    return system.docker("exec", system.containers(service)[0]["Id"], "bash", "-c", script)


def _can_connect(system: ComposedSystem, service: str, host: str, port: int) -> bool:
    try:
        _inside(system, service, f"timeout 3 bash -c 'exec 3<> /dev/tcp/{host}/{port}' 2>/dev/null")
    except RuntimeError:
        return False
    return True


def _handshake(system: ComposedSystem, version: ssl.TLSVersion) -> tuple[str | None, str | None]:
    """The protocols that nginx chooses for a client that speaks one version of TLS only, of any strength."""
    context = ssl.create_default_context(cafile=str(system.secrets / "nginx" / "certificate.pem"))
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection(("127.0.0.1", system.port), 10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as encrypted,
    ):
        return encrypted.version(), encrypted.selected_alpn_protocol()
