"""An authority of a test's own, and a certificate of it for this machine's loopback address."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from deploy.local.ports import LOOPBACK


def write_certificates(folder: Path) -> None:
    """Writes `authority.crt`, and `server.crt` with `server.key` for servers on loopback."""
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _certificate("authority", "authority", authority_key, authority_key)
    key = ec.generate_private_key(ec.SECP256R1())
    server = _certificate(LOOPBACK, "authority", key, authority_key)
    (folder / "authority.crt").write_bytes(authority.public_bytes(Encoding.PEM))
    (folder / "server.crt").write_bytes(server.public_bytes(Encoding.PEM))
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "server.key").write_bytes(private)


def _certificate(
    name: str, issuer: str, key: ec.EllipticCurvePrivateKey, signed_by: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(
        _name(issuer), _name(name), key.public_key(), x509.random_serial_number()
    ).not_valid_before(now - timedelta(days=1))
    builder = builder.not_valid_after(now + timedelta(days=1)).add_extension(
        x509.BasicConstraints(ca=name == issuer, path_length=None), critical=True
    )
    if name != issuer:
        alternative = x509.SubjectAlternativeName([x509.IPAddress(ip_address(name))])
        builder = builder.add_extension(alternative, critical=False)
    return builder.sign(signed_by, SHA256())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
