"""What each process of the stack is started with: addresses, ports, secrets, and the version of the code."""

import base64
import hashlib
import json
import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local.ports import LOOPBACK, free_port, is_free
from deploy.local.processes import Process

ROOT = Path(__file__).parents[2]
SERVICES = ("membership", "validation", "batching", "revocation", "notification")
SIMULATORS = ("registry", "bank", "sms")
PREFERRED_GATEWAY_PORT = 8000
_SOURCES = ("services", "gateway", "deploy/simulators")
_OF_PERSONAL_DATA = ("PERSONAL_DATA_KEYS", "BLIND_INDEX_KEY")
_SECRETS_OF = {
    **dict.fromkeys(SERVICES, _OF_PERSONAL_DATA),
    "batching": (*_OF_PERSONAL_DATA, "BANK_HMAC_KEY"),
    "gateway": (*_OF_PERSONAL_DATA, "SESSION_SECRET"),
    "bank": ("BANK_HMAC_KEY",),
    "registry": (),
    "sms": (),
}
_GATEWAY_WORKERS = "200"
"""A request waits in a worker: one service that is frozen must not take those of all the others."""

_PASSED_ON = ("HOME", "PATH", "LANG", "TZ", "REGISTER_FONTS", "DEMO_PASSWORD")


@dataclass(frozen=True)
class Addresses:
    """Where the broker and each service's database are."""

    amqp_uri: str
    database_urls: Mapping[str, str]


@dataclass(frozen=True)
class Surroundings:
    """All that the processes of one stack share."""

    addresses: Addresses
    ports: Mapping[str, int]
    secrets: Mapping[str, str]
    settings: Mapping[str, str]
    """Further environment variables of every process."""
    version: str


class ScaleError(ValueError):
    """SCALE cannot be read, or names what cannot have several processes."""


def read_scale(text: str) -> dict[str, int]:
    """The number of processes of each service out of `validation=3 batching=2`; one where nothing is said.

    Raises ScaleError.
    """
    scale = dict.fromkeys(SERVICES, 1)
    for word in text.replace(",", " ").split():
        service, _, number = word.partition("=")
        if service not in SERVICES or not number.isdecimal() or not 0 <= int(number) <= 20:
            raise ScaleError(f"SCALE: {word!r} is not <service>=<0 to 20>; services: {', '.join(SERVICES)}")
        scale[service] = int(number)
    return scale


def process_names(scale: Mapping[str, int]) -> list[str]:
    """The names of all processes: simulators, services by scale, gateway."""
    services = [f"{service}-{number}" for service in SERVICES for number in range(1, scale[service] + 1)]
    return [*(f"{simulator}-1" for simulator in SIMULATORS), *services, "gateway-1"]


def keep_ports(folder: Path, names: list[str], chosen_anew: bool, gateway_port: int | None) -> dict[str, int]:
    """The port of each process's health endpoint or API, and `gateway`: chosen once, kept in `state.json`.

    `chosen_anew` when nothing of ours runs: then a port that another program has taken meanwhile is replaced.
    """
    state = read_state(folder)
    ports: dict[str, int] = state.get("ports", {})
    if chosen_anew:
        ports = {name: port for name, port in ports.items() if is_free(port)}
    for name in [*names, "gateway"]:
        while name not in ports:
            port = free_port(gateway_port if name == "gateway" else None)
            if port not in ports.values():
                ports[name] = port
    write_state(folder, {**state, "ports": ports})
    return ports


def read_state(folder: Path) -> dict[str, Any]:
    """What the stack of this folder remembers from start to start."""
    path = folder / "state.json"
    return json.loads(path.read_text()) if path.exists() else {}


def write_state(folder: Path, state: dict[str, Any]) -> None:
    (folder / "state.json").write_text(json.dumps(state, indent=1))


def keep_secrets(folder: Path) -> dict[str, str]:
    """The stack's secrets: made at random at the first call, kept in `secrets.env`, which only its owner reads."""
    path = folder / "secrets.env"
    if not path.exists():
        made = {
            "PERSONAL_DATA_KEYS": f"k1:{_random_key()}",
            "BLIND_INDEX_KEY": _random_key(),
            "SESSION_SECRET": _random_key(),
            "BANK_HMAC_KEY": _random_key(),
            **{_password_name(service): secrets.token_hex(16) for service in SERVICES},
        }
        path.touch(0o600)
        path.write_text("".join(f"{name}={value}\n" for name, value in made.items()))
    return dict(line.split("=", 1) for line in path.read_text().splitlines())


def database_password(stack_secrets: Mapping[str, str], service: str) -> str:
    return stack_secrets[_password_name(service)]


def source_version() -> str:
    """A digest of all that the processes run: it changes when a source file or a pinned package does."""
    files = [path for folder in _SOURCES for path in (ROOT / folder).rglob("*") if path.is_file()]
    digest = hashlib.sha256()
    for path in sorted([*files, ROOT / "requirements.lock"]):
        if "__pycache__" not in path.parts:
            digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def planned_processes(scale: Mapping[str, int], surroundings: Surroundings) -> tuple[Process, ...]:
    """The processes of a stack, each with all that it is started with."""
    return tuple(_process(name, surroundings) for name in process_names(scale))


def service_environment(service: str, surroundings: Surroundings) -> dict[str, str]:
    """What a service's processes, migrations and seeds see, but for the port of their health endpoint."""
    ports = surroundings.ports
    return {
        **_common_environment(service, surroundings),
        "DATABASE_URL": surroundings.addresses.database_urls[service],
        "REGISTRY_URL": f"http://{LOOPBACK}:{ports['registry-1']}",
        "SMS_URL": f"http://{LOOPBACK}:{ports['sms-1']}",
    }


def _process(name: str, surroundings: Surroundings) -> Process:
    program = name.rpartition("-")[0]
    port = surroundings.ports[name]
    if program in SERVICES:
        module = ["services.common.runner", f"services.{program}.service"]
        environment = {**service_environment(program, surroundings), "HEALTH_PORT": str(port)}
    elif program in SIMULATORS:
        module = [f"deploy.simulators.{program}"]
        environment = {**_common_environment(program, surroundings), f"{program.upper()}_PORT": str(port)}
    else:
        module = ["services.common.runner", "gateway.service"]
        own = {
            "HEALTH_PORT": str(port),
            "GATEWAY_PORT": str(surroundings.ports["gateway"]),
            "MAX_WORKERS": _GATEWAY_WORKERS,
        }
        environment = {**_common_environment(program, surroundings), **own}
    return Process(
        name=name,
        command=(sys.executable, "-m", *module),
        environment=environment,
        ready_url=f"http://{LOOPBACK}:{port}/readyz",
        version=surroundings.version,
    )


def _common_environment(program: str, surroundings: Surroundings) -> dict[str, str]:
    return {
        **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        **{name: surroundings.secrets[name] for name in _SECRETS_OF[program]},
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "AMQP_URI": surroundings.addresses.amqp_uri,
        "ENVIRONMENT": "demo",
        "LOG_LEVEL": os.environ.get("LOG_LEVEL", "INFO"),
        "BANK_MODE": "auto",
        **surroundings.settings,
    }


def _password_name(service: str) -> str:
    return f"DATABASE_PASSWORD_{service.upper()}"


def _random_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()
