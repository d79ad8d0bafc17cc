"""The gateway as a process, with a service behind it over the real broker."""

import json
import signal
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import amqp
import pytest
import requests

from deploy.local.client import wait_until
from deploy.local.ports import LOOPBACK
from services.contracts.events.batching import PENDING_CHANGED
from services.contracts.events.membership import SESSIONS_ENDED
from services.kit.amqp.connection import open_connection
from services.kit.events.envelope import wrap
from services.kit.events.outbox import to_json
from tests.gateway_page import a_cookie
from tests.integration.conftest import TEST_SECRETS, ServiceProcess, StartService
from tests.integration.gate import Gate

_SECONDS = 60
StartGateway = Callable[..., "RunningGateway"]


@dataclass
class RunningGateway:
    """The gateway's process, and a browser signed in at it as a clerk of a union of its own."""

    process: ServiceProcess
    session_id: str
    cookie: str

    def get(self, path: str, **options: Any) -> requests.Response:
        return requests.get(self.process.http_url + path, headers={"Cookie": self.cookie}, timeout=_SECONDS, **options)

    def connect(self, request: str = "", **headers: str) -> socket.socket:
        """A bare connection; a request has been sent on it where one is given."""
        lines = [request, "Host: localhost", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
        port = int(self.process.http_url.rpartition(":")[2])
        connection = socket.create_connection((LOOPBACK, port), timeout=_SECONDS)
        if request:
            connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        return connection

    def open_page(self) -> tuple[requests.Response, Iterator[bytes]]:
        """An open page, and the lines that it receives after the first."""
        page = self.get("/api/v1/stream", stream=True)
        lines: Iterator[bytes] = page.iter_lines(chunk_size=1)
        assert next(lines) == b"event: resync"
        return page, lines

    def publish(self, count: int, channel: amqp.Channel) -> None:
        """Publishes that so many applications of the clerk's union were checked."""
        data = {"union_id": self.session_id, "reason": "checked", "count": count}
        message = amqp.Message(to_json(wrap(PENDING_CHANGED, data, None)))
        channel.basic_publish(message, "events", PENDING_CHANGED.routing_key)


@pytest.fixture(scope="module")
def gates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the attachments of a batch wait at the gate of its number."""
    return tmp_path_factory.mktemp("gates")


@pytest.fixture(scope="module")
def start_gateway(module_start_service: StartService, module_amqp_uri: str, gates: Path) -> StartGateway:
    """A process with settings of its own before membership and batching, which are shared."""
    module_start_service("tests.integration.tiny_membership", "", module_amqp_uri)
    module_start_service("tests.integration.tiny_batching", "", module_amqp_uri, GATES=str(gates))

    def start(**changes: str) -> RunningGateway:
        settings = {"GATEWAY_PORT": "0", "ENVIRONMENT": "demo", "STREAMS_PER_ACCOUNT": "100", **changes}
        process = module_start_service("gateway.service", "", module_amqp_uri, **settings)
        return _signed_in(process)

    return start


@pytest.fixture(scope="module")
def process(start_gateway: StartGateway) -> ServiceProcess:
    return start_gateway().process


@pytest.fixture
def gateway(process: ServiceProcess) -> RunningGateway:
    """The process that is shared, and a session of the test's own."""
    return _signed_in(process)


@pytest.fixture
def channel(module_amqp_uri: str) -> Iterator[amqp.Channel]:
    """A channel on which other services publish events."""
    with open_connection(module_amqp_uri, "test") as connection:
        yield connection.channel()


def test_a_request_goes_to_the_service_and_back(gateway: RunningGateway) -> None:
    response = gateway.get("/api/v1/pending?size=50&channel=special")

    assert response.status_code == 200
    assert (response.json()["size"], response.json()["items"]) == (50, [])


def test_a_service_that_is_away_is_a_503_within_the_deadline(gateway: RunningGateway) -> None:
    response = gateway.get("/api/v1/revocations")

    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0


def test_more_requests_than_may_wait_get_503_at_once(start_gateway: StartGateway, gates: Path) -> None:
    gateway, gate = start_gateway(MAX_WORKERS="4", MOST_WAITING="4"), Gate(gates, "crowd")
    turned_away: list[requests.Response] = []
    assert gateway.get("/api/v1/pending").ok  # from now on the session is known, and asks nobody

    def download() -> int:
        answer = gateway.get("/api/v1/batches/crowd/attachments.zip")
        if answer.status_code == 503:
            turned_away.append(answer)
        return answer.status_code

    with ThreadPoolExecutor(40) as clerks:
        downloads = [clerks.submit(download) for _ in range(40)]
        wait_until(lambda: len(turned_away) == 32, "all but those at work and those who may wait are told")
        wait_until(lambda: gate.came() == 4, "as many as there are workers are asked of the service")
        alive = gateway.get("/healthz")
        gate.open()

    assert Counter(one.result() for one in downloads) == {200: 8, 503: 32}
    assert alive.json() == {"status": "alive"}
    for answer in turned_away:
        assert (answer.json()["code"], int(answer.headers["Retry-After"])) == ("unavailable", 5)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert gateway.get("/api/v1/pending").status_code == 200
    counted = requests.get(f"{gateway.process.health_url}/metrics", timeout=_SECONDS).text
    assert 'http_answers_total{class="5xx"} 32.0' in counted
    assert "http_requests_turned_away_total 32.0" in counted


def test_all_paths_and_methods_are_the_gateways_own_affair(gateway: RunningGateway) -> None:
    answers = [
        requests.request(method, gateway.process.http_url + path, headers={"Cookie": gateway.cookie}, timeout=_SECONDS)
        for method, path in (("GET", "/api/v1/nothing"), ("PUT", "/api/v1/pending"), ("BREW", "/healthz"))
    ]

    assert [answer.status_code for answer in answers] == [404, 405, 405]
    assert all(answer.headers["Content-Type"] == "application/problem+json" for answer in answers)


def test_a_large_body_is_refused_before_it_is_read(gateway: RunningGateway) -> None:
    with gateway.connect(
        "POST /api/v1/pending/validate HTTP/1.1",
        Content_Type="application/json",
        Content_Length=str(1 << 40),
        Cookie=gateway.cookie,
    ) as page:
        assert b" 413 " in page.recv(100)


def test_the_public_port_serves_readiness_but_no_metrics(gateway: RunningGateway) -> None:
    assert gateway.get("/readyz").json() == {"status": "ready", "reasons": []}
    assert b"http_request_seconds" not in gateway.get("/metrics").content


def test_an_event_reaches_an_open_page(gateway: RunningGateway, channel: amqp.Channel) -> None:
    page, lines = gateway.open_page()
    with page:
        gateway.publish(7, channel)

        assert _next_event(lines) == ("pending_changed", {"reason": "checked", "count": 7})


def test_open_pages_do_not_keep_others_waiting(gateway: RunningGateway) -> None:
    pages = [gateway.get("/api/v1/stream", stream=True) for _ in range(40)]

    assert gateway.get("/api/v1/pending").ok

    assert {page.status_code for page in pages} == {200}
    assert all(next(page.iter_lines(chunk_size=1)) == b"event: resync" for page in pages)
    for page in pages:
        page.close()


def test_a_page_that_breaks_off_ends_nothing_but_itself(gateway: RunningGateway, channel: amqp.Channel) -> None:
    page, lines = gateway.open_page()
    for number in range(1, 6):
        broken = gateway.connect("GET /api/v1/stream HTTP/1.1", Cookie=gateway.cookie)
        broken.recv(1000)
        broken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        broken.close()
        gateway.publish(number, channel)
    gateway.connect("GET /api/v1/pending HTTP/1.1\r\nContent-Length: 5").close()
    gateway.connect("nonsense").close()

    with page:
        assert [_next_event(lines)[1]["count"] for _ in range(5)] == [1, 2, 3, 4, 5]
    assert gateway.get("/healthz").ok
    assert gateway.process.is_running()


def test_a_stop_finishes_the_answer_at_work_and_ends_open_pages(start_gateway: StartGateway, gates: Path) -> None:
    gateway, gate = start_gateway(), Gate(gates, "stop")
    page, lines = gateway.open_page()
    answers: list[requests.Response] = []
    asking = threading.Thread(target=lambda: answers.append(gateway.get("/api/v1/batches/stop/attachments.zip")))
    asking.start()
    wait_until(gate.came, "the service is asked")

    gateway.process.running.send_signal(signal.SIGTERM)
    _wait_until_refused(gateway)
    assert answers == []
    gate.open()
    asking.join()

    assert [answer.status_code for answer in answers] == [200]
    assert gateway.process.running.wait() == 0
    assert not any(line.startswith(b"event: ") for line in lines)
    page.close()


def test_a_stop_answers_who_had_connected_but_not_asked_yet(start_gateway: StartGateway) -> None:
    gateway = start_gateway(HEARING_SECONDS=str(_SECONDS))
    with gateway.connect() as connection:
        with gateway.connect("GET /healthz HTTP/1.1", Connection="close") as later:
            assert later.recv(100)  # connections are accepted in their order
        gateway.process.running.send_signal(signal.SIGTERM)
        _wait_until_refused(gateway)
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
    assert gateway.process.running.wait() == 0


def test_the_stream_of_a_session_that_ended_closes(gateway: RunningGateway, channel: amqp.Channel) -> None:
    page, lines = gateway.open_page()
    with page:
        ended = wrap(SESSIONS_ENDED, {"session_ids": [gateway.session_id], "because": "signed_out"}, None)
        channel.basic_publish(amqp.Message(to_json(ended)), "events", SESSIONS_ENDED.routing_key)

        assert list(lines)[-1] == b""


def _signed_in(process: ServiceProcess) -> RunningGateway:
    session_id = str(uuid4())
    return RunningGateway(process, session_id, a_cookie(TEST_SECRETS["SESSION_SECRET"], session_id))


def _wait_until_refused(gateway: RunningGateway) -> None:
    def is_refused() -> bool:
        try:
            gateway.connect("GET /healthz HTTP/1.1").close()
        except ConnectionError:
            return True
        return False

    wait_until(is_refused, "the gateway accepts no connections any more")


def _next_event(lines: Iterator[bytes]) -> tuple[str, dict[str, Any]]:
    """The next event after the one whose first line was read."""
    kind = next(line for line in lines if line.startswith(b"event: "))
    return kind.decode().removeprefix("event: "), json.loads(next(lines).removeprefix(b"data: "))
