"""Connections to the broker: opened at any of its hosts in limited time, dropped without waiting for the other side."""

import contextlib
import random
import socket
import time
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import amqp
from kombu import Connection

from services.kit.amqp.transport import Content, Transport
from services.kit.broker_hosts import BrokerHost, broker_hosts

BROKER_ERRORS = (amqp.AMQPError, OSError)
"""What py-amqp raises when the broker is unreachable or refuses; timeouts are OSErrors."""

PERSISTENT = 2

_UNREACHABLE = (ConnectionError, TimeoutError)
_SECONDS_FOR_ONE_OF_SEVERAL = 3.0
"""How long one host of several may take for each step of a connection: requests wait five seconds in all."""
_SECONDS_TO_AVOID = 30.0
_failed_at: dict[tuple[str, int], float] = {}
"""When each host last failed, for all connections of this process."""


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

    Of several hosts a random one is tried first, so that connections spread, and then each other one at once; those
    that failed a moment ago come last. With `amqps://` a host's certificate must match its name and come from a trusted
    authority: one of the system's, or of the file that SSL_CERT_FILE names.
    """
    hosts = broker_hosts(amqp_uri)
    seconds = connect_timeout if len(hosts) == 1 else min(connect_timeout, _SECONDS_FOR_ONE_OF_SEVERAL)
    errors: list[Exception] = []
    for host in _in_order_of_trial(hosts):
        try:
            connection = _open(host, name, heartbeat, seconds)
        except BROKER_ERRORS as error:
            _failed_at[host.host, host.port] = time.monotonic()
            errors.append(error)
        else:
            _failed_at.pop((host.host, host.port), None)
            return connection
    raise next((error for error in errors if not isinstance(error, _UNREACHABLE)), errors[-1])


def user_of(amqp_uri: str) -> str:
    """The user name in a broker address."""
    return broker_hosts(amqp_uri)[0].user


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


def _in_order_of_trial(hosts: list[BrokerHost]) -> list[BrokerHost]:
    shuffled = random.sample(hosts, len(hosts))
    failing_since = time.monotonic() - _SECONDS_TO_AVOID
    return sorted(shuffled, key=lambda one: _failed_at.get((one.host, one.port), failing_since) > failing_since)


def _open(host: BrokerHost, name: str, heartbeat: int, seconds: float) -> Connection:
    connection = Connection(
        hostname=host.host,
        port=host.port,
        userid=host.user,
        password=host.password,
        virtual_host=host.vhost,
        transport=Transport,
        # Set explicitly: kombu would expect a certificate for 127.0.0.1 where the address says localhost.
        ssl={"server_hostname": host.host} if host.is_secure else False,
        heartbeat=heartbeat,
        connect_timeout=seconds,
        transport_options={"client_properties": {"connection_name": name}},
    )
    connection.ensure_connection(max_retries=0, reraise_as_library_errors=False)
    return connection
