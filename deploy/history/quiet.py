"""Waits until the services have published what they have to say, so that a day ends with its own work."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

import psycopg

from deploy.local.client import wait_until
from services.kit.data.primary import primary_of


class Outboxes:
    """Connections to the services' databases."""

    def __init__(self, connections: list["psycopg.Connection"]) -> None:
        self._connections = connections

    def wait_until_empty(self) -> None:
        """Returns when no outbox holds an event; raises TimeoutError."""
        wait_until(self._are_empty, "all events are published")

    def _are_empty(self) -> bool:
        waiting = (one.execute("select 1 from outbox limit 1").fetchone() for one in self._connections)
        return not any(waiting)


@contextmanager
def outboxes(database_urls: Mapping[str, str]) -> Iterator[Outboxes]:
    """Connects to the databases of these addresses meanwhile."""
    with ExitStack() as open_ones:
        connecting = (primary_of(url).connect(autocommit=True) for url in database_urls.values())
        yield Outboxes([open_ones.enter_context(one) for one in connecting])
