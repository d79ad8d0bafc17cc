"""A service from outside: events to and from it over the broker, and RPC calls as from the gateway."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import amqp
import pytest
from nameko.standalone.rpc import ClusterRpcProxy

from services.kit.amqp.connection import open_connection
from services.kit.amqp.queues import EVENTS_EXCHANGE, declare_exchange, events_exchange
from services.kit.events.contract import EventContract
from services.kit.events.envelope import Event, wrap
from services.kit.events.outbox import to_json
from services.kit.rpc.methods import Caller
from tests.documents import unwrapped


class ServiceEnvironment:
    """The environment of one service: other services and the gateway at the broker."""

    def __init__(self, service: str, amqp_uri: str, channel: amqp.Channel) -> None:
        self._service = service
        self._amqp_uri = amqp_uri
        self._channel = channel
        channel.confirm_select()
        declare_exchange(channel, EVENTS_EXCHANGE)

    def subscribe(self, contract: EventContract) -> None:
        """Subscribes to an event from now on."""
        exchange = events_exchange(contract.producer)
        declare_exchange(self._channel, exchange)
        self._channel.queue_declare(_queue(contract), durable=True, auto_delete=False)
        self._channel.queue_bind(_queue(contract), exchange, contract.key_for(contract.recipients[-1]))

    def receive(self, contract: EventContract, seconds: float = 60) -> Event:
        """Returns the next event of a subscribed kind."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            message = self._channel.basic_get(_queue(contract), no_ack=True)
            if message is not None:
                return unwrapped(contract, message.body)
            time.sleep(0.02)
        pytest.fail(f"no {contract.type} in {seconds} s")

    def publish(self, contract: EventContract, data: dict[str, Any], times: int = 1) -> None:
        """Publishes an event, the same one `times` times."""
        document = wrap(contract, data, None)
        message_id = document["id"]
        for _ in range(times):
            message = amqp.Message(to_json(document), message_id=message_id, delivery_mode=2)
            self._channel.basic_publish_confirm(message, EVENTS_EXCHANGE, contract.type, mandatory=True)

    def call(self, method: str, caller: Caller, data: dict[str, Any], request_id: str | None = None) -> Any:
        """Calls the service with Nameko's own client; returns `{"result": ...}` or `{"problem": ...}`."""
        request = {"caller": caller.to_dict(), "data": data, "request_id": request_id}
        with ClusterRpcProxy({"AMQP_URI": self._amqp_uri}, timeout=60) as services:
            return getattr(services[self._service], method)(request)


@contextmanager
def service_environment(service: str, amqp_uri: str) -> Iterator[ServiceEnvironment]:
    """Yields the environment of a service for a test."""
    connection = open_connection(amqp_uri, "test")
    try:
        yield ServiceEnvironment(service, amqp_uri, connection.channel())
    finally:
        connection.close()


def _queue(contract: EventContract) -> str:
    return f"test.{contract.name}"
