"""Over amqps the broker proves that it is the host that the address names."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from services.common.messaging.connection import open_connection


class Listener:
    """Takes one connection by TLS, notes what it hears first, and hangs up."""

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


def certificate_for(host: str, path: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(private + certificate.public_bytes(Encoding.PEM))
    return path


@pytest.fixture
def broker_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Listener]:
    """A broker with a certificate for the name that the test gives, from an authority that we trust."""
    certificate = certificate_for(request.param, tmp_path / "broker.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    listener = Listener(certificate)
    yield listener
    listener.close()


@pytest.mark.parametrize("broker_named", ["elsewhere.example"], indirect=True)
def test_a_certificate_of_another_host_is_refused_before_anything_is_said(broker_named: Listener) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="localhost"):
        open_connection(f"amqps://someone:password@localhost:{broker_named.port}/cards", "test")
    broker_named.thread.join(5)
    assert broker_named.heard == b""


@pytest.mark.parametrize("broker_named", ["localhost"], indirect=True)
def test_the_hosts_own_certificate_is_taken(broker_named: Listener) -> None:
    with pytest.raises(OSError, match=r"closed|reset"):  # it hangs up
        open_connection(f"amqps://someone:password@localhost:{broker_named.port}/cards", "test")
    broker_named.thread.join(5)
    assert broker_named.heard == b"AMQP\x00\x00\x09\x01"
