"""Prepares a broker for the services: users with their permissions, then exchanges and queues with their bindings.

`python -m deploy.broker definitions` prints users, permissions and policies as `rabbitmqctl import_definitions` takes
them: the virtual host is BROKER_VHOST, a password comes from AMQP_PASSWORD_MEMBERSHIP … AMQP_PASSWORD_BANK.
`python -m deploy.broker declare` declares exchanges and queues as the administrator of AMQP_URI; services declare none,
so RETRY_DELAYS must be as theirs.
With `--beside-former` both add what the previous release needs, until all its processes are replaced; without it they
remove that. Each may be repeated at any time, and changes passwords that differ.
"""

import argparse
import base64
import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import amqp

from deploy.permissions import PROGRAMS, SERVICES, Permissions, permissions_of
from services.contracts.bank_queues import declare_bank
from services.contracts.events.all_events import EVENTS
from services.kit.amqp.connection import open_connection
from services.kit.amqp.queues import (
    EVENTS_EXCHANGE,
    RPC_EXCHANGE,
    declare_dead_letters_lock,
    declare_direct_exchange,
    declare_exchange,
    declare_only_subscription,
    declare_request_queue,
    declare_retry_queue,
    declare_strays,
    declare_subscription,
    events_exchange,
    own_exchange,
    owner_of,
    queue_name,
    strays_exchange,
)
from services.kit.events.topology import event_queues
from services.kit.secret_values import Secret
from services.kit.settings import MessagingSettings, run_program, values_of

_NO_LIMITS: Mapping[str, int] = {}
_HASHING = "rabbit_password_hashing_sha256"
_UNLIMITED = 2**31 - 1
"""RabbitMQ 3.10 does not accept -1, which means the same from 4.0 on."""


@dataclass(frozen=True)
class User:
    """A name on the broker and its password."""

    name: str
    password: str

    def __repr__(self) -> str:
        return f"User({self.name!r})"


def definitions(vhost: str, users: Mapping[str, User], *, beside_former: bool = False) -> dict[str, Any]:
    """Returns users and permissions in a virtual host as RabbitMQ's definitions; `users` are by program."""
    allowed = {program: permissions_of(program, beside_former=beside_former) for program in users}
    return {
        "users": [user_definition(user, allowed[program].limits) for program, user in users.items()],
        "permissions": [_permission(vhost, allowed[program], user) for program, user in users.items()],
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

    Without `beside_former` the bindings that the previous release needs are removed.
    Raises QueueChanged if a queue exists with other arguments.
    """
    connection = open_connection(amqp_uri, "deploy")
    try:
        _declare(connection.channel(), retry_delays, beside_former)
    finally:
        connection.close()


def main() -> int:
    """Runs one command; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("definitions", "declare"))
    parser.add_argument("--beside-former", action="store_true", help="let the previous release work as well")
    options = parser.parse_args()
    needed = {
        "definitions": ["BROKER_VHOST", *map(password_variable, PROGRAMS)],
        "declare": ["AMQP_URI"],
    }[options.command]
    values = values_of(*needed)
    if "AMQP_URI" in values:
        declare_all(values["AMQP_URI"], *_configured_delays(), beside_former=options.beside_former)
    else:
        users = {program: User(program, values[password_variable(program)]) for program in PROGRAMS}
        document = definitions(values["BROKER_VHOST"], users, beside_former=options.beside_former)
        print(json.dumps(document, indent=1))
    return 0


def _configured_delays() -> list[tuple[float, ...]]:
    """Returns RETRY_DELAYS as the only item; empty if they are not set."""
    text = os.environ.get("RETRY_DELAYS")
    return [tuple(map(float, text.split(",")))] if text else []


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
        declare_request_queue(channel, service)
        declare_dead_letters_lock(channel, service)
        declare_strays(channel, service, (queue for queue in event_queues() if owner_of(queue) == service))
        for seconds in delays:
            declare_retry_queue(channel, service, seconds)
    declare_bank(channel)


def _policy(vhost: str) -> dict[str, Any]:
    """Returns the policy that removes the delivery limit from quorum queues that set none themselves.

    From 4.0 on RabbitMQ drops a message at its 21st delivery if the queue has no dead-letter queue, as those of dead
    letters and of batches for the bank.
    """
    return {
        "vhost": vhost,
        "name": "keep-what-was-returned",
        "pattern": ".*",
        "apply-to": "queues",
        "priority": 0,
        "definition": {"delivery-limit": _UNLIMITED},
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
