"""Adds an encryption key for personal data of a running stack, and drops an old key that nothing needs any more.

`make rotate-keys` may be interrupted at any point and repeated. Every process can decrypt everything at any time: all
know a new key before any encrypts with it, and an old key stays until nothing is encrypted with it.
"""

import json
import math
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import amqp
import requests

from deploy.local.environment import (
    RETIRED_KEYS,
    ROOT,
    SERVICES,
    keys_file,
    random_key,
    read_keys,
    write_keys,
)
from deploy.local.processes import Process, read_plan
from deploy.local.stack import Stack, StackError, find
from services.contracts.events.all_events import EVENTS
from services.kit.amqp.connection import open_connection
from services.kit.amqp.queues import queue_name, retry_queue
from services.kit.data.encryption import token_prefix
from services.kit.dead_letters.letters import DeadLetters
from services.kit.events.topology import dead_queues
from services.kit.secret_values import Secret
from services.kit.settings import MessagingSettings

_SECONDS_TO_KNOW = 60.0
_SECONDS_TO_DRAIN = 30.0
_SECONDS_TO_ENCRYPT = 5.0
"""After this time since a change of the file, every process encrypts, including new events, with the first key."""


def rotate(folder: Path) -> int:
    """Adds a key, encrypts with it, re-encrypts all tables, and prints what still needs old keys; returns exit status.

    Raises StackError if a process does not learn a key; nothing is lost, and it can be repeated.
    """
    stack = find(folder)
    keys = read_keys(folder)
    new = _newest(keys)
    if new == keys[0]:
        new = f"k{_number(new) + 1}:{random_key()}"
        write_keys(folder, [*keys, new])
        print(f"{_id(new)}: added; it can decrypt")
    _wait_until_known(folder, "knows", lambda known: set(map(_id, read_keys(folder))) <= set(known))
    write_keys(folder, [new, *(key for key in keys if key != new)])
    _wait_until_known(folder, "encrypts with", lambda known: known[:1] == [_id(new)])
    print(f"{_id(new)}: encrypts in all processes", flush=True)
    done = [_reencrypt(folder, service) for service in SERVICES]
    for old in map(_id, read_keys(folder)[1:]):
        uses = _uses(stack, folder, old)
        print(f"{old}: still needed by {'; '.join(uses)}" if uses else f"{old}: make rotate-keys DROP={old}")
    return max(done)


def drop(folder: Path, key_id: str) -> int:
    """Retires a key and keeps it aside for backups; returns 1 if something still needs it."""
    stack = find(folder)
    keys = read_keys(folder)
    dropped = next((key for key in keys[1:] if _id(key) == key_id), None)
    if dropped is None:
        raise StackError(f"{key_id} is not one of the old keys ({', '.join(map(_id, keys[1:])) or 'there are none'})")
    # The outboxes first: their events go into the queues.
    uses = _uses(stack, folder, key_id) or _queues_in_use(stack, folder)
    if uses:
        print(f"{key_id}: still needed by {'; '.join(uses)}", file=sys.stderr)
        return 1
    retired = folder / RETIRED_KEYS
    retired.touch(0o600)
    with retired.open("a") as file:
        file.write(f"{dropped}\n")
    write_keys(folder, [key for key in keys if key != dropped])
    _wait_until_known(folder, "has forgotten", lambda known: key_id not in known)
    print(f"{key_id}: dropped, and put aside in {retired.name}")
    return 0


def _reencrypt(folder: Path, service: str) -> int:
    environment = _environment(folder, service)
    return subprocess.run(_command(service), cwd=ROOT, env=environment, check=False).returncode


def _needs(folder: Path, service: str, key_id: str) -> list[str]:
    command = _command(service, "--needs", key_id)
    environment = _environment(folder, service)
    return subprocess.run(
        command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    ).stdout.splitlines()


def _command(service: str, *options: str) -> list[str]:
    """Returns the command for a service's keys, run in a separate process with the service's environment."""
    return [sys.executable, "-W", "ignore", "-m", "services.kit.data.reencrypt", service, *options]


