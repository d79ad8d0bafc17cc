"""Finds addresses whose connections are not encrypted."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from services.kit.broker_hosts import InvalidAddress, broker_hosts


def is_unencrypted(text: str) -> bool:
    """Whether the text is the address of another machine without encryption or without verification of its certificate.

    A database address is safe only with `sslmode=verify-full`; otherwise PostgreSQL's library accepts any certificate.
    A broker address is safe only if each of its hosts is.
    """
    if text.startswith("postgres"):
        from services.kit.data.database_address import is_plain_database  # noqa: PLC0415 - the gateway needs no psycopg

        return is_plain_database(text)
    if text.startswith("amqp"):
        return _is_unencrypted_broker(text)
    try:
        address = urlsplit(text)
        host = address.hostname
    except ValueError:
        return False
    if not host or _is_this_machine(host):
        return False
    return address.scheme == "http"


def _is_unencrypted_broker(text: str) -> bool:
    try:
        hosts = broker_hosts(text)
    except InvalidAddress:
        return False
    return any(not one.is_secure and not _is_this_machine(one.host) for one in hosts)


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
