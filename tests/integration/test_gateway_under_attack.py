"""The gateway's process before clients that mean harm: too much, too slow, too often, ambiguous."""

import re
import socket
import threading
from contextlib import ExitStack, suppress

import psutil
import pytest
import requests
from werkzeug.wrappers import Response

from deploy.local.client import wait_until
from deploy.local.ports import LOOPBACK, hold_port
from gateway.sessions import Sessions
from tests.gateway_page import a_caller, a_session_answer
from tests.integration.conftest import TEST_SECRETS, ServiceProcess, StartService

MEGABYTE = 1 << 20
_POST = "POST /api/v1/sessions HTTP/1.1\r\nHost: a\r\n"
_PLAIN = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
_SMUGGLED = "GET /healthz HTTP/1.1\r\nHost: smuggled\r\n\r\n"
AMBIGUOUS = {
    f"{_POST}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n": 400,
    f"{_POST}Content-Length: 3\r\nContent-Length: 0\r\n\r\nGET": 400,
    "GET /healthz HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n": 411,
    "GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: +0\r\n\r\n": 400,
    "GET /healthz HTTP/1.1\r\nHost: a\r\nX-A : b\r\n\r\n": 400,
    "GET /healthz HTTP/1.1\r\n\r\n": 400,
    "GET /healthz\r\n\r\n": 400,
    "GET /healthz HTTP/3.0\r\nHost: a\r\n\r\n": 505,
    "nonsense\r\n\r\n": 400,
    "GET //healthz HTTP/1.1\r\nHost: a\r\n\r\n": 400,
    "GET /api%2fv1/members HTTP/1.1\r\nHost: a\r\n\r\n": 400,
    "CONNECT evil.example:443 HTTP/1.1\r\nHost: a\r\n\r\n": 400,
    "GET /healthz HTTP/1.1\r\nHost: a\r\n" + "X-A: b\r\n" * 120 + "\r\n": 431,
    "GET /healthz HTTP/1.1\r\nHost: a\r\nX-A: " + "b" * 9000 + "\r\n\r\n": 431,
    "GET /?" + "a" * 8100 + " HTTP/1.1\r\nHost: a\r\n\r\n": 414,
}


class Gateways:
    """Processes of the gateway that share a broker, each by its number."""

    def __init__(self, start_service: StartService, amqp_uri: str) -> None:
        self._start_service = start_service
        self._amqp_uri = amqp_uri
        self.ports: list[int] = []
        self.processes: list[ServiceProcess] = []
        response = Response()
        Sessions(TEST_SECRETS["SESSION_SECRET"], secure=False).start(response, a_session_answer(a_caller(), 0))
        self.cookie = response.headers["Set-Cookie"].partition(";")[0]

    def start(self, **settings: str) -> "Gateways":
        self.ports.append(hold_port())
        address = {"GATEWAY_PORT": str(self.ports[-1]), "ENVIRONMENT": "demo"}
        self.processes.append(self._start_service("gateway.service", "", self._amqp_uri, **address, **settings))
        return self

    def get(self, path: str, number: int = 0, headers: dict[str, str] | None = None) -> requests.Response:
        return requests.get(f"http://{LOOPBACK}:{self.ports[number]}{path}", headers=headers, timeout=20)

    def connect(self) -> socket.socket:
        return socket.create_connection((LOOPBACK, self.ports[0]), timeout=30)

    def answer_to(self, *pieces: str) -> bytes:
        """All that comes back over one connection on which these were sent."""
        with self.connect() as connection:
            for piece in pieces:
                connection.sendall(piece.encode())
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def memory(self) -> int:
        """Bytes that the first process holds."""
        return int(psutil.Process(self.processes[0].running.pid).memory_info().rss)


@pytest.fixture
def gateways(start_service: StartService, amqp_uri: str) -> Gateways:
    """None yet; membership, which knows their sessions, is there."""
    start_service("tests.integration.tiny_membership", "", amqp_uri)
    return Gateways(start_service, amqp_uri)


@pytest.fixture
def attacked(gateways: Gateways) -> Gateways:
    return gateways.start()


