"""The environment of each process of the stack: addresses, ports, secrets, and the version of the code."""

import base64
import hashlib
import json
import os
import secrets
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from deploy.broker import User, password_variable
from deploy.local.ports import LOOPBACK, hold_port, is_free
from deploy.local.private_files import write_private
from deploy.local.processes import Process
from deploy.permissions import PROGRAMS, SERVICES
from services.kit.key_sets import new_encryption_keys, new_signing_keys, public_part
from services.kit.rpc import request_encryption
from services.kit.rpc.caller_signature import public_keys
from services.kit.rpc.key_lists import DEMO_ID
from services.kit.secret_values import DEMO_MARK

ROOT = Path(__file__).parents[2]
_PASSWORDS = (
    *(f"DATABASE_PASSWORD_{service.upper()}{of}" for service in SERVICES for of in ("", "_OWNER")),
    *map(password_variable, PROGRAMS),
)
SIMULATORS = ("registry", "bank", "sms", "insurer")
PREFERRED_GATEWAY_PORT = 8000
AUDIT_HEADS = "audit_heads"
AUDIT_ARCHIVES = "audit_archives"
"""The file to which each chunk of audit events appends a line."""
_PROVES = "PUBLISHERS_ARE_PROVED"
"""Marks, among the secrets, a stack whose programs prove who published the messages that they move."""
RETIRED_KEYS = "personal_data_keys.retired"
"""Keys that only backups of the databases still need."""
_SOURCES = ("services", "gateway", "deploy/simulators")
_OF_SERVICES = ("PERSONAL_DATA_KEYS_FILE", "BLIND_INDEX_KEY", "CALLER_PUBLIC_KEYS", "AUDIT_PUBLIC_KEYS")
BANK_SECRETS = ("BANK_HMAC_KEY", "BANK_PRIVATE_KEYS", "UNION_PUBLIC_KEYS")
"""The secrets that the bank's program needs."""
_SECRETS_OF = {
    **dict.fromkeys(SERVICES, _OF_SERVICES),
    "membership": (
        *_OF_SERVICES,
        *("AUDIT_KEYS", "AUDIT_SIGNING_KEYS", "AUDIT_HEAD_FILE", "AUDIT_ARCHIVE_FOLDER"),
        *("INSURER_HMAC_KEY", "INSURER_PUBLIC_KEYS", "ENROLMENT_PRIVATE_KEYS"),
    ),
    "batching": (*_OF_SERVICES, "BANK_HMAC_KEY", "BANK_PUBLIC_KEYS", "UNION_PRIVATE_KEYS"),
    "notification": (*_OF_SERVICES, "ALERTS_TOKEN"),
    "gateway": ("SESSION_SECRET", "CALLER_SIGNING_KEYS", "REQUEST_PUBLIC_KEYS"),
    "bank": BANK_SECRETS,
    "insurer": ("INSURER_HMAC_KEY", "INSURER_PRIVATE_KEYS", "ENROLMENT_PUBLIC_KEYS"),
    "registry": (),
    "sms": (),
}
_GATEWAY_WORKERS = "200"
"""Each waiting request occupies a worker: one frozen service must not use up the workers of all."""

_PROOF_OF_WORK_BITS = "16"
"""A quarter of the default work, since our own programs sign in all the time."""

_MORE_OF = {
    # Each head of the audit log is published within ten seconds: little happens here, and tests wait for it.
    "membership": {"AUDIT_HEAD_MINUTES": "0"},
    # Nobody sleeps who gets a text message of a simulator.
    "notification": {"SMS_QUIET_HOURS": "0-0"},
}

CLOCK_FILE = "CLOCK_FILE"
"""Names the file by which the clocks of a system go that plays its past (`deploy.history`)."""

NO_RESOLVER = {"EVENTLET_NO_GREENDNS": "yes"}
"""Name resolution by the system: eventlet's resolver takes 0.3 s to load, and addresses here are mostly numeric."""

_PASSED_ON = ("HOME", "PATH", "LANG", "TZ", "REGISTER_FONTS", "DEMO_PASSWORD", "COVERAGE_PROCESS_CONFIG")


