"""Connections to the broker that are our own: opened in bounded time, dropped without waiting for the other side."""

import contextlib
import socket
from dataclasses import dataclass, field
from typing import Any

import amqp
from amqp.basic_message import Message as AmqpMessage
from kombu.utils.url import parse_url

BROKER_ERRORS = (amqp.AMQPError, OSError)
"""What py-amqp raises when the broker is away or says no; timeouts are OSErrors."""

PERSISTENT = 2


@dataclass(frozen=True)
class Outgoing:
    """A message to publish: the body's bytes, and AMQP properties (`application_headers` holds the headers).

    The broker gives back a mandatory one that no queue takes; another vanishes then.
    """

    exchange: str
    routing_key: str
    body: bytes
    properties: dict[str, Any] = field(default_factory=dict)
    mandatory: bool = True

    def to_amqp(self) -> AmqpMessage:
        """The message as py-amqp publishes it."""
        return AmqpMessage(self.body, **self.properties)


def open_connection(amqp_uri: str, name: str, *, heartbeat: int = 0, connect_timeout: float = 5) -> amqp.Connection:
    """A connected connection that the broker lists by `name`; raises one of BROKER_ERRORS."""
    address = parse_url(amqp_uri)
    is_secure = address["transport"] == "amqps"
    connection = amqp.Connection(
        host=f"{address['hostname']}:{address['port'] or (5671 if is_secure else 5672)}",
        userid=address["userid"] or "guest",
        password=address["password"] or "guest",
        virtual_host=address["virtual_host"] or "/",
        ssl=is_secure,
        heartbeat=heartbeat,
        connect_timeout=connect_timeout,
        client_properties={"connection_name": name},
    )
    connection.connect()
    return connection


def bound_waits(connection: amqp.Connection, seconds: float) -> None:
    """No read or write of this connection takes longer: a frozen broker shows as an error."""
    connection.transport.sock.settimeout(seconds)


def to_bytes(body: str | bytes) -> bytes:
    """The bytes of a body, which py-amqp may have decoded."""
    return body.encode() if isinstance(body, str) else body


def drop(connection: amqp.Connection | None) -> None:
    """Ends a connection that may be broken: closes its socket and waits for nobody."""
    if connection is None or connection.transport is None:
        return
    transport = connection.transport
    with contextlib.suppress(Exception):
        transport.sock.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(Exception):
        transport.sock.close()
    with contextlib.suppress(Exception):
        connection.collect()
