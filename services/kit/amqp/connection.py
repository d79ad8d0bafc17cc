"""Connections to the broker: opened within a time limit, dropped without waiting for the other side."""

import contextlib
import socket
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import amqp
from kombu import Connection
from kombu.utils.url import parse_url

from services.kit.amqp.transport import Content, Transport

BROKER_ERRORS = (amqp.AMQPError, OSError)
"""What py-amqp raises when the broker is unreachable or refuses; timeouts are OSErrors."""

PERSISTENT = 2


@dataclass(frozen=True)
class OutgoingMessage:
    """A message to publish: the body's bytes, and AMQP properties (`application_headers` holds the headers).

    The broker returns a mandatory message that is routed to no queue; it drops any other.
    """

    exchange: str
    routing_key: str
    body: bytes
    properties: dict[str, Any] = field(default_factory=dict)
    mandatory: bool = True

    @cached_property
    def content(self) -> Content:
        """Body and properties as py-amqp publishes them."""
        return Content(self.body, **self.properties)

    def name_publisher(self, user: str) -> None:
        """Sets the publishing user, which the broker checks; to be called before the first publication."""
        self.content.properties["user_id"] = user

    def copy_for(self, routing_key: str, mandatory: bool) -> "OutgoingMessage":
        """The same content under another routing key, prepared once for all copies."""
        copy = replace(self, routing_key=routing_key, mandatory=mandatory)
        vars(copy)["content"] = self.content
        return copy


def open_connection(
    amqp_uri: str,
    name: str,
    *,
    heartbeat: int = 0,
    connect_timeout: float = 5,
) -> Connection:
    """An open connection that the broker lists by `name`; raises one of BROKER_ERRORS.

    With `amqps://` the broker's certificate must match its host name and come from a trusted authority: one of the
    system's, or of the file that SSL_CERT_FILE names.
    """
    address = parse_url(amqp_uri)
    is_secure = address["transport"] == "amqps"
    connection = Connection(
        amqp_uri,
        transport=Transport,
        port=address["port"] or (5671 if is_secure else 5672),
        # Set explicitly: kombu would expect a certificate for 127.0.0.1 where the address says localhost.
        ssl={"server_hostname": address["hostname"]} if is_secure else False,
        heartbeat=heartbeat,
        connect_timeout=connect_timeout,
        transport_options={"client_properties": {"connection_name": name}},
    )
    connection.ensure_connection(max_retries=0, reraise_as_library_errors=False)
    return connection


def user_of(amqp_uri: str) -> str:
    """The user name in a broker address."""
    return str(parse_url(amqp_uri)["userid"] or "guest")


def limit_waits(connection: Connection, seconds: float) -> None:
    """Limits each read and write of the connection to so many seconds, so that a frozen broker becomes an error."""
    connection.connection.sock.settimeout(seconds)


def drop(connection: Connection | None) -> None:
    """Ends a connection that may be broken: closes its socket without a closing handshake."""
    if connection is None:
        return
    if connection.connected:
        with contextlib.suppress(Exception):
            connection.connection.sock.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(Exception):
        connection.collect()
