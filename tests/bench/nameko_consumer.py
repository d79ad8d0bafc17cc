"""The peer: a plain Nameko consumer of bank results, as its documentation shows one; a transaction a message.

It does the minimum to apply each result once: an inbox row and an update, and, unlike there, a commit
before the ack. Settings come from AMQP_URI, DATABASE_URL and QUEUE.
"""

import eventlet

eventlet.monkey_patch()

import os  # noqa: E402
from typing import Any  # noqa: E402

os.environ["PSYCOPG_WAIT_FUNC"] = "wait_select"

import psycopg  # noqa: E402
from kombu import Queue  # noqa: E402
from nameko.containers import ServiceContainer  # noqa: E402
from nameko.extensions import DependencyProvider  # noqa: E402
from nameko.messaging import consume  # noqa: E402

from tests.bench.peers import APPLY, REMEMBER, change_of  # noqa: E402


class Databases(DependencyProvider):
    """A pool of connections, one for each worker."""

    def setup(self) -> None:
        """Starts with an empty pool."""
        self._free: list[psycopg.Connection[Any]] = []

    def get_dependency(self, worker_ctx: Any) -> "psycopg.Connection[Any]":
        """Returns a connection for a worker."""
        free = self._free.pop() if self._free else psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)
        worker_ctx.data["database"] = free
        return free

    def worker_teardown(self, worker_ctx: Any) -> None:
        """Returns the connection to the pool."""
        self._free.append(worker_ctx.data.pop("database"))


class PlainService:
    """Applies the bank's results."""

    name = "plain"
    database = Databases()

    @consume(Queue(os.environ["QUEUE"], no_declare=True))
    def apply_result(self, feedback: dict[str, Any]) -> None:
        """Applies one result; Nameko acks when this has returned."""
        with self.database.transaction():
            remembered = self.database.execute(REMEMBER, [feedback["feedback_id"]])
            if remembered.rowcount:
                self.database.execute(APPLY, change_of(feedback))


def main() -> None:
    """Consumes for ever."""
    container = ServiceContainer(PlainService, {"AMQP_URI": os.environ["AMQP_URI"]})
    container.start()
    print("ready", flush=True)
    container.wait()


if __name__ == "__main__":
    main()
