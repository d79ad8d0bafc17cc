"""Which addresses would send what we say over a network for all to read."""

from ipaddress import ip_address
from urllib.parse import parse_qs, urlsplit


def is_plain(text: str) -> bool:
    """Whether the text is an address of another machine to which the way is not encrypted, or not surely the right one.

    A database's is safe by `sslmode=verify-full` alone: without it PostgreSQL's library believes any certificate.
    """
    try:
        address = urlsplit(text)
        host = address.hostname
    except ValueError:
        return False
    if not host or _is_this_machine(host):
        return False
    if address.scheme.startswith("postgres"):
        return parse_qs(address.query).get("sslmode") != ["verify-full"]
    return address.scheme in ("amqp", "http")


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
