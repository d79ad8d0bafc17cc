"""How long processes take for a pile of messages that is in their queue before they begin."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import psycopg

from deploy.local.nodes import Nodes
from services.kit.amqp.connection import OutgoingMessage
from services.kit.amqp.publishing import ConfirmedPublisher
from services.kit.events.relay import declare_queues_of_producer
from tests.bench.environment import Process, fresh_database, fresh_vhost, plain_url, running_service

_POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Goal:
    """What is to be done, and within how many seconds: the query `progress` counts it in the database, to `wanted`."""

    progress: str
    wanted: int
    seconds: float


@dataclass(frozen=True)
class Events:
    """Events of a producer for one service, made for the database of a URL."""

    producer: str
    service: str
    made_for: Callable[[str], Sequence[OutgoingMessage]]


def work_off(
    processes: Sequence[Process], amqp_uri: str, messages: Sequence[OutgoingMessage], database_url: str, goal: Goal
) -> tuple[float, float]:
    """Publishes while the processes are suspended; returns the seconds from then on, and their seconds of a core.

    Raises RuntimeError if the broker refuses a message, and TimeoutError if they take too long.
    """
    with psycopg.connect(plain_url(database_url), autocommit=True) as database:
        with ExitStack() as holding:
            for process in processes:
                holding.enter_context(process.suspended())
            _publish(amqp_uri, messages)
            used, began = _used(processes), time.monotonic()
        while (done := _count(database, goal)) < goal.wanted:
            if time.monotonic() > began + goal.seconds:
                raise TimeoutError(f"{done} of {goal.wanted} are done.")
            time.sleep(_POLL_SECONDS)
        return time.monotonic() - began, _used(processes) - used


def work_off_events(
    on: Nodes, environment: dict[str, str], events: Events, processes: int, goal: Goal
) -> tuple[float, float]:
    """As `work_off`, for so many processes of the service, with a broker and a database of their own."""
    with ExitStack() as after:
        database_url = after.enter_context(fresh_database(on, events.service))
        amqp_uri = after.enter_context(fresh_vhost(on))
        publisher = ConfirmedPublisher(amqp_uri, "bench", 30)
        publisher.declare(lambda channel: declare_queues_of_producer(channel, events.producer))
        publisher.drop()
        messages = events.made_for(database_url)
        environment = {**environment, "AMQP_URI": amqp_uri, "DATABASE_URL": database_url}
        started = [
            after.enter_context(running_service(f"services.{events.service}.service", environment))
            for _ in range(processes)
        ]
        return work_off(started, amqp_uri, messages, database_url, goal)


def _publish(amqp_uri: str, messages: Sequence[OutgoingMessage]) -> None:
    publisher = ConfirmedPublisher(amqp_uri, "bench", 30)
    refused = publisher.publish(messages)
    publisher.drop()
    if refused:
        raise RuntimeError(f"The broker did not take the messages: {refused}")


def _used(processes: Sequence[Process]) -> float:
    return sum(process.cpu_seconds() for process in processes)


def _count(database: "psycopg.Connection[tuple[int]]", goal: Goal) -> int:
    return int(database.execute(goal.progress.encode()).fetchall()[0][0])
