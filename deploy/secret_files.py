"""Makes the secrets of a system on one machine: `python -m deploy.secret_files <folder> --host <name>`.

In the folder, which only its owner may enter, each program gets a folder of its own with the files that it may know; a
container, or a unit of systemd, mounts that one. All values are kept in `values.json`: a second run keeps them and
writes the programs' folders anew, so that one is changed by deleting it there. A certificate in `nginx/` is made only
where there is none. The mutual-aid society is connected where its public keys are given, or made by `--demo`; otherwise
no program has anything of the connection.
"""

import argparse
import base64
import json
import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from deploy.broker import password_variable
from deploy.databases import password_variable as role_password_variable
from deploy.local.postgres import SUPERUSER, owner_of
from deploy.permissions import PROGRAMS, SERVICES
from services.kit.key_sets import new_encryption_keys, new_signing_keys, public_part
from services.kit.rpc import request_encryption
from services.kit.rpc.caller_signature import public_keys

VHOST = "cards"
ADMINISTRATOR = "administrator"
VALUES = "values.json"
_DAYS_OF_A_CERTIFICATE = 397
_CONNECTION_KEYS = ("INSURER_HMAC_KEY", "INSURER_PUBLIC_KEYS", "ENROLMENT_PRIVATE_KEYS")
_CONNECTION = (*_CONNECTION_KEYS, password_variable("insurer"))
"""The files by which the mutual-aid society is connected; they are removed from folders that must not have them."""
_READABLE_BY_PROGRAMS = 0o444
"""A program's user is another one than the folder's owner; on this machine nobody else enters the folder above."""

_PARTNERS = ("BANK", "INSURER")
_NOTHING: Mapping[str, str] = {}
_BROKER_USERS = (*PROGRAMS, ADMINISTRATOR)
_ROLES = tuple(role for service in SERVICES for role in (service, owner_of(service)))

Files = dict[str, str]
"""The files of one program's folder, by name."""


@dataclass(frozen=True)
class Nodes:
    """Where the programs reach broker and databases, as host:port; by default those of compose.yaml."""

    broker: str = "rabbitmq:5672"
    databases: str = "postgres:5432"


def main() -> int:
    """Makes what is missing; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--host", default="localhost", help="the name by which browsers open the system (localhost)")
    parser.add_argument("--bank-public-keys", type=Path, metavar="FILE", help="the bank's public keys, a JWK Set")
    parser.add_argument(
        "--insurer-public-keys", type=Path, metavar="FILE", help="the mutual-aid society's public keys, a JWK Set"
    )
    parser.add_argument("--broker", default=Nodes.broker, metavar="HOST:PORT", help="where it is (%(default)s)")
    parser.add_argument(
        "--databases", default=Nodes.databases, metavar="HOST:PORT", help="where they are (%(default)s)"
    )
    parser.add_argument("--demo", action="store_true", help="make keys for the simulated bank and society")
    options = parser.parse_args()
    nodes = Nodes(options.broker, options.databases)
    try:
        files = {"BANK_PUBLIC_KEYS": options.bank_public_keys, "INSURER_PUBLIC_KEYS": options.insurer_public_keys}
        given = {name: public_part(file.read_text()) for name, file in files.items() if file}
        make(options.folder, options.host, given, demo=options.demo, nodes=nodes)
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{options.folder}: a folder for each of {', '.join(folders(read_values(options.folder), nodes))}, nginx")
    return 0


def make(
    folder: Path, host: str, given: Mapping[str, str] = _NOTHING, *, demo: bool = False, nodes: Nodes = Nodes()
) -> None:
    """Makes the values that are missing, writes the programs' folders, and makes a certificate if there is none.

    `given` are public keys of real partners: BANK_PUBLIC_KEYS, INSURER_PUBLIC_KEYS.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    kept = read_values(folder)
    values = {**_new_values(demo=demo), **kept, **given}
    values = {**values, **_public_values(values)}
    _write(folder / VALUES, json.dumps(values, indent=1, sort_keys=True), 0o600)
    for program, files in folders(values, nodes).items():
        _open_folder(folder / program)
        for name in {*_CONNECTION} - files.keys():
            (folder / program / name).unlink(missing_ok=True)
        for name, text in files.items():
            _write(folder / program / name, text, _READABLE_BY_PROGRAMS)
    _open_folder(folder / "nginx")
    if not (folder / "nginx" / "certificate.pem").exists():
        for name, text in self_signed(host).items():
            _write(folder / "nginx" / name, text, _READABLE_BY_PROGRAMS)


def read_values(folder: Path) -> Files:
    """Returns the values of a folder; none for a new one."""
    path = folder / VALUES
    values: Files = json.loads(path.read_text()) if path.exists() else {}
    return values


