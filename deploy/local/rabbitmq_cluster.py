"""A private RabbitMQ cluster on loopback: nodes in folders of their own, which share secrets and a port mapper."""

import json
import secrets
import shutil
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from deploy.local import rabbitmq
from deploy.local.ports import hold_port
from deploy.local.private_files import make_private, write_private
from deploy.local.rabbitmq import Membership, RabbitMQ

_STATE = "cluster.json"


def start(folder: Path, size: int) -> RabbitMQ:
    """Start the nodes of the cluster in this folder that do not run; those of a new one join one after another.

    Raises RuntimeError with the end of a node's log if it does not start.
    """
    make_private(folder)
    numbers, is_new = range(1, size + 1), not (folder / _STATE).exists()
    membership = _membership(folder)
    if is_new:
        nodes = [_start(folder, membership, number) for number in numbers]
    else:
        with ThreadPoolExecutor(size) as at_once:  # each waits for the others' tables
            nodes = list(at_once.map(partial(_start, folder, membership), numbers))
    first, *others = nodes
    return RabbitMQ(first.folder, first.port, first.password, tuple(others))


def start_node(folder: Path, number: int) -> RabbitMQ:
    """Start one node of a cluster again; return it alone."""
    return _start(folder, _membership(folder), number)


def node_folder(folder: Path, number: int) -> Path:
    """Return the folder of a node, counted from 1."""
    return folder.resolve() / f"broker-{number}"


def is_cluster(folder: Path) -> bool:
    """Whether a cluster was made in this folder."""
    return (folder / _STATE).exists()


def size_of(folder: Path) -> int:
    """Return the number of nodes of the cluster in this folder."""
    return len(_folders(folder))


def drop(folder: Path) -> None:
    """End all nodes and delete their data."""
    folders = _folders(folder)
    for one in folders:
        rabbitmq.kill(one)
    if folders:
        rabbitmq.end_port_mapper(folders[0] / "rabbitmq")
    for one in folders:
        shutil.rmtree(one, ignore_errors=True)
    (folder / _STATE).unlink(missing_ok=True)


def _folders(folder: Path) -> list[Path]:
    return sorted(one for one in folder.resolve().glob("broker-*") if (one / "rabbitmq").exists())


def _start(folder: Path, membership: Membership, number: int) -> RabbitMQ:
    return rabbitmq.start(node_folder(folder, number), membership)


def _membership(folder: Path) -> Membership:
    path = folder / _STATE
    if not path.exists():
        made = Membership(
            cookie=secrets.token_hex(16),
            password=secrets.token_hex(16),
            port_mapper_port=hold_port(),
            first=f"{node_folder(folder, 1).name}@localhost",
        )
        write_private(path, json.dumps(vars(made)))
    return Membership(**json.loads(path.read_text()))
