"""An authority of a test's own, and certificates of it: good ones, and those that nobody may take."""

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from deploy.local.ports import LOOPBACK

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Certificate:
    """A server's certificate and its key, as PEM."""

    certificate: bytes
    key: bytes
    number: int
    """Its serial number."""

    def write(self, certificate: Path, key: Path) -> None:
        """Writes both, each in the place of a former one at once; the key's owner alone may read it."""
        for path, content, mode in ((certificate, self.certificate, 0o644), (key, self.key, 0o600)):
            owner = path.parent.stat()
            fresh = path.with_name(f"{path.name}.new")
            fresh.write_bytes(content)
            fresh.chmod(mode)
            os.chown(fresh, owner.st_uid, owner.st_gid)
            fresh.replace(path)


class Authority:
    """An authority that signs certificates."""

    def __init__(self, name: str = "authority") -> None:
        self._name = name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._signed(name, self._key, _DAY).public_bytes(Encoding.PEM)
        """What those must have who trust it, as PEM."""

    def issue(self, host: str = LOOPBACK, *, lasts: timedelta = _DAY) -> Certificate:
        """Signs a certificate for a name or an address; it has expired if `lasts` is negative."""
        key = ec.generate_private_key(ec.SECP256R1())
        signed = self._signed(host, key, lasts)
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return Certificate(signed.public_bytes(Encoding.PEM), private, signed.serial_number)

    def _signed(self, name: str, key: ec.EllipticCurvePrivateKey, lasts: timedelta) -> x509.Certificate:
        now = datetime.now(UTC)
        is_authority = name == self._name
        builder = (
            x509.CertificateBuilder(_name(self._name), _name(name), key.public_key(), x509.random_serial_number())
            .not_valid_before(now - 2 * _DAY)
            .not_valid_after(now + lasts)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        )
        by = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        builder = builder.add_extension(by, critical=False).add_extension(_usage(is_authority), critical=True)
        if not is_authority:
            builder = builder.add_extension(x509.SubjectAlternativeName([_alternative(name)]), critical=False)
        return builder.sign(self._key, SHA256())


def write_certificates(folder: Path) -> None:
    """Writes `authority.crt`, and `server.crt` with `server.key` for servers on loopback."""
    authority = Authority()
    (folder / "authority.crt").write_bytes(authority.certificate)
    authority.issue().write(folder / "server.crt", folder / "server.key")


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _usage(is_authority: bool) -> x509.KeyUsage:
    unused = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    return x509.KeyUsage(
        digital_signature=not is_authority, key_cert_sign=is_authority, crl_sign=is_authority, **unused
    )


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)
