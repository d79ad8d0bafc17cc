"""Addresses of the broker and the databases: from the environment, else of private nodes."""

import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from deploy.broker import User, declare_all, definitions, former_request_queues
from deploy.local import nodes
from deploy.local.environment import SERVICES, Addresses, broker_user, database_password
from deploy.local.nodes import Nodes
from deploy.local.postgres import Postgres, owner_of
from deploy.local.rabbitmq import RabbitMQ
from deploy.permissions import OPTIONAL_PROGRAMS, PROGRAMS
from services.kit.secret_values import Secret
from services.kit.settings import MessagingSettings

VHOST = "cards"
_NEEDED = {*PROGRAMS} - {*OPTIONAL_PROGRAMS}


def configured_amqp_uris() -> dict[str, str]:
    """Return the broker's addresses from the environment, by program, which replace a private broker.

    `AMQP_URI` is for all programs, `AMQP_URI_BATCHING` for one.
    """
    everybody = os.environ.get("AMQP_URI")
    uris = {program: os.environ.get(f"AMQP_URI_{program.upper()}") or everybody for program in PROGRAMS}
    return {program: uri for program, uri in uris.items() if uri}


def configured_database_urls() -> dict[str, str]:
    """Return the databases' addresses from the environment, by service, which replace private ones."""
    return _configured("DATABASE_URL")


def configured_direct_urls() -> dict[str, str]:
    """Return the databases' addresses past a pooler from the environment, by service."""
    return _configured("DATABASE_DIRECT_URL")


def private_nodes() -> tuple[str, ...]:
    """Return the nodes that the stack must run itself."""
    database = () if len(configured_database_urls()) == len(SERVICES) else ("postgres",)
    broker = () if _is_broker_given() else ("rabbitmq",)
    return (*database, *broker)


def find_addresses(folder: Path, stack_secrets: Mapping[str, str]) -> Addresses:
    """Start the private nodes that are needed and return all addresses.

    A private node has a database with two roles for each service, and a broker user for each program. Until
    FORMER_RELEASE_UNTIL or `end_upgrade` the previous release may work as well.
    """
    with ThreadPoolExecutor() as both:
        broker = both.submit(_broker, folder, stack_secrets)
        databases = both.submit(_databases, folder, stack_secrets)
        return Addresses(broker.result(), *databases.result(), configured_direct_urls())


def is_upgrading(stack_secrets: Mapping[str, str]) -> bool:
    """Whether processes of the previous release may still run, or may have left messages."""
    return MessagingSettings(
        Secret(), former_release_until=stack_secrets.get("FORMER_RELEASE_UNTIL", "")
    ).accepts_former


def end_upgrade(folder: Path, stack_secrets: Mapping[str, str]) -> None:
    """Remove from the private broker what only the previous release needs, once none of its processes is left."""
    if not _is_broker_given():
        _prepare_broker(nodes.start_rabbitmq(folder), VHOST, _users(stack_secrets))


def end_former_requests(folder: Path, stack_secrets: Mapping[str, str]) -> None:
    """Lead requests on the private broker to the queues of this release, once no former process reads others."""
    if not _is_broker_given():
        uri = nodes.start_rabbitmq(folder).uri(VHOST)
        if former_request_queues(uri):
            declare_all(uri, beside_former=is_upgrading(stack_secrets))


def bank_uri(folder: Path, stack_secrets: Mapping[str, str]) -> str:
    """Return the bank's address of the broker: from the environment, or of the private node of this folder."""
    if uri := configured_amqp_uris().get("bank"):
        return uri
    user = broker_user(stack_secrets, "bank")
    return nodes.start_rabbitmq(folder).uri(VHOST, user.name, user.password)


@contextmanager
def temporary_addresses(on: Nodes, name: str) -> Iterator[Addresses]:
    """Make all that a stack needs on these nodes, under names that begin with `name`, and drop it at the end."""
    try:
        yield make_addresses(on, name)
    finally:
        forget_addresses(on, name)


def make_addresses(on: Nodes, name: str) -> Addresses:
    """Make all that a stack needs on these nodes, under names that begin with `name`, until `forget_addresses`."""
    users = {program: User(f"{name}_{program}", secrets.token_hex(16)) for program in PROGRAMS}
    password = secrets.token_hex(16)
    databases = {service: f"{name}_{service}" for service in SERVICES}

    def urls(role_of: Callable[[str], str]) -> dict[str, str]:
        return {service: on.postgres.url(name, role_of(name), password) for service, name in databases.items()}

    for database in databases.values():
        on.postgres.prepare_private_database(database, password, password)
    return Addresses(_prepare_broker(on.rabbitmq, name, users), urls(str), urls(owner_of))


def forget_addresses(on: Nodes, name: str) -> None:
    """Drop what `make_addresses` made under this name, as far as it exists."""
    on.rabbitmq.delete_vhost(name)
    on.rabbitmq.delete_users(f"{name}_{program}" for program in PROGRAMS)
    for service in SERVICES:
        on.postgres.drop_private_database(f"{name}_{service}")


def _is_broker_given() -> bool:
    """Whether each program that needs the broker has an address of it in the environment."""
    return configured_amqp_uris().keys() >= _NEEDED


def _configured(variable: str) -> dict[str, str]:
    urls = {service: os.environ.get(f"{variable}_{service.upper()}") for service in SERVICES}
    return {service: url for service, url in urls.items() if url}


def _broker(folder: Path, stack_secrets: Mapping[str, str]) -> dict[str, str]:
    named = configured_amqp_uris()
    if _is_broker_given():
        return named
    broker, upgrading = nodes.start_rabbitmq(folder), is_upgrading(stack_secrets)
    return _prepare_broker(broker, VHOST, _users(stack_secrets), beside_former=upgrading) | named


def _users(stack_secrets: Mapping[str, str]) -> dict[str, User]:
    return {program: broker_user(stack_secrets, program) for program in PROGRAMS}


def _prepare_broker(
    broker: RabbitMQ, vhost: str, users: Mapping[str, User], *, beside_former: bool = False
) -> dict[str, str]:
    """Make a virtual host with its exchanges, queues, users and permissions; return the addresses by program."""
    broker.create_vhost(vhost)
    broker.import_definitions(definitions(vhost, users, beside_former=beside_former))
    declare_all(broker.uri(vhost), beside_former=beside_former)
    return {program: broker.uri(vhost, user.name, user.password) for program, user in users.items()}


def _databases(folder: Path, stack_secrets: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the addresses for running and for migrating."""
    named = configured_database_urls()
    missing = [service for service in SERVICES if service not in named]
    if not missing:
        return named, {}
    server = nodes.start_postgres(folder)
    for service in missing:
        _prepare(server, service, stack_secrets)
    return named | {service: _url(server, service, service, stack_secrets) for service in missing}, {
        service: _url(server, service, owner_of(service), stack_secrets) for service in missing
    }


def _prepare(server: Postgres, service: str, stack_secrets: Mapping[str, str]) -> None:
    passwords = (database_password(stack_secrets, role) for role in (service, owner_of(service)))
    server.prepare_private_database(service, *passwords)


def _url(server: Postgres, service: str, role: str, stack_secrets: Mapping[str, str]) -> str:
    return server.url(service, user=role, password=database_password(stack_secrets, role))
