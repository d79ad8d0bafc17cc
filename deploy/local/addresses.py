"""Where the broker and the databases are: what the caller's environment names, private nodes for the rest."""

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from deploy.local import nodes
from deploy.local.environment import SERVICES, Addresses, database_password
from deploy.local.postgres import Postgres

VHOST = "cards"


def given_amqp_uri() -> str | None:
    """The broker that the caller wants to be used instead of a private one."""
    return os.environ.get("AMQP_URI") or None


def given_database_urls() -> dict[str, str]:
    """The databases, by service, that the caller wants to be used instead of private ones."""
    urls = {service: os.environ.get(f"DATABASE_URL_{service.upper()}") for service in SERVICES}
    return {service: url for service, url in urls.items() if url}


def private_nodes() -> tuple[str, ...]:
    """The nodes that the stack must run itself."""
    database = () if len(given_database_urls()) == len(SERVICES) else ("postgres",)
    broker = () if given_amqp_uri() else ("rabbitmq",)
    return (*database, *broker)


def find_addresses(folder: Path, secrets: Mapping[str, str]) -> Addresses:
    """Start the private nodes that are needed, with a database and a role per service, and tell all addresses."""
    with ThreadPoolExecutor() as both:
        broker = both.submit(lambda: given_amqp_uri() or _private_broker(folder))
        databases = both.submit(_private_databases, folder, secrets)
        return Addresses(broker.result(), databases.result())


def _private_broker(folder: Path) -> str:
    broker = nodes.start_rabbitmq(folder)
    broker.create_vhost(VHOST)
    return broker.uri(VHOST)


def _private_databases(folder: Path, secrets: Mapping[str, str]) -> dict[str, str]:
    given = given_database_urls()
    missing = [service for service in SERVICES if service not in given]
    if not missing:
        return given
    server = nodes.start_postgres(folder)
    return given | {service: _database(server, service, database_password(secrets, service)) for service in missing}


def _database(server: Postgres, service: str, password: str) -> str:
    if not server.has_database(service):
        server.create_private_database(service, password)
    return server.url(service, user=service, password=password)