@dataclass(frozen=True)
class Addresses:
    """The addresses of the broker and of each service's database, with each program's user."""

    amqp_uris: Mapping[str, str] = field(repr=False)
    """By program: the services, `gateway`, `bank`, `insurer`."""
    database_urls: Mapping[str, str] = field(repr=False)
    owner_urls: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The databases as the roles that migrate, if these are others."""
    direct_urls: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The databases past a pooler, if `database_urls` are a pooler's."""

    def migration_url(self, service: str) -> str:
        """Return the address with which a service's database is migrated."""
        return self.owner_urls.get(service) or self.direct_urls.get(service) or self.database_urls[service]


@dataclass(frozen=True)
class RuntimeContext:
    """What the processes of one stack share."""

    addresses: Addresses
    ports: Mapping[str, int]
    secrets: Mapping[str, str]
    settings: Mapping[str, str]
    """Further environment variables of every process."""
    version: str


class ScaleError(ValueError):
    """SCALE is invalid, or names a program that cannot have several processes."""


def read_scale(text: str, *, with_bank: bool = True) -> dict[str, int]:
    """Parse the number of processes of each service, as in `validation=3 batching=2`; the default is one.

    Without `with_bank` no bank is simulated, since another program is the bank. Raises ScaleError.
    """
    scale = {**dict.fromkeys(SERVICES, 1), "bank": int(with_bank)}
    for word in text.replace(",", " ").split():
        service, _, number = word.partition("=")
        if service not in SERVICES or not number.isdecimal() or not 0 <= int(number) <= 20:
            raise ScaleError(f"SCALE: {word!r} is not <service>=<0 to 20>; services: {', '.join(SERVICES)}")
        scale[service] = int(number)
    return scale


def process_names(scale: Mapping[str, int]) -> list[str]:
    """Return the names of all processes: simulators unless scaled to 0, services by scale, gateway."""
    simulators = [f"{simulator}-1" for simulator in SIMULATORS if scale.get(simulator, 1)]
    services = [f"{service}-{number}" for service in SERVICES for number in range(1, scale[service] + 1)]
    return [*simulators, *services, "gateway-1"]


def keep_ports(folder: Path, names: list[str], chosen_anew: bool, gateway_port: int | None) -> dict[str, int]:
    """Return the port of each process's health endpoint or API, and of `gateway`; they are kept in `state.json`.

    With `chosen_anew`, when no process of ours runs, a port that another program has taken meanwhile is replaced.
    """
    state = read_state(folder)
    ports: dict[str, int] = state.get("ports", {})
    if chosen_anew:
        ports = {name: port for name, port in ports.items() if is_free(port)}
    for name in [*names, "gateway"]:
        while name not in ports:
            port = hold_port(preferred=gateway_port if name == "gateway" else None)
            if port not in ports.values():
                ports[name] = port
    write_state(folder, {**state, "ports": ports})
    return ports


def read_state(folder: Path) -> dict[str, Any]:
    """Return what the stack of this folder remembers between starts."""
    path = folder / "state.json"
    return json.loads(path.read_text()) if path.exists() else {}


def write_state(folder: Path, state: dict[str, Any]) -> None:
    write_private(folder / "state.json", json.dumps(state, indent=1))


def note_lost_audit_entries(folder: Path, entries: str) -> None:
    """Remember entries `A-B` of the audit log that a restored database lacks."""
    state = read_state(folder)
    write_state(folder, {**state, "audit_lost": [*state.get("audit_lost", []), entries]})


def lost_audit_entries(folder: Path) -> str:
    """Return the ranges of lost audit entries, as AUDIT_LOST has them."""
    return ",".join(read_state(folder).get("audit_lost", []))