def folders(values: Mapping[str, str], nodes: Nodes) -> dict[str, Files]:
    """Returns each program's files, from all values; none of the connection with a society that is not connected."""
    if "INSURER_PUBLIC_KEYS" not in values:
        values = {name: text for name, text in values.items() if name not in _CONNECTION}
    keys = _some(values, "PERSONAL_DATA_KEYS", "BLIND_INDEX_KEY", "CALLER_PUBLIC_KEYS", "AUDIT_PUBLIC_KEYS")
    users = [user for user in _BROKER_USERS if password_variable(user) in values]
    brokers = {user: {"AMQP_URI": _broker_url(user, values, nodes)} for user in users}
    services = {
        service: {
            **brokers[service],
            "DATABASE_URL": _database_url(service, service, values, nodes),
            "REQUEST_PRIVATE_KEYS": values[_request_keys_name(service)],
            **keys,
        }
        for service in SERVICES
    }
    services["membership"] |= _some(values, "AUDIT_KEYS", "AUDIT_SIGNING_KEYS", *_CONNECTION_KEYS)
    services["notification"] |= _some(values, "ALERTS_TOKEN")
    services["batching"] |= _some(values, "BANK_HMAC_KEY", "BANK_PUBLIC_KEYS", "UNION_PRIVATE_KEYS")
    return {
        **services,
        "gateway": {
            **brokers["gateway"],
            **_some(values, "SESSION_SECRET", "CALLER_SIGNING_KEYS", "REQUEST_PUBLIC_KEYS"),
        },
        "bank": {**brokers["bank"], **_some(values, "BANK_HMAC_KEY", "BANK_PRIVATE_KEYS", "UNION_PUBLIC_KEYS")},
        **_of_society(values, brokers),
        "broker": {**brokers[ADMINISTRATOR], **_some(values, *map(password_variable, users))},
        "databases": {
            "DATABASE_ADMIN_URL": _database_url("postgres", SUPERUSER, values, nodes),
            **_some(values, *map(role_password_variable, _ROLES)),
        },
        "migrations": {
            **{_url_variable(one): _database_url(one, owner_of(one), values, nodes) for one in SERVICES},
            **keys,
        },
        "operator": {
            **{_url_variable(one): _database_url(one, one, values, nodes) for one in SERVICES},
            **{f"AMQP_URI_{one.upper()}": brokers[one]["AMQP_URI"] for one in SERVICES},
            **keys,
            **_some(values, "AUDIT_KEYS"),
        },
        "postgres": _some(values, role_password_variable(SUPERUSER)),
    }


def self_signed(host: str) -> Files:
    """Returns a new key and a certificate that it signs itself, for the host and this machine."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    names = [x509.DNSName(one) for one in dict.fromkeys([host, "localhost"])]
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=_DAYS_OF_A_CERTIFICATE))
        .add_extension(x509.SubjectAlternativeName([*names, x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {
        "key.pem": private.decode(),
        "certificate.pem": certificate.public_bytes(serialization.Encoding.PEM).decode(),
    }


def _of_society(values: Mapping[str, str], brokers: Mapping[str, Files]) -> dict[str, Files]:
    """Returns the files of the society's program; none unless it is connected."""
    if "insurer" not in brokers:
        return {}
    keys = _some(values, "INSURER_HMAC_KEY", "INSURER_PRIVATE_KEYS", "ENROLMENT_PUBLIC_KEYS")
    return {"insurer": {**brokers["insurer"], **keys}}


def _new_values(*, demo: bool) -> Files:
    return {
        "PERSONAL_DATA_KEYS": f"k1:{_key()}",
        "BLIND_INDEX_KEY": _key(),
        "AUDIT_KEYS": f"k1:{_key()}",
        "SESSION_SECRET": _key(),
        "CALLER_SIGNING_KEYS": f"k1:{_key()}",
        **{_request_keys_name(service): f"k1:{_key()}" for service in SERVICES},
        "BANK_HMAC_KEY": _key(),
        "INSURER_HMAC_KEY": _key(),
        "ALERTS_TOKEN": _key(),
        "AUDIT_SIGNING_KEYS": new_signing_keys("audit-1"),
        "UNION_PRIVATE_KEYS": new_encryption_keys("union-1"),
        "ENROLMENT_PRIVATE_KEYS": new_encryption_keys("enrolment-1"),
        **({f"{one}_PRIVATE_KEYS": new_encryption_keys(f"{one.lower()}-1") for one in _PARTNERS} if demo else {}),
        **{password_variable(user): secrets.token_hex(24) for user in _BROKER_USERS},
        **{role_password_variable(role): secrets.token_hex(24) for role in (SUPERUSER, *_ROLES)},
    }


def _public_values(values: Mapping[str, str]) -> Files:
    """Returns what follows from private keys; the public keys of real partners are kept."""
    made_here = [one for one in _PARTNERS if f"{one}_PRIVATE_KEYS" in values]
    return {
        "CALLER_PUBLIC_KEYS": public_keys(values["CALLER_SIGNING_KEYS"]),
        "REQUEST_PUBLIC_KEYS": ",".join(
            request_encryption.public_keys(service, values[_request_keys_name(service)]) for service in SERVICES
        ),
        "AUDIT_PUBLIC_KEYS": public_part(values["AUDIT_SIGNING_KEYS"]),
        "UNION_PUBLIC_KEYS": public_part(values["UNION_PRIVATE_KEYS"]),
        "ENROLMENT_PUBLIC_KEYS": public_part(values["ENROLMENT_PRIVATE_KEYS"]),
        **{f"{one}_PUBLIC_KEYS": public_part(values[f"{one}_PRIVATE_KEYS"]) for one in made_here},
    }


def _request_keys_name(service: str) -> str:
    return f"REQUEST_PRIVATE_KEYS_{service.upper()}"


def _some(values: Mapping[str, str], *names: str) -> Files:
    return {name: values[name] for name in names if name in values}


def _broker_url(user: str, values: Mapping[str, str], nodes: Nodes) -> str:
    return f"amqp://{user}:{values[password_variable(user)]}@{nodes.broker}/{VHOST}"


def _database_url(database: str, role: str, values: Mapping[str, str], nodes: Nodes) -> str:
    return f"postgresql://{role}:{values[role_password_variable(role)]}@{nodes.databases}/{database}"


def _url_variable(service: str) -> str:
    return f"DATABASE_URL_{service.upper()}"


def _key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def _open_folder(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)


def _write(path: Path, text: str, mode: int) -> None:
    """Replaces a file by renaming, so that a program that reads it meanwhile gets all of the old or the new one."""
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    new.touch(0o600)
    new.write_text(f"{text}\n")
    os.chmod(new, mode)
    new.replace(path)


if __name__ == "__main__":
    sys.exit(main())
