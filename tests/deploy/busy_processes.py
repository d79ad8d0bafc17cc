"""Processes that each use as many database connections as one of a service can: a program for a test.

`python -m tests.deploy.busy_processes 20`, with DATABASE_URL and DATABASE_DIRECT_URL. It prints `busy` when each worker
of each process has been answered or refused, keeps all connections until its input ends, and prints how many workers
and relays were answered and refused.
"""

import multiprocessing
import sys
from collections import Counter
from contextlib import ExitStack
from threading import Barrier, Event, Thread
from typing import Any

from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from services.kit.data.database import engine_for
from services.kit.data.primary import primary_of
from services.kit.settings import DatabaseSettings, read_settings

_OVERFLOW = 4
_TRANSACTIONS = 3
_WORK = text("select pg_sleep(0.02)")
_FORK = multiprocessing.get_context("fork")


def main() -> None:
    """Works until standard input ends."""
    count, over, said = int(sys.argv[1]), _FORK.Event(), _FORK.SimpleQueue()
    processes = [_FORK.Process(target=_be_busy, args=(over, said)) for _ in range(count)]
    for process in processes:
        process.start()
    answered, refused = (sum(numbers) for numbers in zip(*(said.get() for _ in processes), strict=True))
    print("busy", flush=True)
    sys.stdin.read()
    over.set()
    for process in processes:
        process.join()
    print(answered, refused, flush=True)


def _be_busy(over: Any, said: Any) -> None:
    """Uses all connections of a process at once, and says how many workers were answered and refused."""
    settings = read_settings(DatabaseSettings)
    engine, counted, is_over = engine_for(settings, "busy"), Counter[str](), Event()
    all_done = Barrier(settings.max_workers + _OVERFLOW + 1)
    workers = [
        Thread(target=_work, args=(engine, counted, all_done, is_over)) for _ in range(settings.max_workers + _OVERFLOW)
    ]
    for worker in workers:
        worker.start()
    with ExitStack() as relay:
        counted[_connect_as_a_relay(settings, relay)] += 1
        all_done.wait()
        said.put((counted["answered"], counted["refused"]))
        over.wait()
        is_over.set()
        for worker in workers:
            worker.join()


def _work(engine: Engine, counted: Counter[str], all_done: Barrier, is_over: Event) -> None:
    """Takes a connection, has some transactions on it, and keeps it."""
    with ExitStack() as kept:
        try:
            connection = kept.enter_context(engine.connect())
            for _ in range(_TRANSACTIONS):
                connection.execute(_WORK)
                connection.commit()
            counted["answered"] += 1
        except SQLAlchemyError:
            counted["refused"] += 1
        all_done.wait()
        is_over.wait()


def _connect_as_a_relay(settings: DatabaseSettings, kept: ExitStack) -> str:
    """Takes the connection that each process has besides, for the outbox."""
    try:
        connection = kept.enter_context(primary_of(settings.direct_url).connect(autocommit=True))
        connection.execute("listen nothing")
    except Exception:
        return "refused"
    return "answered"


if __name__ == "__main__":
    main()