@pytest.fixture
def upload_head(gateways: Gateways) -> str:
    return (
        "POST /api/v1/members/imports HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: same-origin\r\n"
        f"Cookie: {gateways.cookie}\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    )


def test_what_could_be_read_in_two_ways_is_refused_with_its_connection(attacked: Gateways) -> None:
    answers = {text: attacked.answer_to(text, _SMUGGLED) for text in AMBIGUOUS}

    assert {text: int(answer.split(b" ")[1]) for text, answer in answers.items()} == AMBIGUOUS
    for answer in answers.values():
        assert answer.count(b"HTTP/1.1 ") == 1
        assert b"application/problem+json" in answer.partition(b"\r\n\r\n")[0]
        assert not re.search(rb"Python|^Server:", answer, re.MULTILINE)
    assert attacked.answer_to(_PLAIN, _SMUGGLED).count(b"HTTP/1.1 200 OK") == 2


def test_an_upload_of_a_gigabyte_ends_in_a_clear_refusal_and_little_memory(
    attacked: Gateways, upload_head: str
) -> None:
    before, gigabyte = attacked.memory(), 1 << 30
    with attacked.connect() as connection:
        connection.sendall(f"{upload_head}Content-Length: {gigabyte}\r\n\r\n--x\r\n".encode())
        piece, sent = bytes(MEGABYTE), 0
        with suppress(ConnectionError):
            while sent < gigabyte - MEGABYTE:
                connection.sendall(piece)
                sent += MEGABYTE
        answer = connection.recv(65536)

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"too_large" in answer
    assert attacked.memory() - before < 20 * MEGABYTE
    assert attacked.get("/healthz").ok


def test_who_asks_before_sending_is_told_at_once_and_need_not_send(attacked: Gateways, upload_head: str) -> None:
    with attacked.connect() as connection:
        connection.sendall(f"{upload_head}Expect: 100-continue\r\nContent-Length: {1 << 30}\r\n\r\n".encode())

        assert b" 413 " in connection.recv(65536)


def test_a_body_that_ends_before_its_length_is_a_400(attacked: Gateways, upload_head: str) -> None:
    assert b"HTTP/1.1 400 " in attacked.answer_to(f"{upload_head}Content-Length: 1000\r\n\r\n--x\r\n")


def test_a_body_that_trickles_is_a_408(gateways: Gateways, upload_head: str) -> None:
    gateways.start(BODY_SECONDS="0.5")
    with gateways.connect() as connection:
        connection.sendall(f"{upload_head}Content-Length: 1000\r\n\r\n--x\r\n".encode())
        answer = _while_trickling(connection)

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"request_timeout" in answer


def test_headers_that_trickle_are_a_408(gateways: Gateways) -> None:
    gateways.start(HEADER_SECONDS="0.5")
    with gateways.connect() as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\n")
        answer = _while_trickling(connection)

    assert answer.startswith(b"HTTP/1.1 408 ")


def test_a_form_of_very_many_parts_is_refused(attacked: Gateways, upload_head: str) -> None:
    part = '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
    body = part * 1000 + "--x--\r\n"

    assert b"HTTP/1.1 413 " in attacked.answer_to(f"{upload_head}Content-Length: {len(body)}\r\n\r\n{body}")


def test_resting_connections_make_room_for_new_ones(gateways: Gateways) -> None:
    gateways.start(MAX_CONNECTIONS="20")
    with ExitStack() as open_ones:
        resting = [open_ones.enter_context(gateways.connect()) for _ in range(40)]

        assert gateways.get("/healthz").ok
        assert resting[0].recv(100) == b""


def test_one_address_cannot_take_all_connections(gateways: Gateways) -> None:
    gateways.start(CONNECTIONS_PER_ADDRESS="5")
    with ExitStack() as open_ones:
        for _ in range(5):
            open_ones.enter_context(gateways.connect())
        surplus = open_ones.enter_context(gateways.connect())

        assert surplus.recv(100).startswith(b"HTTP/1.1 503 ")
    wait_until(lambda: gateways.get("/healthz").ok, "there is room again")


def test_a_limit_is_shared_by_the_processes(gateways: Gateways) -> None:
    gateways.start(READS_PER_ADDRESS="50").start(READS_PER_ADDRESS="50")
    assert {gateways.get("/api/docs/page.css").status_code for _ in range(40)} == {200}

    def remaining_at_the_other() -> str | None:
        left = gateways.get("/api/docs/page.css", number=1).headers["RateLimit-Remaining"]
        return left if int(left) < 11 else None

    wait_until(remaining_at_the_other, "the second process knows what the first one let in", 5)
    statuses = [gateways.get("/api/docs/page.css", number=1).status_code for _ in range(11)]
    assert statuses[-1] == 429


def test_streams_of_an_account_are_limited_over_the_processes(gateways: Gateways) -> None:
    gateways.start(STREAMS_PER_ACCOUNT="2").start(STREAMS_PER_ACCOUNT="2")
    with ExitStack() as pages:
        for _ in range(2):
            page = pages.enter_context(gateways.connect())
            page.sendall(f"GET /api/v1/stream HTTP/1.1\r\nHost: a\r\nCookie: {gateways.cookie}\r\n\r\n".encode())
            while b"resync" not in page.recv(4096):
                pass

        def refused_at_the_other() -> bool:
            url = f"http://{LOOPBACK}:{gateways.ports[1]}/api/v1/stream"
            with requests.get(url, headers={"Cookie": gateways.cookie}, stream=True, timeout=20) as answer:
                return answer.status_code == 429

        wait_until(refused_at_the_other, "the second process knows of the streams at the first", 10)


def test_addresses_behind_a_trusted_proxy_are_told_by_it(gateways: Gateways) -> None:
    gateways.start(READS_PER_ADDRESS="1", TRUSTED_PROXIES="1")
    path = "/api/docs/page.css"

    assert gateways.get(path, headers={"X-Forwarded-For": "192.0.2.1"}).status_code == 200
    assert gateways.get(path, headers={"X-Forwarded-For": "198.51.100.9, 192.0.2.1"}).status_code == 429
    assert gateways.get(path, headers={"X-Forwarded-For": "192.0.2.2"}).status_code == 200


def test_without_a_proxy_nobody_chooses_an_address(gateways: Gateways) -> None:
    gateways.start(READS_PER_ADDRESS="1")
    path = "/api/docs/page.css"

    assert gateways.get(path, headers={"X-Forwarded-For": "192.0.2.1"}).status_code == 200
    assert gateways.get(path, headers={"X-Forwarded-For": "192.0.2.2"}).status_code == 429


def _while_trickling(connection: socket.socket) -> bytes:
    """What comes back while a byte is sent now and then."""
    is_over = threading.Event()

    def trickle() -> None:
        with suppress(OSError):
            while not is_over.wait(0.05):
                connection.send(b"a")

    trickling = threading.Thread(target=trickle)
    trickling.start()
    try:
        return connection.recv(65536)
    finally:
        is_over.set()
        trickling.join()
