"""The hosts in a broker address: one URL for each node, separated by semicolons, as kombu takes them."""

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

_PORTS = {"amqp": 5672, "amqps": 5671}


@dataclass(frozen=True)
class BrokerHost:
    """One node of the broker, and by whose user which virtual host is used there."""

    host: str
    port: int
    is_secure: bool
    user: str
    password: str = field(repr=False)
    vhost: str


class InvalidAddress(ValueError):
    """A broker address cannot be read; the text quotes nothing of it, since it holds a password."""


def broker_hosts(amqp_uri: str) -> list[BrokerHost]:
    """The hosts in an address such as `amqps://user:password@a/vhost;amqps://user:password@b/vhost`, in its order.

    Ports are 5672, over TLS 5671, where none is given. Raises InvalidAddress; all hosts have one user and one vhost.
    """
    hosts = [_host(url.strip()) for url in amqp_uri.split(";") if url.strip()]
    if not hosts:
        raise InvalidAddress("names no host")
    if len({(one.user, one.password, one.vhost) for one in hosts}) > 1:
        raise InvalidAddress("has hosts with different users, passwords or virtual hosts")
    return hosts


def _host(url: str) -> BrokerHost:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
        parts = urlsplit("")
    if not host or parts.scheme not in _PORTS or parts.query or parts.fragment:
        # Whatever the library says quotes the address.
        raise InvalidAddress("is not amqps://user:password@host:port/vhost, or several of these separated by ;")
    return BrokerHost(
        host=unquote(host),
        port=port or _PORTS[parts.scheme],
        is_secure=parts.scheme == "amqps",
        user=unquote(parts.username or "guest"),
        password=unquote(parts.password or "guest"),
        vhost=unquote(parts.path.removeprefix("/")) or "/",
    )
