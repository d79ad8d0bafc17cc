"""Prepares a broker for the services: virtual host, users with permissions, then exchanges and queues with bindings.

`python -m deploy.broker prepare` does all of it, where `rabbitmqctl` reaches a node: it imports the definitions, and
declares. `--rabbitmqctl "kubectl exec -i rabbitmq-0 -- rabbitmqctl"` names another way to one.
`python -m deploy.broker definitions` only prints the virtual host, users, permissions and policies as `rabbitmqctl
import_definitions` takes them, `python -m deploy.broker declare` only declares exchanges and queues.
AMQP_URI is that of the administrator, whose user exists and gets all permissions on the virtual host; `definitions`
reads the latter from BROKER_VHOST and the user from `--administrator`. A password comes from AMQP_PASSWORD_MEMBERSHIP …
AMQP_PASSWORD_BANK, and AMQP_PASSWORD_INSURER where the mutual-aid society is connected: without it the society has no
user. Each secret may be in the file that `<VARIABLE>_FILE` names. Services declare no queues, so RETRY_DELAYS must be
as theirs.
With `--beside-former` they add what a release before 2026-11-29 needs, until all its processes are replaced; without it
they remove that. Each may be repeated at any time, and changes passwords that differ.
"""

import argparse
import base64
import hashlib
import json
import re
import secrets
import shlex
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import amqp

from deploy.permissions import OPTIONAL_PROGRAMS, PROGRAMS, SERVICES, Permissions, permissions_of
from services.contracts.events.all_events import EVENTS
from services.contracts.external.queues import EXTERNAL_QUEUES
from services.kit.amqp.connection import open_connection, user_of
from services.kit.amqp.queues import (
    EVENTS_EXCHANGE,
    RPC_EXCHANGE,
    bind_requests,
    declare_direct_exchange,
    declare_exchange,
    declare_former_request_queue,
    declare_only_subscription,
    declare_request_queue,
    declare_retry_queue,
    declare_strays,
    declare_subscription,
    delete_former_queues,
    events_exchange,
    former_request_queue,
    is_former_in_use,
    is_queue,
    own_exchange,
    owner_of,
    queue_name,
    strays_exchange,
)
from services.kit.broker_hosts import InvalidAddress, broker_hosts
from services.kit.events.topology import event_queues
from services.kit.secret_values import Secret
from services.kit.settings import MessagingSettings, run_program, value_of, values_of

_NO_LIMITS: Mapping[str, int] = {}
_HASHING = "rabbit_password_hashing_sha256"
_UNLIMITED = 2**31 - 1
"""RabbitMQ 3.10 does not accept -1, which means the same from 4.0 on."""
_SECONDS_TO_EMPTY = 10
"""How long requests of the former queue may take until they are handled or too old."""
_SECONDS_BETWEEN_LOOKS = 0.2


@dataclass(frozen=True)
class User:
    """A name on the broker and its password."""

    name: str
    password: str

    def __repr__(self) -> str:
        return f"User({self.name!r})"


def definitions(
    vhost: str, users: Mapping[str, User], *, administrator: str | None = None, beside_former: bool = False
) -> dict[str, Any]:
    """Returns a virtual host with users and permissions as RabbitMQ's definitions; `users` are by program.

    The user `administrator`, which must exist, gets all permissions.
    """
    allowed = {program: permissions_of(program, beside_former=beside_former) for program in users}
    everything = {"user": administrator, "vhost": vhost, "configure": ".*", "write": ".*", "read": ".*"}
    return {
        "vhosts": [{"name": vhost}],
        "users": [user_definition(user, allowed[program].limits) for program, user in users.items()],
        "permissions": [
            *([everything] if administrator else []),
            *(_permission(vhost, allowed[program], user) for program, user in users.items()),
        ],
        "topic_permissions": [
            {"user": user.name, "vhost": vhost, "exchange": exchange, "write": topic.write, "read": topic.read}
            for program, user in users.items()
            for exchange, topic in allowed[program].topics.items()
        ],
        "policies": [_policy(vhost), *(_strays_policy(vhost, service) for service in SERVICES)],
    }


