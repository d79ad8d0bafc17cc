"""The gateway as a process, with a service behind it over the real broker."""

import json
import signal
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import amqp
import pytest
import requests
from werkzeug.wrappers import Response

from deploy.local.client import wait_until
from deploy.local.ports import LOOPBACK, hold_port
from gateway.sessions import Sessions
from services.common.contracts.batching import PENDING_CHANGED
from services.common.contracts.membership import SESSIONS_ENDED
from services.common.messaging.connection import open_connection
from services.common.messaging.envelope import wrap
from services.common.messaging.outbox import to_json
from tests.gateway_page import SESSION_ID, UNION_ID, a_caller, a_session_answer
from tests.integration.conftest import TEST_SECRETS, ServiceProcess, StartService
from tests.integration.tiny_batching import SLOW_SECONDS

SERVICE = "tests.integration.tiny_batching"


@dataclass
class RunningGateway:
    """The gateway's process, and a browser signed in at it."""

    process: ServiceProcess
    port: int
    browser: requests.Session

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.browser.get(f"http://{LOOPBACK}:{self.port}{path}", timeout=20, **options)

    def connect(self, request: str, **headers: str) -> socket.socket:
        """A bare connection on which a request has been sent."""
        lines = [request, "Host: localhost", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
        connection = socket.create_connection((LOOPBACK, self.port), timeout=20)
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        return connection


@pytest.fixture
def gateway(amqp_uri: str, start_service: StartService) -> RunningGateway:
    return a_gateway(amqp_uri, start_service)


def a_gateway(amqp_uri: str, start_service: StartService, **changes: str) -> RunningGateway:
    """A gateway with a clerk's session; `changes` are its settings."""
    port = hold_port()
    settings = {"GATEWAY_PORT": str(port), "ENVIRONMENT": "demo", **changes}
    start_service("tests.integration.tiny_membership", "", amqp_uri)
    process = start_service("gateway.service", "", amqp_uri, **settings)
    browser = requests.Session()
    response = Response()
    Sessions(TEST_SECRETS["SESSION_SECRET"], secure=False).start(response, a_session_answer(a_caller(), 0))
    browser.cookies.set("session", response.headers["Set-Cookie"].partition(";")[0].partition("=")[2])
    return RunningGateway(process, port, browser)


def test_a_request_goes_to_the_service_and_back(
    gateway: RunningGateway, amqp_uri: str, start_service: StartService
) -> None:
    start_service(SERVICE, "", amqp_uri)

    response = gateway.get("/api/v1/pending?size=50&channel=special")

    assert response.status_code == 200
    assert (response.json()["size"], response.json()["items"]) == (50, [])


def test_a_service_that_is_away_is_a_503_within_the_deadline(gateway: RunningGateway) -> None:
    started = time.monotonic()

    response = gateway.get("/api/v1/pending")

    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert time.monotonic() - started < 15


def test_more_requests_than_may_wait_are_told_at_once_to_come_again(amqp_uri: str, start_service: StartService) -> None:
    gateway = a_gateway(amqp_uri, start_service, MAX_WORKERS="4", MOST_WAITING="4")
    start_service(SERVICE, "", amqp_uri)

    with ThreadPoolExecutor(40) as clerks:
        answers = clerks.map(lambda _: gateway.get("/api/v1/branches"), range(40))
        wait_until(lambda: gateway.get("/api/v1/pending").status_code == 503, "all workers wait for the service")
        alive = gateway.get("/healthz")
        told = list(answers)

    assert alive.json() == {"status": "alive"}
    assert Counter(answer.status_code for answer in told).keys() == {200, 503}
    turned_away = [answer for answer in told if answer.status_code == 503]
    assert min(answer.elapsed.total_seconds() for answer in turned_away) < SLOW_SECONDS
    for answer in turned_away:
        assert (answer.json()["code"], int(answer.headers["Retry-After"])) == ("unavailable", 5)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    wait_until(lambda: gateway.get("/api/v1/pending").status_code == 200, "everything is answered again")


def test_all_paths_and_methods_are_the_gateways_own_affair(gateway: RunningGateway) -> None:
    url = f"http://{LOOPBACK}:{gateway.port}"
    answers = [
        gateway.browser.request(method, url + path, timeout=5)
        for method, path in (("GET", "/api/v1/nothing"), ("PUT", "/api/v1/pending"), ("BREW", "/healthz"))
    ]

    assert [answer.status_code for answer in answers] == [404, 405, 405]
    assert all(answer.headers["Content-Type"] == "application/problem+json" for answer in answers)


def test_a_large_body_is_refused_before_it_is_read(gateway: RunningGateway) -> None:
    with gateway.connect(
        "POST /api/v1/pending/validate HTTP/1.1",
        Content_Type="application/json",
        Content_Length=str(1 << 40),
        Cookie=_cookie(gateway),
    ) as page:
        assert b" 413 " in page.recv(100)


def test_readiness_but_no_measurement_is_told_on_the_public_port(gateway: RunningGateway) -> None:
    assert gateway.get("/readyz").json() == {"status": "ready", "reasons": []}
    assert b"http_request_seconds" not in gateway.get("/metrics").content


def test_an_event_reaches_an_open_page_at_once(gateway: RunningGateway, tell: Callable[[int], None]) -> None:
    with gateway.get("/api/v1/stream", stream=True) as page:
        lines = page.iter_lines(chunk_size=1)
        assert next(lines) == b"event: resync"

        told_at = time.monotonic()
        tell(7)

        assert _next_event(lines) == ("pending_changed", {"reason": "checked", "count": 7})
        assert time.monotonic() - told_at < 5


def test_open_pages_do_not_keep_others_waiting(gateway: RunningGateway) -> None:
    pages = [gateway.get("/api/v1/stream", stream=True) for _ in range(40)]

    started = time.monotonic()
    assert gateway.get("/healthz").ok

    assert time.monotonic() - started < 5
    for page in pages:
        page.close()


def test_a_page_that_breaks_off_ends_nothing_but_itself(gateway: RunningGateway, tell: Callable[[int], None]) -> None:
    for _ in range(5):
        page = gateway.connect("GET /api/v1/stream HTTP/1.1", Cookie=_cookie(gateway))
        page.recv(1000)
        page.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        page.close()
        tell(1)
    gateway.connect("GET /api/v1/pending HTTP/1.1\r\nContent-Length: 5").close()
    gateway.connect("nonsense").close()

    time.sleep(0.5)

    assert gateway.get("/healthz").ok
    assert gateway.process.running.poll() is None


def test_a_stop_finishes_the_answer_at_work_and_ends_open_pages(
    gateway: RunningGateway, amqp_uri: str, start_service: StartService
) -> None:
    start_service(SERVICE, "", amqp_uri)
    page = gateway.get("/api/v1/stream", stream=True)
    answers: list[requests.Response] = []
    asking = threading.Thread(target=lambda: answers.append(gateway.get("/api/v1/branches")))
    asking.start()
    time.sleep(SLOW_SECONDS / 4)

    started = time.monotonic()
    gateway.process.running.send_signal(signal.SIGTERM)
    _wait_until_refused(gateway)
    assert answers == []
    asking.join()

    assert [answer.status_code for answer in answers] == [200]
    assert gateway.process.running.wait(20) == 0
    assert time.monotonic() - started < SLOW_SECONDS + 15
    assert b"".join(page.iter_content()).startswith(b"event: resync")


def test_a_stop_answers_who_had_connected_but_not_asked_yet(gateway: RunningGateway) -> None:
    with socket.create_connection((LOOPBACK, gateway.port), timeout=20) as connection:
        time.sleep(0.2)
        gateway.process.running.send_signal(signal.SIGTERM)
        _wait_until_refused(gateway)
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
    assert gateway.process.running.wait(20) == 0


def test_the_stream_of_a_session_that_ended_closes_at_once(gateway: RunningGateway, amqp_uri: str) -> None:
    with gateway.get("/api/v1/stream", stream=True) as page, open_connection(amqp_uri, "test") as connection:
        lines = page.iter_lines(chunk_size=1)
        assert next(lines) == b"event: resync"

        ended = wrap(SESSIONS_ENDED, {"session_ids": [SESSION_ID], "because": "signed_out"}, None)
        connection.channel().basic_publish(amqp.Message(to_json(ended)), "events", SESSIONS_ENDED.routing_key)

        assert list(lines)[-1] == b""


@pytest.fixture
def tell(amqp_uri: str) -> Iterator[Callable[[int], None]]:
    """`tell(7)` tells that seven applications of the clerk's union were checked."""
    with open_connection(amqp_uri, "test") as connection:
        channel = connection.channel()

        def publish(count: int) -> None:
            document = wrap(PENDING_CHANGED, {"union_id": UNION_ID, "reason": "checked", "count": count}, None)
            message = amqp.Message(to_json(document))
            channel.basic_publish(message, "events", PENDING_CHANGED.routing_key)

        yield publish


def _wait_until_refused(gateway: RunningGateway) -> None:
    deadline = time.monotonic() + SLOW_SECONDS / 2
    while time.monotonic() < deadline:
        try:
            gateway.connect("GET /healthz HTTP/1.1").close()
        except ConnectionRefusedError:
            return
        time.sleep(0.02)
    pytest.fail("the gateway still accepts connections")


def _next_event(lines: Iterator[bytes]) -> tuple[str, dict[str, Any]]:
    """The next event after the one whose first line was read."""
    kind = next(line for line in lines if line.startswith(b"event: "))
    return kind.decode().removeprefix("event: "), json.loads(next(lines).removeprefix(b"data: "))


def _cookie(gateway: RunningGateway) -> str:
    return f"session={gateway.browser.cookies['session']}"