def keep_secrets(folder: Path) -> dict[str, str]:
    """Return the stack's secrets; missing ones are made at random and kept in the private file `secrets.env`.

    They are marked as the demo's, so that production refuses them. The keys of personal data are in another file,
    because they change while everything runs.
    """
    path = folder / "secrets.env"
    kept = dict(line.split("=", 1) for line in path.read_text().splitlines()) if path.exists() else {}
    made = {
        "BLIND_INDEX_KEY": random_key(),
        "AUDIT_KEYS": f"k1:{random_key()}",
        "SESSION_SECRET": random_key(),
        "BANK_HMAC_KEY": random_key(),
        "INSURER_HMAC_KEY": random_key(),
        "ALERTS_TOKEN": random_key(),
        "CALLER_SIGNING_KEYS": f"{DEMO_ID}1:{random_key()}",
        **{_request_keys_name(service): f"{DEMO_ID}1:{random_key()}" for service in SERVICES},
        _PROVES: "yes",
        **_audit_keys(),
        **_key_pair("BANK"),
        **_key_pair("UNION"),
        **_key_pair("INSURER"),
        **_key_pair("ENROLMENT"),
        **{name: _random_password() for name in _PASSWORDS},
    }
    if made.keys() - kept.keys():
        in_an_hour = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        if kept and _PROVES not in kept:
            # Messages that the previous release left in the queues do not name a publisher, or do not prove it.
            kept["FORMER_RELEASE_UNTIL"] = in_an_hour
        if kept and _request_keys_name(SERVICES[0]) not in kept:
            # The gateway of the previous release, which is replaced last, encrypts no requests.
            kept["CLEAR_REQUESTS_UNTIL"] = in_an_hour
        kept = {**made, **kept}
        write_private(path, "".join(f"{name}={value}\n" for name, value in kept.items()))
    archives = folder.resolve() / AUDIT_ARCHIVES
    archives.mkdir(mode=0o700, exist_ok=True)
    # A stack older than the file of keys has them among its secrets.
    keys = kept.pop("PERSONAL_DATA_KEYS", None)
    if not keys_file(folder).exists():
        write_keys(folder, keys.split(",") if keys else [f"k1:{random_key()}"])
    return {
        **kept,
        "PERSONAL_DATA_KEYS_FILE": str(keys_file(folder)),
        "AUDIT_HEAD_FILE": str(folder.resolve() / AUDIT_HEADS),
        "AUDIT_ARCHIVE_FOLDER": str(archives),
        "CALLER_PUBLIC_KEYS": public_keys(kept["CALLER_SIGNING_KEYS"]),
        "REQUEST_PUBLIC_KEYS": ",".join(
            request_encryption.public_keys(service, kept[_request_keys_name(service)]) for service in SERVICES
        ),
    }


def _audit_keys() -> dict[str, str]:
    """Return the key with which membership signs heads of the audit log, and its public key for verifying."""
    private = new_signing_keys(f"{DEMO_MARK}-audit")
    return {"AUDIT_SIGNING_KEYS": private, "AUDIT_PUBLIC_KEYS": public_part(private)}


def _key_pair(owner: str) -> dict[str, str]:
    """Return a private key with which its owner decrypts, and its public key for the other side."""
    private = new_encryption_keys(f"{DEMO_MARK}-{owner.lower()}")
    return {f"{owner}_PRIVATE_KEYS": private, f"{owner}_PUBLIC_KEYS": public_part(private)}


def keys_file(folder: Path) -> Path:
    """Return the file of the keys of personal data: one a line as `id:base64`; the first one encrypts."""
    return folder.resolve() / "personal_data_keys"


def read_keys(folder: Path) -> list[str]:
    """Return the lines of the file of keys."""
    return keys_file(folder).read_text().split()


def write_keys(folder: Path, keys: Sequence[str]) -> None:
    """Replace the file of keys."""
    write_private(keys_file(folder), "".join(f"{key}\n" for key in keys))


def random_key() -> str:
    """Return 32 bytes in base64 that begin with the demo's mark."""
    return DEMO_MARK + base64.b64encode(secrets.token_bytes(26)).decode()


def forget_passwords(folder: Path) -> None:
    """Let the next `keep_secrets` make new passwords for broker and databases; keys stay, since they encrypt data."""
    path = folder / "secrets.env"
    kept = [line for line in path.read_text().splitlines(keepends=True) if line.split("=")[0] not in _PASSWORDS]
    write_private(path, "".join(kept))


def broker_user(stack_secrets: Mapping[str, str], program: str) -> User:
    """Return a program's user on the broker."""
    return User(program, stack_secrets[password_variable(program)])


def database_password(stack_secrets: Mapping[str, str], role: str) -> str:
    """Return the password of a service's role, or of the owner of its database."""
    return stack_secrets[_password_name(role)]


