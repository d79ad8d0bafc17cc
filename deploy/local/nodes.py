"""Private PostgreSQL and RabbitMQ nodes on loopback ports, with all their data in one folder.

Several processes may start them at once; nodes that already run are reused.
"""

import fcntl
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local import postgres, rabbitmq, rabbitmq_cluster
from deploy.local.postgres import Postgres
from deploy.local.private_files import make_private, open_private
from deploy.local.rabbitmq import RabbitMQ


@dataclass(frozen=True)
class Nodes:
    """Both nodes, running."""

    folder: Path
    postgres: Postgres
    rabbitmq: RabbitMQ


def start(folder: Path, durable: bool = True, *, brokers: int = 1) -> Nodes:
    """Start those nodes of this folder that do not run, and wait until all are ready.

    `durable` off is for tests: PostgreSQL does not wait for the disk. Several `brokers` are a cluster.
    Raises RuntimeError, with the node's output, if one does not start.
    """
    with ThreadPoolExecutor() as both:
        database = both.submit(start_postgres, folder, durable)
        broker = both.submit(start_rabbitmq, folder, brokers)
        return Nodes(folder.resolve(), database.result(), broker.result())


def start_postgres(folder: Path, durable: bool = True, environment: Mapping[str, str] | None = None) -> Postgres:
    """Start only PostgreSQL, unless it runs; as `start`. `environment` is added to the server's."""
    with _exclusive(folder, "postgres"):
        return postgres.start(folder.resolve(), durable, environment)


def start_rabbitmq(folder: Path, brokers: int = 1) -> RabbitMQ:
    """Start only RabbitMQ, unless it runs; as `start`."""
    with _exclusive(folder, "rabbitmq"):
        if brokers > 1:
            return rabbitmq_cluster.start(folder.resolve(), brokers)
        return rabbitmq.start(folder.resolve())


def stop(folder: Path) -> None:
    """Stop the nodes of this folder and keep their data."""
    with _exclusive(folder, "rabbitmq"), _exclusive(folder, "postgres"):
        rabbitmq.stop(folder.resolve())
        postgres.stop(folder.resolve())


def drop(folder: Path) -> None:
    """Stop the nodes of this folder and delete their data."""
    with _exclusive(folder, "rabbitmq"), _exclusive(folder, "postgres"):
        rabbitmq_cluster.drop(folder.resolve())
        rabbitmq.drop(folder.resolve())
        postgres.drop(folder.resolve())


@contextmanager
def _exclusive(folder: Path, node: str) -> Iterator[None]:
    """Keep other processes from starting or stopping this node meanwhile."""
    make_private(folder)
    with open_private(folder / f"{node}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
