"""Reads a database's address by PostgreSQL's own library, so that what is checked is what is connected to."""

import os
import re
from collections.abc import Iterator, Mapping
from functools import cache
from ipaddress import ip_address
from itertools import zip_longest

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

_SCHEME = re.compile(r"(?:postgres|postgresql)(?:\+psycopg)?://")


class NotADatabaseAddress(ValueError):
    """The text is no address of PostgreSQL; the message quotes nothing of it, since it may hold a password."""


@cache
def parameters_of(address: str) -> Mapping[str, str]:
    """The library's parameters that an address names, such as `host`, `port` and `sslmode`, each as a list if of
    several servers: `a,b`. Raises NotADatabaseAddress.
    """
    scheme = _SCHEME.match(address)
    if scheme is None:
        raise NotADatabaseAddress("no address that begins with postgresql://")
    rest = address[scheme.end() :]
    try:
        named = {name: str(value) for name, value in conninfo_to_dict(f"postgresql://{rest}").items()}
    except (ProgrammingError, UnicodeError):
        raise NotADatabaseAddress("no address that PostgreSQL's library can read") from None
    path = rest.partition("/")[2].partition("?")[0]
    if "@" in path or not all(port.isdecimal() for port in named.get("port", "").split(",") if port):
        # A password with an unescaped slash: its parts would be the port and the database, which errors name.
        raise NotADatabaseAddress("an address with a slash before its @ or with a port that is no number")
    return named


def is_plain_database(address: str) -> bool:
    """Whether a server of the address may be another machine that is reached without `sslmode=verify-full`.

    Only the address itself can demand it. What it leaves out the library adds from the environment (`PGHOST`,
    `PGHOSTADDR`, `PGSERVICE`, `PGSSLMODE`) and from a service's file, which could name any machine. An address that
    cannot be read counts as plain.
    """
    try:
        named = parameters_of(address)
    except NotADatabaseAddress:
        return True
    if named.get("sslmode") == "verify-full":
        return False
    if "service" in named or os.environ.get("PGSERVICE"):
        return True
    return not all(map(_is_this_machine, _destinations(named)))


def servers_of(named: Mapping[str, str]) -> list[dict[str, str]]:
    """The parameters of each server of an address; a list that is too short or too long stays for the library."""
    lists = {name: named[name].split(",") for name in ("host", "hostaddr", "port") if name in named}
    count = max((len(lists[name]) for name in ("host", "hostaddr") if name in lists), default=1)
    if any(len(values) not in ((1, count) if name == "port" else (count,)) for name, values in lists.items()):
        return [dict(named)]
    return [
        {**named, **{name: values[position if len(values) > 1 else 0] for name, values in lists.items()}}
        for position in range(count)
    ]


def _destinations(named: Mapping[str, str]) -> Iterator[str]:
    """Where the library connects to: `hostaddr` decides, then `host`; empty for its default, this machine."""
    hosts = named.get("host", os.environ.get("PGHOST", ""))
    numbers = named.get("hostaddr", os.environ.get("PGHOSTADDR", ""))
    for host, number in zip_longest(hosts.split(","), numbers.split(","), fillvalue=""):
        yield number or host


def _is_this_machine(host: str) -> bool:
    """Whether it is the default, a socket, or a loopback address."""
    if host in ("", "localhost") or host.startswith(("/", "@")):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