def user_definition(user: User, limits: Mapping[str, int] = _NO_LIMITS, tags: Sequence[str] = ()) -> dict[str, Any]:
    """Returns a user as RabbitMQ's definitions have it, with the password's hash."""
    salt = secrets.token_bytes(4)
    digest = salt + hashlib.sha256(salt + user.password.encode()).digest()
    return {
        "name": user.name,
        "password_hash": base64.b64encode(digest).decode(),
        "hashing_algorithm": _HASHING,
        "tags": list(tags),
        "limits": dict(limits),
    }


def declare_all(
    amqp_uri: str,
    retry_delays: Iterable[float] = MessagingSettings(amqp_uri=Secret()).retry_delays,
    *,
    beside_former: bool = False,
) -> None:
    """Declares all permanent exchanges and queues, also those of services that have never run.

    Without `beside_former` the bindings that a release before 2026-11-29 needs are removed. Requests come by the queues
    of release 0.2 until no process of it reads them any more: then the next call leads them to the new queues.
    Raises QueueChanged if a queue exists with other arguments.
    """
    connection = open_connection(amqp_uri, "deploy")
    try:
        _declare(connection.channel(), retry_delays, beside_former)
    finally:
        connection.close()


def former_request_queues(amqp_uri: str) -> list[str]:
    """Returns the queues of requests of release 0.2 that exist."""
    with open_connection(amqp_uri, "deploy") as connection:
        channel = connection.channel()
        return [queue for queue in map(former_request_queue, SERVICES) if is_queue(channel, queue)]


def main() -> int:
    """Runs one command; returns the exit status."""
    options = _parser().parse_args()
    try:
        return int(options.run(options))
    except InvalidAddress as error:
        print(f"AMQP_URI {error}", file=sys.stderr)
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    printing = commands.add_parser("definitions", help="print what rabbitmqctl import_definitions takes")
    printing.add_argument("--administrator", metavar="USER", help="an existing user who gets all permissions")
    printing.set_defaults(run=_print_definitions)
    declaring = commands.add_parser("declare", help="declare exchanges and queues")
    declaring.set_defaults(run=_declare_as_set)
    preparing = commands.add_parser("prepare", help="import the definitions, then declare")
    preparing.add_argument("--rabbitmqctl", default="rabbitmqctl", metavar="COMMAND", help="how rabbitmqctl is run")
    preparing.set_defaults(run=_prepare)
    for command in (printing, declaring, preparing):
        command.add_argument("--beside-former", action="store_true", help="let a release before 2026-11-29 work too")
    return parser


def _print_definitions(options: argparse.Namespace) -> int:
    vhost, users = values_of("BROKER_VHOST")["BROKER_VHOST"], _users()
    print(_document(vhost, users, options.administrator, options))
    return 0


def _declare_as_set(options: argparse.Namespace) -> int:
    amqp_uri = values_of("AMQP_URI")["AMQP_URI"]
    declare_all(amqp_uri, *_configured_delays(), beside_former=options.beside_former)
    for queue in former_request_queues(amqp_uri):
        print(f"{queue} is still used: run this again when all processes of the former release are replaced")
    return 0


def _prepare(options: argparse.Namespace) -> int:
    """Imports the definitions by standard input, so that no file holds what is derived from passwords.

    `rabbitmqctl eval` reads it in every release; `import_definitions` of 4.0.0 to 4.0.5 does not, and waits for ever.
    """
    amqp_uri, users = values_of("AMQP_URI")["AMQP_URI"], _users()
    document = _document(broker_hosts(amqp_uri)[0].vhost, users, user_of(amqp_uri), options)
    encoded = base64.b64encode(document.encode()).decode()
    expression = f'ok = rabbit_definitions:import_raw(base64:decode("{encoded}")).'
    command = [*shlex.split(options.rabbitmqctl), "eval"]
    imported = subprocess.run(command, input=expression, stdout=subprocess.PIPE, text=True, check=False)
    if imported.returncode:
        print(imported.stdout.replace(encoded, "…"), file=sys.stderr)
    return imported.returncode or _declare_as_set(options)


