"""The gateway's process under attack: requests that are too large, too slow, too many, or ambiguous."""

import re
import resource
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from uuid import uuid4

import psutil
import pytest
import requests

from deploy.local.client import wait_until
from deploy.local.ports import LOOPBACK
from tests.gateway_page import a_cookie
from tests.integration.conftest import TEST_SECRETS, ServiceProcess, StartService

_SECONDS = 60
MEGABYTE = 1 << 20
READS = 200
PAGE = "/api/docs/page.css"
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
    "GET /healthz HTTP/1.1\nHost: a\n\n": 400,
    "GET /healthz HTTP/1.1\r\nHost: a\nX-A: b\r\n\r\n": 400,
    "GET /healthz HTTP/1.1\r\nHost: a\r\n\n": 400,
    "GET /healthz HTTP/1.1\r\nHost: a\rX-A: b\r\n\r\n": 400,
    "GET /healthz HTTP/1.1\r\nHost: a\r\r\n\r\n": 400,
    "GET /healthz HTTP/1.1\r\nHost: a\r\nX-A: b\r\n c\r\n\r\n": 400,
    "GET /healthz HTTP/1.1\r\n Host: a\r\n\r\n": 400,
    "GET\t/healthz HTTP/1.1\r\nHost: a\r\n\r\n": 400,
    "GET  /healthz HTTP/1.1\r\nHost: a\r\n\r\n": 400,
    "GET /healthz\vHTTP/1.1\r\nHost: a\r\n\r\n": 400,
    " GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n": 400,
    "\r\nGET /healthz HTTP/1.1\r\nHost: a\r\n\r\n": 400,
    "CONNECT evil.example:443 HTTP/1.1\r\nHost: a\r\n\r\n": 400,
    "GET /healthz HTTP/1.1\r\nHost: a\r\n" + "X-A: b\r\n" * 120 + "\r\n": 431,
    "GET /healthz HTTP/1.1\r\nHost: a\r\nX-A: " + "b" * 9000 + "\r\n\r\n": 431,
    "GET /?" + "a" * 8100 + " HTTP/1.1\r\nHost: a\r\n\r\n": 414,
}


class Gateways:
    """Processes of the gateway that share a broker, each by its number, and a session that all of them know."""

    def __init__(self, start_service: StartService, amqp_uri: str) -> None:
        self._start_service = start_service
        self._amqp_uri = amqp_uri
        self.processes: list[ServiceProcess] = []
        self.cookie = a_cookie(TEST_SECRETS["SESSION_SECRET"], str(uuid4()))

    def start(self, **settings: str) -> "Gateways":
        address = {"GATEWAY_PORT": "0", "ENVIRONMENT": "demo"}
        self.processes.append(self._start_service("gateway.service", "", self._amqp_uri, **address, **settings))
        return self

    def get(self, path: str, number: int = 0, **headers: str) -> requests.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return requests.get(self.processes[number].http_url + path, headers=named, timeout=_SECONDS)

    def connect(self, number: int = 0) -> socket.socket:
        port = int(self.processes[number].http_url.rpartition(":")[2])
        return socket.create_connection((LOOPBACK, port), timeout=_SECONDS)

    def answer_to(self, *pieces: str) -> bytes:
        """All that comes back over one connection on which these were sent."""
        with self.connect() as connection:
            for piece in pieces:
                connection.sendall(piece.encode())
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def open_stream(self, number: int = 0) -> socket.socket:
        """A connection with a request for live updates."""
        page = self.connect(number)
        page.sendall(f"GET /api/v1/stream HTTP/1.1\r\nHost: a\r\nCookie: {self.cookie}\r\n\r\n".encode())
        return page

    @contextmanager
    def room_for(self, more: int) -> Iterator[None]:
        """Meanwhile the first process gets so many more bytes of its system and not one beyond."""
        pid = self.processes[0].running.pid
        before, most = resource.prlimit(pid, resource.RLIMIT_AS)
        resource.prlimit(pid, resource.RLIMIT_AS, (psutil.Process(pid).memory_info().vms + more, most))
        try:
            yield
        finally:
            resource.prlimit(pid, resource.RLIMIT_AS, (before, most))


@pytest.fixture(scope="module")
def attacked(module_start_service: StartService, module_amqp_uri: str) -> Gateways:
    """One that all tests share."""
    module_start_service("tests.integration.tiny_membership", "", module_amqp_uri)
    return Gateways(module_start_service, module_amqp_uri).start()


@pytest.fixture(scope="module")
def impatient(attacked: Gateways, module_start_service: StartService, module_amqp_uri: str) -> Gateways:
    """One that waits half a second for what a client is to send."""
    return Gateways(module_start_service, module_amqp_uri).start(HEADER_SECONDS="0.5", BODY_SECONDS="0.5")


@pytest.fixture(scope="module")
def pair(attacked: Gateways, module_start_service: StartService, module_amqp_uri: str) -> Gateways:
    """Two behind a proxy, at which each test has an address of its own."""
    limits = {"READS_PER_ADDRESS": str(READS), "STREAMS_PER_ACCOUNT": "2", "TRUSTED_PROXIES": "1"}
    return Gateways(module_start_service, module_amqp_uri).start(**limits).start(**limits)


@pytest.fixture
def alone(start_service: StartService, amqp_uri: str) -> Gateways:
    """None yet, with a broker and limits of the test's own."""
    return Gateways(start_service, amqp_uri)


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


