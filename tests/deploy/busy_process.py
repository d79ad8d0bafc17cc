"""Uses as many database connections as one process of a service can, until its input ends: a program for a test.

`python -m tests.deploy.busy_process`, with DATABASE_URL and DATABASE_DIRECT_URL. It prints `busy` when each worker has
been answered or refused, and at the end how many transactions were answered and refused.
"""

import sys
import time
from collections import Counter
from threading import Event, Thread

from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from services.kit.data.database import engine_for
from services.kit.data.primary import primary_of
from services.kit.settings import DatabaseSettings, read_settings

_OVERFLOW = 4
_WORK = text("select pg_sleep(0.05)")


def main() -> None:
    """Works until standard input ends."""
    settings = read_settings(DatabaseSettings)
    engine, over, counted = engine_for(settings, "busy"), Event(), Counter[str]()
    firsts = [Event() for _ in range(settings.max_workers + _OVERFLOW)]
    threads = [Thread(target=_work, args=(engine, over, first, counted)) for first in firsts]
    for thread in threads:
        thread.start()
    relay = _connect_as_a_relay(settings)
    for first in firsts:
        first.wait()
    print("busy", flush=True)
    sys.stdin.read()
    over.set()
    for thread in threads:
        thread.join()
    print(counted["answered"], counted["refused"] + (not relay), flush=True)


def _work(engine: Engine, over: Event, first: Event, counted: Counter[str]) -> None:
    while not over.is_set():
        try:
            with engine.begin() as connection:
                connection.execute(_WORK)
            counted["answered"] += 1
        except SQLAlchemyError:
            counted["refused"] += 1
            time.sleep(0.05)
        first.set()


def _connect_as_a_relay(settings: DatabaseSettings) -> object:
    """Returns the connection that each process has besides, for the outbox; None where the server refuses it."""
    try:
        connection = primary_of(settings.direct_url).connect(autocommit=True)
        connection.execute("listen nothing")
    except Exception:
        return None
    return connection


if __name__ == "__main__":
    main()