def _document(vhost: str, users: Mapping[str, User], administrator: str | None, options: argparse.Namespace) -> str:
    found = definitions(vhost, users, administrator=administrator, beside_former=options.beside_former)
    return json.dumps(found, indent=1)


def _users() -> dict[str, User]:
    variables = password_variables()
    passwords = values_of(*variables.values())
    return {program: User(program, passwords[variable]) for program, variable in variables.items()}


def _configured_delays() -> list[tuple[float, ...]]:
    """Returns RETRY_DELAYS as the only item; empty if they are not set."""
    text = value_of("RETRY_DELAYS")
    return [tuple(map(float, text.split(",")))] if text else []


def password_variables() -> dict[str, str]:
    """Returns the variables of all users' passwords, by program; of an optional program only one that is set."""
    variables = {program: password_variable(program) for program in PROGRAMS}
    return {program: name for program, name in variables.items() if program not in OPTIONAL_PROGRAMS or value_of(name)}


def password_variable(program: str) -> str:
    """Returns the variable with the password of a program's user."""
    return f"AMQP_PASSWORD_{program.upper()}"


def _declare(channel: amqp.Channel, retry_delays: Iterable[float], beside_former: bool) -> None:
    for exchange in (EVENTS_EXCHANGE, RPC_EXCHANGE, *map(events_exchange, SERVICES)):
        declare_exchange(channel, exchange)
    for exchange in map(own_exchange, (*SERVICES, "gateway")):
        declare_direct_exchange(channel, exchange)
    subscribe = declare_subscription if beside_former else declare_only_subscription
    for event in EVENTS.values():
        for consumer in event.consumers:
            subscribe(channel, queue_name(consumer, event.name), event)
    delays = list(retry_delays)
    for service in SERVICES:
        _declare_requests(channel, service, beside_former)
        declare_strays(channel, service, (queue for queue in event_queues() if owner_of(queue) == service))
        for seconds in delays:
            declare_retry_queue(channel, service, seconds)
    for party in EXTERNAL_QUEUES:
        party.declare(channel)


def _declare_requests(channel: amqp.Channel, service: str, beside_former: bool) -> None:
    """Declares the queue of a service's requests, and leads them there once no process of release 0.2 runs.

    What is in that release's queue then is handled first; it is deleted when it is empty.
    """
    declare_request_queue(channel, service)
    if beside_former:
        declare_former_request_queue(channel, service)
        return
    if is_former_in_use(channel.connection, service):
        return
    bind_requests(channel, service)
    until = time.monotonic() + _SECONDS_TO_EMPTY
    while is_queue(channel, former_request_queue(service)):
        delete_former_queues(channel.connection, service)
        if time.monotonic() > until:
            return
        time.sleep(_SECONDS_BETWEEN_LOOKS)


def _policy(vhost: str) -> dict[str, Any]:
    """Returns the policy of quorum queues: no delivery limit where they set none themselves, leaders on all nodes.

    From 4.0 on RabbitMQ drops a message at its 21st delivery if the queue has no dead-letter queue, as those of dead
    letters and of batches for the bank. By default it would lead all queues on the node to which `declare` connects.
    """
    return {
        "vhost": vhost,
        "name": "keep-what-was-returned",
        "pattern": ".*",
        "apply-to": "queues",
        "priority": 0,
        "definition": {"delivery-limit": _UNLIMITED, "queue-leader-locator": "balanced"},
    }


def _strays_policy(vhost: str, service: str) -> dict[str, Any]:
    """Returns the policy that dead-letters a retried message whose queue is missing, so that it blocks no others."""
    return {
        "vhost": vhost,
        "name": strays_exchange(service),
        "pattern": f"^{re.escape(own_exchange(service))}$",
        "apply-to": "exchanges",
        "priority": 0,
        "definition": {"alternate-exchange": strays_exchange(service)},
    }


def _permission(vhost: str, allowed: Permissions, user: User) -> dict[str, str]:
    what = {"configure": allowed.configure, "write": allowed.write, "read": allowed.read}
    return {"user": user.name, "vhost": vhost, **what}


if __name__ == "__main__":
    run_program(main)