def source_version() -> str:
    """Return a digest of the running code: it changes with each source file and pinned package.

    Pages are not included: the gateway reads them at each request.
    """
    files = [path for folder in _SOURCES for path in source_files(ROOT / folder)]
    digest = hashlib.sha256()
    for path in sorted([*files, ROOT / "requirements.lock"]):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def source_files(folder: Path) -> list[Path]:
    """Return the files below a folder, without pages, which may be built meanwhile, and without compiled code."""
    found = []
    for place, below, files in os.walk(folder):
        below[:] = [name for name in below if name not in ("__pycache__", "web")]
        found += [Path(place, name) for name in files]
    return sorted(found)


def planned_processes(scale: Mapping[str, int], context: RuntimeContext) -> tuple[Process, ...]:
    """Return the processes of a stack, each with its command and environment."""
    return tuple(_process(name, context) for name in process_names(scale))


def module_by_clock(module: Sequence[str], settings: Mapping[str, str]) -> list[str]:
    """Return the module that runs a program's module, which these words begin with, by the clock of the settings."""
    return ["deploy.history.process", *module] if CLOCK_FILE in settings else list(module)


def service_environment(service: str, context: RuntimeContext) -> dict[str, str]:
    """Return the environment of a service's processes, migrations and seeds, without the health port."""
    ports = context.ports
    return {
        **_common_environment(service, context),
        "DATABASE_URL": context.addresses.database_urls[service],
        "REQUEST_PRIVATE_KEYS": context.secrets[_request_keys_name(service)],
        **({"DATABASE_DIRECT_URL": direct} if (direct := context.addresses.direct_urls.get(service)) else {}),
        "REGISTRY_URL": f"http://{LOOPBACK}:{ports['registry-1']}",
        "SMS_URL": f"http://{LOOPBACK}:{ports['sms-1']}",
        "PUBLIC_URL": f"http://{LOOPBACK}:{ports['gateway']}",
        "COLLECTION_CODES": "yes",
    }


def _process(name: str, context: RuntimeContext) -> Process:
    program = name.rpartition("-")[0]
    port = context.ports[name]
    if program in SERVICES:
        module = ["services.kit.operations.runner", f"services.{program}.service"]
        environment = {**_MORE_OF.get(program, {}), **service_environment(program, context), "HEALTH_PORT": str(port)}
    elif program in SIMULATORS:
        module = [f"deploy.simulators.{program}"]
        environment = {**_common_environment(program, context), f"{program.upper()}_PORT": str(port)}
    else:
        module = ["services.kit.operations.runner", "gateway.service"]
        own = {
            "HEALTH_PORT": str(port),
            "GATEWAY_PORT": str(context.ports["gateway"]),
            "MAX_WORKERS": _GATEWAY_WORKERS,
        }
        environment = {"PROOF_OF_WORK_BITS": _PROOF_OF_WORK_BITS, **_common_environment(program, context), **own}
    return Process(
        name=name,
        command=(sys.executable, "-m", *module_by_clock(module, context.settings)),
        environment=environment,
        ready_url=f"http://{LOOPBACK}:{port}/readyz",
        version=context.version,
    )


def _common_environment(program: str, context: RuntimeContext) -> dict[str, str]:
    amqp_uri = context.addresses.amqp_uris.get(program)
    return {
        **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        **{name: context.secrets[name] for name in _SECRETS_OF[program]},
        **({"AMQP_URI": amqp_uri} if amqp_uri else {}),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        **NO_RESOLVER,
        "ENVIRONMENT": "demo",
        "RELEASE": context.version,
        "LOG_LEVEL": os.environ.get("LOG_LEVEL", "INFO"),
        "BANK_MODE": "auto",
        "BANK_CARD_DELAY_MS": "15000",
        "INSURER_DELAY_MS": "3000",
        **{name: context.secrets.get(name, "") for name in ("FORMER_RELEASE_UNTIL", "CLEAR_REQUESTS_UNTIL")},
        **context.settings,
    }


def _request_keys_name(service: str) -> str:
    return f"REQUEST_PRIVATE_KEYS_{service.upper()}"


def _password_name(role: str) -> str:
    return f"DATABASE_PASSWORD_{role.upper()}"


def _random_password() -> str:
    return DEMO_MARK + secrets.token_hex(16)
