"""Over amqps the broker must prove by its certificate that it is the host of the address."""

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from deploy.simulators import example_bank
from services.kit.amqp.connection import open_connection
from tests.certificates import Authority


class Listener:
    """Accepts one TLS connection, records the first bytes, and closes it."""

    def __init__(self, certificate: Path) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.heard = b""
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self._socket.close()
        self.thread.join(5)

    def _listen(self) -> None:
        with suppress(OSError):
            plain, _ = self._socket.accept()
            with self._context.wrap_socket(plain, server_side=True) as connection:
                self.heard = connection.recv(8)


def certificate_for(host: str, path: Path, authority: Authority) -> Path:
    issued = authority.issue(host)
    path.write_bytes(issued.key + issued.certificate)
    return path


Dial = Callable[[str], None]


def dial_as_a_service(uri: str) -> None:
    with suppress(OSError):
        open_connection(uri, "test")


def dial_as_the_example_bank(uri: str) -> None:
    """Once: then it would come back after a pause."""
    line = example_bank.Bank(uri, example_bank.Keys([b"key"], "", ""), example_bank.Database(":memory:"))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("time.sleep", lambda _: setattr(line, "is_over", True))
        line.work()


DIALS = [pytest.param(dial_as_a_service, id="a service"), pytest.param(dial_as_the_example_bank, id="the example bank")]


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Makes a certificate for a host from an authority that we trust."""

    def make(host: str) -> Path:
        authority = Authority()
        (tmp_path / "authority.pem").write_bytes(authority.certificate)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
        return certificate_for(host, tmp_path / "trusted.pem", authority)

    return make


def heard_by_a_broker(certificate: Path, dial: Dial, beside: str = "") -> bytes:
    """What a broker with this certificate, at `localhost`, hears first; `beside` is the address of another node."""
    listener = Listener(certificate)
    try:
        dial(f"amqps://someone:password@localhost:{listener.port}/cards{beside}")
        listener.thread.join(5)
        return listener.heard
    finally:
        listener.close()


@pytest.mark.parametrize("dial", DIALS)
def test_a_certificate_of_another_host_is_refused_before_anything_is_said(
    trusted: Callable[[str], Path], dial: Dial
) -> None:
    assert heard_by_a_broker(trusted("elsewhere.example"), dial) == b""


@pytest.mark.parametrize("dial", DIALS)
def test_a_certificate_of_an_authority_that_nobody_trusts_is_refused_before_anything_is_said(
    trusted: Callable[[str], Path], tmp_path: Path, dial: Dial
) -> None:
    trusted("localhost")
    assert heard_by_a_broker(certificate_for("localhost", tmp_path / "another.pem", Authority("stranger")), dial) == b""


@pytest.mark.parametrize("dial", DIALS)
def test_the_hosts_own_certificate_is_taken(trusted: Callable[[str], Path], dial: Dial) -> None:
    assert heard_by_a_broker(trusted("localhost"), dial) == b"AMQP\x00\x00\x09\x01"


@pytest.mark.parametrize("dial", DIALS)
def test_of_several_nodes_each_proves_its_own_name(trusted: Callable[[str], Path], dial: Dial) -> None:
    beside = ";amqps://someone:password@127.0.0.1:9/cards"
    assert heard_by_a_broker(trusted("localhost"), dial, beside) == b"AMQP\x00\x00\x09\x01"
    assert heard_by_a_broker(trusted("127.0.0.1"), dial, beside) == b""


def test_why_a_certificate_is_refused_is_said(trusted: Callable[[str], Path]) -> None:
    listener = Listener(trusted("elsewhere.example"))
    with pytest.raises(ssl.SSLCertVerificationError, match="localhost"):
        open_connection(f"amqps://someone:password@localhost:{listener.port}/cards", "test")
    listener.close()
