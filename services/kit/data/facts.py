"""Publishes a service's facts again for a read model: `python -m services.kit.data.facts <service> <rebuild id>`.

It runs beside the service, on the database of DATABASE_URL, and prints how many events it has published. Each service
declares in its `facts.py` what it publishes.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Engine, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from services.kit.data.database import engine_for, outbox
from services.kit.events.envelope import correlation, new_message_id
from services.kit.operations.logs import class_name
from services.kit.settings import DatabaseSettings, read_settings, run_program

_MOST_WAITING = 500
"""Events that may wait in the outbox before more are published."""
_PAUSE = 0.2


class Page(NamedTuple):
    """The key of the last fact of a page, None where there was no further one, and how many events were published."""

    last: str | None
    events: int


PublishPage = Callable[[Session, str | None, UUID], Page]
"""Publishes the facts after a key, in the session's transaction."""


def publish_all_facts(engine: Engine, service: str, rebuild_id: UUID) -> int:
    """Publishes all facts, a page a transaction, no faster than the relay takes them; returns the number of events."""
    published = 0
    pages: Sequence[PublishPage] = import_module(f"services.{service}.facts").FACTS
    for publish_page in pages:
        last: str | None = None
        while True:
            _wait_for_relay(engine)
            correlation.set(new_message_id())
            with Session(engine, expire_on_commit=False) as session, session.begin():
                page = publish_page(session, last, rebuild_id)
            published += page.events
            last = page.last
            if last is None:
                break
    return published


def _wait_for_relay(engine: Engine) -> None:
    some = select(outbox.c.id).limit(_MOST_WAITING).subquery()
    while True:
        with engine.connect() as connection:
            if (connection.scalar(select(func.count()).select_from(some)) or 0) < _MOST_WAITING:
                return
        time.sleep(_PAUSE)


def main() -> int:
    """Publishes; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("service")
    parser.add_argument("rebuild_id", type=UUID)
    given = parser.parse_args()
    try:
        engine = engine_for(read_settings(DatabaseSettings), f"{given.service} facts")
        print(publish_all_facts(engine, given.service, given.rebuild_id))
    except SQLAlchemyError as error:
        print(f"{given.service}: {class_name(error)}; call it again", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    run_program(main)