def test_an_upload_of_a_gigabyte_ends_in_a_clear_refusal_and_little_memory(attacked: Gateways) -> None:
    with attacked.room_for(64 * MEGABYTE), attacked.connect() as connection:
        connection.sendall(f"{upload_head(attacked)}Content-Length: {1 << 30}\r\n\r\n--x\r\n".encode())
        answer = b""
        while b"too_large" not in answer:
            answer += connection.recv(65536) or pytest.fail(f"the answer ends: {answer!r}")
        with suppress(ConnectionError):  # the gateway may have heard enough
            for _ in range(256):
                connection.sendall(bytes(MEGABYTE))
        assert attacked.get("/healthz").ok

    assert answer.startswith(b"HTTP/1.1 413 ")


def test_a_client_that_sends_expect_is_refused_before_it_sends_the_body(attacked: Gateways) -> None:
    with attacked.connect() as connection:
        head = f"{upload_head(attacked)}Expect: 100-continue\r\nContent-Length: {1 << 30}\r\n\r\n"
        connection.sendall(head.encode())

        assert b" 413 " in connection.recv(65536)


def test_a_body_that_ends_before_its_length_is_a_400(attacked: Gateways) -> None:
    assert b"HTTP/1.1 400 " in attacked.answer_to(f"{upload_head(attacked)}Content-Length: 1000\r\n\r\n--x\r\n")


def test_a_body_that_trickles_is_a_408(impatient: Gateways) -> None:
    with impatient.connect() as connection:
        connection.sendall(f"{upload_head(impatient)}Content-Length: 1000\r\n\r\n--x\r\n".encode())
        answer = _while_trickling(connection)

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"request_timeout" in answer


def test_headers_that_trickle_are_a_408(impatient: Gateways) -> None:
    with impatient.connect() as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\n")
        answer = _while_trickling(connection)

    assert answer.startswith(b"HTTP/1.1 408 ")


def test_a_form_of_very_many_parts_is_refused(attacked: Gateways) -> None:
    part = '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
    body = part * 1000 + "--x--\r\n"

    assert b"HTTP/1.1 413 " in attacked.answer_to(f"{upload_head(attacked)}Content-Length: {len(body)}\r\n\r\n{body}")


def test_resting_connections_make_room_for_new_ones(alone: Gateways) -> None:
    alone.start(MAX_CONNECTIONS="20")
    with ExitStack() as open_ones:
        resting = [open_ones.enter_context(alone.connect()) for _ in range(40)]

        assert alone.get("/healthz").ok
        assert resting[0].recv(100) == b""


def test_one_address_cannot_take_all_connections(alone: Gateways) -> None:
    alone.start(CONNECTIONS_PER_ADDRESS="5")
    with ExitStack() as open_ones:
        for _ in range(5):
            open_ones.enter_context(alone.connect())
        surplus = open_ones.enter_context(alone.connect())

        assert surplus.recv(100).startswith(b"HTTP/1.1 503 ")
    wait_until(lambda: alone.get("/healthz").ok, "there is room again")


def test_a_limit_is_shared_by_the_processes(pair: Gateways) -> None:
    reads = _read_at_the_first(pair, "192.0.2.1")

    authorized = 0
    while pair.get(PAGE, 1, X_Forwarded_For="192.0.2.1").ok:
        authorized += 1
    assert reads + authorized < 2 * READS


def test_streams_of_an_account_are_limited_over_the_processes(pair: Gateways) -> None:
    with ExitStack() as pages:
        for _ in range(2):
            page = pages.enter_context(pair.open_stream())
            while b"resync" not in page.recv(4096):
                pass
        _read_at_the_first(pair, "192.0.2.2")  # what a process tells of reads and of streams, it tells in one message

        refused = pages.enter_context(pair.open_stream(1))
        assert refused.recv(4096).startswith(b"HTTP/1.1 429 ")


def test_addresses_behind_a_trusted_proxy_come_from_its_header(pair: Gateways) -> None:
    while pair.get(PAGE, X_Forwarded_For="192.0.2.3").ok:
        pass

    assert pair.get(PAGE, X_Forwarded_For="198.51.100.9, 192.0.2.3").status_code == 429
    assert pair.get(PAGE, X_Forwarded_For="192.0.2.4").status_code == 200


def test_without_a_proxy_nobody_chooses_an_address(alone: Gateways) -> None:
    alone.start(READS_PER_ADDRESS="1")

    assert alone.get(PAGE, X_Forwarded_For="192.0.2.1").status_code == 200
    assert alone.get(PAGE, X_Forwarded_For="192.0.2.2").status_code == 429


def _read_at_the_first(pair: Gateways, address: str) -> int:
    """Reads nearly all that an address may, and waits until the second process knows; answers how much both let in."""
    assert {pair.get(PAGE, X_Forwarded_For=address).status_code for _ in range(READS - 10)} == {200}
    answers: list[requests.Response] = []

    def is_known() -> bool:
        answers.append(pair.get(PAGE, 1, X_Forwarded_For=address))
        return int(answers[-1].headers["RateLimit-Remaining"]) < READS - len(answers) - 5

    wait_until(is_known, "the second process counts what the first let in")
    return READS - 10 + sum(answer.ok for answer in answers)


def _while_trickling(connection: socket.socket) -> bytes:
    """The response while one byte is sent periodically."""
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
