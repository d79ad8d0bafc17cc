"""Finds addresses whose connections are not encrypted."""

from ipaddress import ip_address
from urllib.parse import urlsplit


def is_unencrypted(text: str) -> bool:
    """Whether the text is the address of another machine without encryption or without verification of its certificate.

    A database address is safe only with `sslmode=verify-full`; otherwise PostgreSQL's library accepts any certificate.
    """
    if text.startswith("postgres"):
        from services.kit.data.database_address import is_plain_database  # noqa: PLC0415 - the gateway needs no psycopg

        return is_plain_database(text)
    try:
        address = urlsplit(text)
        host = address.hostname
    except ValueError:
        return False
    if not host or _is_this_machine(host):
        return False
    return address.scheme in ("amqp", "http")


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