def _environment(folder: Path, service: str) -> dict[str, str]:
    """Returns the environment of the service's own processes."""
    started_with = next((one.environment for one in read_plan(folder).processes if one.program == service), None)
    if started_with is None:
        raise StackError(f"no process of {service} is planned: its database cannot be found")
    url = started_with.get("DATABASE_DIRECT_URL") or started_with["DATABASE_URL"]
    return {**started_with, f"DATABASE_URL_{service.upper()}": url}


def _wait_until_known(folder: Path, what: str, is_known: Callable[[list[str]], bool]) -> None:
    """Waits until every process with keys knows those that `is_known` requires."""
    deadline = time.monotonic() + _SECONDS_TO_KNOW
    waiting = [one for one in read_plan(folder).processes if "PERSONAL_DATA_KEYS_FILE" in one.environment]
    while waiting := [process for process in waiting if not is_known(_known_keys(process))]:
        if time.monotonic() > deadline:
            raise StackError(f"not every process {what} the key: {', '.join(process.name for process in waiting)}")
        time.sleep(0.1)


def _known_keys(process: Process) -> list[str]:
    try:
        answer = requests.get(process.ready_url.replace("/readyz", "/healthz"), timeout=3)
        keys: list[str] = answer.json().get("personal_data_keys", [])
    except requests.RequestException:
        return []
    return keys


def _uses(stack: Stack, folder: Path, key_id: str) -> list[str]:
    """Returns the tables, outboxes and dead letters that need a key."""
    with ThreadPoolExecutor() as at_once:
        needs = at_once.map(lambda service: _needs(folder, service, key_id), SERVICES)
        uses = [need for of_service in needs for need in of_service]
    for service in SERVICES:
        # As the service itself: only its user may read its queues.
        letters = DeadLetters(stack.addresses.amqp_uris[service]).iterate(dead_queues(service))
        counts = Counter(letter.queue for letter in letters if token_prefix(key_id).encode() in letter.body)
        uses += [f"{count} messages of {queue}" for queue, count in counts.items()]
    return uses


def _queues_in_use(stack: Stack, folder: Path) -> list[str]:
    """Returns the queues whose first message was published before the newest key was used."""
    encrypted_since = keys_file(folder).stat().st_mtime + _SECONDS_TO_ENCRYPT
    deadline = time.monotonic() + _SECONDS_TO_DRAIN
    in_use = _working_queues()
    while in_use := [queue for queue in _not_empty(stack, in_use) if _published_at(stack, queue) < encrypted_since]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.2)
    return [f"perhaps messages of {queue}" for queue in in_use]


def _working_queues() -> list[str]:
    queues = {queue_name(consumer, event.name) for event in EVENTS.values() for consumer in event.consumers}
    delays = MessagingSettings(amqp_uri=Secret()).retry_delays
    return [*queues, *(retry_queue(service, seconds) for service in SERVICES for seconds in delays)]


def _published_at(stack: Stack, queue: str) -> float:
    """Returns when the first message of a queue was published; peeks at it and requeues it."""
    first = DeadLetters(stack.addresses.amqp_uris[queue.partition(".")[0]]).peek(queue)
    if first is None:
        return math.inf
    return datetime.fromisoformat(json.loads(first.body)["time"]).timestamp()


def _not_empty(stack: Stack, queues: Sequence[str]) -> list[str]:
    connection = open_connection(stack.addresses.amqp_uris["batching"], "key rotation")
    try:
        return [queue for queue in queues if _waiting(connection, queue)]
    finally:
        connection.close()


def _waiting(connection: amqp.Connection, queue: str) -> int:
    try:
        with connection.channel() as channel:
            return int(channel.queue_declare(queue, passive=True).message_count)
    except amqp.NotFound:
        return 0


def _newest(keys: Sequence[str]) -> str:
    return max(keys, key=_number)


def _number(key: str) -> int:
    digits = "".join(character for character in _id(key) if character.isdigit())
    return int(digits or 0)


def _id(key: str) -> str:
    return key.partition(":")[0]
